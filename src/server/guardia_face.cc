#include "server/guardia_face.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/attribute.h"
#include "model/server_metrics.h"
#include "model/service_check.h"
#include "server/event_parameters.h"
#include "server/guardia_json.h"
#include "server/guardia_stream.h"
#include "server/metric_answers.h"
#include "server/requested_namespace.h"
#include "views/metrics/metric_reads.h"
#include "views/metrics/uptime.h"
#include "wire/json_text.h"
#include "wire/json_values.h"
#include "wire/servers_json.h"

namespace firn {

namespace {

constexpr DurationNs kStaleAfter = 300 * kSecondNs;
constexpr DurationNs kListedFor = 30 * kDayNs;
constexpr uint32_t kSeriesMax = 100'000;
constexpr uint32_t kRangeDefault = 1000;
constexpr uint32_t kRangeMax = 10'000;
constexpr uint32_t kLatestDefault = 100;
constexpr uint32_t kLatestMax = 1000;

HttpResponse guardia_error(int http_status, std::string_view message) {
  HttpResponse response;
  response.status = http_status;
  JsonObjectWriter object(&response.body);
  object.text("error", message);
  object.close();
  response.body.push_back('\n');
  if (http_status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}
HttpResponse guardia_error(const Status& status) {
  return guardia_error(http_status_of(status.code()), status.message());
}
HttpResponse guardia_route_error(const HttpRequest&, int http_status, std::string_view,
                                 std::string_view message) {
  return guardia_error(http_status, message);
}

// What a route works with.
struct GuardiaQuestion {
  const Snapshot& snapshot;
  const QueryParameters& parameters;
  std::string subject;  // the server or service that the path names
  TimeNs now = 0;
  QueryGuard guard;
  uint64_t page_bytes = 0;

  std::optional<std::string_view> parameter(std::string_view name) const {
    for (const auto& [key, value] : parameters) {
      if (key == name) return value;
    }
    return std::nullopt;
  }
};
using GuardiaWork = Result<HttpResponse> (*)(const GuardiaQuestion&);

Result<TimeNs> time_parameter(const GuardiaQuestion& question, std::string_view name,
                              TimeNs otherwise) {
  const auto text = question.parameter(name);
  if (!text) return otherwise;
  const auto time = parse_time_or_relative(*text, question.now);
  if (time) return *time;
  return invalid_argument("'" + std::string(name) + "' must be an RFC 3339 time");
}

Result<uint32_t> limit_parameter(const GuardiaQuestion& question, uint32_t otherwise,
                                 uint32_t most) {
  const auto text = question.parameter("limit");
  if (!text) return otherwise;
  const auto limit = parse_unsigned(*text);
  if (limit && *limit >= 1) return static_cast<uint32_t>(std::min<uint64_t>(*limit, most));
  return invalid_argument("'limit' must be a number from 1");
}

// From `start` to `end`, both inclusive to the millisecond.
Result<TimeRange> range_parameters(const GuardiaQuestion& question, DurationNs width) {
  TimeRange range;
  FIRN_ASSIGN(const TimeNs end, time_parameter(question, "end", question.now));
  FIRN_ASSIGN(range.from, time_parameter(question, "start", earlier(end, width)));
  if (__builtin_add_overflow(end, kMillisecondNs, &range.to)) range.to = INT64_MAX;
  if (range.from > end) return invalid_argument("'start' lies behind 'end'");
  return range;
}

SeriesMatch match_of(std::string_view name, std::string_view label, const std::string& value) {
  SeriesMatch match;
  match.name = name;
  if (!value.empty()) match.labels.emplace_back(label, value);
  return match;
}

void append_row(const Point& point, const std::string& server, std::string* out) {
  const std::string_view metrics = member_of(point.metadata, "metrics");
  ServerColumns columns;
  if (!metrics.empty()) {
    if (const auto read = read_server_columns(metrics); read.ok()) columns = *read;
  }
  JsonObjectWriter object(out);
  object.text("timestamp", format_time(point.time));
  object.text(kServerLabel, server);
  add_display_name(point.metadata, server, &object);
  object.text("metric_type", "resource");
  raw_or_null("cpu_avg", columns.cpu_avg, &object);
  raw_or_null("memory_used", columns.memory_used, &object);
  raw_or_null("memory_total", columns.memory_total, &object);
  raw_or_null("temp_avg", columns.temp_avg, &object);
  raw_or_null("metadata", metrics, &object);
  object.close();
}

std::string_view health_of(TimeNs last, TimeNs now, std::string_view otherwise) {
  return now - last > kStaleAfter ? "stale" : otherwise;
}

// "timestamp": now
void add_now(const GuardiaQuestion& question, JsonObjectWriter* object) {
  object->text("timestamp", format_time(question.now));
}

Result<LatestAnswer> latest_of_all(const GuardiaQuestion& question, std::string_view name) {
  LatestQuery query;
  query.match.name = name;
  query.time.from = question.now - kListedFor;
  query.series_max = kSeriesMax;
  return read_latest(question.snapshot, query, question.guard);
}

Result<HttpResponse> answer_servers(const GuardiaQuestion& question) {
  FIRN_ASSIGN(const LatestAnswer latest, latest_of_all(question, kServerSeries));
  std::string body = "{";
  append_list("servers", latest.points, &body, [&](const Point& point, std::string* out) {
    const std::string id = label_of(latest.series[point.series], kServerLabel);
    JsonObjectWriter object(out);
    object.text(kServerLabel, id);
    add_display_name(point.metadata, id, &object);
    object.text("monitoring_status", "active");
    object.text("health_status", health_of(point.time, question.now, "up"));
    object.text("last_seen", format_time(point.time));
    raw_or_null("latest_metrics", member_of(point.metadata, "metrics"), &object);
    object.close();
  });
  body += ",\"count\":" + std::to_string(latest.points.size()) + "}\n";
  return json_response(std::move(body));
}

Result<HttpResponse> answer_services(const GuardiaQuestion& question) {
  FIRN_ASSIGN(const LatestAnswer latest, latest_of_all(question, kCheckSeries));
  std::vector<const Point*> checks;
  for (const Point& point : latest.points) {
    if (check_status_of(point.value.value())) checks.push_back(&point);
  }
  std::string body = "{";
  append_list("services", checks, &body, [&](const Point* point, std::string* out) {
    const std::string_view status = check_status_name(*check_status_of(point->value.value()));
    JsonObjectWriter object(out);
    object.text("name", label_of(latest.series[point->series], kServiceLabel));
    raw_or_null("url", member_of(point->metadata, "url"), &object);
    object.text("monitoring_status", "active");
    object.text("health_status", health_of(point->time, question.now, status));
    object.text("last_check", format_time(point->time));
    object.text("last_status", status);
    object.close();
  });
  body += ",\"count\":" + std::to_string(checks.size()) + "}\n";
  return json_response(std::move(body));
}

// ,"<list>":[...],"next":...}: the end of a page.
template <typename Append>
HttpResponse end_rows(std::string body, std::string_view list, const PointPage& page,
                      const Append& append) {
  body.push_back(',');
  append_list(list, page.points, &body, append);
  body += ",\"next\":";
  if (page.next) {
    append_json_string(page.next->encode(), &body);
  } else {
    body += "null";
  }
  return json_response(std::move(body) + "}\n");
}

// A page of the subject's points, and how an answer with them begins.
Result<PointPage> read_rows(const GuardiaQuestion& question, SeriesMatch match,
                            std::string_view subject_name, DurationNs width, uint32_t limit,
                            std::string* body) {
  FIRN_ASSIGN(const TimeRange range, range_parameters(question, width));
  PointQuery query;
  query.match = std::move(match);
  query.time = range;
  query.limit = limit;
  query.bytes_max = question.page_bytes;
  query.series_max = kSeriesMax;
  if (const auto cursor = question.parameter("cursor")) {
    query.from = PointCursor::parse(*cursor);
    if (!query.from)
      return invalid_argument("'cursor' must be what the page before gave as 'next'");
  }
  FIRN_ASSIGN(PointPage page, read_points(question.snapshot, query, question.guard));
  body->push_back('{');
  append_json_key(subject_name, body);
  append_json_string(question.subject, body);
  *body += ",\"start\":\"" + format_time(range.from) + "\",\"end\":\"" +
           format_time(range.to - kMillisecondNs) +
           "\",\"count\":" + std::to_string(page.points.size());
  return page;
}

Result<HttpResponse> answer_server_range(const GuardiaQuestion& question) {
  FIRN_ASSIGN(const uint32_t limit, limit_parameter(question, kRangeDefault, kRangeMax));
  std::string body;
  FIRN_ASSIGN(const PointPage page,
              read_rows(question, match_of(kServerSeries, kServerLabel, question.subject),
                        kServerLabel, kHourNs, limit, &body));
  return end_rows(std::move(body), "metrics", page, [&](const Point& point, std::string* out) {
    append_row(point, question.subject, out);
  });
}

Result<HttpResponse> answer_server_latest(const GuardiaQuestion& question) {
  LatestQuery query;
  query.match = match_of(kServerSeries, kServerLabel, question.subject);
  FIRN_ASSIGN(query.per_series, limit_parameter(question, kLatestDefault, kLatestMax));
  FIRN_ASSIGN(const LatestAnswer latest, read_latest(question.snapshot, query, question.guard));
  std::string body = "{";
  append_json_key(kServerLabel, &body);
  append_json_string(question.subject, &body);
  body += ",\"count\":" + std::to_string(latest.points.size()) + ",";
  append_list("metrics", latest.points, &body, [&](const Point& point, std::string* out) {
    append_row(point, question.subject, out);
  });
  return json_response(std::move(body) + "}\n");
}

Result<HttpResponse> answer_service_checks(const GuardiaQuestion& question) {
  FIRN_ASSIGN(const uint32_t limit, limit_parameter(question, kRangeMax, kRangeMax));
  std::string body;
  FIRN_ASSIGN(PointPage page,
              read_rows(question, match_of(kCheckSeries, kServiceLabel, question.subject),
                        kServiceLabel, kDayNs, limit, &body));
  return end_rows(std::move(body), "checks", page, [&](const Point& point, std::string* out) {
    const auto status = check_status_of(point.value.value());
    JsonObjectWriter object(out);
    object.text(kServiceLabel, question.subject);
    object.text("timestamp", format_time(point.time));
    object.text("status", status ? check_status_name(*status) : "unknown");
    for (const char* name : {"url", "response_time_ms", "http_status_code", "error_message"}) {
      raw_or_null(name, member_of(point.metadata, name), &object);
    }
    object.close();
  });
}

Result<HttpResponse> answer_service_uptime(const GuardiaQuestion& question) {
  UptimeQuery query;
  query.service = question.subject;
  query.now = query.time.to = question.now;
  FIRN_ASSIGN(query.time.from, time_parameter(question, "since", question.now - kDayNs));
  if (query.time.from > query.time.to) return invalid_argument("'since' lies in the future");
  DurationNs width = 0;
  if (__builtin_sub_overflow(query.time.to, query.time.from, &width)) {
    return invalid_argument("'since' lies more than 292 years back");
  }
  FIRN_ASSIGN(const UptimeAnswer answer, query_uptime(question.snapshot, query, question.guard));
  const Uptime& uptime = answer.whole;
  uint64_t total = 0;
  for (const uint64_t checks : uptime.checks) total += checks;
  const uint64_t up = uptime.count(CheckStatus::kUp);
  std::string body;
  JsonObjectWriter object(&body);
  object.text(kServiceLabel, question.subject);
  object.text("since", format_time(query.time.from));
  object.text("start", format_time(query.time.from));
  object.text("end", format_time(query.time.to));
  if (total > 0) {
    object.number("uptime_percentage", 100 * static_cast<double>(up) / static_cast<double>(total));
  } else {
    object.raw("uptime_percentage", "null");
  }
  object.unsigned_integer("total_checks", total);
  object.unsigned_integer("successful_checks", up);
  if (uptime.response_ms.count > 0) {
    object.number("avg_response_time_ms", uptime.response_ms.average());
  } else {
    object.raw("avg_response_time_ms", "null");
  }
  object.close();
  return json_response(body + "\n");
}

Result<HttpResponse> answer_stats(const GuardiaQuestion& question) {
  FIRN_ASSIGN(const LatestAnswer servers, latest_of_all(question, kServerSeries));
  FIRN_ASSIGN(const LatestAnswer checks, latest_of_all(question, kCheckSeries));
  uint64_t samples = 0;
  for (const SnapshotChunk& chunk : question.snapshot.all_chunks()) {
    if (chunk.key.dataset == Dataset::kSamples) samples += chunk.stats.rows;
  }
  std::string body;
  JsonObjectWriter object(&body);
  add_now(question, &object);
  object.member("storage");
  JsonObjectWriter storage(&body);
  storage.unsigned_integer("total_metrics", samples);
  for (const char* name :
       {"buffer_size", "flush_count", "total_metrics_deleted", "total_service_checks_deleted"}) {
    storage.unsigned_integer(name, 0);
  }
  storage.close();
  object.unsigned_integer("collectors", servers.points.size());
  object.unsigned_integer("service_monitors", checks.points.size());
  object.close();
  return json_response(body + "\n");
}

Result<HttpResponse> answer_health(const GuardiaQuestion& question) {
  std::string body;
  JsonObjectWriter object(&body);
  object.text("status", "ok");
  add_now(question, &object);
  object.close();
  return json_response(body + "\n");
}

std::string token_of(const HttpRequest& request, const QueryParameters& parameters) {
  constexpr std::string_view kBearer = "Bearer ";
  if (request.authorization.starts_with(kBearer)) {
    return request.authorization.substr(kBearer.size());
  }
  for (const auto& [name, value] : parameters) {
    if (name == "token") return value;
  }
  return "";
}

// The stream of a WebSocket; a client that cannot send headers shows its token in the query, or
// later in a message.
Result<HttpResponse> open_stream(Services* services, const HttpRequestPtr& request) {
  const OpenStorePtr open = services->gate->get();
  if (open == nullptr) return services->gate->why_not();
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(request->query));
  FIRN_ASSIGN(const auto target, requested_namespace(*services, open->store.get(), *request,
                                                     token_of(*request, parameters)));
  if (!target) return guardia_error(401, "the token is not valid for its namespace");
  if (!request->wants_web_socket) {
    HttpResponse response = guardia_error(426, "this is a stream for WebSocket, version 13");
    response.headers.emplace_back("Upgrade", "websocket");
    return response;
  }
  FIRN_ASSIGN(const SnapshotPtr snapshot, open->store->snapshot(target->id));
  Position after = snapshot->published(Dataset::kSamples);
  for (const auto& [name, value] : parameters) {
    if (name != "after") continue;
    const auto position = parse_unsigned(value);
    if (!position) return invalid_argument("'after' must be the position of a message");
    after = std::min(after, *position);
  }
  HttpResponse response;
  response.status = 101;
  response.messages = make_guardia_stream(services, open, target->id, after);
  return response;
}

Result<HttpResponse> work_on(Services* services, const HttpRequestPtr& request, GuardiaWork work) {
  const OpenStorePtr open = services->gate->get();
  if (open == nullptr) return services->gate->why_not();
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(request->query));
  FIRN_ASSIGN(const auto target, requested_namespace(*services, open->store.get(), *request,
                                                     token_of(*request, parameters)));
  if (!target) return guardia_error(401, "the token is not valid for its namespace");
  FIRN_ASSIGN(const SnapshotPtr snapshot, open->store->snapshot(target->id));
  FIRN_ASSIGN(const MemoryBudget::Share share, take_page_memory(services, *request));
  const GuardiaQuestion question{
      *snapshot,
      parameters,
      request->path_arguments.empty() ? std::string() : request->path_arguments[0],
      services->env->now(),
      make_guard(services, request),
      share.bytes() / kMetricPageCopies};
  return work(question);
}

}  // namespace

Face guardia_face(Services* services) {
  Face face;
  const auto add = [&](std::string_view path, GuardiaWork work) {
    face.push_back({HttpMethod::kGet, "/api/v1/" + std::string(path),
                    [services, work](const HttpRequestPtr& request, const Responder& respond) {
                      run_query(services, request, respond,
                                [services, request, work]() -> Result<HttpResponse> {
                                  auto answer = work_on(services, request, work);
                                  return answer.ok() ? std::move(*answer)
                                                     : guardia_error(answer.status());
                                });
                    },
                    guardia_route_error});
  };
  add("health", answer_health);
  add("stats", answer_stats);
  add("servers", answer_servers);
  add("servers/{id}/metrics", answer_server_range);
  add("servers/{id}/metrics/latest", answer_server_latest);
  add("services", answer_services);
  add("services/{name}/checks", answer_service_checks);
  add("services/{name}/uptime", answer_service_uptime);
  face.push_back({HttpMethod::kGet, "/api/v1/stream",
                  [services](const HttpRequestPtr& request, const Responder& respond) {
                    auto answer = open_stream(services, request);
                    respond(answer.ok() ? std::move(*answer) : guardia_error(answer.status()));
                  },
                  guardia_route_error});
  return face;
}

}  // namespace firn
