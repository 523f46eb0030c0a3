#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "tier/memory/row_index.h"
#include "tier/slices.h"
#include "tier/tier.h"

namespace firn {

// Bytes that all runs of a memory tier hold, wherever they are still referenced from.
using MemoryCounter = std::shared_ptr<std::atomic<uint64_t>>;

// What a run holds up to and including one of its slices.
struct RunTotals {
  uint64_t rows = 0;
  uint64_t bytes = 0;      // memory, with what the tier adds
  uint64_t raw_bytes = 0;  // as a share of the batches
  SliceZone zone;
};

// A sequence of slices of one chunk, appended in place. Room for `capacity` slices is fixed at the
// start, so readers can look at published slices while the writer adds behind them.
//
// Thread rule: append() and close() from one writer at a time; everything else from any thread.
class MemoryRun {
 public:
  static constexpr uint32_t kSlicesMax = 1024;
  static constexpr uint64_t kRowsMax = 16'384;

  struct Entry {
    BatchSlice slice;
    SliceZone zone;
    RunTotals through;
  };

  MemoryRun(uint32_t capacity, uint64_t arrival, TimeNs arrived_at, MemoryCounter counter);
  ~MemoryRun();
  MemoryRun(const MemoryRun&) = delete;
  MemoryRun& operator=(const MemoryRun&) = delete;

  // REQUIRES: not closed, positions above those appended before.
  void append(BatchSlice slice, const SliceZone& zone);
  uint32_t capacity() const { return capacity_; }
  // True when the next slice needs another run.
  bool is_full() const;
  // Nothing more will be appended; from now on row indexes can be built.
  void close() { closed_.store(true, std::memory_order_release); }
  bool is_closed() const { return closed_.load(std::memory_order_acquire); }

  // Slices visible to readers; entries below it never change.
  uint32_t published() const { return published_.load(std::memory_order_acquire); }
  const Entry& entry(uint32_t index) const { return entries_[index]; }
  // Of the published slices; zeros when there is none.
  RunTotals totals() const;

  // The order and (monotonic) time at which the run was begun.
  uint64_t arrival() const { return arrival_; }
  TimeNs arrived_at() const { return arrived_at_; }

  // The rows by value of the column, built by the first caller. Null when the run is still open or
  // the column has no such index.
  const RowIndex* index(ColumnId column) const;

 private:
  const uint32_t capacity_;
  const uint64_t arrival_;
  const TimeNs arrived_at_;
  const MemoryCounter counter_;
  std::unique_ptr<Entry[]> entries_;
  std::atomic<uint32_t> published_{0};
  std::atomic<bool> closed_{false};
  mutable std::array<std::atomic<const RowIndex*>, kIndexedColumns.size()> indexes_{};
  mutable std::atomic<uint64_t> index_bytes_{0};
};

}  // namespace firn
