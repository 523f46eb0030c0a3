#pragma once

// An OTLP export request that tests can build, and two encoders for it that share nothing with the
// decoders: protobuf bytes put together by hand, and JSON as the specification writes it. Never
// part of the product.

#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace firn {

// Protobuf, byte by byte.
class TestProto {
 public:
  static void varint(uint64_t value, std::string* out) {
    for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
    out->push_back(static_cast<char>(value));
  }
  TestProto& number(uint32_t tag, uint64_t value) {
    varint(tag << 3, &bytes);
    varint(value, &bytes);
    return *this;
  }
  TestProto& fixed64(uint32_t tag, uint64_t value) {
    varint(tag << 3 | 1, &bytes);
    append_le(&bytes, value);
    return *this;
  }
  TestProto& fixed32(uint32_t tag, uint32_t value) {
    varint(tag << 3 | 5, &bytes);
    append_le(&bytes, value);
    return *this;
  }
  TestProto& text(uint32_t tag, std::string_view value) {
    varint(tag << 3 | 2, &bytes);
    varint(value.size(), &bytes);
    bytes.append(value);
    return *this;
  }
  TestProto& message(uint32_t tag, const TestProto& value) { return text(tag, value.bytes); }

  std::string bytes;
};

// Quotes ASCII text without specials as it is; everything else as \u escapes of one byte.
inline std::string test_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || static_cast<uint8_t>(c) < 0x20) {
      const std::string code = hex_encode(std::string_view(&c, 1));
      out += "\\u00" + code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

struct TestValue {
  enum class Kind { kUnset, kString, kBool, kInt, kDouble, kBytes, kArray, kMap };
  using Members = std::vector<std::pair<std::string, TestValue>>;

  Kind kind = Kind::kUnset;
  std::string text;
  int64_t integer = 0;  // and bool
  double number = 0;
  Members members;  // of arrays with empty keys

  static TestValue of(std::string text) { return {Kind::kString, std::move(text), 0, 0, {}}; }
  static TestValue of(const char* text) { return of(std::string(text)); }
  static TestValue of(int64_t integer) { return {Kind::kInt, "", integer, 0, {}}; }
  static TestValue of(bool value) { return {Kind::kBool, "", value ? 1 : 0, 0, {}}; }
  static TestValue of(double number) { return {Kind::kDouble, "", 0, number, {}}; }
  static TestValue bytes(std::string value) { return {Kind::kBytes, std::move(value), 0, 0, {}}; }
  static TestValue map(Members members) { return {Kind::kMap, "", 0, 0, std::move(members)}; }
  static TestValue array(std::vector<TestValue> values) {
    TestValue array{Kind::kArray, "", 0, 0, {}};
    for (TestValue& value : values) array.members.emplace_back("", std::move(value));
    return array;
  }

  TestProto proto() const {
    TestProto out, inner;
    switch (kind) {
      case Kind::kUnset:
        return out;
      case Kind::kString:
        return out.text(1, text);
      case Kind::kBool:
        return out.number(2, static_cast<uint64_t>(integer));
      case Kind::kInt:
        return out.number(3, static_cast<uint64_t>(integer));
      case Kind::kDouble:
        return out.fixed64(4, std::bit_cast<uint64_t>(number));
      case Kind::kBytes:
        return out.text(7, text);
      case Kind::kArray:
        for (const auto& [key, value] : members) inner.message(1, value.proto());
        return out.message(5, inner);
      case Kind::kMap:
        for (const auto& [key, value] : members) inner.message(1, key_value(key, value));
        return out.message(6, inner);
    }
    return out;
  }
  static TestProto key_value(const std::string& key, const TestValue& value) {
    return TestProto().text(1, key).message(2, value.proto());
  }

  std::string json() const {
    switch (kind) {
      case Kind::kUnset:
        return "{}";
      case Kind::kString:
        return "{\"stringValue\":" + test_quoted(text) + "}";
      case Kind::kBool:
        return std::string("{\"boolValue\":") + (integer != 0 ? "true}" : "false}");
      case Kind::kInt:
        return "{\"intValue\":\"" + std::to_string(integer) + "\"}";
      case Kind::kDouble:
        return "{\"doubleValue\":" + json_double() + "}";
      case Kind::kBytes:
        return "{\"bytesValue\":\"" + json_base64() + "\"}";
      case Kind::kArray: {
        std::string out;
        for (const auto& [key, value] : members) out += (out.empty() ? "" : ",") + value.json();
        return "{\"arrayValue\":{\"values\":[" + out + "]}}";
      }
      case Kind::kMap:
        return "{\"kvlistValue\":{\"values\":" + json_members(members) + "}}";
    }
    return "";
  }
  static std::string json_members(const Members& members) {
    std::string out;
    for (const auto& [key, value] : members) {
      if (!out.empty()) out += ',';
      out += "{\"key\":" + test_quoted(key) + ",\"value\":" + value.json() + "}";
    }
    return "[" + out + "]";
  }

 private:
  std::string json_double() const {
    if (std::isnan(number)) return "\"NaN\"";
    if (std::isinf(number)) return number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    char buffer[40];
    std::snprintf(buffer, sizeof(buffer), "%.17g", number);
    return buffer;
  }
  std::string json_base64() const {
    static constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bits, out;
    for (const char c : text) {
      for (int bit = 7; bit >= 0; --bit)
        bits += (static_cast<uint8_t>(c) >> bit & 1) != 0 ? '1' : '0';
    }
    while (bits.size() % 6 != 0) bits += '0';
    for (size_t at = 0; at < bits.size(); at += 6) {
      out += kDigits[std::stoul(bits.substr(at, 6), nullptr, 2)];
    }
    while (out.size() % 4 != 0) out += '=';
    return out;
  }
};

struct TestLog {
  uint64_t time = 0, observed_time = 0;
  int32_t severity_number = 0;
  std::string severity_text, event_name, trace_id, span_id;
  std::optional<TestValue> body;
  TestValue::Members attributes;
  uint32_t dropped_attributes_count = 0, flags = 0;

  TestProto proto() const {
    TestProto out;
    out.fixed64(1, time).number(2, static_cast<uint64_t>(int64_t{severity_number}));
    if (!severity_text.empty()) out.text(3, severity_text);
    if (body) out.message(5, body->proto());
    for (const auto& [key, value] : attributes) out.message(6, TestValue::key_value(key, value));
    out.number(7, dropped_attributes_count).fixed32(8, flags).text(9, trace_id).text(10, span_id);
    out.fixed64(11, observed_time);
    return event_name.empty() ? out : out.text(12, event_name);
  }
  std::string json() const {
    std::string out = "{\"timeUnixNano\":\"" + std::to_string(time) + "\"";
    out += ",\"severityNumber\":" + std::to_string(severity_number);
    if (!severity_text.empty()) out += ",\"severityText\":" + test_quoted(severity_text);
    if (body) out += ",\"body\":" + body->json();
    if (!attributes.empty()) out += ",\"attributes\":" + TestValue::json_members(attributes);
    out += ",\"droppedAttributesCount\":" + std::to_string(dropped_attributes_count);
    out += ",\"flags\":" + std::to_string(flags);
    out +=
        ",\"traceId\":\"" + hex_encode(trace_id) + "\",\"spanId\":\"" + hex_encode(span_id) + "\"";
    if (!event_name.empty()) out += ",\"eventName\":" + test_quoted(event_name);
    return out + ",\"observedTimeUnixNano\":" + std::to_string(observed_time) + "}";
  }
};

// The parts of a span, and what they are written with.
struct TestSpanEvent {
  uint64_t time = 0;
  std::string name;
  TestValue::Members attributes;
  uint32_t dropped_attributes_count = 0;

  TestProto proto() const {
    TestProto out;
    out.fixed64(1, time).text(2, name);
    for (const auto& [key, value] : attributes) out.message(3, TestValue::key_value(key, value));
    return out.number(4, dropped_attributes_count);
  }
  std::string json() const {
    return "{\"timeUnixNano\":" + std::to_string(time) + ",\"name\":" + test_quoted(name) +
           ",\"attributes\":" + TestValue::json_members(attributes) +
           ",\"droppedAttributesCount\":" + std::to_string(dropped_attributes_count) + "}";
  }
};

struct TestSpanLink {
  std::string trace_id, span_id, trace_state;
  TestValue::Members attributes;
  uint32_t dropped_attributes_count = 0, flags = 0;

  TestProto proto() const {
    TestProto out;
    out.text(1, trace_id).text(2, span_id).text(3, trace_state);
    for (const auto& [key, value] : attributes) out.message(4, TestValue::key_value(key, value));
    return out.number(5, dropped_attributes_count).fixed32(6, flags);
  }
  std::string json() const {
    return "{\"traceId\":\"" + hex_encode(trace_id) + "\",\"spanId\":\"" + hex_encode(span_id) +
           "\",\"traceState\":" + test_quoted(trace_state) +
           ",\"attributes\":" + TestValue::json_members(attributes) +
           ",\"droppedAttributesCount\":" + std::to_string(dropped_attributes_count) +
           ",\"flags\":" + std::to_string(flags) + "}";
  }
};

struct TestSpan {
  std::string trace_id = "0123456789abcdef", span_id = "01234567", parent_span_id, trace_state,
              name = "work", status_message;
  int32_t kind = 0, status_code = 0;
  uint64_t start = 0, end = 0;
  TestValue::Members attributes;
  uint32_t dropped_attributes_count = 0, dropped_events_count = 0, dropped_links_count = 0,
           flags = 0;
  std::vector<TestSpanEvent> events;
  std::vector<TestSpanLink> links;

  TestProto proto() const {
    TestProto out, status;
    out.text(1, trace_id).text(2, span_id).text(3, trace_state).text(4, parent_span_id);
    out.text(5, name).number(6, static_cast<uint64_t>(int64_t{kind}));
    out.fixed64(7, start).fixed64(8, end);
    for (const auto& [key, value] : attributes) out.message(9, TestValue::key_value(key, value));
    out.number(10, dropped_attributes_count);
    for (const TestSpanEvent& event : events) out.message(11, event.proto());
    out.number(12, dropped_events_count);
    for (const TestSpanLink& link : links) out.message(13, link.proto());
    out.number(14, dropped_links_count);
    status.text(2, status_message).number(3, static_cast<uint64_t>(int64_t{status_code}));
    return out.message(15, status).fixed32(16, flags);
  }
  std::string json() const {
    std::string all_events, all_links;
    for (const TestSpanEvent& event : events) {
      all_events += (all_events.empty() ? "" : ",") + event.json();
    }
    for (const TestSpanLink& link : links)
      all_links += (all_links.empty() ? "" : ",") + link.json();
    return "{\"traceId\":\"" + hex_encode(trace_id) + "\",\"spanId\":\"" + hex_encode(span_id) +
           "\",\"traceState\":" + test_quoted(trace_state) + ",\"parentSpanId\":\"" +
           hex_encode(parent_span_id) + "\",\"name\":" + test_quoted(name) +
           ",\"kind\":" + std::to_string(kind) + ",\"startTimeUnixNano\":\"" +
           std::to_string(start) + "\",\"endTimeUnixNano\":\"" + std::to_string(end) +
           "\",\"attributes\":" + TestValue::json_members(attributes) +
           ",\"droppedAttributesCount\":" + std::to_string(dropped_attributes_count) +
           ",\"events\":[" + all_events +
           "],\"droppedEventsCount\":" + std::to_string(dropped_events_count) + ",\"links\":[" +
           all_links + "],\"droppedLinksCount\":" + std::to_string(dropped_links_count) +
           ",\"status\":{\"message\":" + test_quoted(status_message) +
           ",\"code\":" + std::to_string(status_code) + "},\"flags\":" + std::to_string(flags) +
           "}";
  }
};

// With logs or with spans.
struct TestScope {
  std::string name, version, schema_url;
  TestValue::Members attributes;
  uint32_t dropped_attributes_count = 0;
  std::vector<TestLog> logs;
  std::vector<TestSpan> spans{};

  TestProto proto() const {
    TestProto scope, out;
    scope.text(1, name).text(2, version);
    for (const auto& [key, value] : attributes) scope.message(3, TestValue::key_value(key, value));
    scope.number(4, dropped_attributes_count);
    // The records first: the order of fields is the sender's.
    for (const TestLog& log : logs) out.message(2, log.proto());
    for (const TestSpan& span : spans) out.message(2, span.proto());
    return out.message(1, scope).text(3, schema_url);
  }
  std::string json() const {
    std::string records;
    for (const TestLog& log : logs) records += (records.empty() ? "" : ",") + log.json();
    for (const TestSpan& span : spans) records += (records.empty() ? "" : ",") + span.json();
    const char* records_name = spans.empty() ? "logRecords" : "spans";
    return std::string("{\"") + records_name + "\":[" + records +
           "],\"scope\":{\"name\":" + test_quoted(name) + ",\"version\":" + test_quoted(version) +
           ",\"attributes\":" + TestValue::json_members(attributes) +
           ",\"droppedAttributesCount\":" + std::to_string(dropped_attributes_count) +
           "},\"schemaUrl\":" + test_quoted(schema_url) + "}";
  }
};

struct TestResource {
  TestValue::Members attributes;
  uint32_t dropped_attributes_count = 0;
  std::string schema_url;
  std::vector<TestScope> scopes;

  TestProto proto() const {
    TestProto resource, out;
    for (const auto& [key, value] : attributes) {
      resource.message(1, TestValue::key_value(key, value));
    }
    resource.number(2, dropped_attributes_count);
    for (const TestScope& scope : scopes) out.message(2, scope.proto());
    return out.message(1, resource).text(3, schema_url);
  }
  std::string json(std::string_view scopes_name) const {
    std::string all;
    for (const TestScope& scope : scopes) all += (all.empty() ? "" : ",") + scope.json();
    return "{\"" + std::string(scopes_name) + "\":[" + all +
           "],\"resource\":{\"attributes\":" + TestValue::json_members(attributes) +
           ",\"droppedAttributesCount\":" + std::to_string(dropped_attributes_count) +
           "},\"schemaUrl\":" + test_quoted(schema_url) + "}";
  }
};

struct TestRequest {
  std::vector<TestResource> resources;
  bool is_traces = false;

  std::string proto() const {
    TestProto out;
    for (const TestResource& resource : resources) out.message(1, resource.proto());
    return out.bytes;
  }
  std::string json() const {
    std::string all;
    for (const TestResource& resource : resources)
      all += (all.empty() ? "" : ",") + resource.json(is_traces ? "scopeSpans" : "scopeLogs");
    return std::string("{\"") + (is_traces ? "resourceSpans" : "resourceLogs") + "\":[" + all +
           "]}";
  }
};

// Requests of every shape; the same for the same seed.
class RandomRecords {
 public:
  RandomRecords(uint64_t seed, bool is_traces) : random_(seed), is_traces_(is_traces) {}

  TestRequest request() {
    TestRequest out;
    out.is_traces = is_traces_;
    for (uint64_t i = below(3) + 1; i > 0; --i) out.resources.push_back(resource());
    return out;
  }

 private:
  uint64_t below(uint64_t limit) { return random_() % limit; }
  bool rarely() { return below(4) == 0; }

  TestResource resource() {
    TestResource out;
    out.attributes = members(3, 2);
    if (!rarely()) out.attributes.emplace_back("service.name", TestValue::of(word()));
    out.dropped_attributes_count = static_cast<uint32_t>(below(2));
    if (rarely()) out.schema_url = "https://schema/" + word();
    for (uint64_t i = below(3); i > 0; --i) out.scopes.push_back(scope());
    return out;
  }
  TestScope scope() {
    TestScope out;
    if (!rarely()) out.name = word();
    if (rarely()) out.version = "1.0";
    if (rarely()) out.schema_url = "https://schema/" + word();
    if (rarely()) out.attributes = members(2, 2);
    for (uint64_t i = below(5); i > 0; --i) {
      if (is_traces_) {
        out.spans.push_back(span());
      } else {
        out.logs.push_back(log());
      }
    }
    return out;
  }
  std::string id(size_t size) {
    return std::string(rarely() ? below(20) : size, static_cast<char>(below(3)));
  }
  uint64_t time() { return rarely() ? 0 : 1'767'225'600'000'000'000 + below(1'000'000'000); }
  TestSpan span() {
    TestSpan out;
    if (rarely()) out.trace_id = id(16);
    if (rarely()) out.span_id = id(8);
    if (!rarely()) out.parent_span_id = id(8);
    if (rarely()) out.trace_state = word();
    out.name = word();
    out.kind = rarely() ? static_cast<int32_t>(below(100)) - 50 : static_cast<int32_t>(below(6));
    out.start = time();
    out.end = rarely() ? random_() : time();
    out.attributes = members(static_cast<uint32_t>(below(25)), 3);
    for (uint64_t i = rarely() ? below(4) : 0; i > 0; --i) {
      out.events.push_back({time(), word(), members(2, 2), static_cast<uint32_t>(below(2))});
    }
    for (uint64_t i = rarely() ? below(4) : 0; i > 0; --i) {
      out.links.push_back({id(16), id(8), word(), members(2, 2), static_cast<uint32_t>(below(2)),
                           static_cast<uint32_t>(below(3))});
    }
    if (rarely()) out.status_message = word();
    out.status_code = static_cast<int32_t>(below(4));
    out.flags = rarely() ? static_cast<uint32_t>(random_()) : 0;
    out.dropped_events_count = rarely() ? 2 : 0;
    out.dropped_links_count = rarely() ? 4 : 0;
    return out;
  }
  TestLog log() {
    TestLog out;
    if (!rarely()) out.time = 1'767'225'600'000'000'000 + below(1'000'000'000);
    if (rarely()) out.time = random_();
    if (rarely()) out.observed_time = 1'767'225'600'000'000'000 + below(1'000'000'000);
    out.severity_number =
        rarely() ? static_cast<int32_t>(below(100)) - 50 : static_cast<int32_t>(below(25));
    if (rarely()) out.severity_text = word();
    if (rarely()) out.event_name = word();
    if (!rarely()) out.body = value(3);
    out.attributes = members(static_cast<uint32_t>(below(25)), 3);
    out.trace_id = std::string(below(3) == 0 ? below(20) : 16, static_cast<char>(below(3)));
    out.span_id = std::string(below(3) == 0 ? below(20) : 8, static_cast<char>(below(3)));
    out.flags = rarely() ? static_cast<uint32_t>(random_()) : 0;
    out.dropped_attributes_count = rarely() ? 3 : 0;
    return out;
  }
  std::string word() {
    static const std::vector<std::string> kWords = {"",
                                                    "a",
                                                    "bytes",
                                                    "double",
                                                    "map",
                                                    "key\"quote",
                                                    "line\nbreak",
                                                    "h\xC3\xA9llo",
                                                    std::string("nul\0l", 5),
                                                    "service",
                                                    "0123456789 abcdefghij"};
    return kWords[below(kWords.size())];
  }
  TestValue::Members members(uint32_t count, uint32_t depth) {
    TestValue::Members out;
    for (; count > 0; --count) out.emplace_back(word(), value(depth));
    return out;
  }
  TestValue value(uint32_t depth) {
    static const std::vector<double> kDoubles = {0.0,    -0.0, 1.0,      0.1,      1e300,
                                                 5e-324, NAN,  INFINITY, -INFINITY};
    static const std::vector<int64_t> kIntegers = {0, -1, 1, INT64_MAX, INT64_MIN, 1LL << 53};
    std::vector<TestValue> elements;
    switch (below(depth == 0 ? 6 : 8)) {
      case 0:
        return {};
      case 1:
        return TestValue::of(word());
      case 2:
        return TestValue::of(below(2) == 0);
      case 3:
        return TestValue::of(kIntegers[below(kIntegers.size())]);
      case 4:
        return TestValue::of(kDoubles[below(kDoubles.size())]);
      case 5:
        return TestValue::bytes(word());
      case 6:
        for (uint64_t i = below(4); i > 0; --i) elements.push_back(value(depth - 1));
        return TestValue::array(std::move(elements));
      default:
        return TestValue::map(members(static_cast<uint32_t>(below(4)), depth - 1));
    }
  }

  std::mt19937_64 random_;
  bool is_traces_;
};

}  // namespace firn
