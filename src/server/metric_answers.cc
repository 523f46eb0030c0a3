#include "server/metric_answers.h"

namespace firn {

TimeNs earlier(TimeNs time, DurationNs duration) {
  TimeNs before = 0;
  return __builtin_sub_overflow(time, duration, &before) ? INT64_MIN : before;
}

void append_number(double value, std::string* out) {
  if (value != value) {
    *out += "\"NaN\"";
  } else if (value - value != 0) {
    *out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    append_json_double(value, out);
  }
}

HttpResponse end_page(std::string body, const std::string& next, const QueryCost& cost) {
  body += ",\"next\":";
  if (next.empty()) {
    body += "null";
  } else {
    append_json_string(next, &body);
  }
  return json_response(std::move(body) + ",\"tiers\":" + tiers_json(cost) + "}\n");
}

Result<std::optional<PointCursor>> point_cursor(const MetricSelection& selection) {
  if (selection.cursor.empty()) return std::optional<PointCursor>();
  const auto cursor = PointCursor::parse(selection.cursor);
  if (cursor) return cursor;
  return invalid_argument("query parameter 'cursor' is '" + selection.cursor +
                          "'; it must be what the page before gave as 'next'");
}

Result<MemoryBudget::Share> take_page_memory(Services* services, const HttpRequest& request) {
  MemoryBudget* const memory = services->answer_memory.get();
  const uint64_t page =
      std::min(services->limits.page_bytes, memory->bytes_max() / kMetricPageShare);
  return take_memory(services, request, memory, kMetricPageCopies * page);
}

}  // namespace firn
