#include "tier/parquet/chunk_reader.h"

#include <algorithm>

namespace firn {

namespace {

class ChunkReader : public BatchReader {
 public:
  ChunkReader(Engine* engine, UnpackedFiles* unpacked, std::vector<ParquetFilePtr> files,
              const ScanSpec& spec, ScanCost* cost)
      : engine_(engine), unpacked_(unpacked), files_(std::move(files)), spec_(spec), cost_(cost) {
    // Taken from the back.
    if (!descending()) std::reverse(files_.begin(), files_.end());
  }

  Result<bool> next(BatchSlice* out) override {
    while (true) {
      if (reader_ != nullptr) {
        FIRN_ASSIGN(const bool more, reader_->next(out));
        if (more) {
          if (cost_ != nullptr) cost_->rows_read += out->rows();
          return true;
        }
        reader_.reset();
      }
      if (files_.empty()) return false;
      current_ = std::move(files_.back());
      files_.pop_back();
      FIRN_TRY(open_current());
    }
  }

 private:
  bool descending() const { return spec_.order == ScanOrder::kPositionDescending; }

  Status open_current() {
    const ParquetFileName& name = current_->name();
    if (name.rows == 0 || !spec_.filter.positions.overlaps(name.first, name.last)) return {};
    FIRN_TRY(load_footers(engine_, {&current_, 1}));
    const auto footer = current_->footer();
    const uint64_t groups = footer->row_groups;
    if (!may_match(footer->stats, spec_.filter)) {
      if (cost_ != nullptr) cost_->blocks_pruned += groups;
      return {};
    }
    if (cost_ != nullptr) cost_->blocks_read += groups;
    uint64_t* const bytes_read = cost_ != nullptr ? &cost_->bytes_read : nullptr;
    if (UnpackedFiles::is_meant(footer->stats, spec_.filter)) {
      FIRN_ASSIGN(reader_, unpacked_->read(engine_, *current_, spec_, bytes_read));
      return {};
    }
    ParquetRead read;
    read.path = current_->path();
    read.dataset = name.key.dataset;
    read.namespace_id = name.key.namespace_id;
    read.filter = spec_.filter;
    read.projection = spec_.projection;
    read.descending = descending();
    if (read.descending) {
      FIRN_ASSIGN(read.row_groups, current_->row_groups(engine_));
    }
    read.has_raw_rows = footer->stats.raw_rows != 0;
    read.bytes_read = bytes_read;
    FIRN_ASSIGN(reader_, engine_->read_parquet(read));
    return {};
  }

  Engine* const engine_;
  UnpackedFiles* const unpacked_;
  std::vector<ParquetFilePtr> files_;  // the next one last
  const ScanSpec spec_;
  ScanCost* const cost_;
  ParquetFilePtr current_;  // outlives its reader
  std::unique_ptr<BatchReader> reader_;
};

}  // namespace

bool may_match(const ParquetFileStats& stats, const Filter& filter) {
  return stats.rows > 0 && filter.time.overlaps(stats.time_min, stats.time_max) &&
         filter.positions.overlaps(stats.position_min, stats.position_max);
}

std::unique_ptr<BatchReader> make_chunk_reader(Engine* engine, UnpackedFiles* unpacked,
                                               std::vector<ParquetFilePtr> files,
                                               const ScanSpec& spec, ScanCost* cost) {
  return std::make_unique<ChunkReader>(engine, unpacked, std::move(files), spec, cost);
}

}  // namespace firn
