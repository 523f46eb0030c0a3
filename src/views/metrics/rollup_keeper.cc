#include "views/metrics/rollup_keeper.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "base/hash.h"
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

std::string pruned_stream(NamespaceId id, Dataset dataset, TimeNs interval) {
  return "pruned-" + std::to_string(id) + "-" + std::string(dataset_name(dataset)) + "-" +
         std::to_string(interval);
}

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

// A subject is at most so long, and rules are documents.
void set_policy_text(const MetricPolicy& policy, const std::string& text, std::string* document,
                     EventRow* row) {
  if (policy.rules.empty()) {
    row->subject = text;
  } else {
    *document = "\"" + text + "\"";
    row->data = *document;
  }
}

std::optional<MetricPolicy> policy_of(const EventRow& row) {
  if (row.data.size() < 2) return parse_metric_policy_text(row.subject);
  return parse_metric_policy_text(row.data.substr(1, row.data.size() - 2));
}

// Who decides, by the ages that are over, and on which series.
std::string deciders_text(const MetricPolicy& policy, const std::vector<bool>& over) {
  std::string text;
  for (const bool is_over : over) text.push_back(is_over ? '1' : '0');
  text += rule_matches_text(policy);
  return hash_bytes_128(text).to_hex();
}

// By decider; `keep_ns` gives the age that counts.
std::vector<bool> over_ages(const MetricPolicy& policy, const ChunkKey& interval, TimeNs now,
                            const std::function<DurationNs(size_t decider)>& keep_ns) {
  std::vector<bool> over;
  for (size_t decider = 0; decider < policy.deciders(); ++decider) {
    over.push_back(is_over(interval, keep_ns(decider), now));
  }
  return over;
}

std::vector<bool> over_rollups(const MetricPolicy& policy, const ChunkKey& interval, size_t level,
                               TimeNs now) {
  return over_ages(policy, interval, now,
                   [&](size_t decider) { return policy.rollup_keep_ns(level, decider); });
}

std::vector<bool> over_samples(const MetricPolicy& policy, const ChunkKey& interval, TimeNs now) {
  return over_ages(policy, interval, now,
                   [&](size_t decider) { return policy.raw_keep_ns(decider); });
}

bool is_any(const std::vector<bool>& over) {
  return std::find(over.begin(), over.end(), true) != over.end();
}

bool is_all(const std::vector<bool>& over) {
  return std::find(over.begin(), over.end(), false) == over.end();
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
      const auto parsed = policy_of(event_row(*last.batch, last.row));
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
  if (!policy.rules.empty() && store_->options().tiers.size() < 2) {
    return unsupported(
        "rules need a durable tier: what is only in memory is dropped by whole chunks");
  }
  const std::string text = metric_policy_text(policy);
  std::string document;
  EventRow row;
  row.type = "policy";
  set_policy_text(policy, text, &document, &row);
  MutexLock lock(&run_mutex_);  // two changes are stored in the order in which they take effect
  FIRN_TRY(append_event(policy_stream(id), row));
  MutexLock policies_lock(&mutex_);
  policies_[id] = policy;
  return Status();
}

Status RollupKeeper::append_event(const std::string& stream, const EventRow& content) {
  Result<NamespaceInfo> info = store_->find_namespace(kPoliciesNamespace);
  if (!info.ok()) info = store_->put_namespace(kPoliciesNamespace, kForever);
  FIRN_TRY(info.status());
  EventRow row = content;
  row.time = env_->now();
  row.kind = EventKind::kMessage;
  row.id = store_->id_source()();
  row.stream = stream;
  BatchBuilder builder(Dataset::kEvents);
  builder.add(row);
  AppendRequest request;
  request.batch = builder.finish();
  return store_->append_and_wait(info->id, std::move(request)).status();
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
      if (is_all(over_rollups(policy, interval, level, now))) continue;  // it would go at once
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

bool RollupKeeper::OldRows::any() const { return is_any(over); }
bool RollupKeeper::OldRows::all() const { return is_all(over); }

Status RollupKeeper::check_clock() const {
  if (!store_->health().clock_suspect) return Status();
  return conflict(
      "the wall clock jumped, so ages cannot be decided; look at the clock, then confirm it");
}

Status RollupKeeper::drop_old(NamespaceId id, const MetricPolicy& policy, TimeNs now,
                              const QueryGuard& guard, RollupRun* run) {
  FIRN_TRY(drop_old_samples(id, policy, now, guard, run));
  for (size_t level = 0; level < policy.rollups.size(); ++level) {
    FIRN_TRY(drop_old_rollups(id, policy, level, now, guard, run));
  }
  return run->chunks_dropped.empty() ? Status() : drop_definitions(id, policy, now, run);
}

Status RollupKeeper::drop_old_samples(NamespaceId id, const MetricPolicy& policy, TimeNs now,
                                      const QueryGuard& guard, RollupRun* run) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, store_->snapshot(id));
  for (const auto& [start, interval] : intervals_of(*snapshot, Dataset::kSamples)) {
    const OldRows old{id, Dataset::kSamples, time_of(interval),
                      over_samples(policy, interval, now)};
    if (!old.any()) continue;
    FIRN_TRY(check_clock());
    FIRN_ASSIGN(const bool is_done, is_pruned(*snapshot, old, policy));
    if (is_done) continue;
    FIRN_ASSIGN(const Position through, roll_for_good(id, interval, policy, now, guard, run));
    FIRN_TRY(remove(old, policy, through, guard, run));
  }
  return Status();
}

Result<Position> RollupKeeper::roll_for_good(NamespaceId id, const ChunkKey& interval,
                                             const MetricPolicy& policy, TimeNs now,
                                             const QueryGuard& guard, RollupRun* run) {
  FIRN_ASSIGN(const SnapshotPtr before, store_->snapshot(id));
  Position through = before->published(Dataset::kSamples);
  QueryCost cost;
  for (size_t level = 0; level < policy.rollups.size(); ++level) {
    const DurationNs window = policy.rollups[level].window_ns;
    if (is_all(over_rollups(policy, interval, level, now))) continue;
    FIRN_TRY(roll(id, interval, level, window, guard, run));
    FIRN_ASSIGN(const SnapshotPtr rolled, store_->snapshot(id));
    // What is behind a mark was not rolled up.
    FIRN_ASSIGN(const Position mark, marks_.through(*rolled, kRollupDatasets[level],
                                                    time_of(interval), window, guard, &cost));
    through = std::min(through, mark);
  }
  return through;
}

Status RollupKeeper::drop_old_rollups(NamespaceId id, const MetricPolicy& policy, size_t level,
                                      TimeNs now, const QueryGuard& guard, RollupRun* run) {
  const Dataset dataset = kRollupDatasets[level];
  FIRN_ASSIGN(const SnapshotPtr snapshot, store_->snapshot(id));
  for (const auto& [start, interval] : intervals_of(*snapshot, dataset)) {
    const OldRows old{id, dataset, time_of(interval), over_rollups(policy, interval, level, now)};
    if (!old.any()) continue;
    FIRN_TRY(check_clock());
    FIRN_ASSIGN(const bool is_done, is_pruned(*snapshot, old, policy));
    if (is_done) continue;
    const Position through = old.all() ? UINT64_MAX : snapshot->published(dataset);
    FIRN_TRY(remove(old, policy, through, guard, run));
  }
  return Status();
}

Status RollupKeeper::drop_definitions(NamespaceId id, const MetricPolicy& policy, TimeNs now,
                                      RollupRun* run) {
  FIRN_ASSIGN(const SnapshotPtr after, store_->snapshot(id));
  std::map<TimeNs, ChunkKey> unused = intervals_of(*after, Dataset::kSeries);
  for (const Dataset dataset :
       {Dataset::kSamples, Dataset::kRollups1, Dataset::kRollups2, Dataset::kRollups3}) {
    for (const auto& [start, interval] : intervals_of(*after, dataset)) unused.erase(start);
  }
  for (const auto& [start, interval] : unused) {
    if (!is_any(over_samples(policy, interval, now))) continue;
    FIRN_TRY(drop(id, Dataset::kSeries, time_of(interval), UINT64_MAX, run));
  }
  return Status();
}

Result<bool> RollupKeeper::is_pruned(const Snapshot& snapshot, const OldRows& old,
                                     const MetricPolicy& policy) {
  if (old.all()) return false;
  FIRN_ASSIGN(const Pruned pruned, last_pruned(old));
  if (pruned.deciders != deciders_text(policy, old.over)) return false;
  Filter behind;
  behind.time = old.interval;
  behind.positions.from = pruned.through + 1;
  return snapshot.chunks(old.dataset, behind).empty();
}

Status RollupKeeper::remove(const OldRows& old, const MetricPolicy& policy, Position through,
                            const QueryGuard& guard, RollupRun* run) {
  if (old.all()) return drop(old.id, old.dataset, old.interval, through, run);
  // Later than `through`: it shows the definition of each series that has rows up to there.
  FIRN_ASSIGN(const SnapshotPtr snapshot, store_->snapshot(old.id));
  FIRN_ASSIGN(auto choice, choose_series(*snapshot, old.interval, policy, old.over,
                                         store_->options().series_limit_max(), guard));
  const bool is_none_listed = choice->listed.size() == 0;
  if (is_none_listed && choice->listed_stay) {
    return drop(old.id, old.dataset, old.interval, through, run);
  }
  FIRN_ASSIGN(const Pruned before, last_pruned(old));
  const Pruned now{deciders_text(policy, old.over), through};
  if (!is_none_listed) {
    const Position after = before.deciders == now.deciders ? before.through : 0;
    FIRN_ASSIGN(const bool is_done, prune(old, std::move(choice), after, through, run));
    if (!is_done) return Status();  // the next run goes on
  }
  return remember_pruned(old, now);
}

Result<bool> RollupKeeper::prune(const OldRows& old, std::shared_ptr<const SeriesChoice> choice,
                                 Position after, Position through, RollupRun* run) {
  ChunkCommand command;
  command.action = ChunkAction::kPrune;
  command.namespace_id = old.id;
  command.series = std::move(choice);
  command.positions_through = through;
  Filter wanted;
  wanted.time = old.interval;
  wanted.positions.from = after + 1;
  std::set<std::string> done;
  // Rows in memory are flushed by the first command, and then their chunk is one that is stored.
  for (int round = 0; round < 2; ++round) {
    FIRN_ASSIGN(const SnapshotPtr snapshot, store_->snapshot(old.id));
    command.names.clear();
    for (const SnapshotChunk& chunk : snapshot->chunks(old.dataset, wanted)) {
      if (!done.contains(chunk.key.name())) command.names.push_back(chunk.key.name());
    }
    if (command.names.empty()) return true;
    const ChunkCommandResult result = store_->command_and_wait(command);
    for (const ChunkOutcome& outcome : result.chunks) {
      if (!outcome.status.ok()) continue;
      done.insert({outcome.chunk, outcome.into});
      if (outcome.to_tier.empty()) run->chunks_dropped.push_back(outcome.chunk);
      if (!outcome.into.empty()) run->chunks_pruned.push_back(outcome.chunk);
    }
    // Rows that came meanwhile, and chunks that were joined.
    const StatusCode code = result.status.code();
    if (code == StatusCode::kConflict || code == StatusCode::kNotFound) return false;
    FIRN_TRY(result.status);
  }
  return true;
}

Result<RollupKeeper::Pruned> RollupKeeper::last_pruned(const OldRows& old) {
  const auto known = pruned_.find(old.key());
  if (known != pruned_.end()) return known->second;
  Pruned pruned;
  FIRN_ASSIGN(const SnapshotPtr snapshot, policies_snapshot());
  if (snapshot != nullptr) {
    const std::string stream = pruned_stream(old.id, old.dataset, old.interval.from);
    FIRN_ASSIGN(const EventRef last, last_of_stream(*snapshot, stream, "", nullptr));
    if (last.batch != nullptr) {
      // "DECIDERS THROUGH"; what does not parse is done again.
      const std::string_view text = event_row(*last.batch, last.row).subject;
      const size_t space = std::min(text.find(' '), text.size());
      const char* const end = text.data() + text.size();
      Position through = 0;
      const auto parsed = std::from_chars(std::min(text.data() + space + 1, end), end, through);
      if (parsed.ec == std::errc() && parsed.ptr == end) {
        pruned = {std::string(text.substr(0, space)), through};
      }
    }
  }
  return pruned_.emplace(old.key(), pruned).first->second;
}

Status RollupKeeper::remember_pruned(const OldRows& old, const Pruned& pruned) {
  const std::string text = pruned.deciders + " " + std::to_string(pruned.through);
  EventRow row;
  row.type = "pruned";
  row.subject = text;
  FIRN_TRY(append_event(pruned_stream(old.id, old.dataset, old.interval.from), row));
  pruned_[old.key()] = pruned;
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
  pruned_.erase({id, dataset, interval.from});
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
