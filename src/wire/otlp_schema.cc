#include "wire/otlp_schema.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace firn {

namespace {

using protozero::pbf_writer;

// Files as lines of words:
//   message NAME, enum NAME     what follows belongs to it; "Outer.Inner" is inside of Outer
//   value NAME NUMBER           of an enumeration
//   [repeated | optional | oneof:NAME] [enum] TYPE NAME NUMBER    members of an oneof in a row
//   service NAME, rpc NAME INPUT OUTPUT
// A type with a dot stands below the package "opentelemetry.proto", others are of the same file.
struct FileText {
  std::string_view name;  // its folder is its package
  std::vector<std::string_view> dependencies;
  std::string_view lines;
};

constexpr std::string_view kCommon = "opentelemetry/proto/common/v1/common.proto";
constexpr std::string_view kResource = "opentelemetry/proto/resource/v1/resource.proto";

constexpr std::string_view kCommonLines = R"(
message AnyValue
oneof:value string string_value 1
oneof:value bool bool_value 2
oneof:value int64 int_value 3
oneof:value double double_value 4
oneof:value ArrayValue array_value 5
oneof:value KeyValueList kvlist_value 6
oneof:value bytes bytes_value 7
message ArrayValue
repeated AnyValue values 1
message KeyValueList
repeated KeyValue values 1
message KeyValue
string key 1
AnyValue value 2
message InstrumentationScope
string name 1
string version 2
repeated KeyValue attributes 3
uint32 dropped_attributes_count 4
message EntityRef
string schema_url 1
string type 2
repeated string id_keys 3
repeated string description_keys 4
)";

constexpr std::string_view kResourceLines = R"(
message Resource
repeated common.v1.KeyValue attributes 1
uint32 dropped_attributes_count 2
repeated common.v1.EntityRef entity_refs 3
)";

constexpr std::string_view kLogsLines = R"(
enum SeverityNumber
value SEVERITY_NUMBER_UNSPECIFIED 0
value SEVERITY_NUMBER_TRACE 1
value SEVERITY_NUMBER_TRACE2 2
value SEVERITY_NUMBER_TRACE3 3
value SEVERITY_NUMBER_TRACE4 4
value SEVERITY_NUMBER_DEBUG 5
value SEVERITY_NUMBER_DEBUG2 6
value SEVERITY_NUMBER_DEBUG3 7
value SEVERITY_NUMBER_DEBUG4 8
value SEVERITY_NUMBER_INFO 9
value SEVERITY_NUMBER_INFO2 10
value SEVERITY_NUMBER_INFO3 11
value SEVERITY_NUMBER_INFO4 12
value SEVERITY_NUMBER_WARN 13
value SEVERITY_NUMBER_WARN2 14
value SEVERITY_NUMBER_WARN3 15
value SEVERITY_NUMBER_WARN4 16
value SEVERITY_NUMBER_ERROR 17
value SEVERITY_NUMBER_ERROR2 18
value SEVERITY_NUMBER_ERROR3 19
value SEVERITY_NUMBER_ERROR4 20
value SEVERITY_NUMBER_FATAL 21
value SEVERITY_NUMBER_FATAL2 22
value SEVERITY_NUMBER_FATAL3 23
value SEVERITY_NUMBER_FATAL4 24
message LogsData
repeated ResourceLogs resource_logs 1
message ResourceLogs
resource.v1.Resource resource 1
repeated ScopeLogs scope_logs 2
string schema_url 3
message ScopeLogs
common.v1.InstrumentationScope scope 1
repeated LogRecord log_records 2
string schema_url 3
message LogRecord
fixed64 time_unix_nano 1
enum SeverityNumber severity_number 2
string severity_text 3
common.v1.AnyValue body 5
repeated common.v1.KeyValue attributes 6
uint32 dropped_attributes_count 7
fixed32 flags 8
bytes trace_id 9
bytes span_id 10
fixed64 observed_time_unix_nano 11
string event_name 12
)";

constexpr std::string_view kTraceLines = R"(
message TracesData
repeated ResourceSpans resource_spans 1
message ResourceSpans
resource.v1.Resource resource 1
repeated ScopeSpans scope_spans 2
string schema_url 3
message ScopeSpans
common.v1.InstrumentationScope scope 1
repeated Span spans 2
string schema_url 3
message Span
bytes trace_id 1
bytes span_id 2
string trace_state 3
bytes parent_span_id 4
string name 5
enum Span.SpanKind kind 6
fixed64 start_time_unix_nano 7
fixed64 end_time_unix_nano 8
repeated common.v1.KeyValue attributes 9
uint32 dropped_attributes_count 10
repeated Span.Event events 11
uint32 dropped_events_count 12
repeated Span.Link links 13
uint32 dropped_links_count 14
Status status 15
fixed32 flags 16
message Span.Event
fixed64 time_unix_nano 1
string name 2
repeated common.v1.KeyValue attributes 3
uint32 dropped_attributes_count 4
message Span.Link
bytes trace_id 1
bytes span_id 2
string trace_state 3
repeated common.v1.KeyValue attributes 4
uint32 dropped_attributes_count 5
fixed32 flags 6
enum Span.SpanKind
value SPAN_KIND_UNSPECIFIED 0
value SPAN_KIND_INTERNAL 1
value SPAN_KIND_SERVER 2
value SPAN_KIND_CLIENT 3
value SPAN_KIND_PRODUCER 4
value SPAN_KIND_CONSUMER 5
message Status
string message 2
enum Status.StatusCode code 3
enum Status.StatusCode
value STATUS_CODE_UNSET 0
value STATUS_CODE_OK 1
value STATUS_CODE_ERROR 2
)";

constexpr std::string_view kMetricsLines = R"(
enum AggregationTemporality
value AGGREGATION_TEMPORALITY_UNSPECIFIED 0
value AGGREGATION_TEMPORALITY_DELTA 1
value AGGREGATION_TEMPORALITY_CUMULATIVE 2
message MetricsData
repeated ResourceMetrics resource_metrics 1
message ResourceMetrics
resource.v1.Resource resource 1
repeated ScopeMetrics scope_metrics 2
string schema_url 3
message ScopeMetrics
common.v1.InstrumentationScope scope 1
repeated Metric metrics 2
string schema_url 3
message Metric
string name 1
string description 2
string unit 3
oneof:data Gauge gauge 5
oneof:data Sum sum 7
oneof:data Histogram histogram 9
oneof:data ExponentialHistogram exponential_histogram 10
oneof:data Summary summary 11
repeated common.v1.KeyValue metadata 12
message Gauge
repeated NumberDataPoint data_points 1
message Sum
repeated NumberDataPoint data_points 1
enum AggregationTemporality aggregation_temporality 2
bool is_monotonic 3
message Histogram
repeated HistogramDataPoint data_points 1
enum AggregationTemporality aggregation_temporality 2
message ExponentialHistogram
repeated ExponentialHistogramDataPoint data_points 1
enum AggregationTemporality aggregation_temporality 2
message Summary
repeated SummaryDataPoint data_points 1
message NumberDataPoint
fixed64 start_time_unix_nano 2
fixed64 time_unix_nano 3
oneof:value double as_double 4
oneof:value sfixed64 as_int 6
repeated Exemplar exemplars 5
repeated common.v1.KeyValue attributes 7
uint32 flags 8
message HistogramDataPoint
fixed64 start_time_unix_nano 2
fixed64 time_unix_nano 3
fixed64 count 4
optional double sum 5
repeated fixed64 bucket_counts 6
repeated double explicit_bounds 7
repeated Exemplar exemplars 8
repeated common.v1.KeyValue attributes 9
uint32 flags 10
optional double min 11
optional double max 12
message ExponentialHistogramDataPoint
repeated common.v1.KeyValue attributes 1
fixed64 start_time_unix_nano 2
fixed64 time_unix_nano 3
fixed64 count 4
optional double sum 5
sint32 scale 6
fixed64 zero_count 7
ExponentialHistogramDataPoint.Buckets positive 8
ExponentialHistogramDataPoint.Buckets negative 9
uint32 flags 10
repeated Exemplar exemplars 11
optional double min 12
optional double max 13
double zero_threshold 14
message ExponentialHistogramDataPoint.Buckets
sint32 offset 1
repeated uint64 bucket_counts 2
message SummaryDataPoint
fixed64 start_time_unix_nano 2
fixed64 time_unix_nano 3
fixed64 count 4
double sum 5
repeated SummaryDataPoint.ValueAtQuantile quantile_values 6
repeated common.v1.KeyValue attributes 7
uint32 flags 8
message SummaryDataPoint.ValueAtQuantile
double quantile 1
double value 2
message Exemplar
fixed64 time_unix_nano 2
oneof:value double as_double 3
oneof:value sfixed64 as_int 6
bytes span_id 4
bytes trace_id 5
repeated common.v1.KeyValue filtered_attributes 7
)";

constexpr std::string_view kLogsServiceLines = R"(
service LogsService
rpc Export ExportLogsServiceRequest ExportLogsServiceResponse
message ExportLogsServiceRequest
repeated logs.v1.ResourceLogs resource_logs 1
message ExportLogsServiceResponse
ExportLogsPartialSuccess partial_success 1
message ExportLogsPartialSuccess
int64 rejected_log_records 1
string error_message 2
)";

constexpr std::string_view kTraceServiceLines = R"(
service TraceService
rpc Export ExportTraceServiceRequest ExportTraceServiceResponse
message ExportTraceServiceRequest
repeated trace.v1.ResourceSpans resource_spans 1
message ExportTraceServiceResponse
ExportTracePartialSuccess partial_success 1
message ExportTracePartialSuccess
int64 rejected_spans 1
string error_message 2
)";

constexpr std::string_view kMetricsServiceLines = R"(
service MetricsService
rpc Export ExportMetricsServiceRequest ExportMetricsServiceResponse
message ExportMetricsServiceRequest
repeated metrics.v1.ResourceMetrics resource_metrics 1
message ExportMetricsServiceResponse
ExportMetricsPartialSuccess partial_success 1
message ExportMetricsPartialSuccess
int64 rejected_data_points 1
string error_message 2
)";

constexpr std::string_view kHealthLines = R"(
service Health
rpc Check HealthCheckRequest HealthCheckResponse
message HealthCheckRequest
string service 1
message HealthCheckResponse
enum HealthCheckResponse.ServingStatus status 1
enum HealthCheckResponse.ServingStatus
value UNKNOWN 0
value SERVING 1
value NOT_SERVING 2
value SERVICE_UNKNOWN 3
)";

std::vector<FileText> file_texts() {
  constexpr std::string_view kLogs = "opentelemetry/proto/logs/v1/logs.proto";
  constexpr std::string_view kTrace = "opentelemetry/proto/trace/v1/trace.proto";
  constexpr std::string_view kMetrics = "opentelemetry/proto/metrics/v1/metrics.proto";
  return {
      {kCommon, {}, kCommonLines},
      {kResource, {kCommon}, kResourceLines},
      {kLogs, {kCommon, kResource}, kLogsLines},
      {kTrace, {kCommon, kResource}, kTraceLines},
      {kMetrics, {kCommon, kResource}, kMetricsLines},
      {"opentelemetry/proto/collector/logs/v1/logs_service.proto", {kLogs}, kLogsServiceLines},
      {"opentelemetry/proto/collector/trace/v1/trace_service.proto", {kTrace}, kTraceServiceLines},
      {"opentelemetry/proto/collector/metrics/v1/metrics_service.proto",
       {kMetrics},
       kMetricsServiceLines},
      {"grpc/health/v1/health.proto", {}, kHealthLines},
  };
}

// --- Lines to descriptors ----------------------------------------------------------------------

constexpr std::string_view kTypesBelow = ".opentelemetry.proto.";
// Numbers of FieldDescriptorProto.Type.
constexpr std::array<std::pair<std::string_view, int32_t>, 11> kScalars = {{{"double", 1},
                                                                            {"int64", 3},
                                                                            {"uint64", 4},
                                                                            {"fixed64", 6},
                                                                            {"fixed32", 7},
                                                                            {"bool", 8},
                                                                            {"string", 9},
                                                                            {"bytes", 12},
                                                                            {"uint32", 13},
                                                                            {"sfixed64", 16},
                                                                            {"sint32", 17}}};
constexpr int32_t kMessageType = 11, kEnumType = 14;
constexpr int32_t kSingular = 1, kRepeated = 3;

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(at), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string camel_case(std::string_view name) {
  std::string camel;
  bool is_upper = false;
  for (const char c : name) {
    if (c == '_') {
      is_upper = true;
    } else {
      camel.push_back(is_upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
      is_upper = false;
    }
  }
  return camel;
}

// A message or enumeration while its lines are read.
struct Type {
  std::string name;  // of the innermost
  bool is_enum = false;
  std::string fields;  // serialised members but for what follows
  std::vector<std::string> oneofs, optionals;
  std::vector<Type> inner;
};

class FileReader {
 public:
  explicit FileReader(const FileText& text) : text_(text) {
    std::string folder(text.name.substr(0, text.name.rfind('/')));
    std::replace(folder.begin(), folder.end(), '/', '.');
    package_ = folder;
  }

  ProtoFile read() {
    // Optional fields are numbered behind the real oneofs, which must be known by then.
    for (const std::string& line : split(text_.lines, '\n')) note_oneof(split(line, ' '));
    for (const std::string& line : split(text_.lines, '\n')) read_line(split(line, ' '));
    ProtoFile file;
    file.name = text_.name;
    pbf_writer writer(file.descriptor);
    writer.add_string(1, file.name);
    writer.add_string(2, package_);
    for (const std::string_view dependency : text_.dependencies) {
      file.dependencies.emplace_back(dependency);
      writer.add_string(3, file.dependencies.back());
    }
    for (const Type& type : types_) writer.add_message(type.is_enum ? 5 : 4, encode(type));
    if (!service_.empty()) writer.add_message(6, service_);
    writer.add_string(12, "proto3");
    file.symbols = std::move(symbols_);
    return file;
  }

 private:
  void note_oneof(const std::vector<std::string>& words) {
    if (words[0] == "message") {
      noted_ = &type_named(words[1], false);
    } else if (words[0].starts_with("oneof:")) {
      const std::string name = words[0].substr(6);
      if (std::find(noted_->oneofs.begin(), noted_->oneofs.end(), name) == noted_->oneofs.end()) {
        noted_->oneofs.push_back(name);
      }
    } else if (words[0] == "enum" && words.size() == 2) {
      type_named(words[1], true);
    }
  }

  void read_line(std::vector<std::string> words) {
    if (words[0] == "message" || (words[0] == "enum" && words.size() == 2)) {
      current_ = &type_named(words[1], words[0] == "enum");
      symbols_.push_back(package_ + "." + words[1]);
    } else if (words[0] == "value") {
      std::string value;
      pbf_writer writer(value);
      writer.add_string(1, words[1]);
      writer.add_int32(2, std::stoi(words[2]));
      pbf_writer(current_->fields).add_message(2, value);
    } else if (words[0] == "service") {
      pbf_writer(service_).add_string(1, words[1]);
      service_name_ = package_ + "." + words[1];
      symbols_.push_back(service_name_);
    } else if (words[0] == "rpc") {
      std::string method;
      pbf_writer writer(method);
      writer.add_string(1, words[1]);
      writer.add_string(2, type_name(words[2]));
      writer.add_string(3, type_name(words[3]));
      pbf_writer(service_).add_message(2, method);
      symbols_.push_back(service_name_ + "." + words[1]);
    } else {
      read_field(std::move(words));
    }
  }

  void read_field(std::vector<std::string> words) {
    const auto take = [&words](std::string_view word) {
      if (!words[0].starts_with(word)) return std::string();
      std::string taken = words[0];
      words.erase(words.begin());
      return taken;
    };
    const bool is_repeated = !take("repeated").empty(), is_optional = !take("optional").empty();
    const std::string oneof = take("oneof:");
    const bool is_enum = words.size() == 4 && !take("enum").empty();
    FIRN_CHECK(words.size() == 3);
    const std::string &type = words[0], &name = words[1];
    std::string field;
    pbf_writer writer(field);
    writer.add_string(1, name);
    writer.add_int32(3, std::stoi(words[2]));
    writer.add_int32(4, is_repeated ? kRepeated : kSingular);
    const auto* scalar = std::find_if(kScalars.begin(), kScalars.end(),
                                      [&](const auto& known) { return known.first == type; });
    if (scalar != kScalars.end()) {
      writer.add_int32(5, scalar->second);
    } else {
      writer.add_int32(5, is_enum ? kEnumType : kMessageType);
      writer.add_string(6, type_name(type));
    }
    if (!oneof.empty()) writer.add_int32(9, oneof_index(oneof.substr(6)));
    if (is_optional) {
      // An oneof of its own is how presence is described.
      writer.add_int32(9,
                       static_cast<int32_t>(current_->oneofs.size() + current_->optionals.size()));
      current_->optionals.push_back("_" + name);
    }
    writer.add_string(10, camel_case(name));
    if (is_optional) writer.add_bool(17, true);
    pbf_writer(current_->fields).add_message(2, field);
  }

  int32_t oneof_index(const std::string& name) const {
    const auto found = std::find(current_->oneofs.begin(), current_->oneofs.end(), name);
    return static_cast<int32_t>(found - current_->oneofs.begin());
  }

  // ".package.Outer.Inner". A type of another file names its package's end: "common.v1.AnyValue".
  std::string type_name(const std::string& type) const {
    const bool is_elsewhere = type.find(".v1.") != std::string::npos;
    return is_elsewhere ? std::string(kTypesBelow) + type : "." + package_ + "." + type;
  }

  Type& type_named(const std::string& path, bool is_enum) {
    std::vector<Type>* among = &types_;
    Type* found = nullptr;
    for (const std::string& name : split(path, '.')) {
      const auto at = std::find_if(among->begin(), among->end(),
                                   [&](const Type& type) { return type.name == name; });
      found = at == among->end() ? &among->emplace_back(Type{name, is_enum, {}, {}, {}, {}}) : &*at;
      among = &found->inner;
    }
    return *found;
  }

  static std::string encode(const Type& type) {
    std::string bytes;
    pbf_writer writer(bytes);
    writer.add_string(1, type.name);
    bytes += type.fields;
    for (const Type& inner : type.inner) writer.add_message(inner.is_enum ? 4 : 3, encode(inner));
    for (const auto* names : {&type.oneofs, &type.optionals}) {
      for (const std::string& name : *names) {
        std::string oneof;
        pbf_writer(oneof).add_string(1, name);
        writer.add_message(8, oneof);
      }
    }
    return bytes;
  }

  const FileText& text_;
  std::string package_;
  std::vector<Type> types_;
  Type *current_ = nullptr, *noted_ = nullptr;
  std::string service_, service_name_;
  std::vector<std::string> symbols_;
};

}  // namespace

const std::vector<ProtoFile>& otlp_schema() {
  static const std::vector<ProtoFile> files = [] {
    std::vector<ProtoFile> made;
    for (const FileText& text : file_texts()) made.push_back(FileReader(text).read());
    return made;
  }();
  return files;
}

const std::vector<std::string>& otlp_schema_services() {
  static const std::vector<std::string> services = {
      "opentelemetry.proto.collector.logs.v1.LogsService",
      "opentelemetry.proto.collector.trace.v1.TraceService",
      "opentelemetry.proto.collector.metrics.v1.MetricsService", "grpc.health.v1.Health"};
  return services;
}

}  // namespace firn
