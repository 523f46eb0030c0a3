#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/attribute.h"
#include "model/service_check.h"
#include "server/metric_answers.h"
#include "views/metrics/metric_reads.h"
#include "views/metrics/uptime.h"
#include "wire/json_text.h"
#include "wire/json_values.h"

// Reading checks of services: docs/uptime.md.

namespace firn {

namespace {

constexpr uint32_t kChecksDefault = 1000;
constexpr uint32_t kServicesMax = 10'000;  // that one list may be about
// Of a sample that is held, and of a window with its sketch.
constexpr uint64_t kBytesPerSample = 64;

// Parameters of metrics that mean nothing here.
Status refuse_match(const SeriesMatch& match) {
  if (match.is_empty()) return Status();
  return invalid_argument("checks are selected by service_name, from and to");
}

bool is_check(const Point& point, const Series& series) {
  return check_status_of(point.value.value()).has_value() &&
         attribute_keys(series.labels).size() == 1;
}

// A check as its samples have it.
void append_check(const Point& point, const Series& series, std::string* out) {
  constexpr std::array<std::string_view, 4> kKept = {"url", "response_time_ms", "http_status_code",
                                                     "error_message"};
  JsonObjectWriter object(out);
  object.text(kServiceLabel, attribute_of(series.labels, {}, {}, kServiceLabel).value_or(""));
  object.text("timestamp", format_time(point.time));
  object.text("status", check_status_name(*check_status_of(point.value.value())));
  if (is_json_object(point.metadata)) {
    // Samples that came by other doors may have others.
    const Status read =
        visit_members(point.metadata, [&](std::string_view name, std::string_view json) {
          if (std::find(kKept.begin(), kKept.end(), name) != kKept.end()) object.raw(name, json);
          return Status();
        });
    FIRN_CHECK(read.ok());  // documents are checked before they are stored
  }
  object.close();
}

Result<HttpResponse> checks_answer(const MetricQuestion& question) {
  FIRN_TRY(refuse_match(question.selection.match));
  PointQuery query;
  query.match.name = kCheckSeries;
  if (!question.selection.service.empty()) {
    query.match.labels.emplace_back(kServiceLabel, question.selection.service);
  }
  query.time = question.selection.time;
  query.limit = question.selection.limit.value_or(kChecksDefault);
  query.bytes_max = question.page_bytes;
  query.series_max = kServicesMax;
  FIRN_ASSIGN(query.from, point_cursor(question.selection));
  FIRN_ASSIGN(const PointPage page, read_points(question.snapshot, query, question.guard));
  std::vector<const Point*> checks;
  for (const Point& point : page.points) {
    if (is_check(point, page.series[point.series])) checks.push_back(&point);
  }
  std::string body = "{";
  append_list("checks", checks, &body, [&](const Point* point, std::string* out) {
    append_check(*point, page.series[point->series], out);
  });
  return end_page(std::move(body), page.next ? page.next->encode() : "", page.cost);
}

void append_seconds(std::string_view name, DurationNs duration, JsonObjectWriter* object) {
  object->number(name, static_cast<double>(duration) / kSecondNs);
}

// Nothing is known when the whole is nothing.
void append_share(std::string_view name, double part, double whole, JsonObjectWriter* object) {
  if (whole > 0) {
    object->number(name, 100 * part / whole);
  } else {
    object->raw(name, "null");
  }
}

void append_response(const SampleState& state, JsonObjectWriter* object, std::string* out) {
  if (state.count == 0) return object->raw("response_ms", "null");
  object->member("response_ms");
  JsonObjectWriter response(out);
  response.unsigned_integer("count", state.count);
  response.number("avg", state.average());
  response.number("min", state.min);
  response.number("max", state.max);
  constexpr std::array<std::pair<std::string_view, double>, 3> kPercentiles = {
      {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}}};
  for (const auto& [name, quantile] : kPercentiles) {
    response.number(name, *state.sketch.quantile(quantile));
  }
  response.close();
}

void append_uptime(const Uptime& uptime, JsonObjectWriter* object, std::string* out) {
  constexpr std::array<CheckStatus, 3> kOrder = {CheckStatus::kUp, CheckStatus::kDegraded,
                                                 CheckStatus::kDown};
  uint64_t total = 0;
  DurationNs known = 0;
  for (const CheckStatus status : kOrder) {
    total += uptime.count(status);
    known += uptime.known(status);
  }
  object->unsigned_integer("total", total);
  for (const CheckStatus status : kOrder) {
    object->unsigned_integer(check_status_name(status), uptime.count(status));
  }
  append_share("uptime_percentage", static_cast<double>(uptime.count(CheckStatus::kUp)),
               static_cast<double>(total), object);
  for (const CheckStatus status : kOrder) {
    append_seconds(std::string(check_status_name(status)) + "_s", uptime.known(status), object);
  }
  append_seconds("unknown_s", uptime.end - uptime.start - known, object);
  append_share("time_weighted_percentage", static_cast<double>(uptime.known(CheckStatus::kUp)),
               static_cast<double>(known), object);
  append_response(uptime.response_ms, object, out);
}

Result<UptimeQuery> uptime_query(const MetricQuestion& question, TimeNs now) {
  const MetricSelection& selection = question.selection;
  FIRN_TRY(refuse_match(selection.match));
  UptimeQuery query;
  query.service = selection.service;
  if (query.service.empty()) return invalid_argument("query parameter 'service_name' is missing");
  query.now = now;
  query.time = selection.time;
  if (query.time.to == INT64_MAX) query.time.to = now;
  if (query.time.from == INT64_MIN) query.time.from = earlier(query.time.to, kDayNs);
  if (query.time.from > query.time.to) return invalid_argument("'from' lies behind 'to'");
  DurationNs width = 0;
  if (__builtin_sub_overflow(query.time.to, query.time.from, &width)) {
    return invalid_argument("the range is longer than 292 years");
  }
  query.window_ns = selection.window_ns.value_or(0);
  query.gap_max_ns = selection.gap_max_ns.value_or(query.gap_max_ns);
  query.samples_max = std::max<uint64_t>(question.page_bytes / kBytesPerSample, 1);
  return query;
}

Result<HttpResponse> uptime_answer(const MetricQuestion& question, TimeNs now) {
  FIRN_ASSIGN(const UptimeQuery query, uptime_query(question, now));
  FIRN_ASSIGN(const UptimeAnswer answer, query_uptime(question.snapshot, query, question.guard));
  std::string body;
  JsonObjectWriter object(&body);
  object.text(kServiceLabel, query.service);
  object.text("from", format_time(query.time.from));
  object.text("to", format_time(query.time.to));
  object.integer("max_gap_s", query.gap_max_ns / kSecondNs);
  append_uptime(answer.whole, &object, &body);
  if (query.window_ns > 0) {
    object.integer("window_s", query.window_ns / kSecondNs);
    body.push_back(',');
    append_list("windows", answer.windows, &body, [](const Uptime& window, std::string* out) {
      JsonObjectWriter one(out);
      one.text("start", format_time(window.start));
      append_uptime(window, &one, out);
      one.close();
    });
  }
  object.number("percentile_error", QuantileSketch::kRelativeError);
  object.raw("tiers", tiers_json(answer.cost));
  object.close();
  return json_response(body + "\n");
}

}  // namespace

void add_check_routes(Services* services, Face* face) {
  using P = MetricParameter;
  const std::string base = "/api/v1/namespaces/{ns}/";
  face->push_back({HttpMethod::kGet, base + "checks",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     answer_metrics(services, request, respond,
                                    {P::kService, P::kLimit, P::kCursor}, checks_answer);
                   }});
  face->push_back({HttpMethod::kGet, base + "uptime",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     answer_metrics(services, request, respond,
                                    {P::kService, P::kWindow, P::kMaxGap},
                                    [services](const MetricQuestion& question) {
                                      return uptime_answer(question, services->env->now());
                                    });
                   }});
}

}  // namespace firn
