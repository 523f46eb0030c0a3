#pragma once

// Requests of otlp_schema() as messages of protobuf's own library: made at random, read by name,
// written as OTLP's JSON. For tests only.

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "wire/json_text.h"
#include "wire/otlp_schema.h"

namespace firn {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr uint64_t kRandomTime = 1'767'225'600'000'000'000;
constexpr int kDepthMax = 4;  // of values in values

// --- Reading messages --------------------------------------------------------------------------

inline const Field* field_of(const pb::Message& message, const char* name) {
  const Field* field = message.GetDescriptor()->FindFieldByName(name);
  FIRN_CHECK(field != nullptr);
  return field;
}
inline bool has(const pb::Message& message, const char* name) {
  return message.GetReflection()->HasField(message, field_of(message, name));
}
inline std::string text(const pb::Message& message, const char* name) {
  return message.GetReflection()->GetString(message, field_of(message, name));
}
inline uint64_t number(const pb::Message& message, const char* name) {
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
inline double real(const pb::Message& message, const char* name) {
  return message.GetReflection()->GetDouble(message, field_of(message, name));
}
inline const pb::Message& inner(const pb::Message& message, const char* name) {
  return message.GetReflection()->GetMessage(message, field_of(message, name));
}
inline int size(const pb::Message& message, const char* name) {
  return message.GetReflection()->FieldSize(message, field_of(message, name));
}
inline std::vector<const pb::Message*> list(const pb::Message& message, const char* name) {
  std::vector<const pb::Message*> all;
  for (int i = 0; i < size(message, name); ++i) {
    all.push_back(
        &message.GetReflection()->GetRepeatedMessage(message, field_of(message, name), i));
  }
  return all;
}
inline std::string oneof_of(const pb::Message& message, const char* name) {
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
                                              ? kRandomTime + below(1'000'000)
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

inline void write_json(const pb::Message& message, std::string* out);

inline void write_json_value(const pb::Message& message, const Field& field, int index,
                             std::string* out) {
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

inline void write_json(const pb::Message& message, std::string* out) {
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

}  // namespace firn
