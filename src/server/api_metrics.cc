#include <algorithm>
#include <charconv>
#include <string>

#include "server/api_face.h"
#include "server/event_parameters.h"
#include "views/metrics/metric_reads.h"
#include "wire/json_text.h"

namespace firn {

namespace {

constexpr uint32_t kSeriesDefault = 100;
constexpr uint32_t kPointsDefault = 1000;
// Of the memory for answers, what one page may be.
constexpr uint64_t kPageShare = 8;
constexpr uint64_t kPageCopies = 4;
constexpr std::string_view kLabelPrefix = "label.";

Status bad_value(std::string_view name, std::string_view value, std::string_view wanted) {
  return invalid_argument("query parameter '" + std::string(name) + "' is '" + std::string(value) +
                          "'; it must be " + std::string(wanted));
}

Result<TimeNs> read_time(std::string_view name, std::string_view value, TimeNs now) {
  const auto time = parse_time_or_relative(value, now);
  if (time) return *time;
  return bad_value(name, value, "a time: RFC 3339, a Unix time, 'now' or '-1h'");
}

Result<uint32_t> read_limit(std::string_view value, const Limits& limits) {
  const auto number = parse_unsigned(value);
  if (number && *number >= 1 && *number <= limits.page_rows) return static_cast<uint32_t>(*number);
  return bad_value("limit", value, "from 1 to " + std::to_string(limits.page_rows));
}

Result<SeriesQuery> parse_series_query(Services* services, const HttpRequest& request) {
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(request.query));
  SeriesQuery query;
  query.limit = kSeriesDefault;
  const TimeNs now = services->env->now();
  for (const auto& [name, value] : parameters) {
    if (name == "from") {
      FIRN_ASSIGN(query.time.from, read_time(name, value, now));
    } else if (name == "to") {
      FIRN_ASSIGN(query.time.to, read_time(name, value, now));
    } else if (name == "name") {
      query.name = value;
    } else if (name.starts_with(kLabelPrefix) && name.size() > kLabelPrefix.size()) {
      query.labels.emplace_back(name.substr(kLabelPrefix.size()), value);
    } else if (name == "limit") {
      FIRN_ASSIGN(query.limit, read_limit(value, services->limits));
    } else if (name == "cursor") {
      query.after = value;
    } else {
      return invalid_argument("unknown query parameter '" + name +
                              "'; there are from, to, name, label.<key>, limit and cursor");
    }
  }
  return query;
}

Result<PointQuery> parse_point_query(Services* services, const HttpRequest& request) {
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(request.query));
  PointQuery query;
  query.limit = kPointsDefault;
  const TimeNs now = services->env->now();
  std::optional<TimeNs> cursor;
  for (const auto& [name, value] : parameters) {
    if (name == "series") {
      query.series = value;
    } else if (name == "from") {
      FIRN_ASSIGN(query.time.from, read_time(name, value, now));
    } else if (name == "to") {
      FIRN_ASSIGN(query.time.to, read_time(name, value, now));
    } else if (name == "limit") {
      FIRN_ASSIGN(query.limit, read_limit(value, services->limits));
    } else if (name == "cursor") {
      TimeNs time = 0;
      const char* const end = value.data() + value.size();
      const auto parsed = std::from_chars(value.data(), end, time);
      if (parsed.ec != std::errc() || parsed.ptr != end) {
        return bad_value(name, value, "what the page before gave as 'next'");
      }
      cursor = time;
    } else {
      return invalid_argument("unknown query parameter '" + name +
                              "'; there are series, from, to, limit and cursor");
    }
  }
  if (query.series.empty()) {
    return invalid_argument(
        "query parameter 'series' is missing; GET .../metrics/series lists them");
  }
  if (cursor) query.time.from = std::max(query.time.from, *cursor);
  return query;
}

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

// A number as it was sent: an integer without, a double with a point or exponent. JSON has no NaN
// and no infinities; they are texts.
void append_value(const Point& point, JsonObjectWriter* object, std::string* out) {
  const double value = point.value.value();
  if (point.value == kAbsentFloat64) return;
  object->member("value");
  if (point.is_integer && value >= -0x1p63 && value < 0x1p63) {
    append_json_integer(static_cast<int64_t>(value), out);
  } else if (value != value) {
    *out += "\"NaN\"";
  } else if (value - value != 0) {
    *out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    append_json_double(value, out);
  }
}

void append_point(const Point& point, std::string* out) {
  JsonObjectWriter object(out);
  object.text("time", format_time(point.time));
  append_value(point, &object, out);
  if (point.start_time != kAbsentInt64) object.text("start_time", format_time(point.start_time));
  if (point.flags != kAbsentInt64) object.integer("flags", point.flags);
  raw_unless_empty("data", point.data, &object);
  raw_unless_empty("metadata", point.metadata, &object);
  object.close();
}

// {"<name>":[...],"next":...,"tiers":[...]}
template <typename Item, typename Append>
HttpResponse list_answer(std::string_view name, const std::vector<Item>& items,
                         const std::string& next, const QueryCost& cost, const Append& append) {
  std::string body = "{";
  append_json_string(name, &body);
  body += ":[";
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) body.push_back(',');
    append(items[i], &body);
  }
  body += "],\"next\":";
  if (next.empty()) {
    body += "null";
  } else {
    append_json_string(next, &body);
  }
  return json_response(body + ",\"tiers\":" + tiers_json(cost) + "}\n");
}

// While a page is made, it takes some times what it will be.
Result<MemoryBudget::Share> take_page_memory(Services* services, const HttpRequest& request) {
  MemoryBudget* const memory = services->answer_memory.get();
  const uint64_t page = std::min(services->limits.page_bytes, memory->bytes_max() / kPageShare);
  return take_memory(services, request, memory, kPageCopies * page);
}

void get_series(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services, request]() -> Result<HttpResponse> {
    FIRN_ASSIGN(const Target target, find_target(services, *request));
    FIRN_ASSIGN(const SeriesQuery query, parse_series_query(services, *request));
    FIRN_ASSIGN(const SnapshotPtr snapshot, target.open->store->snapshot(target.name_space.id));
    FIRN_ASSIGN(const MemoryBudget::Share share, take_page_memory(services, *request));
    FIRN_ASSIGN(const SeriesPage page,
                find_series(*snapshot, query, make_guard(services, request)));
    const std::string next = page.has_more ? page.series.back().series : "";
    return list_answer("series", page.series, next, page.cost, append_series);
  });
}

void get_points(Services* services, const HttpRequestPtr& request, const Responder& respond) {
  run_query(services, request, respond, [services, request]() -> Result<HttpResponse> {
    FIRN_ASSIGN(const Target target, find_target(services, *request));
    FIRN_ASSIGN(PointQuery query, parse_point_query(services, *request));
    FIRN_ASSIGN(const SnapshotPtr snapshot, target.open->store->snapshot(target.name_space.id));
    FIRN_ASSIGN(const MemoryBudget::Share share, take_page_memory(services, *request));
    query.bytes_max = share.bytes() / kPageCopies;
    FIRN_ASSIGN(const PointPage page, read_points(*snapshot, query, make_guard(services, request)));
    const std::string next = page.next ? std::to_string(*page.next) : "";
    return list_answer("points", page.points, next, page.cost, append_point);
  });
}

}  // namespace

void add_metric_routes(Services* services, Face* face) {
  face->push_back({HttpMethod::kGet, "/api/v1/namespaces/{ns}/metrics/series",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     get_series(services, request, respond);
                   }});
  face->push_back({HttpMethod::kGet, "/api/v1/namespaces/{ns}/metrics/points",
                   [services](const HttpRequestPtr& request, const Responder& respond) {
                     get_points(services, request, respond);
                   }});
}

}  // namespace firn
