// Random requests, encoded by protobuf's own library from otlp_schema(), decoded by ours and
// compared field by field; and the JSON form of the same request, written by protobuf's reflection,
// becomes the same rows.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "model/test_rows.h"
#include "tests/otlp/proto_message.h"
#include "wire/json_text.h"
#include "wire/otlp.h"
#include "wire/otlp_value.h"

namespace firn {
namespace {

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
