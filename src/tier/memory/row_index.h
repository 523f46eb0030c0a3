#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/schema.h"

namespace firn {

class MemoryRun;

// Columns that a closed run can be looked up by; the most selective first.
inline constexpr std::array<ColumnId, 5> kIndexedColumns = {ColumnId::kId, ColumnId::kTraceId,
                                                            ColumnId::kCorrelationId,
                                                            ColumnId::kStream, ColumnId::kSeries};

// A row of a run: which slice, and which index in the slice.
struct RunRow {
  uint32_t slice;
  uint32_t index;
};

// The rows of a closed run by hash of one column's value: rows grouped into buckets by the hash's
// upper bits. Immutable.
class RowIndex {
 public:
  static std::unique_ptr<RowIndex> build(const MemoryRun& run, const ColumnSchema& column);

  // Appends the numbers of rows whose value may have this hash. Numbers count a run's rows from 0.
  void find(uint64_t hash, std::vector<uint32_t>* row_numbers) const;
  size_t size_bytes() const;

 private:
  struct Item {
    uint32_t hash_low;
    uint32_t row_number;
  };
  uint32_t bucket_of(uint64_t hash) const { return static_cast<uint32_t>(hash >> shift_); }

  unsigned shift_ = 63;                 // 64 minus the bits that choose the bucket
  std::vector<uint32_t> bucket_begin_;  // one more than buckets
  std::vector<Item> items_;
};

}  // namespace firn
