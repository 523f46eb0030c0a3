#include "wire/otlp_log_rows.h"

#include "wire/json_text.h"

namespace firn {
namespace {

constexpr uint8_t kSeverityMax = 24;
constexpr std::string_view kRecordId = "log.record.uid";  // of the semantic conventions

}  // namespace

void OtlpLogRows::add(const OtlpLogRecord& record, const AnyTree& tree) {
  const size_t text_bytes = record.severity_text.size() + record.event_name.size();
  if (!accepts(tree, record.attributes, text_bytes)) return;
  EventRow row;
  row.kind = EventKind::kLog;
  const TimeNs observed = known_time(record.observed_time_unix_nano);
  row.time = known_time(record.time_unix_nano);
  if (row.time == 0) row.time = observed;
  if (observed != 0) row.observed_time = observed;
  row.type = record.event_name.empty() ? "log" : column_text(record.event_name, &type_);
  if (record.severity_number > 0 && record.severity_number <= kSeverityMax) {
    row.severity = static_cast<uint8_t>(record.severity_number);
  }
  row.trace_id = record.trace_id;
  row.span_id = record.span_id;
  data_.clear();
  if (record.body != 0) append_any_value(tree, record.body, KeyOrder::kAsSent, &data_);
  row.data = data_;
  write_metadata(record, tree);
  row.metadata = metadata_;
  // A record that names itself is stored once, however often it is sent.
  if (!text_attribute(tree, record.attributes, kRecordId).empty()) {
    row.source = source();
    row.context = context();
    row.id = identity_of(row);
  }
  add_row(row);
}

void OtlpLogRows::write_metadata(const OtlpLogRecord& record, const AnyTree& tree) {
  metadata_.clear();
  JsonObjectWriter object(&metadata_);
  append_attributes_member(tree, record.attributes, KeyOrder::kAsSent, &object, &metadata_);
  if (!record.severity_text.empty()) object.text("severity_text", record.severity_text);
  if (record.severity_number < 0 || record.severity_number > kSeverityMax) {
    object.integer("severity_number", record.severity_number);
  }
  if (!record.event_name.empty()) object.text("event_name", record.event_name);
  if (record.flags != 0) object.unsigned_integer("flags", record.flags);
  if (record.dropped_attributes_count != 0) {
    object.unsigned_integer("dropped_attributes_count", record.dropped_attributes_count);
  }
  object.close();
  if (object.empty()) metadata_.clear();
}

}  // namespace firn
