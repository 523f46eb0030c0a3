#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/sample_flags.h"
#include "query/query.h"

namespace firn {

// A sample that has a number: no staleness marker, not deleted, not NaN.
struct SampleValue {
  TimeNs time = 0;
  Position position = 0;
  double value = 0;
};

// The values of a series in one chunk interval: ascending by time, of each time the one written
// last. `series` is the place among those that were asked for.
using SampleVisitor = std::function<Status(size_t series, std::span<const SampleValue> values)>;

// With more series than this, the rows of all are read: a tier looks at each text of a predicate.
inline constexpr size_t kSeriesPredicateMax = 1024;

struct SampleScan {
  std::vector<std::string> series{};  // identities, ascending, each once
  TimeRange time{};
  PositionRange positions{};
  // Also what has no number but says something else: NaN, a text, a histogram without a sum.
  bool with_others = false;
  // Of what may be held at a time; series are read in parts when their samples are more.
  uint64_t samples_max = uint64_t{8} << 20;
};

// Calls `visit` for every series with values, interval by interval, within an interval series by
// series. kTooLarge when one series alone has more than `samples_max` samples in one interval, else
// what a tier, the guard or the visitor returns. `cost` may not be null.
Status scan_samples(const Snapshot& snapshot, const SampleScan& scan, const QueryGuard& guard,
                    QueryCost* cost, const SampleVisitor& visit);

// Calls visit(slice) with the rows of the chunk that satisfy the spec.
Status for_each_slice(const Snapshot& snapshot, const SnapshotChunk& chunk, const ScanSpec& spec,
                      const QueryGuard& guard, QueryCost* cost,
                      const std::function<void(const BatchSlice&)>& visit);
// The same row by row: visit(batch, row).
Status for_each_row(const Snapshot& snapshot, const SnapshotChunk& chunk, const ScanSpec& spec,
                    const QueryGuard& guard, QueryCost* cost,
                    const std::function<void(const RecordBatch&, uint32_t)>& visit);

// Rows whose column is one of the texts.
Predicate equals_any(ColumnId column, std::vector<std::string> texts);

}  // namespace firn
