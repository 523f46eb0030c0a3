#include "wire/otlp_json.h"
#include "wire/otlp_readers.h"

namespace firn {
namespace {

// The number of a protobuf enum's name, as some senders write it.
std::optional<int64_t> span_kind_from_name(std::string_view name) {
  if (name == "SPAN_KIND_UNSPECIFIED") return 0;
  if (name == "SPAN_KIND_INTERNAL") return 1;
  if (name == "SPAN_KIND_SERVER") return 2;
  if (name == "SPAN_KIND_CLIENT") return 3;
  if (name == "SPAN_KIND_PRODUCER") return 4;
  if (name == "SPAN_KIND_CONSUMER") return 5;
  return std::nullopt;
}

std::optional<int64_t> status_code_from_name(std::string_view name) {
  if (name == "STATUS_CODE_UNSET") return 0;
  if (name == "STATUS_CODE_OK") return 1;
  if (name == "STATUS_CODE_ERROR") return 2;
  return std::nullopt;
}

class SpansReader final : public OtlpJsonReader {
 public:
  SpansReader(ByteView body, const Limits& limits, OtlpSpanRows* rows)
      : OtlpJsonReader(body, limits,
                       {{"resourceSpans", "resource_spans"},
                        {"scopeSpans", "scope_spans"},
                        {"spans", "spans"}},
                       rows),
        rows_(rows),
        parts_max_(otlp_span_parts_max(limits)) {}

 private:
  void record(JsonReader* json) override {
    span_.clear();
    tree_.clear();
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (!read_ids(json, key) && !read_numbers(json, key)) read_parts(json, key);
    }
    if (json->ok()) rows_->add(span_, tree_);
  }

  // Each of these: whether the member was one of its. Failures stay in `json`.
  bool read_ids(JsonReader* json, std::string_view key) {
    if (OtlpJsonName{"traceId", "trace_id"} == key) {
      read_id(json, span_.trace_id.bytes.data(), span_.trace_id.bytes.size());
    } else if (OtlpJsonName{"spanId", "span_id"} == key) {
      read_id(json, span_.span_id.data(), span_.span_id.size());
    } else if (OtlpJsonName{"parentSpanId", "parent_span_id"} == key) {
      read_id(json, span_.parent_span_id.data(), span_.parent_span_id.size());
    } else if (OtlpJsonName{"traceState", "trace_state"} == key) {
      read_text(json, &span_.trace_state);
    } else if (key == "name") {
      read_text(json, &span_.name);
    } else {
      return false;
    }
    return true;
  }

  bool read_numbers(JsonReader* json, std::string_view key) {
    if (key == "kind") {
      read_enum(json, span_kind_from_name, &span_.kind);
    } else if (OtlpJsonName{"startTimeUnixNano", "start_time_unix_nano"} == key) {
      read_unsigned(json, &span_.start_time_unix_nano);
    } else if (OtlpJsonName{"endTimeUnixNano", "end_time_unix_nano"} == key) {
      read_unsigned(json, &span_.end_time_unix_nano);
    } else if (OtlpJsonName{"droppedAttributesCount", "dropped_attributes_count"} == key) {
      read_unsigned(json, &span_.dropped_attributes_count);
    } else if (OtlpJsonName{"droppedEventsCount", "dropped_events_count"} == key) {
      read_unsigned(json, &span_.dropped_events_count);
    } else if (OtlpJsonName{"droppedLinksCount", "dropped_links_count"} == key) {
      read_unsigned(json, &span_.dropped_links_count);
    } else if (key == "flags") {
      read_unsigned(json, &span_.flags);
    } else {
      return false;
    }
    return true;
  }

  void read_parts(JsonReader* json, std::string_view key) {
    if (key == "attributes") {
      attributes_of(json, &span_.attributes);
    } else if (key == "events") {
      each(json, [this, json] { event(json); });
    } else if (key == "links") {
      each(json, [this, json] { link(json); });
    } else if (key == "status") {
      status(json);
    } else {
      json->skip_value();
    }
  }

  // The elements of an array that are not null; only steps over those of a span that is too large.
  template <typename Element>
  void each(JsonReader* json, const Element& element) {
    if (json->skip_null()) return;
    json->enter_array();
    while (json->next_element()) {
      if (json->skip_null()) continue;
      if (span_.overflowed) {
        json->skip_value();
      } else {
        element();
      }
    }
  }

  void attributes_of(JsonReader* json, uint32_t* map) {
    if (*map == 0) *map = tree_.add(AnyNode::Kind::kMap);
    attributes(json, *map, 0, &tree_, &record_pool_);
  }

  void event(JsonReader* json) {
    OtlpSpanEvent event;
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (OtlpJsonName{"timeUnixNano", "time_unix_nano"} == key) {
        read_unsigned(json, &event.time_unix_nano);
      } else if (key == "name") {
        read_text(json, &event.name);
      } else if (key == "attributes") {
        attributes_of(json, &event.attributes);
      } else if (OtlpJsonName{"droppedAttributesCount", "dropped_attributes_count"} == key) {
        read_unsigned(json, &event.dropped_attributes_count);
      } else {
        json->skip_value();
      }
    }
    span_.add(event, parts_max_);
  }

  void link(JsonReader* json) {
    OtlpSpanLink link;
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (OtlpJsonName{"traceId", "trace_id"} == key) {
        read_id(json, link.trace_id.bytes.data(), link.trace_id.bytes.size());
      } else if (OtlpJsonName{"spanId", "span_id"} == key) {
        read_id(json, link.span_id.data(), link.span_id.size());
      } else if (OtlpJsonName{"traceState", "trace_state"} == key) {
        read_text(json, &link.trace_state);
      } else if (key == "attributes") {
        attributes_of(json, &link.attributes);
      } else if (OtlpJsonName{"droppedAttributesCount", "dropped_attributes_count"} == key) {
        read_unsigned(json, &link.dropped_attributes_count);
      } else if (key == "flags") {
        read_unsigned(json, &link.flags);
      } else {
        json->skip_value();
      }
    }
    span_.add(link, parts_max_);
  }

  void status(JsonReader* json) {
    if (json->skip_null()) return;
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (key == "message") {
        read_text(json, &span_.status_message);
      } else if (key == "code") {
        read_enum(json, status_code_from_name, &span_.status_code);
      } else {
        json->skip_value();
      }
    }
  }

  OtlpSpanRows* const rows_;
  const size_t parts_max_;
  OtlpSpan span_;
};

}  // namespace

Status read_otlp_spans_json(ByteView body, const Limits& limits, OtlpSpanRows* rows) {
  return SpansReader(body, limits, rows).read("traces");
}

}  // namespace firn
