#include "views/metrics/rollup_marks.h"

#include <algorithm>
#include <string>

#include "views/metrics/sample_scan.h"

namespace firn {

namespace {

Result<std::vector<RollupMark>> read_marks(const Snapshot& snapshot, const SnapshotChunk& chunk,
                                           const QueryGuard& guard, QueryCost* cost) {
  ScanSpec spec;
  spec.filter.predicates.push_back(equals_any(ColumnId::kSeries, {std::string(kRollupMark)}));
  spec.projection = Projection::none();
  spec.projection.add(ColumnId::kDuration).add(ColumnId::kThrough);
  std::vector<RollupMark> marks;
  FIRN_TRY(
      for_each_row(snapshot, chunk, spec, guard, cost, [&](const RecordBatch& batch, uint32_t row) {
        const RollupMark mark{batch.int64s(ColumnId::kDuration)[row],
                              static_cast<Position>(batch.int64s(ColumnId::kThrough)[row])};
        if (mark.width > 0) marks.push_back(mark);
      }));
  return marks;
}

}  // namespace

Result<std::vector<RollupMark>> RollupMarks::of_chunk(const Snapshot& snapshot,
                                                      const SnapshotChunk& chunk,
                                                      const QueryGuard& guard, QueryCost* cost) {
  if (chunk.in_memory) return read_marks(snapshot, chunk, guard, cost);
  const Stored key{chunk.key, chunk.owned.to, chunk.stats.watermark};
  {
    MutexLock lock(&mutex_);
    const auto known = stored_.find(key);
    if (known != stored_.end()) return known->second;
  }
  FIRN_ASSIGN(std::vector<RollupMark> marks, read_marks(snapshot, chunk, guard, cost));
  MutexLock lock(&mutex_);
  if (stored_.size() >= kChunksMax) stored_.clear();
  return stored_.emplace(key, std::move(marks)).first->second;
}

Result<std::map<DurationNs, Position>> RollupMarks::of_interval(const Snapshot& snapshot,
                                                                Dataset dataset,
                                                                const TimeRange& interval,
                                                                const QueryGuard& guard,
                                                                QueryCost* cost) {
  const Position published = snapshot.published(Dataset::kSamples);
  Filter filter;
  filter.time = interval;
  std::map<DurationNs, Position> furthest;
  for (const SnapshotChunk& chunk : snapshot.chunks(dataset, filter)) {
    FIRN_ASSIGN(const std::vector<RollupMark> marks, of_chunk(snapshot, chunk, guard, cost));
    for (const RollupMark& mark : marks) {
      if (mark.through > published) continue;
      Position& through = furthest[mark.width];
      through = std::max(through, mark.through);
    }
  }
  return furthest;
}

Result<std::optional<RollupMark>> RollupMarks::widest(const Snapshot& snapshot, Dataset dataset,
                                                      const TimeRange& interval, DurationNs divides,
                                                      const QueryGuard& guard, QueryCost* cost) {
  FIRN_ASSIGN(const auto marks, of_interval(snapshot, dataset, interval, guard, cost));
  for (auto mark = marks.rbegin(); mark != marks.rend(); ++mark) {
    if (divides == 0 || divides % mark->first == 0) {
      return std::optional<RollupMark>({mark->first, mark->second});
    }
  }
  return std::optional<RollupMark>();
}

Result<Position> RollupMarks::through(const Snapshot& snapshot, Dataset dataset,
                                      const TimeRange& interval, DurationNs width,
                                      const QueryGuard& guard, QueryCost* cost) {
  FIRN_ASSIGN(const auto marks, of_interval(snapshot, dataset, interval, guard, cost));
  const auto found = marks.find(width);
  return found == marks.end() ? Position{0} : found->second;
}

}  // namespace firn
