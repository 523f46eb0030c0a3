#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "base/mutex.h"
#include "query/query.h"

namespace firn {

// What has in a row of rollups the place of a series: a mark (docs/formats/rollups.md).
inline constexpr std::string_view kRollupMark = "-";

struct RollupMark {
  DurationNs width = 0;
  Position through = 0;  // of samples: every window that one of them is in has its row
};

// Reads marks, and remembers those of chunks that are stored, whose rows never change. Thread rule:
// any thread. Everything may read from disk.
class RollupMarks {
 public:
  // The mark of the widest width that divides `divides` (0: any), of its marks the furthest one
  // that speaks of no samples the snapshot does not show. Nothing when there is none.
  Result<std::optional<RollupMark>> widest(const Snapshot& snapshot, Dataset dataset,
                                           const TimeRange& interval, DurationNs divides,
                                           const QueryGuard& guard, QueryCost* cost)
      EXCLUDES(mutex_);
  // How far the rollups of this width are; 0 when they have no mark.
  Result<Position> through(const Snapshot& snapshot, Dataset dataset, const TimeRange& interval,
                           DurationNs width, const QueryGuard& guard, QueryCost* cost)
      EXCLUDES(mutex_);

 private:
  // A chunk, and up to where its rows are asked for.
  using Stored = std::tuple<ChunkKey, Position, Position>;
  static constexpr size_t kChunksMax = 4096;

  // The furthest of each width.
  Result<std::map<DurationNs, Position>> of_interval(const Snapshot& snapshot, Dataset dataset,
                                                     const TimeRange& interval,
                                                     const QueryGuard& guard, QueryCost* cost)
      EXCLUDES(mutex_);
  Result<std::vector<RollupMark>> of_chunk(const Snapshot& snapshot, const SnapshotChunk& chunk,
                                           const QueryGuard& guard, QueryCost* cost)
      EXCLUDES(mutex_);

  Mutex mutex_;
  std::map<Stored, std::vector<RollupMark>> stored_ GUARDED_BY(mutex_);
};

}  // namespace firn
