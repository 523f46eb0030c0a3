#include "tier/parquet/unpacked_files.h"

#include <algorithm>
#include <utility>

#include "base/size.h"

namespace firn {

namespace {

// Unpacking so much takes about as long as one statement.
constexpr uint64_t kFileBytesMax = 1 * kMiB;

// Columns whose values few rows of a chunk share.
bool is_selective(ColumnId column) {
  return column == ColumnId::kStream || column == ColumnId::kId || column == ColumnId::kTraceId ||
         column == ColumnId::kCorrelationId;
}

class UnpackedReader : public BatchReader {
 public:
  UnpackedReader(std::shared_ptr<const std::vector<BatchSlice>> rows, const ScanSpec& spec)
      : rows_(std::move(rows)),
        filter_(spec.filter),
        descending_(spec.order == ScanOrder::kPositionDescending) {}

  Result<bool> next(BatchSlice* out) override {
    while (next_ < rows_->size()) {
      const size_t index = descending_ ? rows_->size() - 1 - next_ : next_;
      ++next_;
      *out = apply_filter((*rows_)[index], filter_);
      if (out->batch != nullptr) return true;
    }
    return false;
  }

 private:
  const std::shared_ptr<const std::vector<BatchSlice>> rows_;
  const Filter filter_;
  const bool descending_;
  size_t next_ = 0;
};

}  // namespace

bool UnpackedFiles::is_meant(const ParquetFileStats& stats, const Filter& filter) {
  return stats.raw_bytes <= kFileBytesMax &&
         std::any_of(
             filter.predicates.begin(), filter.predicates.end(), [](const Predicate& predicate) {
               return predicate.kind == PredicateKind::kEqual && is_selective(predicate.column);
             });
}

Result<std::unique_ptr<BatchReader>> UnpackedFiles::read(Engine* engine, const ParquetFile& file,
                                                         const ScanSpec& spec,
                                                         uint64_t* bytes_read) {
  FIRN_ASSIGN(Rows rows, rows_of(engine, file, bytes_read));
  return std::unique_ptr<BatchReader>(std::make_unique<UnpackedReader>(std::move(rows), spec));
}

Result<UnpackedFiles::Rows> UnpackedFiles::rows_of(Engine* engine, const ParquetFile& file,
                                                   uint64_t* bytes_read) {
  if (auto known = files_.find(file.number()); known.has_value()) return std::move(*known);
  ParquetRead read;
  read.path = file.path();
  read.dataset = file.name().key.dataset;
  read.namespace_id = file.name().key.namespace_id;
  read.has_raw_rows = file.footer()->stats.raw_rows != 0;
  read.bytes_read = bytes_read;
  FIRN_ASSIGN(const auto reader, engine->read_parquet(read));
  auto rows = std::make_shared<std::vector<BatchSlice>>();
  size_t bytes = 0;
  while (true) {
    BatchSlice slice;
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) break;
    bytes += slice.batch->size_bytes();
    rows->push_back(std::move(slice));
  }
  files_.put(file.number(), rows, bytes);
  return Rows(std::move(rows));
}

}  // namespace firn
