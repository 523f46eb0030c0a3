#include "wire/otlp_span_rows.h"

#include <algorithm>

#include "wire/json_text.h"

namespace firn {
namespace {

constexpr std::array<std::string_view, 6> kKinds = {"",       "internal", "server",
                                                    "client", "producer", "consumer"};
constexpr std::array<std::string_view, 3> kStatusCodes = {"", "ok", "error"};

bool is_zero(const SpanId& id) { return id == SpanId{}; }

ByteView bytes_of(const SpanId& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

// The number's name, or the number when it has none; nothing for 0.
template <size_t kCount>
void append_named(std::string_view key, int64_t number,
                  const std::array<std::string_view, kCount>& names, JsonObjectWriter* object) {
  if (number > 0 && number < static_cast<int64_t>(kCount)) {
    object->text(key, names[static_cast<size_t>(number)]);
  } else if (number != 0) {
    object->integer(key, number);
  }
}

void append_count(std::string_view key, uint32_t count, JsonObjectWriter* object) {
  if (count != 0) object->unsigned_integer(key, count);
}

void append_event(const OtlpSpanEvent& event, const AnyTree& tree, std::string* out) {
  JsonObjectWriter object(out);
  if (event.time_unix_nano != 0) object.unsigned_integer("time_unix_nano", event.time_unix_nano);
  if (!event.name.empty()) object.text("name", event.name);
  append_attributes_member(tree, event.attributes, KeyOrder::kAsSent, &object, out);
  append_count("dropped_attributes_count", event.dropped_attributes_count, &object);
  object.close();
}

void append_link(const OtlpSpanLink& link, const AnyTree& tree, std::string* out) {
  JsonObjectWriter object(out);
  if (!link.trace_id.is_zero()) object.text("trace_id", link.trace_id.to_hex());
  if (!is_zero(link.span_id)) object.text("span_id", hex_encode(bytes_of(link.span_id)));
  if (!link.trace_state.empty()) object.text("trace_state", link.trace_state);
  append_attributes_member(tree, link.attributes, KeyOrder::kAsSent, &object, out);
  append_count("dropped_attributes_count", link.dropped_attributes_count, &object);
  append_count("flags", link.flags, &object);
  object.close();
}

template <typename Part, typename Append>
void append_parts(std::string_view key, const std::vector<Part>& parts, const AnyTree& tree,
                  Append append, JsonObjectWriter* object, std::string* out) {
  if (parts.empty()) return;
  object->member(key);
  out->push_back('[');
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out->push_back(',');
    append(parts[i], tree, out);
  }
  out->push_back(']');
}

}  // namespace

void OtlpSpan::clear() {
  std::vector<OtlpSpanEvent> kept_events = std::move(events);
  std::vector<OtlpSpanLink> kept_links = std::move(links);
  kept_events.clear();
  kept_links.clear();
  *this = {};
  events = std::move(kept_events);
  links = std::move(kept_links);
}

void OtlpSpan::add(const OtlpSpanEvent& event, size_t parts_max) {
  overflowed |= events.size() >= parts_max;
  if (!overflowed) events.push_back(event);
}

void OtlpSpan::add(const OtlpSpanLink& link, size_t parts_max) {
  overflowed |= links.size() >= parts_max;
  if (!overflowed) links.push_back(link);
}

size_t otlp_span_parts_max(const Limits& limits) {
  constexpr uint64_t kBytesPerPartMin = 3;  // "{},"
  return limits.event_bytes / kBytesPerPartMin;
}

void OtlpSpanRows::add(const OtlpSpan& span, const AnyTree& tree) {
  if (span.trace_id.is_zero() || is_zero(span.span_id)) {
    reject("a span has no valid trace_id and span_id");
    return;
  }
  size_t text_bytes = span.trace_state.size() + span.name.size() + span.status_message.size();
  for (const OtlpSpanEvent& event : span.events) text_bytes += event.name.size();
  for (const OtlpSpanLink& link : span.links) text_bytes += link.trace_state.size();
  if (span.overflowed) text_bytes = SIZE_MAX / 2;
  if (!accepts(tree, span.attributes, text_bytes)) return;
  EventRow row;
  row.kind = EventKind::kSpan;
  set_times(span, &row);
  row.type = span.name.empty() ? "span" : column_text(span.name, &type_);
  row.trace_id = span.trace_id;
  row.span_id = span.span_id;
  std::copy(span.parent_span_id.begin(), span.parent_span_id.end(),
            row.parent_id.bytes.begin() + 8);
  write_data(span, tree);
  write_metadata(span, tree, row);
  row.data = data_;
  row.metadata = metadata_;
  row.source = source();
  row.context = context();
  row.id = identity_of(row);
  add_row(row);
}

void OtlpSpanRows::set_times(const OtlpSpan& span, EventRow* row) {
  const TimeNs start = known_time(span.start_time_unix_nano);
  const TimeNs end = known_time(span.end_time_unix_nano);
  row->time = start != 0 ? start : end;
  if (start != 0 && end >= start) row->duration = end - start;
}

void OtlpSpanRows::write_data(const OtlpSpan& span, const AnyTree& tree) {
  data_.clear();
  if (span.events.empty() && span.links.empty()) return;
  JsonObjectWriter object(&data_);
  append_parts("events", span.events, tree, append_event, &object, &data_);
  append_parts("links", span.links, tree, append_link, &object, &data_);
  object.close();
}

void OtlpSpanRows::write_metadata(const OtlpSpan& span, const AnyTree& tree, const EventRow& row) {
  metadata_.clear();
  JsonObjectWriter object(&metadata_);
  append_attributes_member(tree, span.attributes, KeyOrder::kAsSent, &object, &metadata_);
  if (row.type != span.name) object.text("name", span.name);
  append_named("kind", span.kind, kKinds, &object);
  if (span.status_code != 0 || !span.status_message.empty()) {
    object.member("status");
    JsonObjectWriter status(&metadata_);
    append_named("code", span.status_code, kStatusCodes, &status);
    if (!span.status_message.empty()) status.text("message", span.status_message);
    status.close();
  }
  if (row.duration == kAbsentInt64 && span.end_time_unix_nano != 0) {
    object.unsigned_integer("end_time_unix_nano", span.end_time_unix_nano);
  }
  if (!span.trace_state.empty()) object.text("trace_state", span.trace_state);
  append_count("flags", span.flags, &object);
  append_count("dropped_attributes_count", span.dropped_attributes_count, &object);
  append_count("dropped_events_count", span.dropped_events_count, &object);
  append_count("dropped_links_count", span.dropped_links_count, &object);
  object.close();
  if (object.empty()) metadata_.clear();
}

}  // namespace firn
