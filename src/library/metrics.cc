#include <firn/metrics.h>

#include <utility>

#include "env/env.h"
#include "library/database_parts.h"
#include "views/metrics/cardinality.h"
#include "views/metrics/metric_append.h"
#include "views/metrics/metric_reads.h"
#include "views/metrics/metric_windows.h"
#include "views/metrics/rollup_keeper.h"
#include "wire/sample_rows.h"
#include "wire/series_form.h"

namespace firn {

namespace {

SeriesMatch match_of(const MetricMatch& given) {
  SeriesMatch match;
  match.name = given.name;
  match.series = given.series;
  match.labels.assign(given.labels.begin(), given.labels.end());
  return match;
}

TimeRange range_of(const MetricMatch& given) {
  TimeRange range;
  if (given.from_ns) range.from = *given.from_ns;
  if (given.to_ns) range.to = *given.to_ns;
  return range;
}

MetricSeries series_of(const Series& series) {
  return {series.series, series.name, series.unit, series.type, series.description, series.labels};
}

MetricPage page_of(const std::vector<Series>& series, std::vector<Point> points) {
  MetricPage page;
  for (const Series& one : series) page.series.push_back(series_of(one));
  for (Point& point : points) {
    page.points.push_back({series[point.series].series, point.time, point.value.value(),
                           std::move(point.data), std::move(point.metadata)});
  }
  return page;
}

std::vector<RollupLevel> levels_of(std::span<const MetricRollup> rollups) {
  std::vector<RollupLevel> levels;
  for (const MetricRollup& rollup : rollups) levels.push_back({rollup.window_ns, rollup.keep_ns});
  return levels;
}

MetricWindow window_of(TimeNs start, const SampleState& state) {
  MetricWindow window;
  window.start_ns = start;
  window.count = state.count;
  window.sum = state.sum;
  window.min = state.min;
  window.max = state.max;
  window.average = state.average();
  window.first = state.first;
  window.last = state.last;
  window.p50 = *state.sketch.quantile(0.5);
  window.p95 = *state.sketch.quantile(0.95);
  window.p99 = *state.sketch.quantile(0.99);
  return window;
}

}  // namespace

Result<Appended> Metrics::write(std::span<const MetricSample> samples) {
  Database::Parts* parts = database_->parts_.get();
  FIRN_ASSIGN(const NamespaceId id, parts->namespace_id(name_space_));
  DecodeDefaults defaults;
  defaults.now = posix_env()->now();
  const Store& store = *parts->store;
  defaults.knowledge = {&store.known_series(), id, store.options().chunk_interval_ns};
  SampleRows rows(defaults, SampleDoor::kProgram);
  std::vector<Label> labels;
  for (const MetricSample& sample : samples) {
    labels.clear();
    for (const auto& [name, value] : sample.labels) labels.push_back({name, value});
    FIRN_TRY(rows.begin_series(sample.name, labels));
    PlainSample plain;
    plain.time = sample.time_ns != 0 ? sample.time_ns : defaults.now;
    plain.value = sample_value(Float64::of(sample.value).bits);
    plain.metadata = sample.metadata;
    FIRN_TRY(rows.add(plain));
  }
  std::vector<DecodedSamples> decoded = rows.finish();
  if (decoded.empty()) return Appended();
  if (decoded.size() > 1) {
    return too_large("the batch has more than " + std::to_string(kLimits.batch_events) +
                     " samples or " + std::to_string(kLimits.batch_bytes) + " bytes; divide it");
  }
  NewSamples added;
  added.samples = std::move(decoded[0].samples);
  added.definitions = std::move(decoded[0].definitions);
  added.known_epoch = decoded[0].known_epoch;
  FIRN_ASSIGN(const AppendResult result,
              append_samples_and_wait(parts->store.get(), id, std::move(added)));
  return Appended{result.first_position, result.last_position, result.count, result.duplicates,
                  Ack::kFsync};
}

Result<std::vector<MetricSeries>> Metrics::series(const MetricMatch& match, uint32_t limit) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  SeriesQuery query;
  query.match = match_of(match);
  query.time = range_of(match);
  query.limit = limit;
  FIRN_ASSIGN(const SeriesPage page, find_series(*snapshot, query, nullptr));
  std::vector<MetricSeries> found;
  for (const Series& one : page.series) found.push_back(series_of(one));
  return found;
}

Result<MetricPage> Metrics::range(const MetricMatch& match, uint32_t limit,
                                  const std::string& cursor) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  PointQuery query;
  query.match = match_of(match);
  query.time = range_of(match);
  query.limit = limit;
  if (!cursor.empty()) {
    query.from = PointCursor::parse(cursor);
    if (!query.from) return invalid_argument("'" + cursor + "' is no cursor of a page before");
  }
  FIRN_ASSIGN(PointPage found, read_points(*snapshot, query, nullptr));
  MetricPage page = page_of(found.series, std::move(found.points));
  if (found.next) page.next = found.next->encode();
  return page;
}

Result<MetricPage> Metrics::latest(const MetricMatch& match, uint32_t per_series) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  LatestQuery query;
  query.match = match_of(match);
  query.time = range_of(match);
  query.per_series = per_series;
  FIRN_ASSIGN(LatestAnswer found, read_latest(*snapshot, query, nullptr));
  return page_of(found.series, std::move(found.points));
}

Result<std::vector<MetricGroup>> Metrics::windows(const MetricMatch& match, int64_t window_ns,
                                                  const std::vector<std::string>& group_by) {
  if (window_ns < 0) return invalid_argument("a window must not be negative");
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  WindowQuery query;
  query.match = match_of(match);
  query.time = range_of(match);
  query.window_ns = window_ns;
  query.group_by = group_by;
  query.marks = database_->parts_->rollups->marks();
  FIRN_ASSIGN(const WindowAnswer answer, query_windows(*snapshot, query, nullptr));
  std::vector<MetricGroup> groups;
  for (const WindowGroup& group : answer.groups) {
    MetricGroup& one = groups.emplace_back();
    one.values = group.values;
    for (const auto& [start, state] : group.windows) one.windows.push_back(window_of(start, state));
  }
  return groups;
}

Result<MetricCardinality> Metrics::cardinality(int64_t from_ns, int64_t to_ns, uint32_t top) {
  Database::Parts* parts = database_->parts_.get();
  FIRN_ASSIGN(const NamespaceInfo info, parts->store->find_namespace(name_space_));
  FIRN_ASSIGN(const SnapshotPtr snapshot, parts->store->snapshot(info.id));
  CardinalityQuery query;
  query.time = {from_ns, to_ns};
  query.top = top;
  FIRN_ASSIGN(const Cardinality counted, count_series(*snapshot, query, nullptr));
  MetricCardinality found;
  found.series = counted.series;
  found.series_limit = parts->store->series_limit_of(info);
  const auto copy = [](const std::vector<CardinalityEntry>& from, std::vector<MetricCount>* to) {
    for (const CardinalityEntry& entry : from)
      to->push_back({entry.name, entry.value, entry.count});
  };
  copy(counted.names, &found.names);
  copy(counted.labels, &found.labels);
  copy(counted.pairs, &found.pairs);
  return found;
}

Status Metrics::set_series_limit(uint64_t limit) {
  Database::Parts* parts = database_->parts_.get();
  FIRN_TRY(parts->namespace_id(name_space_).status());
  return parts->store->set_series_limit(name_space_, limit).status();
}

Result<uint64_t> Metrics::remove(const MetricMatch& match) {
  Database::Parts* parts = database_->parts_.get();
  FIRN_ASSIGN(const NamespaceId id, parts->namespace_id(name_space_));
  return delete_points(parts->store.get(), id, match_of(match), range_of(match), nullptr);
}

Status Metrics::set_retention(int64_t raw_ns, std::span<const MetricRollup> rollups,
                              std::span<const MetricRule> rules) {
  Database::Parts* parts = database_->parts_.get();
  FIRN_ASSIGN(const NamespaceId id, parts->namespace_id(name_space_));
  MetricPolicy policy;
  policy.raw_ns = raw_ns;
  policy.rollups = levels_of(rollups);
  for (const MetricRule& rule : rules) {
    if (rule.match.from_ns || rule.match.to_ns) {
      return invalid_argument("a rule is about series, not about a range of time");
    }
    policy.rules.push_back({match_of(rule.match), rule.raw_ns, levels_of(rule.rollups)});
  }
  return parts->rollups->set_policy(id, policy);
}

Status Metrics::run_retention() {
  Database::Parts* parts = database_->parts_.get();
  FIRN_ASSIGN(const NamespaceId id, parts->namespace_id(name_space_));
  return parts->rollups->run(id, posix_env()->now(), nullptr).status();
}

}  // namespace firn
