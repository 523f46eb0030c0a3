#include "tier/blocks/series_group.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/hash.h"

namespace firn {

namespace {

// What columns of fixed size take never makes a block too large: only documents count.
bool has_documents(const RecordBatch& batch) {
  return batch.has_column(ColumnId::kData) || batch.has_column(ColumnId::kMetadata);
}

// The first bytes of the identity, so that they order as texts do: texts lie anywhere in memory,
// and nearly all differ here.
uint64_t head_of(std::string_view id) {
  char head[8] = {};
  std::memcpy(head, id.data(), std::min(id.size(), sizeof(head)));
  return __builtin_bswap64(load_le<uint64_t>(head));
}

struct SeriesOfGroup {
  std::string_view id;
  uint64_t head;
  uint32_t number;
  uint32_t rows = 0;
  uint64_t bytes = 0;

  bool operator<(const SeriesOfGroup& other) const {
    return head != other.head ? head < other.head : id < other.id;
  }
};

// Numbers series by hashes of their identities alone, so that nothing else is read to find one. Two
// of a hash share a number: their rows come into one block, which is no harm.
class SeriesNumbers {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit SeriesNumbers(size_t series_max) : slots_(std::bit_ceil(2 * series_max + 1)) {}
  // That of the series, or `next`, which is its own from now on.
  uint32_t number_of(std::string_view id, uint32_t next) {
    const uint64_t hash = hash_bytes(id);
    const uint64_t tag = hash & kTag;
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    while (slots_[at] != 0 && (slots_[at] & kTag) != tag) at = (at + 1) & mask;
    if (slots_[at] == 0) slots_[at] = tag | (next + 1);
    return static_cast<uint32_t>(slots_[at]) - 1;
  }

 private:
  static constexpr uint64_t kTag = 0xffffffff00000000u;
  // Open addressing, at most half full: the upper half of the hash, number + 1; 0 is free.
  std::vector<uint64_t> slots_;
};

}  // namespace

void SeriesGroup::add(BatchSlice slice) {
  rows_ += slice.rows();
  raw_bytes_ += slice.size_bytes();
  slices_.push_back(std::move(slice));
}

// Blocks count from 0, in the order of identities.
struct SeriesGroup::Division {
  std::vector<std::vector<uint32_t>> block_of;  // by slice and entry of its dictionary of series
  std::vector<uint32_t> rows;                   // of each block
};

void SeriesGroup::assign_blocks(uint32_t rows_max, uint64_t bytes_max, Division* division) const {
  std::vector<SeriesOfGroup> all;
  size_t entries = 0;
  for (const BatchSlice& slice : slices_) {
    entries += slice.batch->strings(ColumnId::kSeries).entries();
  }
  SeriesNumbers numbers(std::min<size_t>(entries, rows_));
  std::vector<std::vector<uint32_t>>& number_of = division->block_of;
  constexpr uint32_t kUnknown = SeriesNumbers::kNone;
  for (const BatchSlice& slice : slices_) {
    const StringColumn series = slice.batch->strings(ColumnId::kSeries);
    const bool has_bytes = has_documents(*slice.batch);
    std::vector<uint32_t>& mapped = number_of.emplace_back(series.entries(), kUnknown);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const uint32_t row = slice.row(i);
      uint32_t& number = mapped[series.entry_of(row)];
      if (number == kUnknown) {
        const auto count = static_cast<uint32_t>(all.size());
        const std::string_view id = series[row];
        number = numbers.number_of(id, count);
        if (number == count) all.push_back({.id = id, .head = head_of(id), .number = count});
      }
      ++all[number].rows;
      if (has_bytes) all[number].bytes += slice.batch->row_bytes(row);
    }
  }
  std::sort(all.begin(), all.end());
  std::vector<uint32_t> blocks(all.size());  // by number of the series
  uint64_t bytes = 0;
  for (const SeriesOfGroup& series : all) {
    std::vector<uint32_t>& rows = division->rows;
    if (rows.empty() || rows.back() + series.rows > rows_max || bytes + series.bytes > bytes_max) {
      rows.push_back(0);
      bytes = 0;
    }
    rows.back() += series.rows;
    bytes += series.bytes;
    blocks[series.number] = static_cast<uint32_t>(rows.size()) - 1;
  }
  for (std::vector<uint32_t>& of_slice : number_of) {
    for (uint32_t& number : of_slice) {
      if (number != kUnknown) number = blocks[number];
    }
  }
}

Status SeriesGroup::divide(uint32_t rows_max, uint64_t bytes_max, BatchBuilder* builder,
                           const std::function<Status()>& end_block) {
  Division division;
  assign_blocks(rows_max, bytes_max, &division);
  std::vector<std::vector<RowRef>> rows_of(division.rows.size());
  for (size_t block = 0; block < rows_of.size(); ++block) {
    rows_of[block].reserve(division.rows[block]);
  }
  for (uint32_t number = 0; number < slices_.size(); ++number) {
    const BatchSlice& slice = slices_[number];
    const StringColumn series = slice.batch->strings(ColumnId::kSeries);
    const std::vector<uint32_t>& block_of = division.block_of[number];
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const uint32_t row = slice.row(i);
      rows_of[block_of[series.entry_of(row)]].push_back({number, row});
    }
  }
  for (std::vector<RowRef>& rows : rows_of) {
    FIRN_TRY(build_blocks(std::exchange(rows, {}), rows_max, bytes_max, builder, end_block));
  }
  slices_.clear();
  rows_ = 0;
  raw_bytes_ = 0;
  return Status();
}

// More than one only for a series that is too large for one.
Status SeriesGroup::build_blocks(std::vector<RowRef> rows, uint32_t rows_max, uint64_t bytes_max,
                                 BatchBuilder* builder,
                                 const std::function<Status()>& end_block) const {
  std::vector<BatchPtr> batches;
  std::vector<uint32_t> number_of(slices_.size(), UINT32_MAX);  // in `batches`
  std::vector<std::pair<Position, RowRef>> ordered;
  ordered.reserve(rows.size());
  for (const RowRef& row : rows) {
    uint32_t& number = number_of[row.batch];
    if (number == UINT32_MAX) {
      number = static_cast<uint32_t>(batches.size());
      batches.push_back(slices_[row.batch].batch);
    }
    ordered.push_back({batches[number]->position(row.row), {number, row.row}});
  }
  const auto before = [](const auto& a, const auto& b) { return a.first < b.first; };
  // Only slices of a group that was taken up again overlap.
  if (!std::is_sorted(ordered.begin(), ordered.end(), before)) {
    std::sort(ordered.begin(), ordered.end(), before);
  }
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = ordered[i].second;
  const bool has_bytes = std::any_of(batches.begin(), batches.end(),
                                     [](const BatchPtr& batch) { return has_documents(*batch); });
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = std::min(rows.size(), begin + rows_max);
    uint64_t bytes = 0;
    for (size_t i = begin; has_bytes && i < end; ++i) {
      bytes += batches[rows[i].batch]->row_bytes(rows[i].row);
      if (bytes > bytes_max && i > begin) end = i;
    }
    builder->add_rows(batches, std::span<const RowRef>(rows).subspan(begin, end - begin));
    FIRN_TRY(end_block());
    begin = end;
  }
  return Status();
}

}  // namespace firn
