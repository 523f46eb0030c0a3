#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "server/api_face.h"
#include "server/metric_answers.h"
#include "server/metric_parameters.h"
#include "views/metrics/cardinality.h"
#include "views/metrics/metric_append.h"
#include "views/metrics/metric_reads.h"
#include "views/metrics/metric_windows.h"
#include "views/metrics/rollup_keeper.h"
#include "wire/json_text.h"

// Reading metrics: docs/metrics.md, docs/http-api.md.

namespace firn {

namespace {

constexpr uint32_t kSeriesDefault = 100;
constexpr uint32_t kPointsDefault = 1000;
constexpr uint32_t kSeriesMax = 100'000;  // that one question may be about
constexpr uint64_t kRowsMax = 1'000'000;  // windows of all groups in one answer
// Of a sample that a question holds.
constexpr uint64_t kBytesPerSample = 64;
constexpr std::array<std::string_view, 10> kFunctions = {"count", "sum",  "min", "max", "avg",
                                                         "first", "last", "p50", "p95", "p99"};
constexpr size_t kMin = 2, kMax = 3, kFirst = 5, kLast = 6, kFirstPercentile = 7;
constexpr std::array<double, 3> kQuantiles = {0.5, 0.95, 0.99};

void text_unless_empty(std::string_view key, std::string_view text, JsonObjectWriter* object) {
  if (!text.empty()) object->text(key, text);
}
void raw_unless_empty(std::string_view key, std::string_view json, JsonObjectWriter* object) {
  if (!json.empty()) object->raw(key, json);
}

void append_series(const Series& series, std::string* out) {
  JsonObjectWriter object(out);
  object.text("series", series.series);
  object.text("name", series.name);
  text_unless_empty("type", series.type, &object);
  text_unless_empty("unit", series.unit, &object);
  text_unless_empty("temporality", series.temporality, &object);
  if (series.monotonic) object.boolean("monotonic", true);
  text_unless_empty("description", series.description, &object);
  raw_unless_empty("labels", series.labels, &object);
  raw_unless_empty("metadata", series.metadata, &object);
  raw_unless_empty("context", series.context, &object);
  object.close();
}

// A number as it was sent: an integer without, a double with a point or exponent.
void append_value(const Point& point, JsonObjectWriter* object, std::string* out) {
  const double value = point.value.value();
  if (point.value == kAbsentFloat64) return;
  object->member("value");
  if (point.is_integer && value >= -0x1p63 && value < 0x1p63) {
    append_json_integer(static_cast<int64_t>(value), out);
  } else {
    append_number(value, out);
  }
}

void append_point(const Point& point, const std::vector<Series>& series, std::string* out) {
  JsonObjectWriter object(out);
  object.text("series", series[point.series].series);
  object.text("time", format_time(point.time));
  append_value(point, &object, out);
  if (point.start_time != kAbsentInt64) object.text("start_time", format_time(point.start_time));
  if (point.flags != kAbsentInt64) object.integer("flags", point.flags);
  raw_unless_empty("data", point.data, &object);
  raw_unless_empty("metadata", point.metadata, &object);
  object.close();
}

Result<HttpResponse> series_answer(const MetricQuestion& question) {
  SeriesQuery query;
  query.match = question.selection.match;
  query.time = question.selection.time;
  query.limit = question.selection.limit.value_or(kSeriesDefault);
  query.after = question.selection.cursor;
  FIRN_ASSIGN(const SeriesPage page, find_series(question.snapshot, query, question.guard));
  std::string body = "{";
  append_list("series", page.series, &body, append_series);
  return end_page(std::move(body), page.has_more ? page.series.back().series : "", page.cost);
}

Result<HttpResponse> labels_answer(const MetricQuestion& question) {
  LabelQuery query;
  query.match = question.selection.match;
  query.time = question.selection.time;
  query.key = question.selection.key;
  query.limit = question.selection.limit.value_or(kPointsDefault);
  FIRN_ASSIGN(const LabelPage page,
              find_labels(question.snapshot, query, kSeriesMax, question.guard));
  std::string body = "{";
  append_list(query.key.empty() ? "labels" : "values", page.texts, &body,
              [&](const auto& found, std::string* out) {
                JsonObjectWriter object(out);
                object.text(query.key.empty() ? "key" : "value", found.first);
                object.unsigned_integer("series", found.second);
                object.close();
              });
  body += page.has_more ? ",\"has_more\":true" : ",\"has_more\":false";
  return json_response(std::move(body) + ",\"tiers\":" + tiers_json(page.cost) + "}\n");
}

// Series and points; each point names its series.
std::string points_body(const std::vector<Series>& series, const std::vector<Point>& points) {
  std::string body = "{";
  append_list("series", series, &body, append_series);
  body.push_back(',');
  append_list("points", points, &body,
              [&](const Point& point, std::string* out) { append_point(point, series, out); });
  return body;
}

Result<HttpResponse> range_answer(const MetricQuestion& question) {
  PointQuery query;
  query.match = question.selection.match;
  query.time = question.selection.time;
  query.limit = question.selection.limit.value_or(kPointsDefault);
  query.bytes_max = question.page_bytes;
  query.series_max = kSeriesMax;
  FIRN_ASSIGN(query.from, point_cursor(question.selection));
  FIRN_ASSIGN(const PointPage page, read_points(question.snapshot, query, question.guard));
  return end_page(points_body(page.series, page.points), page.next ? page.next->encode() : "",
                  page.cost);
}

Result<HttpResponse> latest_answer(const MetricQuestion& question) {
  LatestQuery query;
  query.match = question.selection.match;
  query.time = question.selection.time;
  query.per_series = question.selection.limit.value_or(1);
  query.series_max = kSeriesMax;
  FIRN_ASSIGN(const LatestAnswer answer, read_latest(question.snapshot, query, question.guard));
  return json_response(points_body(answer.series, answer.points) +
                       ",\"tiers\":" + tiers_json(answer.cost) + "}\n");
}

// Which of kFunctions are asked for, in their order there.
Result<std::vector<size_t>> wanted_functions(const std::vector<std::string>& names) {
  std::vector<size_t> wanted;
  for (const std::string& name : names) {
    const auto found = std::find(kFunctions.begin(), kFunctions.end(), name);
    if (found == kFunctions.end()) {
      std::string message = "query parameter 'functions' names '";
      message.append(name).append("'; there are ");
      for (const std::string_view one : kFunctions) {
        message.append(one == kFunctions.front() ? "" : ", ").append(one);
      }
      return invalid_argument(std::move(message));
    }
    wanted.push_back(static_cast<size_t>(found - kFunctions.begin()));
  }
  if (names.empty()) {
    for (size_t i = 0; i < kFunctions.size(); ++i) wanted.push_back(i);
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return wanted;
}

StateParts wanted_parts(const std::vector<size_t>& functions) {
  const auto has = [&](size_t function) {
    return std::find(functions.begin(), functions.end(), function) != functions.end();
  };
  return {.extremes = has(kMin) || has(kMax),
          .ends = has(kFirst) || has(kLast),
          .sketch = functions.back() >= kFirstPercentile};
}

void append_state(const SampleState& state, const std::vector<size_t>& functions,
                  JsonObjectWriter* object, std::string* out) {
  for (const size_t function : functions) {
    if (function == 0) {
      object->unsigned_integer(kFunctions[0], state.count);
      continue;
    }
    object->member(kFunctions[function]);
    if (function >= kFirstPercentile) {
      append_number(*state.sketch.quantile(kQuantiles[function - kFirstPercentile]), out);
    } else {
      const std::array<double, kFirstPercentile> values = {
          0, state.sum, state.min, state.max, state.average(), state.first, state.last};
      append_number(values[function], out);
    }
  }
}

Result<WindowQuery> window_query(const MetricQuestion& question,
                                 const std::vector<size_t>& functions) {
  WindowQuery query;
  query.match = question.selection.match;
  query.time = question.selection.time;
  query.group_by = question.selection.group_by;
  query.wanted = wanted_parts(functions);
  query.series_max = kSeriesMax;
  query.samples_max = std::max<uint64_t>(question.page_bytes / kBytesPerSample, 1);
  query.rows_max = kRowsMax;
  query.marks = question.open.rollups->marks();
  return query;
}

void append_group(const WindowGroup& group, const std::vector<std::string>& keys,
                  JsonObjectWriter* object, std::string* out) {
  object->member("group");
  JsonObjectWriter values(out);
  for (size_t i = 0; i < keys.size(); ++i) values.text(keys[i], group.values[i]);
  values.close();
}

// ,"parts":[...]: which resolution served what.
void append_parts(const std::vector<WindowPart>& parts, std::string* body) {
  body->push_back(',');
  append_list("parts", parts, body, [](const WindowPart& part, std::string* out) {
    JsonObjectWriter object(out);
    object.text("from", format_time(part.time.from));
    object.text("to", format_time(part.time.to));
    object.text("resolution",
                part.resolution_ns == 0 ? "raw" : format_duration(part.resolution_ns));
    if (part.incomplete) object.boolean("incomplete", true);
    object.close();
  });
}

// ,"percentile_error":... when there are percentiles, and the end of an answer.
HttpResponse end_states(std::string body, const WindowQuery& query, const WindowAnswer& answer) {
  if (query.wanted.sketch) {
    body += ",\"percentile_error\":";
    append_json_double(QuantileSketch::kRelativeError, &body);
  }
  append_parts(answer.parts, &body);
  return json_response(std::move(body) + ",\"tiers\":" + tiers_json(answer.cost) + "}\n");
}

Result<HttpResponse> aggregate_answer(const MetricQuestion& question) {
  FIRN_ASSIGN(const auto functions, wanted_functions(question.selection.functions));
  FIRN_ASSIGN(const WindowQuery query, window_query(question, functions));
  FIRN_ASSIGN(const WindowAnswer answer, query_windows(question.snapshot, query, question.guard));
  std::string body = "{\"series\":";
  append_json_unsigned(answer.series, &body);
  body.push_back(',');
  append_list("groups", answer.groups, &body, [&](const WindowGroup& group, std::string* out) {
    JsonObjectWriter object(out);
    append_group(group, query.group_by, &object, out);
    append_state(group.windows.begin()->second, functions, &object, out);
    object.close();
  });
  return end_states(std::move(body), query, answer);
}

Result<DurationNs> window_width(const MetricSelection& selection) {
  if (selection.window_ns && selection.max_points) {
    return invalid_argument("query parameters 'window_s' and 'max_points' exclude each other");
  }
  if (selection.window_ns) return *selection.window_ns;
  if (!selection.max_points) {
    return invalid_argument("query parameter 'window_s' or 'max_points' is missing");
  }
  const auto width = window_for_points(selection.time, *selection.max_points);
  if (width) return *width;
  return invalid_argument("query parameter 'max_points' needs 'from' and 'to'");
}

Result<HttpResponse> windows_answer(const MetricQuestion& question) {
  FIRN_ASSIGN(const auto functions, wanted_functions(question.selection.functions));
  FIRN_ASSIGN(WindowQuery query, window_query(question, functions));
  FIRN_ASSIGN(query.window_ns, window_width(question.selection));
  FIRN_ASSIGN(const WindowAnswer answer, query_windows(question.snapshot, query, question.guard));
  std::string body = "{\"window_s\":";
  append_json_integer(query.window_ns / kSecondNs, &body);
  body += ",\"series\":";
  append_json_unsigned(answer.series, &body);
  body.push_back(',');
  append_list("groups", answer.groups, &body, [&](const WindowGroup& group, std::string* out) {
    JsonObjectWriter object(out);
    append_group(group, query.group_by, &object, out);
    out->push_back(',');
    append_list("windows", group.windows, out, [&](const auto& window, std::string* to) {
      JsonObjectWriter one(to);
      one.text("start", format_time(window.first));
      append_state(window.second, functions, &one, to);
      one.close();
    });
    object.close();
  });
  return end_states(std::move(body), query, answer);
}

void delete_range(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services, request]() -> Result<HttpResponse> {
    FIRN_ASSIGN(const Target target, find_target(services, *request));
    FIRN_ASSIGN(const MetricSelection selection,
                parse_metric_selection(request->query, {}, services->env->now(), services->limits));
    const SeriesMatch& match = selection.match;
    if (match.is_empty()) {
      return invalid_argument("say which series: by series, name, server_id or label.<key>");
    }
    FIRN_ASSIGN(const MemoryBudget::Share share, take_page_memory(services, *request));
    FIRN_ASSIGN(const uint64_t deleted,
                delete_points(target.open->store.get(), target.name_space.id, match, selection.time,
                              make_guard(services, request)));
    spdlog::info("{} points of metrics were deleted in namespace '{}': {}", deleted,
                 target.name_space.name, request->query);
    return json_response("{\"deleted\":" + std::to_string(deleted) + "}\n");
  });
}

// From what is known of chunks: nothing is read.
Result<HttpResponse> stats_answer(const MetricQuestion& question) {
  struct Sum {
    uint64_t chunks = 0, rows = 0, bytes = 0;
    TimeNs first = INT64_MAX, last = INT64_MIN;
  };
  std::map<std::pair<Dataset, std::string>, Sum> sums;
  for (const SnapshotChunk& chunk : question.snapshot.all_chunks()) {
    if (chunk.key.dataset == Dataset::kEvents || chunk.stats.rows == 0) continue;
    Sum& sum = sums[{chunk.key.dataset, chunk.tier}];
    ++sum.chunks;
    sum.rows += chunk.stats.rows;
    sum.bytes += chunk.stats.bytes;
    sum.first = std::min(sum.first, chunk.stats.time_min);
    sum.last = std::max(sum.last, chunk.stats.time_max);
  }
  std::string body = "{";
  append_list("tiers", sums, &body, [](const auto& found, std::string* out) {
    JsonObjectWriter object(out);
    object.text("dataset", dataset_name(found.first.first));
    object.text("tier", found.first.second);
    object.unsigned_integer("chunks", found.second.chunks);
    object.unsigned_integer("rows", found.second.rows);
    object.unsigned_integer("bytes", found.second.bytes);
    object.text("time_min", format_time(found.second.first));
    object.text("time_max", format_time(found.second.last));
    object.close();
  });
  return json_response(std::move(body) + "}\n");
}

void append_top(std::string_view name, const std::vector<CardinalityEntry>& entries,
                std::string_view count_name, std::string* body) {
  body->push_back(',');
  append_list(name, entries, body, [&](const CardinalityEntry& entry, std::string* out) {
    const bool is_pair = count_name == "series" && name != "names";
    JsonObjectWriter object(out);
    object.text(is_pair ? "label" : "name", entry.name);
    if (is_pair) object.text("value", entry.value);
    object.unsigned_integer(count_name, entry.count);
    object.close();
  });
}

// Sixteen bytes for a place in the set of series, of which up to two thirds are empty after it grew
// and both generations are there while it does.
constexpr uint64_t kBytesPerSeries = 72;
constexpr uint64_t kCardinalityBytes = 20 * kMiB;

Result<HttpResponse> cardinality_answer(Services* services, const HttpRequestPtr& request,
                                        const MetricSelection& selection) {
  FIRN_ASSIGN(const Target target, find_target(services, *request));
  const Store& store = *target.open->store;
  FIRN_ASSIGN(const SnapshotPtr snapshot, store.snapshot(target.name_space.id));
  CardinalityQuery query;
  query.time = selection.time;
  query.top = selection.limit.value_or(query.top);
  if (query.time.from == INT64_MIN && query.time.to == INT64_MAX) {
    const TimeNs now = services->env->now();
    query.time = {now, now + 1};
  }
  // Rows of definitions are at least as many as series.
  uint64_t rows = 0;
  for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kSeries, Filter{})) {
    if (query.time.overlaps(chunk.key.start, chunk.key.end - 1)) rows += chunk.stats.rows;
  }
  MemoryBudget* const memory = services->answer_memory.get();
  const uint64_t bytes = std::min(kCardinalityBytes + rows * kBytesPerSeries, memory->bytes_max());
  FIRN_ASSIGN(const MemoryBudget::Share share, take_memory(services, *request, memory, bytes));
  query.series_max = (bytes - std::min(bytes, kCardinalityBytes)) / kBytesPerSeries;
  FIRN_ASSIGN(const Cardinality found,
              count_series(*snapshot, query, make_guard(services, request)));
  std::string body;
  JsonObjectWriter object(&body);
  object.unsigned_integer("series", found.series);
  object.unsigned_integer("series_limit", store.series_limit_of(target.name_space));
  append_top("names", found.names, "series", &body);
  append_top("labels", found.labels, "values", &body);
  append_top("pairs", found.pairs, "series", &body);
  object.unsigned_integer("names_error", found.names_error);
  object.unsigned_integer("pairs_error", found.pairs_error);
  object.raw("tiers", tiers_json(found.cost));
  object.close();
  return json_response(body + "\n");
}

void answer_cardinality(Services* services, const HttpRequestPtr& request,
                        const Responder& respond) {
  auto selection = parse_metric_selection(request->query, {MetricParameter::kLimit},
                                          services->env->now(), services->limits);
  if (!selection.ok()) return respond(json_error(selection.status()));
  if (!selection->match.is_empty()) {
    return respond(json_error(invalid_argument(
        "cardinality is of all series of the namespace; there are from, to and limit")));
  }
  run_query(services, request, respond, [services, request, selection = std::move(*selection)] {
    return cardinality_answer(services, request, selection);
  });
}

}  // namespace

void add_metric_routes(Services* services, Face* face) {
  using P = MetricParameter;
  const auto add = [&](std::string_view path, auto work, auto... known) {
    face->push_back(
        {HttpMethod::kGet, "/api/v1/namespaces/{ns}/metrics/" + std::string(path),
         [services, work, known...](const HttpRequestPtr& request, const Responder& respond) {
           answer_metrics(services, request, respond, {known...}, work);
         }});
  };
  add("series", series_answer, P::kLimit, P::kCursor);
  add("labels", labels_answer, P::kLimit, P::kKey);
  add("range", range_answer, P::kLimit, P::kCursor);
  add("latest", latest_answer, P::kLimit);
  add("aggregate", aggregate_answer, P::kGroupBy, P::kFunctions);
  add("windows", windows_answer, P::kGroupBy, P::kFunctions, P::kWindow, P::kMaxPoints);
  add("stats", stats_answer);
  face->push_back({HttpMethod::kGet, "/api/v1/namespaces/{ns}/metrics/cardinality",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     answer_cardinality(services, request, respond);
                   }});
  face->push_back({HttpMethod::kDelete, "/api/v1/namespaces/{ns}/metrics/range",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     delete_range(services, request, respond);
                   }});
}

}  // namespace firn
