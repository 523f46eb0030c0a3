#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/mutex.h"
#include "store/store.h"
#include "views/metrics/metric_policy.h"
#include "views/metrics/metric_windows.h"
#include "views/metrics/rule_choice.h"

namespace firn {

// What a run did.
struct RollupRun {
  uint64_t intervals_rolled = 0;            // intervals times widths
  uint64_t rows_written = 0;                // of rollups
  std::vector<std::string> chunks_dropped;  // went as a whole
  std::vector<std::string> chunks_pruned;   // lost some of their series; a new chunk has the rest
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
  // Durable when it returns. kInvalidArgument as check_metric_policy(); kUnsupported for rules in a
  // store that has only a memory tier, whose chunks cannot be rewritten.
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
  // What an interval has of a dataset, and by decider whether it is older than it is kept.
  struct OldRows {
    NamespaceId id;
    Dataset dataset;
    TimeRange interval;
    std::vector<bool> over;
    bool any() const;
    bool all() const;
    auto key() const { return std::tuple(id, dataset, interval.from); }
  };
  // A removal of series that is done: who decided on them, and through which position.
  struct Pruned {
    std::string deciders;
    Position through = 0;
  };

  Result<SnapshotPtr> policies_snapshot() const;
  Result<RollupRun> run_locked(NamespaceId id, TimeNs now, Scope scope, const QueryGuard& guard)
      REQUIRES(run_mutex_);
  bool is_due(NamespaceId id, const ChunkKey& interval, size_t level, DurationNs window, TimeNs now)
      REQUIRES(run_mutex_);
  // Rolls up what lies behind the mark.
  Status roll(NamespaceId id, const ChunkKey& interval, size_t level, DurationNs window,
              const QueryGuard& guard, RollupRun* run);
  Status drop_old(NamespaceId id, const MetricPolicy& policy, TimeNs now, const QueryGuard& guard,
                  RollupRun* run) REQUIRES(run_mutex_);
  Status drop_old_samples(NamespaceId id, const MetricPolicy& policy, TimeNs now,
                          const QueryGuard& guard, RollupRun* run) REQUIRES(run_mutex_);
  Status drop_old_rollups(NamespaceId id, const MetricPolicy& policy, size_t level, TimeNs now,
                          const QueryGuard& guard, RollupRun* run) REQUIRES(run_mutex_);
  // Definitions whose samples and rollups have all gone.
  Status drop_definitions(NamespaceId id, const MetricPolicy& policy, TimeNs now, RollupRun* run)
      REQUIRES(run_mutex_);
  Status check_clock() const;
  // Rolls the interval up for every width that anybody keeps. Through which position that is done.
  Result<Position> roll_for_good(NamespaceId id, const ChunkKey& interval,
                                 const MetricPolicy& policy, TimeNs now, const QueryGuard& guard,
                                 RollupRun* run);
  // Whether no row came since the same series went.
  Result<bool> is_pruned(const Snapshot& snapshot, const OldRows& old, const MetricPolicy& policy)
      REQUIRES(run_mutex_);
  // Drops the chunks, or takes the series out whose time is over. Not when they have rows behind
  // `through`.
  Status remove(const OldRows& old, const MetricPolicy& policy, Position through,
                const QueryGuard& guard, RollupRun* run) REQUIRES(run_mutex_);
  // False when a chunk has rows behind `through` or was rewritten meanwhile. Chunks without rows
  // behind `after` are left alone.
  Result<bool> prune(const OldRows& old, std::shared_ptr<const SeriesChoice> choice, Position after,
                     Position through, RollupRun* run);
  // What was removed of the interval last.
  Result<Pruned> last_pruned(const OldRows& old) REQUIRES(run_mutex_);
  Status remember_pruned(const OldRows& old, const Pruned& pruned) REQUIRES(run_mutex_);
  // An event in the namespace of policies, which is made when it is not there.
  Status append_event(const std::string& stream, const EventRow& content);
  // Drops the interval's chunks of the dataset, if they have no rows behind `through`.
  Status drop(NamespaceId id, Dataset dataset, const TimeRange& interval, Position through,
              RollupRun* run) REQUIRES(run_mutex_);

  Env* const env_;
  Store* const store_;
  RollupMarks marks_;
  Mutex run_mutex_;  // before mutex_
  // When an interval was rolled up last for a level, by the monotonic clock.
  std::map<std::tuple<NamespaceId, TimeNs, size_t>, TimeNs> rolled_at_ GUARDED_BY(run_mutex_);
  // As far as it was asked for.
  std::map<std::tuple<NamespaceId, Dataset, TimeNs>, Pruned> pruned_ GUARDED_BY(run_mutex_);
  Mutex mutex_;
  std::map<NamespaceId, MetricPolicy> policies_ GUARDED_BY(mutex_);
};

}  // namespace firn
