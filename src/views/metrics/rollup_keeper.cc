#include "views/metrics/rollup_keeper.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "views/metrics/rollup_rows.h"
#include "views/metrics/sample_scan.h"
#include "views/streams/stream_reads.h"

namespace firn {

namespace {

constexpr const char* kPoliciesNamespace = "firn-metrics";
// An interval that still gets samples is rolled up once in so many windows: each time, the windows
// that were not over are written again.
constexpr DurationNs kWindowsBetweenRolls = 12;
constexpr uint32_t kSeriesAtOnce = 10'000;
constexpr uint32_t kRowsPerAppend = 20'000;

std::string policy_stream(NamespaceId id) { return "policy-" + std::to_string(id); }

// Chunk intervals that have rows of the dataset, with those above `after` only.
std::map<TimeNs, ChunkKey> intervals_of(const Snapshot& snapshot, Dataset dataset) {
  std::map<TimeNs, ChunkKey> intervals;
  for (const SnapshotChunk& chunk : snapshot.chunks(dataset, Filter{})) {
    intervals.emplace(chunk.key.start, chunk.key);
  }
  return intervals;
}

TimeRange time_of(const ChunkKey& interval) { return {interval.start, interval.end}; }

bool is_over(const ChunkKey& interval, DurationNs age, TimeNs now) {
  TimeNs due = 0;
  if (age == kForever || __builtin_add_overflow(interval.end, age, &due)) return false;
  return due <= now;
}

// Starts of windows, by series.
using TouchedWindows = std::map<std::string, std::set<TimeNs>, std::less<>>;

// The windows of the interval that have samples behind the mark.
Result<TouchedWindows> touched_windows(const Snapshot& snapshot, const ChunkKey& interval,
                                       DurationNs window, Position mark, const QueryGuard& guard) {
  TouchedWindows touched;
  ScanSpec spec;
  spec.filter.time = time_of(interval);
  spec.filter.positions.from = mark + 1;
  spec.projection = Projection::none();
  spec.projection.add(ColumnId::kTime).add(ColumnId::kSeries);
  QueryCost cost;
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSamples, spec.filter)) {
    FIRN_TRY(for_each_row(
        snapshot, chunk, spec, guard, &cost, [&](const RecordBatch& batch, uint32_t row) {
          const std::string_view series = batch.strings(ColumnId::kSeries)[row];
          auto found = touched.find(series);
          if (found == touched.end()) {
            found = touched.try_emplace(std::string(series)).first;
          }
          found->second.insert(interval_start(batch.int64s(ColumnId::kTime)[row], window));
        }));
  }
  return touched;
}

// Appends rows of rollups in batches of a bounded size.
class RollupAppender {
 public:
  RollupAppender(Store* store, NamespaceId id, size_t level)
      : store_(store), id_(id), rows_(kRollupDatasets[level]) {}

  BatchBuilder* rows() { return &rows_; }
  uint64_t written() const { return written_; }
  Status append_if_full() { return rows_.rows() < kRowsPerAppend ? Status() : append(); }
  Status append() {
    written_ += rows_.rows();
    AppendRequest request;
    request.batch = rows_.finish();
    return store_->append_and_wait(id_, std::move(request)).status();
  }

 private:
  Store* const store_;
  const NamespaceId id_;
  BatchBuilder rows_;
  uint64_t written_ = 0;
};

}  // namespace

Status RollupKeeper::run_due(const QueryGuard& guard) {
  Status first;
  MutexLock lock(&run_mutex_);
  for (const NamespaceInfo& info : store_->namespaces()) {
    const Status status = run_locked(info.id, env_->now(), Scope::kDue, guard).status();
    // A namespace may be deleted meanwhile.
    if (status.ok() || status.code() == StatusCode::kNotFound) continue;
    if (first.ok()) first = status.with_context("rollups of namespace '" + info.name + "'");
    if (status.code() == StatusCode::kCancelled) return first;
  }
  return first;
}

Result<SnapshotPtr> RollupKeeper::policies_snapshot() const {
  const Result<NamespaceInfo> info = store_->find_namespace(kPoliciesNamespace);
  if (!info.ok()) return SnapshotPtr();
  return store_->snapshot(info->id);
}

Result<MetricPolicy> RollupKeeper::policy(NamespaceId id) {
  {
    MutexLock lock(&mutex_);
    const auto known = policies_.find(id);
    if (known != policies_.end()) return known->second;
  }
  MetricPolicy policy;
  FIRN_ASSIGN(const SnapshotPtr snapshot, policies_snapshot());
  if (snapshot != nullptr) {
    FIRN_ASSIGN(const EventRef last, last_of_stream(*snapshot, policy_stream(id), "", nullptr));
    if (last.batch != nullptr) {
      const auto parsed = parse_metric_policy_text(event_row(*last.batch, last.row).subject);
      if (!parsed) {
        return corruption("the policy for metrics of namespace " + std::to_string(id) +
                          " does not parse; set it again by POST .../metrics/retention");
      }
      policy = *parsed;
    }
  }
  if (store_->options().chunk_interval_ns % kDayNs != 0) {
    // The default widths are for days; narrower intervals have those of them that fit.
    std::erase_if(policy.rollups, [&](const RollupLevel& level) {
      return store_->options().chunk_interval_ns % level.window_ns != 0;
    });
  }
  MutexLock lock(&mutex_);
  return policies_.emplace(id, policy).first->second;
}

Status RollupKeeper::set_policy(NamespaceId id, const MetricPolicy& policy) {
  FIRN_TRY(check_metric_policy(policy, store_->options().chunk_interval_ns));
  Result<NamespaceInfo> info = store_->find_namespace(kPoliciesNamespace);
  if (!info.ok()) info = store_->put_namespace(kPoliciesNamespace, kForever);
  FIRN_TRY(info.status());
  const std::string stream = policy_stream(id), text = metric_policy_text(policy);
  EventRow row;
  row.time = env_->now();
  row.kind = EventKind::kMessage;
  row.id = store_->id_source()();
  row.type = "policy";
  row.stream = stream;
  row.subject = text;
  BatchBuilder builder(Dataset::kEvents);
  builder.add(row);
  AppendRequest request;
  request.batch = builder.finish();
  MutexLock lock(&run_mutex_);  // two changes are stored in the order in which they take effect
  FIRN_TRY(store_->append_and_wait(info->id, std::move(request)).status());
  MutexLock policies_lock(&mutex_);
  policies_[id] = policy;
  return Status();
}

bool RollupKeeper::is_due(NamespaceId id, const ChunkKey& interval, size_t level, DurationNs window,
                          TimeNs now) {
  const auto found = rolled_at_.find({id, interval.start, level});
  const DurationNs wait = interval.end <= now ? kRunInterval : kWindowsBetweenRolls * window;
  // Wide windows of an interval that goes on wait for its end.
  if (interval.end > now && wait >= interval.end - interval.start) return false;
  return found == rolled_at_.end() || env_->monotonic() - found->second >= wait;
}

Result<RollupRun> RollupKeeper::run(NamespaceId id, TimeNs now, const QueryGuard& guard) {
  MutexLock lock(&run_mutex_);
  return run_locked(id, now, Scope::kAll, guard);
}

Result<RollupRun> RollupKeeper::run_locked(NamespaceId id, TimeNs now, Scope scope,
                                           const QueryGuard& guard) {
  RollupRun run;
  FIRN_ASSIGN(const MetricPolicy policy, this->policy(id));
  FIRN_ASSIGN(const SnapshotPtr snapshot, store_->snapshot(id));
  for (const auto& [start, interval] : intervals_of(*snapshot, Dataset::kSamples)) {
    for (size_t level = 0; level < policy.rollups.size(); ++level) {
      const RollupLevel& rollup = policy.rollups[level];
      if (is_over(interval, rollup.keep_ns, now)) continue;  // it would go at once
      if (scope == Scope::kDue && !is_due(id, interval, level, rollup.window_ns, now)) continue;
      FIRN_TRY(roll(id, interval, level, rollup.window_ns, guard, &run));
      rolled_at_[{id, start, level}] = env_->monotonic();
    }
  }
  FIRN_TRY(drop_old(id, policy, now, guard, &run));
  return run;
}

Status RollupKeeper::roll(NamespaceId id, const ChunkKey& interval, size_t level, DurationNs window,
                          const QueryGuard& guard, RollupRun* run) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, store_->snapshot(id));
  QueryCost cost;
  FIRN_ASSIGN(const Position mark, marks_.through(*snapshot, kRollupDatasets[level],
                                                  time_of(interval), window, guard, &cost));
  Filter behind;
  behind.time = time_of(interval);
  behind.positions.from = mark + 1;
  if (snapshot->chunks(Dataset::kSamples, behind).empty()) return Status();
  const Position through = snapshot->published(Dataset::kSamples);
  FIRN_ASSIGN(const auto touched, touched_windows(*snapshot, interval, window, mark, guard));
  RollupAppender appender(store_, id, level);
  WindowQuery query;
  query.time = {interval.start, interval.end};
  query.window_ns = window;
  query.group_by = {"series"};
  query.rows_max = UINT64_MAX;
  query.marks = &marks_;
  for (auto next = touched.begin(); next != touched.end();) {
    std::vector<Series> series;
    const auto first = next;
    for (; next != touched.end() && series.size() < kSeriesAtOnce; ++next) {
      series.emplace_back().series = next->first;
    }
    FIRN_ASSIGN(const WindowAnswer answer, query_series_windows(*snapshot, query, series, guard));
    std::map<std::string_view, const WindowGroup*> groups;
    for (const WindowGroup& group : answer.groups) groups.emplace(group.values[0], &group);
    for (auto one = first; one != next; ++one) {
      const auto group = groups.find(one->first);
      for (const TimeNs start : one->second) {
        RollupState rollup;  // without values, unless there are some
        rollup.through = through;
        if (group != groups.end()) {
          const auto found = group->second->windows.find(start);
          if (found != group->second->windows.end()) rollup.state = found->second;
        }
        add_rollup_row(one->first, start, window, rollup, appender.rows());
        FIRN_TRY(appender.append_if_full());
      }
    }
  }
  add_rollup_mark(interval.start, window, through, appender.rows());
  FIRN_TRY(appender.append());
  ++run->intervals_rolled;
  run->rows_written += appender.written();
  return Status();
}

Status RollupKeeper::drop_old(NamespaceId id, const MetricPolicy& policy, TimeNs now,
                              const QueryGuard& guard, RollupRun* run) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, store_->snapshot(id));
  const auto check_clock = [&] {
    return store_->health().clock_suspect
               ? conflict(
                     "the wall clock jumped, so ages cannot be decided; look at the clock, "
                     "then confirm it")
               : Status();
  };
  for (const auto& [start, interval] : intervals_of(*snapshot, Dataset::kSamples)) {
    if (!is_over(interval, policy.raw_ns, now)) continue;
    FIRN_TRY(check_clock());
    // What is behind a mark was not rolled up.
    Position through = snapshot->published(Dataset::kSamples);
    QueryCost cost;
    for (size_t level = 0; level < policy.rollups.size(); ++level) {
      if (is_over(interval, policy.rollups[level].keep_ns, now)) continue;
      FIRN_TRY(roll(id, interval, level, policy.rollups[level].window_ns, guard, run));
      FIRN_ASSIGN(const SnapshotPtr rolled, store_->snapshot(id));
      FIRN_ASSIGN(const Position mark,
                  marks_.through(*rolled, kRollupDatasets[level], time_of(interval),
                                 policy.rollups[level].window_ns, guard, &cost));
      through = std::min(through, mark);
    }
    FIRN_TRY(drop(id, Dataset::kSamples, time_of(interval), through, run));
  }
  for (size_t level = 0; level < policy.rollups.size(); ++level) {
    for (const auto& [start, interval] : intervals_of(*snapshot, kRollupDatasets[level])) {
      if (!is_over(interval, policy.rollups[level].keep_ns, now)) continue;
      FIRN_TRY(check_clock());
      FIRN_TRY(drop(id, kRollupDatasets[level], time_of(interval), UINT64_MAX, run));
    }
  }
  if (run->chunks_dropped.empty()) return Status();
  // Definitions whose samples and rollups have all gone.
  FIRN_ASSIGN(const SnapshotPtr after, store_->snapshot(id));
  std::map<TimeNs, ChunkKey> unused = intervals_of(*after, Dataset::kSeries);
  for (const Dataset dataset :
       {Dataset::kSamples, Dataset::kRollups1, Dataset::kRollups2, Dataset::kRollups3}) {
    for (const auto& [start, interval] : intervals_of(*after, dataset)) unused.erase(start);
  }
  for (const auto& [start, interval] : unused) {
    if (!is_over(interval, policy.raw_ns, now)) continue;
    FIRN_TRY(drop(id, Dataset::kSeries, time_of(interval), UINT64_MAX, run));
  }
  return Status();
}

Status RollupKeeper::drop(NamespaceId id, Dataset dataset, const TimeRange& interval,
                          Position through, RollupRun* run) {
  const auto names = [&]() -> Result<std::vector<std::string>> {
    FIRN_ASSIGN(const SnapshotPtr snapshot, store_->snapshot(id));
    Filter filter;
    filter.time = interval;
    std::set<std::string> found;
    for (const SnapshotChunk& chunk : snapshot->chunks(dataset, filter)) {
      found.insert(chunk.key.name());
    }
    return std::vector<std::string>(found.begin(), found.end());
  };
  ChunkCommand command;
  command.action = ChunkAction::kDrop;
  command.namespace_id = id;
  command.positions_through = through;
  // Rows in memory are flushed by the first command, and then their chunk is one that is stored.
  for (int round = 0; round < 2; ++round) {
    FIRN_ASSIGN(command.names, names());
    if (command.names.empty()) return Status();
    const ChunkCommandResult result = store_->command_and_wait(command);
    for (const ChunkOutcome& outcome : result.chunks) {
      if (outcome.status.ok()) run->chunks_dropped.push_back(outcome.chunk);
    }
    // Samples that came meanwhile: the next run rolls them up first.
    if (result.status.code() == StatusCode::kConflict) return Status();
    FIRN_TRY(result.status);
  }
  return Status();
}

Result<std::vector<RollupProgress>> RollupKeeper::progress(NamespaceId id,
                                                           const QueryGuard& guard) {
  FIRN_ASSIGN(const MetricPolicy policy, this->policy(id));
  FIRN_ASSIGN(const SnapshotPtr snapshot, store_->snapshot(id));
  const auto intervals = intervals_of(*snapshot, Dataset::kSamples);
  std::vector<RollupProgress> progress;
  for (size_t level = 0; level < policy.rollups.size(); ++level) {
    RollupProgress one{policy.rollups[level], intervals.size(), 0};
    QueryCost cost;
    for (const auto& [start, interval] : intervals) {
      FIRN_ASSIGN(const Position mark,
                  marks_.through(*snapshot, kRollupDatasets[level], time_of(interval),
                                 policy.rollups[level].window_ns, guard, &cost));
      if (mark > 0) ++one.intervals_rolled;
    }
    progress.push_back(one);
  }
  return progress;
}

}  // namespace firn
