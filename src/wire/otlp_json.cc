#include "wire/otlp_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "wire/json_text.h"

namespace firn {
namespace {

using Kind = JsonReader::Kind;

// The request's own levels and what every nested value adds in this form: the value, its array or
// map, "values", and for maps the pair around the next value.
constexpr uint64_t kRequestDepth = 20;
constexpr uint64_t kDepthPerValue = 4;

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
bool number_text(JsonReader* json, std::string_view* text) {
  *text = {};
  if (json->skip_null()) return true;
  return json->peek() == Kind::kString ? json->read_string(text) : json->read_number(text);
}

template <typename T>
bool read_unsigned_as(JsonReader* json, T* out) {
  std::string_view text;
  if (!number_text(json, &text)) return false;
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

bool read_int(JsonReader* json, AnyNode* value) {
  std::string_view text;
  if (!number_text(json, &text)) return false;
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

bool read_number(JsonReader* json, AnyNode* value) {
  std::string_view text;
  if (!number_text(json, &text)) return false;
  const std::optional<double> number = parse_double(text);
  if (!number) return json->fail("expected a number");
  value->kind = AnyNode::Kind::kDouble;
  value->number = *number;
  return true;
}

bool read_bytes(JsonReader* json, AnyNode* value, StringPool* pool) {
  std::string_view text;
  if (!json->read_string(&text)) return false;
  std::string* bytes = pool->take();
  if (!decode_base64(text, bytes)) return json->fail("expected base64");
  value->kind = AnyNode::Kind::kBytes;
  value->text = *bytes;
  return true;
}

}  // namespace

OtlpJsonReader::OtlpJsonReader(ByteView body, const Limits& limits, const Names& names,
                               OtlpRows* rows)
    : tree_(otlp_values_max(limits)),
      body_(body),
      names_(names),
      rows_(rows),
      limits_(limits),
      depth_max_(otlp_value_depth_max(limits)),
      json_depth_(kRequestDepth + kDepthPerValue * (depth_max_ + 1)),
      resource_tree_(otlp_values_max(limits)),
      scope_tree_(otlp_values_max(limits)) {}

Status OtlpJsonReader::read(std::string_view what) {
  FIRN_TRY(check_utf8(body_));
  FIRN_TRY(request().with_context(fmt::format("the body is not an OTLP {} request", what)));
  if (too_deep_) return otlp_too_deep(limits_);
  return {};
}

Status OtlpJsonReader::request() {
  JsonReader json(body_, json_depth_, &pool_);
  std::string_view key;
  json.enter_object();
  while (json.next_member(&key)) {
    if (names_.resources != key) {
      json.skip_value();
    } else if (!json.skip_null()) {
      json.enter_array();
      while (json.next_element()) FIRN_TRY(resource_records(&json));
    }
  }
  return json.finish();
}

JsonReader OtlpJsonReader::part(std::string_view raw, StringPool* pool) const {
  return JsonReader(raw, json_depth_, pool, static_cast<size_t>(raw.data() - body_.data()));
}

Status OtlpJsonReader::resource_records(JsonReader* json) {
  if (json->skip_null()) return {};
  resource_tree_.clear();
  OtlpResource resource;
  resource.attributes = resource_tree_.add(AnyNode::Kind::kMap);
  std::string_view scopes, key;
  json->enter_object();
  while (json->next_member(&key)) {
    if (key == "resource") {
      read_resource(json, &resource);
    } else if (OtlpJsonName{"schemaUrl", "schema_url"} == key) {
      read_text(json, &resource.schema_url);
    } else if (names_.scopes == key) {
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
  while (elements.next_element()) FIRN_TRY(scope_records(&elements, resource));
  return elements.finish();
}

void OtlpJsonReader::read_resource(JsonReader* json, OtlpResource* resource) {
  std::string_view key;
  if (json->skip_null()) return;
  json->enter_object();
  while (json->next_member(&key)) {
    if (key == "attributes") {
      attributes(json, resource->attributes, 0, &resource_tree_, &pool_);
    } else if (OtlpJsonName{"droppedAttributesCount", "dropped_attributes_count"} == key) {
      read_unsigned(json, &resource->dropped_attributes_count);
    } else {
      json->skip_value();
    }
  }
}

Status OtlpJsonReader::scope_records(JsonReader* json, const OtlpResource& resource) {
  if (json->skip_null()) return {};
  scope_tree_.clear();
  OtlpScope scope;
  scope.attributes = scope_tree_.add(AnyNode::Kind::kMap);
  std::string_view records, key;
  json->enter_object();
  while (json->next_member(&key)) {
    if (key == "scope") {
      read_scope(json, &scope);
    } else if (OtlpJsonName{"schemaUrl", "schema_url"} == key) {
      read_text(json, &scope.schema_url);
    } else if (names_.records == key) {
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
    if (!elements.skip_null()) record(&elements);
    FIRN_TRY(part_error_);
  }
  return elements.finish();
}

void OtlpJsonReader::read_scope(JsonReader* json, OtlpScope* scope) {
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
    } else if (OtlpJsonName{"droppedAttributesCount", "dropped_attributes_count"} == key) {
      read_unsigned(json, &scope->dropped_attributes_count);
    } else {
      json->skip_value();
    }
  }
}

bool OtlpJsonReader::read_text(JsonReader* json, std::string_view* out) {
  if (json->skip_null()) return true;
  return json->read_string(out);
}

bool OtlpJsonReader::read_double(JsonReader* json, double* out) {
  AnyNode value;
  if (json->skip_null()) return true;
  if (!read_number(json, &value)) return false;
  *out = value.number;
  return true;
}

bool OtlpJsonReader::read_integer(JsonReader* json, AnyNode* out) {
  return json->skip_null() || read_int(json, out);
}

bool OtlpJsonReader::read_signed(JsonReader* json, int32_t* out) {
  AnyNode value;
  if (json->skip_null()) return true;
  if (!read_int(json, &value)) return false;
  const bool fits =
      value.kind == AnyNode::Kind::kInt && value.integer >= INT32_MIN && value.integer <= INT32_MAX;
  if (!fits) return json->fail("expected an integer of 32 bits");
  *out = static_cast<int32_t>(value.integer);
  return true;
}

bool OtlpJsonReader::read_unsigned(JsonReader* json, uint64_t* out) {
  return read_unsigned_as(json, out);
}
bool OtlpJsonReader::read_unsigned(JsonReader* json, uint32_t* out) {
  return read_unsigned_as(json, out);
}

bool OtlpJsonReader::read_enum(
    JsonReader* json, const std::function<std::optional<int64_t>(std::string_view)>& from_name,
    int64_t* out) {
  std::string_view text;
  if (!number_text(json, &text)) return false;
  if (text.empty()) return true;
  if (const std::optional<int32_t> number = parse_whole<int32_t>(text)) {
    *out = *number;
    return true;
  }
  const std::optional<int64_t> named = from_name(text);
  if (!named) return json->fail("unknown number or name of an enum");
  *out = *named;
  return true;
}

bool OtlpJsonReader::read_id(JsonReader* json, uint8_t* out, size_t size) {
  std::string_view text;
  if (!read_text(json, &text)) return false;
  if (!hex_decode(text, out, size)) std::fill(out, out + size, uint8_t{0});
  return true;
}

// An array of {"key":...,"value":...} into the children of a map.
bool OtlpJsonReader::attributes(JsonReader* json, uint32_t map, uint32_t depth, AnyTree* tree,
                                StringPool* pool) {
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

bool OtlpJsonReader::any_value(JsonReader* json, uint32_t node, uint32_t depth, AnyTree* tree,
                               StringPool* pool) {
  std::string_view key;
  json->enter_object();
  while (json->next_member(&key)) {
    if (!json->skip_null()) read_value_member(json, key, node, depth, tree, pool);
  }
  return json->ok();
}

bool OtlpJsonReader::read_value_member(JsonReader* json, std::string_view key, uint32_t node,
                                       uint32_t depth, AnyTree* tree, StringPool* pool) {
  AnyNode& value = tree->node(node);
  if (OtlpJsonName{"stringValue", "string_value"} == key) {
    value.kind = AnyNode::Kind::kString;
    return json->read_string(&value.text);
  }
  if (OtlpJsonName{"boolValue", "bool_value"} == key) {
    value.kind = AnyNode::Kind::kBool;
    return json->read_bool(&value.boolean);
  }
  if (OtlpJsonName{"intValue", "int_value"} == key) return read_int(json, &value);
  if (OtlpJsonName{"doubleValue", "double_value"} == key) return read_number(json, &value);
  if (OtlpJsonName{"bytesValue", "bytes_value"} == key) return read_bytes(json, &value, pool);
  if (OtlpJsonName{"arrayValue", "array_value"} == key) {
    return container(json, node, AnyNode::Kind::kArray, depth, tree, pool);
  }
  if (OtlpJsonName{"kvlistValue", "kvlist_value"} == key) {
    return container(json, node, AnyNode::Kind::kMap, depth, tree, pool);
  }
  return json->skip_value();
}

bool OtlpJsonReader::container(JsonReader* json, uint32_t node, AnyNode::Kind kind, uint32_t depth,
                               AnyTree* tree, StringPool* pool) {
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

}  // namespace firn
