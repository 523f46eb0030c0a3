#include "wire/otlp_json.h"
#include "wire/otlp_readers.h"
#include "wire/severity.h"

namespace firn {
namespace {

class LogsReader final : public OtlpJsonReader {
 public:
  LogsReader(ByteView body, const Limits& limits, OtlpLogRows* rows)
      : OtlpJsonReader(body, limits,
                       {{"resourceLogs", "resource_logs"},
                        {"scopeLogs", "scope_logs"},
                        {"logRecords", "log_records"}},
                       rows),
        rows_(rows) {}

 private:
  void record(JsonReader* json) override {
    OtlpLogRecord record;
    tree_.clear();
    record.attributes = tree_.add(AnyNode::Kind::kMap);
    std::string_view key;
    json->enter_object();
    while (json->next_member(&key)) read_record_member(json, key, &record);
    if (json->ok()) rows_->add(record, tree_);
  }

  bool read_record_member(JsonReader* json, std::string_view key, OtlpLogRecord* record) {
    if (OtlpJsonName{"timeUnixNano", "time_unix_nano"} == key) {
      return read_unsigned(json, &record->time_unix_nano);
    }
    if (OtlpJsonName{"observedTimeUnixNano", "observed_time_unix_nano"} == key) {
      return read_unsigned(json, &record->observed_time_unix_nano);
    }
    if (OtlpJsonName{"severityNumber", "severity_number"} == key) {
      return read_enum(
          json, [](std::string_view name) { return severity_from_name(name); },
          &record->severity_number);
    }
    if (OtlpJsonName{"severityText", "severity_text"} == key)
      return read_text(json, &record->severity_text);
    if (OtlpJsonName{"eventName", "event_name"} == key) return read_text(json, &record->event_name);
    if (OtlpJsonName{"traceId", "trace_id"} == key)
      return read_id(json, record->trace_id.bytes.data(), 16);
    if (OtlpJsonName{"spanId", "span_id"} == key) return read_id(json, record->span_id.data(), 8);
    if (key == "flags") return read_unsigned(json, &record->flags);
    if (OtlpJsonName{"droppedAttributesCount", "dropped_attributes_count"} == key) {
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

  OtlpLogRows* const rows_;
};

}  // namespace

Status read_otlp_logs_json(ByteView body, const Limits& limits, OtlpLogRows* rows) {
  return LogsReader(body, limits, rows).read("logs");
}

}  // namespace firn
