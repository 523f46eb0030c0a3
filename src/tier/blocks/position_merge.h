#pragma once

#include <cstdint>
#include <vector>

#include "model/record_batch.h"

namespace firn {

// Slices that overlap in positions, as slices that do not. Thread rule: one thread.
class PositionMerge {
 public:
  // With `descending` the greatest positions come first; rows of a slice ascend all the same.
  PositionMerge(Dataset dataset, bool descending, uint32_t rows_max)
      : descending_(descending), rows_max_(rows_max), builder_(dataset) {}

  // Before the first next(), or after one that returned false. REQUIRES rows.
  void add(BatchSlice slice);
  // The next slice, of up to `rows_max` rows unless it is one of those added as it was; false when
  // all rows were given, and all slices were let go.
  bool next(BatchSlice* out);

 private:
  // The rows of a slice that are left: those from `begin` to `end` of its rows.
  struct Rest {
    BatchSlice slice;
    uint32_t begin, end;
  };
  struct Next {
    Position position;
    uint32_t rest;
  };
  struct Later {
    bool descending;
    bool operator()(const Next& a, const Next& b) const {
      return descending ? a.position < b.position : a.position > b.position;
    }
  };
  void push(uint32_t rest);
  Next pop();

  const bool descending_;
  const uint32_t rows_max_;
  BatchBuilder builder_;
  std::vector<Rest> rests_;
  std::vector<BatchPtr> batches_;  // of the rests
  std::vector<Next> heap_;         // of the rests that have rows left, the next one first
};

}  // namespace firn
