#include "wire/prometheus_rows.h"

#include "wire/json_text.h"
#include "wire/otlp_value.h"

namespace firn {
namespace {

// The text of an id of so many bytes, as W3C writes it.
bool is_id(std::string_view text, size_t bytes) {
  return text.size() == 2 * bytes &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void append_exemplar(const PrometheusExemplar& exemplar, std::string* out) {
  JsonObjectWriter object(out);
  if (exemplar.time) object.integer("time_unix_nano", *exemplar.time);
  object.member("value");
  append_any_double(exemplar.value, out);
  std::string_view trace_id, span_id;
  std::string attributes;
  JsonObjectWriter inner(&attributes);
  for (const auto& [name, value] : exemplar.labels) {
    if (name == "trace_id" && trace_id.empty() && is_id(value, 16)) {
      trace_id = value;
    } else if (name == "span_id" && span_id.empty() && is_id(value, 8)) {
      span_id = value;
    } else {
      inner.text(name, value);
    }
  }
  inner.close();
  if (!inner.empty()) object.raw("attributes", attributes);
  if (!trace_id.empty()) object.text("trace_id", trace_id);
  if (!span_id.empty()) object.text("span_id", span_id);
  object.close();
}

}  // namespace

SeriesNotes prometheus_notes(std::string_view type, std::string_view unit, std::string_view help) {
  SeriesNotes notes{.type = type, .unit = unit, .description = help};
  notes.is_monotonic = type == "counter";
  if (type == "counter" || type == "histogram" || type == "summary") {
    notes.temporality = "cumulative";
  }
  return notes;
}

void append_exemplars(std::span<const PrometheusExemplar> exemplars, std::string* out) {
  JsonObjectWriter object(out);
  object.list("exemplars", exemplars,
              [out](const PrometheusExemplar& exemplar) { append_exemplar(exemplar, out); });
  object.close();
}

}  // namespace firn
