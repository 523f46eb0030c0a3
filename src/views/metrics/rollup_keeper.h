#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/mutex.h"
#include "store/store.h"
#include "views/metrics/metric_policy.h"
#include "views/metrics/metric_windows.h"

namespace firn {

// What a run did.
struct RollupRun {
  uint64_t intervals_rolled = 0;            // intervals times widths
  uint64_t rows_written = 0;                // of rollups
  std::vector<std::string> chunks_dropped;  // ascending
};

// How far rollups of a width are, as of now.
struct RollupProgress {
  RollupLevel level;
  uint64_t intervals = 0;         // chunk intervals with samples that were not dropped
  uint64_t intervals_rolled = 0;  // of them, those with a mark
};

// Makes rollups and applies the policies of namespaces to samples and rollups
// (docs/formats/rollups.md). Policies are events in a namespace of their own, "firn-metrics".
// Thread rule: any thread; one run at a time. Everything may read from disk. The store must outlive
// it.
class RollupKeeper {
 public:
  RollupKeeper(Env* env, Store* store) : env_(env), store_(store) {}

  // How often run_due() should be called.
  static constexpr DurationNs kRunInterval = kMinuteNs;
  // Rolls up what has waited long enough, in all namespaces, and drops what is old. Goes on when
  // one fails, and returns what failed first.
  Status run_due(const QueryGuard& guard) EXCLUDES(run_mutex_, mutex_);

  // The one that was set last, else the default.
  Result<MetricPolicy> policy(NamespaceId id) EXCLUDES(mutex_);
  // Durable when it returns. kInvalidArgument as check_metric_policy().
  Status set_policy(NamespaceId id, const MetricPolicy& policy) EXCLUDES(mutex_);

  // Rolls up everything that is not, then drops what the policy no longer keeps at `now`. What
  // arrives meanwhile waits for the next run. kConflict while the clock is suspect and something
  // would be dropped.
  Result<RollupRun> run(NamespaceId id, TimeNs now, const QueryGuard& guard) EXCLUDES(run_mutex_);

  Result<std::vector<RollupProgress>> progress(NamespaceId id, const QueryGuard& guard);

  // For the WindowQuery of whoever reads from this store.
  RollupMarks* marks() { return &marks_; }

 private:
  enum class Scope : uint8_t { kDue, kAll };

  Result<SnapshotPtr> policies_snapshot() const;
  Result<RollupRun> run_locked(NamespaceId id, TimeNs now, Scope scope, const QueryGuard& guard)
      REQUIRES(run_mutex_);
  bool is_due(NamespaceId id, const ChunkKey& interval, size_t level, DurationNs window, TimeNs now)
      REQUIRES(run_mutex_);
  // Rolls up what lies behind the mark.
  Status roll(NamespaceId id, const ChunkKey& interval, size_t level, DurationNs window,
              const QueryGuard& guard, RollupRun* run);
  Status drop_old(NamespaceId id, const MetricPolicy& policy, TimeNs now, const QueryGuard& guard,
                  RollupRun* run);
  // Drops the interval's chunks of the dataset, if they have no rows behind `through`.
  Status drop(NamespaceId id, Dataset dataset, const TimeRange& interval, Position through,
              RollupRun* run);

  Env* const env_;
  Store* const store_;
  RollupMarks marks_;
  Mutex run_mutex_;  // before mutex_
  // When an interval was rolled up last for a level, by the monotonic clock.
  std::map<std::tuple<NamespaceId, TimeNs, size_t>, TimeNs> rolled_at_ GUARDED_BY(run_mutex_);
  Mutex mutex_;
  std::map<NamespaceId, MetricPolicy> policies_ GUARDED_BY(mutex_);
};

}  // namespace firn
