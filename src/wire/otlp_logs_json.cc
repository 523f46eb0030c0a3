#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "wire/json_reader.h"
#include "wire/json_text.h"
#include "wire/otlp_readers.h"
#include "wire/severity.h"

namespace firn {
namespace {

using Kind = JsonReader::Kind;

// The request's own levels and what every nested value adds in this form: the value, its array or
// map, "values", and for maps the pair around the next value.
constexpr uint64_t kRequestDepth = 16;
constexpr uint64_t kDepthPerValue = 4;

bool is(std::string_view key, std::string_view camel, std::string_view snake) {
  return key == camel || key == snake;
}

template <typename T>
std::optional<T> parse_whole(std::string_view text) {
  T value{};
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  if (text == "NaN") return std::nan("");
  if (text == "Infinity") return HUGE_VAL;
  if (text == "-Infinity") return -HUGE_VAL;
  if (text.empty() || text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
    return std::nullopt;  // from_chars would take "inf" and the like
  }
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ptr != text.data() + text.size()) return std::nullopt;
  if (end.ec == std::errc::result_out_of_range) {
    // Too great or too small: what every other reader makes of it.
    const bool is_small =
        text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos;
    return (text.front() == '-' ? -1 : 1) * (is_small ? 0.0 : HUGE_VAL);
  }
  if (end.ec != std::errc()) return std::nullopt;
  return value;
}

// A number, or text holding one; empty when it is neither or null.
bool read_number_text(JsonReader* json, std::string_view* text) {
  *text = {};
  if (json->skip_null()) return true;
  return json->peek() == Kind::kString ? json->read_string(text) : json->read_number(text);
}

template <typename T>
bool read_unsigned(JsonReader* json, T* out) {
  std::string_view text;
  if (!read_number_text(json, &text)) return false;
  if (text.empty()) return true;
  if (const std::optional<T> whole = parse_whole<T>(text)) {
    *out = *whole;
    return true;
  }
  // JavaScript writes great integers as 1.5e+18.
  const std::optional<double> number = parse_double(text);
  const double limit = std::ldexp(1.0, static_cast<int>(sizeof(T) * 8));
  if (!number || !(*number >= 0 && *number < limit) || std::floor(*number) != *number) {
    return json->fail("expected an integer that is not negative");
  }
  *out = static_cast<T>(*number);
  return true;
}

bool read_text(JsonReader* json, std::string_view* out) {
  if (json->skip_null()) return true;
  return json->read_string(out);
}

bool read_severity(JsonReader* json, int64_t* out) {
  std::string_view text;
  if (!read_number_text(json, &text)) return false;
  if (text.empty()) return true;
  if (const std::optional<int32_t> number = parse_whole<int32_t>(text)) {
    *out = *number;
    return true;
  }
  const std::optional<uint8_t> named = severity_from_name(text);
  if (!named) return json->fail("unknown severity number");
  *out = *named;
  return true;
}

template <size_t kSize>
bool read_id(JsonReader* json, std::array<uint8_t, kSize>* out) {
  std::string_view text;
  if (!read_text(json, &text)) return false;
  if (!hex_decode(text, out->data(), kSize)) out->fill(0);  // not an id: absent
  return true;
}

// Reads the messages. Objects whose parts matter in another order than they may come in are first
// stepped over to find the parts.
class LogsReader {
 public:
  LogsReader(ByteView body, const Limits& limits, OtlpLogRows* rows)
      : body_(body),
        rows_(rows),
        depth_max_(otlp_value_depth_max(limits)),
        json_depth_(kRequestDepth + kDepthPerValue * (depth_max_ + 1)),
        resource_tree_(otlp_values_max(limits)),
        scope_tree_(otlp_values_max(limits)),
        tree_(otlp_values_max(limits)) {}

  bool too_deep() const { return too_deep_; }

  Status request() {
    JsonReader json(body_, json_depth_, &pool_);
    std::string_view key;
    json.enter_object();
    while (json.next_member(&key)) {
      if (!is(key, "resourceLogs", "resource_logs")) {
        json.skip_value();
      } else if (!json.skip_null()) {
        json.enter_array();
        while (json.next_element()) FIRN_TRY(resource_logs(&json));
      }
    }
    return json.finish();
  }

 private:
  // A reader of a part of the body; its offsets count from the body's begin.
  JsonReader part(std::string_view raw, StringPool* pool) const {
    return JsonReader(raw, json_depth_, pool, static_cast<size_t>(raw.data() - body_.data()));
  }

  Status resource_logs(JsonReader* json) {
    if (json->skip_null()) return {};
    resource_tree_.clear();
    OtlpResource resource;
    resource.attributes = resource_tree_.add(AnyNode::Kind::kMap);
    std::string_view scopes, key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (key == "resource") {
        read_resource(json, &resource);
      } else if (is(key, "schemaUrl", "schema_url")) {
        read_text(json, &resource.schema_url);
      } else if (is(key, "scopeLogs", "scope_logs")) {
        json->read_raw(&scopes);
      } else {
        json->skip_value();
      }
    }
    FIRN_TRY(json->status());
    if (scopes.empty() || scopes == "null") return {};
    scope_pool_.reset();
    JsonReader elements = part(scopes, &scope_pool_);
    elements.enter_array();
    while (elements.next_element()) FIRN_TRY(scope_logs(&elements, resource));
    return elements.finish();
  }

  void read_resource(JsonReader* json, OtlpResource* resource) {
    std::string_view key;
    if (json->skip_null()) return;
    json->enter_object();
    while (json->next_member(&key)) {
      if (key == "attributes") {
        attributes(json, resource->attributes, 0, &resource_tree_, &pool_);
      } else if (is(key, "droppedAttributesCount", "dropped_attributes_count")) {
        read_unsigned(json, &resource->dropped_attributes_count);
      } else {
        json->skip_value();
      }
    }
  }

  Status scope_logs(JsonReader* json, const OtlpResource& resource) {
    if (json->skip_null()) return {};
    scope_tree_.clear();
    OtlpScope scope;
    scope.attributes = scope_tree_.add(AnyNode::Kind::kMap);
    std::string_view records, key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (key == "scope") {
        read_scope(json, &scope);
      } else if (is(key, "schemaUrl", "schema_url")) {
        read_text(json, &scope.schema_url);
      } else if (is(key, "logRecords", "log_records")) {
        json->read_raw(&records);
      } else {
        json->skip_value();
      }
    }
    FIRN_TRY(json->status());
    rows_->begin_scope(resource, resource_tree_, scope, scope_tree_);
    if (records.empty() || records == "null") return {};
    JsonReader elements = part(records, &record_pool_);
    elements.enter_array();
    while (elements.next_element()) {
      record_pool_.reset();
      if (!elements.skip_null()) log_record(&elements);
    }
    return elements.finish();
  }

  void read_scope(JsonReader* json, OtlpScope* scope) {
    std::string_view key;
    if (json->skip_null()) return;
    json->enter_object();
    while (json->next_member(&key)) {
      if (key == "name") {
        read_text(json, &scope->name);
      } else if (key == "version") {
        read_text(json, &scope->version);
      } else if (key == "attributes") {
        attributes(json, scope->attributes, 0, &scope_tree_, &scope_pool_);
      } else if (is(key, "droppedAttributesCount", "dropped_attributes_count")) {
        read_unsigned(json, &scope->dropped_attributes_count);
      } else {
        json->skip_value();
      }
    }
  }

  void log_record(JsonReader* json) {
    OtlpLogRecord record;
    tree_.clear();
    record.attributes = tree_.add(AnyNode::Kind::kMap);
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) read_record_member(json, key, &record);
    if (json->ok()) rows_->add(record, tree_);
  }

  bool read_record_member(JsonReader* json, std::string_view key, OtlpLogRecord* record) {
    if (is(key, "timeUnixNano", "time_unix_nano")) {
      return read_unsigned(json, &record->time_unix_nano);
    }
    if (is(key, "observedTimeUnixNano", "observed_time_unix_nano")) {
      return read_unsigned(json, &record->observed_time_unix_nano);
    }
    if (is(key, "severityNumber", "severity_number")) {
      return read_severity(json, &record->severity_number);
    }
    if (is(key, "severityText", "severity_text")) return read_text(json, &record->severity_text);
    if (is(key, "eventName", "event_name")) return read_text(json, &record->event_name);
    if (is(key, "traceId", "trace_id")) return read_id(json, &record->trace_id.bytes);
    if (is(key, "spanId", "span_id")) return read_id(json, &record->span_id);
    if (key == "flags") return read_unsigned(json, &record->flags);
    if (is(key, "droppedAttributesCount", "dropped_attributes_count")) {
      return read_unsigned(json, &record->dropped_attributes_count);
    }
    if (key == "attributes") {
      return attributes(json, record->attributes, 0, &tree_, &record_pool_);
    }
    if (key == "body") {
      if (json->skip_null()) return true;
      if (record->body == 0) record->body = tree_.add(AnyNode::Kind::kUnset);
      return any_value(json, record->body, 0, &tree_, &record_pool_);
    }
    return json->skip_value();
  }

  // An array of {"key":...,"value":...} into the children of a map.
  bool attributes(JsonReader* json, uint32_t map, uint32_t depth, AnyTree* tree, StringPool* pool) {
    if (json->skip_null()) return true;
    json->enter_array();
    while (json->next_element()) {
      if (json->skip_null()) continue;
      const uint32_t child = tree->add_child(map);
      std::string_view key;
      json->enter_object();
      while (json->next_member(&key)) {
        if (key == "key") {
          std::string_view name;
          if (read_text(json, &name)) tree->node(child).key = name;
        } else if (key == "value") {
          if (!json->skip_null()) any_value(json, child, depth, tree, pool);
        } else {
          json->skip_value();
        }
      }
    }
    return json->ok();
  }

  bool any_value(JsonReader* json, uint32_t node, uint32_t depth, AnyTree* tree, StringPool* pool) {
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (!json->skip_null()) read_value_member(json, key, node, depth, tree, pool);
    }
    return json->ok();
  }

  bool read_value_member(JsonReader* json, std::string_view key, uint32_t node, uint32_t depth,
                         AnyTree* tree, StringPool* pool) {
    AnyNode& value = tree->node(node);
    if (is(key, "stringValue", "string_value")) {
      value.kind = AnyNode::Kind::kString;
      return json->read_string(&value.text);
    }
    if (is(key, "boolValue", "bool_value")) {
      value.kind = AnyNode::Kind::kBool;
      return json->read_bool(&value.boolean);
    }
    if (is(key, "intValue", "int_value")) return read_int(json, &value);
    if (is(key, "doubleValue", "double_value")) return read_double(json, &value);
    if (is(key, "bytesValue", "bytes_value")) return read_bytes(json, &value, pool);
    if (is(key, "arrayValue", "array_value")) {
      return container(json, node, AnyNode::Kind::kArray, depth, tree, pool);
    }
    if (is(key, "kvlistValue", "kvlist_value")) {
      return container(json, node, AnyNode::Kind::kMap, depth, tree, pool);
    }
    return json->skip_value();
  }

  static bool read_int(JsonReader* json, AnyNode* value) {
    std::string_view text;
    if (!read_number_text(json, &text)) return false;
    if (const std::optional<int64_t> whole = parse_whole<int64_t>(text)) {
      value->kind = AnyNode::Kind::kInt;
      value->integer = *whole;
      return true;
    }
    const std::optional<double> number = parse_double(text);
    if (!number) return json->fail("expected an integer");
    const bool fits = std::floor(*number) == *number && std::abs(*number) < 0x1p63;
    value->kind = fits ? AnyNode::Kind::kInt : AnyNode::Kind::kDouble;
    if (fits) {
      value->integer = static_cast<int64_t>(*number);
    } else {
      value->number = *number;
    }
    return true;
  }

  static bool read_double(JsonReader* json, AnyNode* value) {
    std::string_view text;
    if (!read_number_text(json, &text)) return false;
    const std::optional<double> number = parse_double(text);
    if (!number) return json->fail("expected a number");
    value->kind = AnyNode::Kind::kDouble;
    value->number = *number;
    return true;
  }

  static bool read_bytes(JsonReader* json, AnyNode* value, StringPool* pool) {
    std::string_view text;
    if (!json->read_string(&text)) return false;
    std::string* bytes = pool->take();
    if (!decode_base64(text, bytes)) return json->fail("expected base64");
    value->kind = AnyNode::Kind::kBytes;
    value->text = *bytes;
    return true;
  }

  bool container(JsonReader* json, uint32_t node, AnyNode::Kind kind, uint32_t depth, AnyTree* tree,
                 StringPool* pool) {
    if (depth >= depth_max_) {
      too_deep_ = true;
      return json->skip_value();
    }
    tree->set_container(node, kind);
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) {
      if (key != "values") {
        json->skip_value();
      } else if (kind == AnyNode::Kind::kMap) {
        attributes(json, node, depth + 1, tree, pool);
      } else if (!json->skip_null()) {
        json->enter_array();
        while (json->next_element()) {
          const uint32_t child = tree->add_child(node);
          if (!json->skip_null()) any_value(json, child, depth + 1, tree, pool);
        }
      }
    }
    return json->ok();
  }

  const ByteView body_;
  OtlpLogRows* rows_;
  const uint32_t depth_max_;
  const uint64_t json_depth_;
  bool too_deep_ = false;
  AnyTree resource_tree_, scope_tree_, tree_;
  StringPool pool_, scope_pool_, record_pool_;
};

}  // namespace

Status read_otlp_logs_json(ByteView body, const Limits& limits, OtlpLogRows* rows) {
  FIRN_TRY(check_utf8(body));
  LogsReader reader(body, limits, rows);
  const Status read = reader.request();
  if (!read.ok()) return read.with_context("the body is not an OTLP logs request");
  if (reader.too_deep()) {
    return too_large(fmt::format("a value is nested deeper than {}, which json_depth {} allows",
                                 otlp_value_depth_max(limits), limits.json_depth));
  }
  return {};
}

}  // namespace firn
