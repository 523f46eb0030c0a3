// Random requests, encoded by protobuf's own library from otlp_schema(), decoded by ours and
// compared field by field; and the JSON form of the same request, written by protobuf's reflection,
// becomes the same rows.

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <random>

#include "base/hash.h"
#include "model/test_rows.h"
#include "wire/json_text.h"
#include "wire/otlp.h"
#include "wire/otlp_schema.h"
#include "wire/otlp_value.h"

namespace firn {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr uint64_t kTime = 1'767'225'600'000'000'000;
constexpr int kDepthMax = 4;

// --- Reading messages --------------------------------------------------------------------------

const Field* field_of(const pb::Message& message, const char* name) {
  const Field* field = message.GetDescriptor()->FindFieldByName(name);
  FIRN_CHECK(field != nullptr);
  return field;
}
bool has(const pb::Message& message, const char* name) {
  return message.GetReflection()->HasField(message, field_of(message, name));
}
std::string text(const pb::Message& message, const char* name) {
  return message.GetReflection()->GetString(message, field_of(message, name));
}
uint64_t number(const pb::Message& message, const char* name) {
  const Field* field = field_of(message, name);
  const pb::Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case Field::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, field);
    case Field::CPPTYPE_INT32:
      return static_cast<uint64_t>(int64_t{reflection.GetInt32(message, field)});
    case Field::CPPTYPE_ENUM:
      return static_cast<uint64_t>(int64_t{reflection.GetEnumValue(message, field)});
    case Field::CPPTYPE_UINT64:
      return reflection.GetUInt64(message, field);
    case Field::CPPTYPE_INT64:
      return static_cast<uint64_t>(reflection.GetInt64(message, field));
    default:
      return reflection.GetBool(message, field) ? 1 : 0;
  }
}
double real(const pb::Message& message, const char* name) {
  return message.GetReflection()->GetDouble(message, field_of(message, name));
}
const pb::Message& inner(const pb::Message& message, const char* name) {
  return message.GetReflection()->GetMessage(message, field_of(message, name));
}
int size(const pb::Message& message, const char* name) {
  return message.GetReflection()->FieldSize(message, field_of(message, name));
}
std::vector<const pb::Message*> list(const pb::Message& message, const char* name) {
  std::vector<const pb::Message*> all;
  for (int i = 0; i < size(message, name); ++i) {
    all.push_back(
        &message.GetReflection()->GetRepeatedMessage(message, field_of(message, name), i));
  }
  return all;
}
std::string oneof_of(const pb::Message& message, const char* name) {
  const auto* oneof = message.GetDescriptor()->FindOneofByName(name);
  const Field* set = message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
  return set == nullptr ? "" : set->name();
}

// --- Making messages ---------------------------------------------------------------------------

class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) {
    for (const ProtoFile& file : otlp_schema()) {
      pb::FileDescriptorProto described;
      FIRN_CHECK(described.ParseFromString(file.descriptor));
      FIRN_CHECK(pool_.BuildFile(described) != nullptr);
    }
  }
  const pb::DescriptorPool& pool() const { return pool_; }

  std::unique_ptr<pb::Message> request(const std::string& type) {
    std::unique_ptr<pb::Message> made(
        factory_.GetPrototype(pool_.FindMessageTypeByName(type))->New());
    fill(made.get(), 0);
    return made;
  }

 private:
  uint64_t below(uint64_t end) { return random_() % end; }

  void fill(pb::Message* message, int depth) {
    const pb::Descriptor& type = *message->GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const Field& field = *type.field(i);
      if (field.name() == "entity_refs") continue;
      if (field.real_containing_oneof() != nullptr) continue;
      if (field.is_repeated()) {
        const uint64_t count = below(4);
        for (uint64_t j = 0; j < count; ++j) set(message, field, depth, j);
      } else if (must_be_set(field) || below(3) > 0) {
        set(message, field, depth, 0);
      }
    }
    for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
      const pb::OneofDescriptor& oneof = *type.oneof_decl(i);
      const bool may_be_unset = type.name() == "AnyValue" || type.name() == "Exemplar";
      if (may_be_unset && below(8) == 0) continue;
      const Field* field =
          oneof.field(static_cast<int>(below(static_cast<uint64_t>(oneof.field_count()))));
      const bool is_too_deep = depth >= kDepthMax && type.name() == "AnyValue";
      if (is_too_deep && field->message_type() != nullptr) field = oneof.field(0);
      set(message, *field, depth, 0);
    }
  }
  // What a row cannot do without.
  static bool must_be_set(const Field& field) {
    static const std::vector<std::string> names = {"trace_id", "span_id", "time_unix_nano", "key"};
    const bool is_metric_name =
        field.name() == "name" && field.containing_type()->name() == "Metric";
    return is_metric_name || std::find(names.begin(), names.end(), field.name()) != names.end();
  }

  void set(pb::Message* message, const Field& field, int depth, uint64_t index) {
    const pb::Reflection& reflection = *message->GetReflection();
    const bool add = field.is_repeated();
    const bool is_count = field.containing_type()->name() == "Buckets" || field.name() == "flags";
    switch (field.cpp_type()) {
      case Field::CPPTYPE_MESSAGE: {
        pb::Message* made = add ? reflection.AddMessage(message, &field)
                                : reflection.MutableMessage(message, &field);
        const bool is_value = made->GetDescriptor()->name() == "AnyValue";
        fill(made, is_value ? depth + 1 : depth);
        if (made->GetDescriptor()->name() == "KeyValue") {  // keys differ within a map
          made->GetReflection()->SetString(made, field_of(*made, "key"),
                                           fmt::format("k{}", 9 - index));
        }
        return;
      }
      case Field::CPPTYPE_STRING:
        return reflection.SetString(message, &field, string_for(field));
      case Field::CPPTYPE_DOUBLE:
        return add ? reflection.AddDouble(message, &field, real())
                   : reflection.SetDouble(message, &field, real());
      case Field::CPPTYPE_UINT64:
        return add ? reflection.AddUInt64(message, &field, integer())
                   : reflection.SetUInt64(message, &field,
                                          field.name().ends_with("unix_nano")
                                              ? kTime + below(1'000'000)
                                              : integer());
      case Field::CPPTYPE_INT64:
        return reflection.SetInt64(message, &field, static_cast<int64_t>(integer()));
      case Field::CPPTYPE_UINT32:
        return reflection.SetUInt32(message, &field, static_cast<uint32_t>(integer()));
      case Field::CPPTYPE_INT32:
        return reflection.SetInt32(message, &field, static_cast<int32_t>(integer()));
      case Field::CPPTYPE_ENUM:
        return reflection.SetEnumValue(message, &field, static_cast<int>(below(is_count ? 2 : 30)));
      default:
        return reflection.SetBool(message, &field, below(2) == 1);
    }
  }
  std::string string_for(const Field& field) {
    if (field.name() == "trace_id") return bytes(16);
    if (field.name().ends_with("span_id")) return bytes(8);
    if (field.type() == Field::TYPE_BYTES) return bytes(below(12));
    // What does not tell series apart is that of the first one.
    if (field.full_name().ends_with(".Metric.name")) return fmt::format("metric.{}", ++metrics_);
    static const std::vector<std::string> texts = {"a", "two words", "\"quoted\"\n",
                                                   "h\xc3\xa9llo"};
    return texts[below(texts.size())];
  }
  std::string bytes(uint64_t size) {
    std::string made;
    for (uint64_t i = 0; i < size; ++i) made.push_back(static_cast<char>(below(256)));
    return made;
  }
  double real() {
    static const std::vector<double> reals = {0,
                                              -0.0,
                                              1,
                                              1.5,
                                              -2.25,
                                              5e-324,
                                              1e300,
                                              std::numeric_limits<double>::quiet_NaN(),
                                              std::numeric_limits<double>::infinity(),
                                              -std::numeric_limits<double>::infinity()};
    return reals[below(reals.size())];
  }
  uint64_t integer() {
    static const std::vector<uint64_t> integers = {
        0,         1,          7,         127, 128, 300, 1u << 31, UINT32_MAX, (1ull << 53) + 1,
        INT64_MAX, 1ull << 63, UINT64_MAX};
    return integers[below(integers.size())];
  }

  std::mt19937_64 random_;
  uint64_t metrics_ = 0;
  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_;
};

// --- The JSON form -----------------------------------------------------------------------------

void write_json(const pb::Message& message, std::string* out);

void write_json_value(const pb::Message& message, const Field& field, int index, std::string* out) {
  const pb::Reflection& reflection = *message.GetReflection();
  const bool add = field.is_repeated();
  switch (field.cpp_type()) {
    case Field::CPPTYPE_MESSAGE:
      return write_json(add ? reflection.GetRepeatedMessage(message, &field, index)
                            : reflection.GetMessage(message, &field),
                        out);
    case Field::CPPTYPE_STRING: {
      const std::string value = reflection.GetString(message, &field);
      if (field.type() == Field::TYPE_STRING) return append_json_string(value, out);
      out->push_back('"');
      if (field.name().ends_with("_id")) {
        out->append(hex_encode(value));
      } else {
        append_base64(value, out);
      }
      return out->push_back('"');
    }
    case Field::CPPTYPE_DOUBLE: {
      const double value = add ? reflection.GetRepeatedDouble(message, &field, index)
                               : reflection.GetDouble(message, &field);
      if (std::isfinite(value)) return append_json_double(value, out);
      out->append(std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
      return;
    }
    case Field::CPPTYPE_UINT64:
      out->append(fmt::format("\"{}\"", add ? reflection.GetRepeatedUInt64(message, &field, index)
                                            : reflection.GetUInt64(message, &field)));
      return;
    case Field::CPPTYPE_INT64:
      out->append(fmt::format("\"{}\"", reflection.GetInt64(message, &field)));
      return;
    case Field::CPPTYPE_BOOL:
      out->append(reflection.GetBool(message, &field) ? "true" : "false");
      return;
    default:
      out->append(std::to_string(static_cast<int64_t>(number(message, field.name().c_str()))));
  }
}

void write_json(const pb::Message& message, std::string* out) {
  JsonObjectWriter object(out);
  std::vector<const Field*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const Field* field : fields) {
    object.member(field->json_name());
    if (!field->is_repeated()) {
      write_json_value(message, *field, 0, out);
      continue;
    }
    out->push_back('[');
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
      if (i > 0) out->push_back(',');
      write_json_value(message, *field, i, out);
    }
    out->push_back(']');
  }
  object.close();
}

// --- What rows should say ----------------------------------------------------------------------

void write_attributes(const pb::Message& message, const char* name, bool is_sorted,
                      std::string* out);

void write_any(const pb::Message& value, bool is_sorted, std::string* out) {
  const std::string kind = oneof_of(value, "value");
  if (kind.empty()) {
    out->append("null");
  } else if (kind == "string_value") {
    append_json_string(text(value, "string_value"), out);
  } else if (kind == "bool_value") {
    out->append(number(value, "bool_value") != 0 ? "true" : "false");
  } else if (kind == "int_value") {
    append_json_integer(static_cast<int64_t>(number(value, "int_value")), out);
  } else if (kind == "double_value") {
    append_any_double(real(value, "double_value"), out);
  } else if (kind == "bytes_value") {
    out->append(R"({"bytes":")");
    append_base64(text(value, "bytes_value"), out);
    out->append("\"}");
  } else if (kind == "array_value") {
    out->push_back('[');
    const auto values = list(inner(value, "array_value"), "values");
    for (const pb::Message* one : values) {
      if (one != values.front()) out->push_back(',');
      write_any(*one, is_sorted, out);
    }
    out->push_back(']');
  } else {
    write_attributes(inner(value, "kvlist_value"), "values", is_sorted, out);
  }
}

void write_attributes(const pb::Message& message, const char* name, bool is_sorted,
                      std::string* out) {
  auto members = list(message, name);
  if (is_sorted) {
    std::sort(members.begin(), members.end(),
              [](auto* a, auto* b) { return text(*a, "key") < text(*b, "key"); });
  }
  JsonObjectWriter object(out);
  for (const pb::Message* member : members) {
    object.member(text(*member, "key"));
    write_any(inner(*member, "value"), is_sorted, out);
  }
  object.close();
}

// Members of an object that are there when they say something.
class Document {
 public:
  Document() : object_(&json_) {}
  Document& attributes(const pb::Message& message, const char* name = "attributes",
                       bool is_sorted = false) {
    if (size(message, name) == 0) return *this;
    object_.member("attributes");
    write_attributes(message, name, is_sorted, &json_);
    return *this;
  }
  Document& text(std::string_view key, const std::string& value) {
    if (!value.empty()) object_.text(key, value);
    return *this;
  }
  Document& number(std::string_view key, uint64_t value) {
    if (value != 0) object_.unsigned_integer(key, value);
    return *this;
  }
  Document& raw(std::string_view key, const std::string& json) {
    if (!json.empty()) object_.raw(key, json);
    return *this;
  }
  Document& real(std::string_view key, double value) {
    object_.member(key);
    append_any_double(value, &json_);
    return *this;
  }
  std::string json() {
    object_.close();
    return object_.empty() ? "" : json_;
  }

 private:
  std::string json_;
  JsonObjectWriter object_;
};

std::string context_of(const pb::Message& of_resource, const pb::Message& of_scope) {
  const pb::Message &resource = inner(of_resource, "resource"), &scope = inner(of_scope, "scope");
  const std::string resource_json =
      Document()
          .attributes(resource, "attributes", true)
          .number("dropped_attributes_count", number(resource, "dropped_attributes_count"))
          .text("schema_url", text(of_resource, "schema_url"))
          .json();
  const std::string scope_json =
      Document()
          .attributes(scope, "attributes", true)
          .number("dropped_attributes_count", number(scope, "dropped_attributes_count"))
          .text("name", text(scope, "name"))
          .text("schema_url", text(of_scope, "schema_url"))
          .text("version", text(scope, "version"))
          .json();
  return Document().raw("resource", resource_json).raw("scope", scope_json).json();
}

// One text for everything that a row says.
std::string line(const std::vector<std::pair<const char*, std::string>>& members) {
  std::string out;
  for (const auto& [name, value] : members) out += fmt::format("{}={}\n", name, value);
  return out;
}
std::string hex(const pb::Message& message, const char* name) {
  return hex_encode(text(message, name));
}

std::string expected_log(const pb::Message& log, const std::string& context) {
  const auto severity = static_cast<int64_t>(number(log, "severity_number"));
  const std::string event_name = text(log, "event_name");
  std::string data;
  if (has(log, "body")) write_any(inner(log, "body"), false, &data);
  Document metadata;
  metadata.attributes(log).text("severity_text", text(log, "severity_text"));
  metadata.number("severity_number", severity > 24 ? static_cast<uint64_t>(severity) : 0);
  metadata.text("event_name", event_name).number("flags", number(log, "flags"));
  metadata.number("dropped_attributes_count", number(log, "dropped_attributes_count"));
  const uint64_t observed = number(log, "observed_time_unix_nano");
  return line(
      {{"time", std::to_string(number(log, "time_unix_nano"))},
       {"observed", std::to_string(observed == 0 ? kAbsentInt64 : static_cast<int64_t>(observed))},
       {"type", event_name.empty() ? "log" : event_name},
       {"severity", std::to_string(severity > 24 ? 0 : severity)},
       {"trace", hex(log, "trace_id")},
       {"span", hex(log, "span_id")},
       {"data", data},
       {"metadata", metadata.json()},
       {"context", context}});
}
std::string log_line(const EventRow& row) {
  return line({{"time", std::to_string(row.time)},
               {"observed", std::to_string(row.observed_time)},
               {"type", std::string(row.type)},
               {"severity", std::to_string(row.severity)},
               {"trace", row.trace_id.to_hex()},
               {"span", hex_encode({reinterpret_cast<const char*>(row.span_id.data()), 8})},
               {"data", std::string(row.data)},
               {"metadata", std::string(row.metadata)},
               {"context", std::string(row.context)}});
}

std::string expected_parts(const pb::Message& span) {
  std::string events, links;
  for (const pb::Message* event : list(span, "events")) {
    events += events.empty() ? "[" : ",";
    Document document;
    document.number("time_unix_nano", number(*event, "time_unix_nano"))
        .text("name", text(*event, "name"));
    document.attributes(*event).number("dropped_attributes_count",
                                       number(*event, "dropped_attributes_count"));
    events += document.json();
  }
  for (const pb::Message* link : list(span, "links")) {
    links += links.empty() ? "[" : ",";
    Document document;
    document.text("trace_id", hex(*link, "trace_id")).text("span_id", hex(*link, "span_id"));
    document.text("trace_state", text(*link, "trace_state")).attributes(*link);
    document.number("dropped_attributes_count", number(*link, "dropped_attributes_count"));
    links += document.number("flags", number(*link, "flags")).json();
  }
  return Document()
      .raw("events", events.empty() ? "" : events + "]")
      .raw("links", links.empty() ? "" : links + "]")
      .json();
}

std::string named(uint64_t value, const std::vector<std::string>& names) {
  if (value < names.size()) return names[value].empty() ? "" : "\"" + names[value] + "\"";
  return std::to_string(value);
}

std::string expected_span(const pb::Message& span, const std::string& context) {
  const uint64_t start = number(span, "start_time_unix_nano"),
                 end = number(span, "end_time_unix_nano");
  const bool has_duration = start != 0 && end >= start;
  const pb::Message& status = inner(span, "status");
  const std::string name = text(span, "name");
  Document metadata;
  metadata.attributes(span).raw("name", name.empty() ? "\"\"" : "");
  metadata.raw("kind", named(number(span, "kind"),
                             {"", "internal", "server", "client", "producer", "consumer"}));
  metadata.raw("status", Document()
                             .raw("code", named(number(status, "code"), {"", "ok", "error"}))
                             .text("message", text(status, "message"))
                             .json());
  metadata.number("end_time_unix_nano", has_duration ? 0 : end)
      .text("trace_state", text(span, "trace_state"));
  for (const char* count :
       {"flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count"}) {
    metadata.number(count, number(span, count));
  }
  const std::string parent = hex(span, "parent_span_id");
  return line({{"time", std::to_string(start != 0 || end != 0
                                           ? static_cast<int64_t>(start != 0 ? start : end)
                                           : kTestTime)},
               {"duration",
                std::to_string(has_duration ? static_cast<int64_t>(end - start) : kAbsentInt64)},
               {"type", name.empty() ? "span" : name},
               {"trace", hex(span, "trace_id")},
               {"span", hex(span, "span_id")},
               {"parent", std::string(16, '0') + (parent.empty() ? std::string(16, '0') : parent)},
               {"data", expected_parts(span)},
               {"metadata", metadata.json()},
               {"context", context}});
}
std::string span_line(const EventRow& row) {
  return line({{"time", std::to_string(row.time)},
               {"duration", std::to_string(row.duration)},
               {"type", std::string(row.type)},
               {"trace", row.trace_id.to_hex()},
               {"span", hex_encode({reinterpret_cast<const char*>(row.span_id.data()), 8})},
               {"parent", row.parent_id.to_hex()},
               {"data", std::string(row.data)},
               {"metadata", std::string(row.metadata)},
               {"context", std::string(row.context)}});
}

std::string list_of(const pb::Message& message, const char* name) {
  const Field* field = field_of(message, name);
  std::string out;
  for (int i = 0; i < size(message, name); ++i) {
    out += out.empty() ? "[" : ",";
    if (field->cpp_type() == Field::CPPTYPE_DOUBLE) {
      append_any_double(message.GetReflection()->GetRepeatedDouble(message, field, i), &out);
    } else {
      out += std::to_string(message.GetReflection()->GetRepeatedUInt64(message, field, i));
    }
  }
  return out.empty() ? "" : out + "]";
}

std::string expected_exemplars(const pb::Message& point) {
  std::string out;
  for (const pb::Message* exemplar : list(point, "exemplars")) {
    out += out.empty() ? "[" : ",";
    Document document;
    document.number("time_unix_nano", number(*exemplar, "time_unix_nano"));
    const std::string kind = oneof_of(*exemplar, "value");
    if (kind == "as_int") {
      document.raw("value", std::to_string(static_cast<int64_t>(number(*exemplar, "as_int"))));
    } else if (kind == "as_double") {
      document.real("value", real(*exemplar, "as_double"));
    }
    document.attributes(*exemplar, "filtered_attributes")
        .text("trace_id", hex(*exemplar, "trace_id"));
    out += document.text("span_id", hex(*exemplar, "span_id")).json();
  }
  return out.empty() ? "" : out + "]";
}

std::string expected_buckets(const pb::Message& point, const char* name) {
  if (!has(point, name)) return "";
  const pb::Message& buckets = inner(point, name);
  return fmt::format(R"({{"offset":{}{}}})", static_cast<int64_t>(number(buckets, "offset")),
                     size(buckets, "bucket_counts") == 0
                         ? ""
                         : ",\"bucket_counts\":" + list_of(buckets, "bucket_counts"));
}

std::string expected_data(const pb::Message& point, const std::string& kind) {
  Document data;
  if (kind == "gauge" || kind == "sum") {
    const auto integer = static_cast<int64_t>(number(point, "as_int"));
    const auto nearest = static_cast<double>(integer);
    const bool is_exact = nearest < 0x1p63 && static_cast<int64_t>(nearest) == integer;
    if (has(point, "as_int") && !is_exact) data.raw("asInt", std::to_string(integer));
    return data.raw("exemplars", expected_exemplars(point)).json();
  }
  data.raw("count", std::to_string(number(point, "count")));
  if (kind == "summary") {
    std::string quantiles;
    for (const pb::Message* one : list(point, "quantile_values")) {
      quantiles += quantiles.empty() ? "[" : ",";
      quantiles += Document()
                       .real("quantile", real(*one, "quantile"))
                       .real("value", real(*one, "value"))
                       .json();
    }
    return data.raw("quantiles", quantiles.empty() ? "" : quantiles + "]").json();
  }
  if (has(point, "min")) data.real("min", real(point, "min"));
  if (has(point, "max")) data.real("max", real(point, "max"));
  if (kind == "histogram") {
    data.raw("bucket_counts", list_of(point, "bucket_counts"))
        .raw("explicit_bounds", list_of(point, "explicit_bounds"));
    return data.raw("exemplars", expected_exemplars(point)).json();
  }
  data.raw("scale", std::to_string(static_cast<int64_t>(number(point, "scale"))));
  data.raw("zero_count", std::to_string(number(point, "zero_count")));
  if (std::bit_cast<uint64_t>(real(point, "zero_threshold")) != 0)
    data.real("zero_threshold", real(point, "zero_threshold"));
  data.raw("positive", expected_buckets(point, "positive"))
      .raw("negative", expected_buckets(point, "negative"));
  return data.raw("exemplars", expected_exemplars(point)).json();
}

std::string bits_of(Float64 value) { return fmt::format("{:016x}", value.bits); }
std::string expected_value(const pb::Message& point, const std::string& kind) {
  const auto text_of = [](double value) { return bits_of(Float64::of(value)); };
  if (kind == "gauge" || kind == "sum") {
    return has(point, "as_int")
               ? text_of(static_cast<double>(static_cast<int64_t>(number(point, "as_int"))))
               : text_of(real(point, "as_double"));
  }
  // Of a summary the sum has no presence: zero is not sent.
  return has(point, "sum") ? text_of(real(point, "sum")) : bits_of(kAbsentFloat64);
}

std::string expected_point(const pb::Message& metric, const pb::Message& point,
                           const std::string& context) {
  const std::string kind = oneof_of(metric, "data");
  const pb::Message& data = inner(metric, kind.c_str());
  const bool is_number = kind == "gauge" || kind == "sum";
  std::string labels;
  if (size(point, "attributes") > 0) write_attributes(point, "attributes", true, &labels);
  const uint64_t temporality =
      kind == "gauge" || kind == "summary" ? 0 : number(data, "aggregation_temporality");
  const uint64_t start = number(point, "start_time_unix_nano"), flags = number(point, "flags");
  return line({{"name", text(metric, "name")},
               {"type", kind},
               {"unit", text(metric, "unit")},
               {"description", text(metric, "description")},
               {"temporality", temporality == 1   ? "delta"
                               : temporality == 2 ? "cumulative"
                                                  : ""},
               {"monotonic", std::to_string(kind == "sum" ? number(data, "is_monotonic") : 0)},
               {"labels", labels},
               {"metadata", Document().attributes(metric, "metadata", true).json()},
               {"context", context},
               {"time", std::to_string(number(point, "time_unix_nano"))},
               {"start", std::to_string(start == 0 ? kAbsentInt64 : static_cast<int64_t>(start))},
               {"flags", std::to_string(flags == 0 ? kAbsentInt64 : static_cast<int64_t>(flags))},
               {"integer", std::to_string(is_number && has(point, "as_int") ? 1 : 0)},
               {"value", expected_value(point, kind)},
               {"data", expected_data(point, kind)}});
}
std::string point_line(const EventRow& row, const EventRow& series) {
  return line({{"name", std::string(series.name)},
               {"type", std::string(series.type)},
               {"unit", std::string(series.unit)},
               {"description", std::string(series.description)},
               {"temporality", std::string(series.temporality)},
               {"monotonic", std::to_string(series.monotonic)},
               {"labels", std::string(series.labels)},
               {"metadata", std::string(series.metadata)},
               {"context", std::string(series.context)},
               {"time", std::to_string(row.time)},
               {"start", std::to_string(row.start_time)},
               {"flags", std::to_string(row.flags)},
               {"integer", std::to_string(row.integer)},
               {"value", bits_of(row.value)},
               {"data", std::string(row.data)}});
}

// --- The tests ---------------------------------------------------------------------------------

OtlpRecords decode(OtlpSignal signal, std::string_view body, OtlpEncoding encoding) {
  DecodeDefaults defaults;
  defaults.now = kTestTime;
  uint64_t made = 0;
  defaults.make_id = [&made] { return make_uuid7(1, 2, ++made); };
  auto records = decode_otlp(signal, body, encoding, defaults);
  EXPECT_TRUE(records.ok()) << records.status().to_string();
  if (!records.ok()) return {};
  EXPECT_EQ(records->rejected, 0u) << records->message;
  return std::move(*records);
}

template <typename Expect>
void for_each_record(const pb::Message& request, const char* resources, const char* scopes,
                     const char* records, const Expect& expect) {
  for (const pb::Message* of_resource : list(request, resources)) {
    for (const pb::Message* of_scope : list(*of_resource, scopes)) {
      for (const pb::Message* record : list(*of_scope, records))
        expect(*record, context_of(*of_resource, *of_scope));
    }
  }
}

constexpr uint64_t kRequests = 300;

class OtlpDifferential : public ::testing::TestWithParam<uint64_t> {
 protected:
  // The decoded rows of both forms, which must be the same; those of the protobuf form.
  template <typename Line>
  std::vector<std::string> events(OtlpSignal signal, const pb::Message& request,
                                  const Line& line_of) {
    std::string json;
    write_json(request, &json);
    const OtlpRecords records =
        decode(signal, request.SerializeAsString(), OtlpEncoding::kProtobuf);
    const OtlpRecords others = decode(signal, json, OtlpEncoding::kJson);
    EXPECT_EQ(records.batches.size(), others.batches.size());
    std::vector<std::string> lines;
    for (size_t i = 0; i < std::min(records.batches.size(), others.batches.size()); ++i) {
      const RecordBatch& batch = *records.batches[i].batch;
      EXPECT_EQ(batch.encoded(), others.batches[i].batch->encoded()) << json;
      for (uint32_t row = 0; row < batch.rows(); ++row)
        lines.push_back(line_of(event_row(batch, row)));
    }
    return lines;
  }
};

TEST_P(OtlpDifferential, LogsAreWhatProtobufSays) {
  Maker maker(GetParam());
  for (uint64_t i = 0; i < kRequests && !HasFailure(); ++i) {
    const auto request =
        maker.request("opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest");
    std::vector<std::string> expected;
    for_each_record(*request, "resource_logs", "scope_logs", "log_records",
                    [&](const pb::Message& log, const std::string& context) {
                      expected.push_back(expected_log(log, context));
                    });
    EXPECT_EQ(events(OtlpSignal::kLogs, *request, log_line), expected);
  }
}

TEST_P(OtlpDifferential, SpansAreWhatProtobufSays) {
  Maker maker(GetParam());
  for (uint64_t i = 0; i < kRequests && !HasFailure(); ++i) {
    const auto request =
        maker.request("opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest");
    std::vector<std::string> expected;
    for_each_record(*request, "resource_spans", "scope_spans", "spans",
                    [&](const pb::Message& span, const std::string& context) {
                      expected.push_back(expected_span(span, context));
                    });
    EXPECT_EQ(events(OtlpSignal::kTraces, *request, span_line), expected);
  }
}

TEST_P(OtlpDifferential, PointsAreWhatProtobufSays) {
  Maker maker(GetParam());
  for (uint64_t i = 0; i < kRequests && !HasFailure(); ++i) {
    const auto request =
        maker.request("opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest");
    std::vector<std::string> expected, lines;
    for_each_record(*request, "resource_metrics", "scope_metrics", "metrics",
                    [&](const pb::Message& metric, const std::string& context) {
                      for (const pb::Message* point :
                           list(inner(metric, oneof_of(metric, "data").c_str()), "data_points")) {
                        expected.push_back(expected_point(metric, *point, context));
                      }
                    });
    std::string json;
    write_json(*request, &json);
    const OtlpRecords records =
        decode(OtlpSignal::kMetrics, request->SerializeAsString(), OtlpEncoding::kProtobuf);
    const OtlpRecords others = decode(OtlpSignal::kMetrics, json, OtlpEncoding::kJson);
    ASSERT_EQ(records.samples.size(), others.samples.size());
    for (size_t part = 0; part < records.samples.size(); ++part) {
      const RecordBatch &samples = *records.samples[part].samples,
                        &definitions = *records.samples[part].definitions;
      EXPECT_EQ(samples.encoded(), others.samples[part].samples->encoded()) << json;
      EXPECT_EQ(definitions.encoded(), others.samples[part].definitions->encoded()) << json;
      for (uint32_t row = 0; row < samples.rows(); ++row) {
        const EventRow sample = event_row(samples, row);
        for (uint32_t at = 0; at < definitions.rows(); ++at) {
          const EventRow series = event_row(definitions, at);
          if (series.series == sample.series) lines.push_back(point_line(sample, series));
        }
      }
    }
    EXPECT_EQ(lines, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, OtlpDifferential, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace firn
