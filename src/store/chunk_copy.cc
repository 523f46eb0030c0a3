#include "store/chunk_copy.h"

#include <memory>
#include <string>
#include <utility>

#include "model/checksum.h"

namespace firn {

namespace {

// The rows as they are read; at their end an error when they are not those that the record counts.
class CountedRows : public BatchReader {
 public:
  CountedRows(const ChunkCopy& copy, std::unique_ptr<BatchReader> reader)
      : copy_(copy), reader_(std::move(reader)) {}

  Result<bool> next(BatchSlice* out) override {
    while (true) {
      if (copy_.stopping->load()) return cancelled("the store is closing");
      FIRN_ASSIGN(const bool more, reader_->next(out));
      if (!more) {
        FIRN_TRY(check_counts());
        return false;
      }
      rows_ += out->rows();
      checksum_ += rows_checksum(*out);
      if (copy_.without == nullptr) return true;
      *out = staying_rows(*out, *copy_.without);
      if (out->batch == nullptr) continue;
      copy_.copied->rows += out->rows();
      copy_.copied->checksum += rows_checksum(*out);
      return true;
    }
  }

 private:
  Status check_counts() const {
    const ChunkRecord& record = *copy_.record;
    if (copy_.above != 0) return {};
    if (rows_ == record.stats.rows && checksum_ == record.stats.checksum) return {};
    return corruption("chunk " + record.key.name() + " in tier " + record.tier + " has " +
                      std::to_string(rows_) + " rows, the manifest says " +
                      std::to_string(record.stats.rows) +
                      ", or their checksum differs; it was not copied. Run firn verify");
  }

  const ChunkCopy& copy_;
  const std::unique_ptr<BatchReader> reader_;
  uint64_t rows_ = 0, checksum_ = 0;
};

}  // namespace

Result<ChosenRows> count_chosen(Tier* source, const ChunkRecord& record, const SeriesChoice& choice,
                                const std::atomic<bool>& stopping) {
  ScanSpec spec;
  spec.filter.positions = {0, record.stats.watermark + 1};
  spec.complete_through = record.stats.watermark;
  spec.projection = Projection::none();
  spec.projection.add(ColumnId::kSeries);
  FIRN_ASSIGN(const auto reader, source->scan(record.key, spec, nullptr));
  ChosenRows chosen;
  while (true) {
    if (stopping.load()) return cancelled("the store is closing");
    BatchSlice slice;
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) return chosen;
    const uint64_t staying = staying_rows(slice, choice).rows();
    chosen.staying += staying;
    chosen.going += slice.rows() - staying;
  }
}

Result<ChunkStats> copy_chunk(const ChunkCopy& copy) {
  const ChunkStats& stats = copy.record->stats;
  ScanSpec spec;
  spec.order = ScanOrder::kPositionAscending;
  spec.filter.positions = {copy.above == 0 ? 0 : copy.above + 1, stats.watermark + 1};
  spec.complete_through = stats.watermark;
  FIRN_ASSIGN(auto reader, copy.source->scan(copy.record->key, spec, nullptr));
  CountedRows rows(copy, std::move(reader));
  return copy.target->write_all(copy.target_key, {.reader = &rows,
                                                  .through = stats.watermark,
                                                  .rows = stats.rows,
                                                  .raw_bytes = stats.raw_bytes,
                                                  .piece_bytes = copy.piece_bytes});
}

Result<ChunkStats> finish_copy(Tier* target, const ChunkKey& key, const ChunkStats& expected,
                               bool is_complete) {
  if (is_complete) FIRN_TRY(target->seal(key).status());
  FIRN_ASSIGN(ChunkStats stored, target->verify(key));
  if (stored.rows != expected.rows || stored.checksum != expected.checksum) {
    return corruption("chunk " + key.name() + " reads back differently from '" +
                      std::string(target->name()) + "'; the chunk it was made from stays as it is");
  }
  stored.watermark = expected.watermark;
  return stored;
}

}  // namespace firn
