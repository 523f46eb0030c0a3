#include "tier/blocks/series_group.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>
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

struct HashId {
  size_t operator()(std::string_view id) const { return hash_bytes(id); }
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
  std::unordered_map<std::string_view, uint32_t, HashId> numbers;
  size_t entries = 0;
  for (const BatchSlice& slice : slices_) {
    entries += slice.batch->strings(ColumnId::kSeries).entries();
  }
  numbers.reserve(std::min<size_t>(entries, rows_));
  std::vector<std::vector<uint32_t>>& number_of = division->block_of;
  constexpr uint32_t kUnknown = UINT32_MAX;
  for (const BatchSlice& slice : slices_) {
    const StringColumn series = slice.batch->strings(ColumnId::kSeries);
    const bool has_bytes = has_documents(*slice.batch);
    std::vector<uint32_t>& mapped = number_of.emplace_back(series.entries(), kUnknown);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const uint32_t row = slice.row(i);
      uint32_t& number = mapped[series.entry_of(row)];
      if (number == kUnknown) {
        const auto count = static_cast<uint32_t>(all.size());
        const auto [known, is_new] = numbers.emplace(series[row], count);
        if (is_new)
          all.push_back({.id = series[row], .head = head_of(series[row]), .number = count});
        number = known->second;
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
