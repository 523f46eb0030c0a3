#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/filter.h"
#include "model/record_batch.h"

namespace firn {

// Grouping and mergeable states. Every tier produces AggregateStates; merging them in any order
// gives the answer.
struct AggregateSpec {
  Filter filter;
  DurationNs window_ns = 0;        // 0: no time buckets
  std::vector<ColumnId> group_by;  // any columns but positions
  std::vector<ColumnId> measures;  // kInt64 or kUint8 columns; absent values are skipped
  Position complete_through = 0;   // as in a ScanSpec (tier/tier.h)
};

struct GroupKey {
  TimeNs window_start = 0;          // 0 without windows
  std::vector<std::string> values;  // as text, one per group_by column; ids as hex, absent empty
  auto operator<=>(const GroupKey&) const = default;
};

struct MeasureState {
  uint64_t count = 0;
  double sum = 0;
  int64_t min = INT64_MAX, max = INT64_MIN;
};

struct GroupState {
  uint64_t count = 0;
  std::vector<MeasureState> measures;  // one per spec.measures
};

using AggregateStates = std::map<GroupKey, GroupState>;

// Adds the rows of an already filtered slice.
void aggregate_slice(const BatchSlice& slice, const AggregateSpec& spec, AggregateStates* states);
void merge_states(const AggregateStates& from, AggregateStates* to);
// The states of all rows of a reader that already filters.
inline Result<AggregateStates> aggregate_reader(BatchReader* reader, const AggregateSpec& spec) {
  AggregateStates states;
  BatchSlice slice;
  while (true) {
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) return states;
    aggregate_slice(slice, spec, &states);
  }
}
// Columns the aggregation must read.
Projection aggregate_projection(const AggregateSpec& spec);

}  // namespace firn
