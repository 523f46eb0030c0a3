#include "wire/otlp_log_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "wire/event_reader.h"
#include "wire/json_text.h"

namespace firn {
namespace {

constexpr uint64_t kLevelsAroundValue = 3;  // context, resource or scope, attributes
constexpr uint8_t kSeverityMax = 24;
constexpr uint64_t kExpansionMax = 4;  // rows over request_bytes; ordinary logs stay below 2

// The text of a string attribute; empty when there is none of that name. The last one counts.
std::string_view text_attribute(const AnyTree& tree, uint32_t map, std::string_view key) {
  std::string_view found;
  if (map == 0) return found;
  for (uint32_t child = tree.node(map).first; child != 0; child = tree.node(child).next) {
    const AnyNode& node = tree.node(child);
    if (node.key == key) {
      found = node.kind == AnyNode::Kind::kString ? node.text : std::string_view();
    }
  }
  return found;
}

bool has_children(const AnyTree& tree, uint32_t map) {
  return map != 0 && tree.node(map).first != 0;
}

// A text column holds UTF-8; the sender's bytes may be anything.
void assign_text(std::string_view text, size_t bytes_max, std::string* out) {
  if (utf8_valid_prefix(text) == text.size()) {
    out->assign(utf8_cut(text, bytes_max));
    return;
  }
  out->clear();
  for (size_t at = 0; at < text.size();) {
    const size_t valid = utf8_valid_prefix(text.substr(at));
    out->append(text, at, valid);
    at += valid;
    if (at == text.size()) break;
    out->append("\xEF\xBF\xBD");
    ++at;
  }
  out->resize(utf8_cut(*out, bytes_max).size());
}

void append_resource(const OtlpResource& resource, const AnyTree& tree, std::string* out) {
  JsonObjectWriter object(out);
  if (has_children(tree, resource.attributes)) {
    object.member("attributes");
    append_attributes(tree, resource.attributes, KeyOrder::kSorted, out);
  }
  if (resource.dropped_attributes_count != 0) {
    object.unsigned_integer("dropped_attributes_count", resource.dropped_attributes_count);
  }
  if (!resource.schema_url.empty()) object.text("schema_url", resource.schema_url);
  object.close();
}

void append_scope(const OtlpScope& scope, const AnyTree& tree, std::string* out) {
  JsonObjectWriter object(out);
  if (has_children(tree, scope.attributes)) {
    object.member("attributes");
    append_attributes(tree, scope.attributes, KeyOrder::kSorted, out);
  }
  if (scope.dropped_attributes_count != 0) {
    object.unsigned_integer("dropped_attributes_count", scope.dropped_attributes_count);
  }
  if (!scope.name.empty()) object.text("name", scope.name);
  if (!scope.schema_url.empty()) object.text("schema_url", scope.schema_url);
  if (!scope.version.empty()) object.text("version", scope.version);
  object.close();
}

bool is_empty(const OtlpResource& resource, const AnyTree& tree) {
  return !has_children(tree, resource.attributes) && resource.dropped_attributes_count == 0 &&
         resource.schema_url.empty();
}

bool is_empty(const OtlpScope& scope, const AnyTree& tree) {
  return !has_children(tree, scope.attributes) && scope.dropped_attributes_count == 0 &&
         scope.name.empty() && scope.version.empty() && scope.schema_url.empty();
}

}  // namespace

uint32_t otlp_value_depth_max(const Limits& limits) {
  const uint64_t depth = std::min(limits.json_depth, limits.protobuf_depth);
  return static_cast<uint32_t>(depth > kLevelsAroundValue ? depth - kLevelsAroundValue : 1);
}

size_t otlp_values_max(const Limits& limits) {
  constexpr uint64_t kBytesPerValueMin = 2;  // "1,"
  return limits.event_bytes / kBytesPerValueMin;
}

OtlpLogRows::OtlpLogRows(const DecodeDefaults& defaults)
    : defaults_(defaults), builder_(Dataset::kEvents) {}

void OtlpLogRows::begin_scope(const OtlpResource& resource, const AnyTree& resource_tree,
                              const OtlpScope& scope, const AnyTree& scope_tree) {
  std::string_view source = text_attribute(resource_tree, resource.attributes, "service.name");
  if (source.empty()) source = scope.name;
  if (source.empty()) source = "unknown";
  assign_text(source, defaults_.limits.type_bytes, &source_);

  context_.clear();
  const size_t text_bytes = resource_tree.text_bytes() + scope_tree.text_bytes() +
                            resource.schema_url.size() + scope.schema_url.size() +
                            scope.name.size() + scope.version.size();
  context_is_too_large_ = resource_tree.overflowed() || scope_tree.overflowed() ||
                          text_bytes > defaults_.limits.event_bytes;
  const bool has_resource = !is_empty(resource, resource_tree);
  const bool has_scope = !is_empty(scope, scope_tree);
  if (context_is_too_large_ || is_full() || (!has_resource && !has_scope)) return;
  JsonObjectWriter object(&context_);
  if (has_resource) {
    object.member("resource");
    append_resource(resource, resource_tree, &context_);
  }
  if (has_scope) {
    object.member("scope");
    append_scope(scope, scope_tree, &context_);
  }
  object.close();
  batch_bytes_ += context_.size();
  total_bytes_ += context_.size();
}

// A small resource with many scopes becomes far more than what was sent, because each scope's
// context says it again.
bool OtlpLogRows::is_full() const {
  return total_bytes_ > kExpansionMax * defaults_.limits.request_bytes;
}

bool OtlpLogRows::accepts(const OtlpLogRecord& record, const AnyTree& tree) {
  const Limits& limits = defaults_.limits;
  const uint32_t attributes = record.attributes == 0 ? 0 : tree.children(record.attributes);
  if (attributes > limits.attributes_per_event) {
    reject(fmt::format("a log record has {} attributes, the limit attributes_per_event is {}",
                       attributes, limits.attributes_per_event));
    return false;
  }
  const size_t text_bytes =
      tree.text_bytes() + record.severity_text.size() + record.event_name.size();
  if (context_is_too_large_ || tree.overflowed() || text_bytes > limits.event_bytes) {
    reject(fmt::format("a log record takes more than the limit event_bytes of {}",
                       limits.event_bytes));
    return false;
  }
  return true;
}

void OtlpLogRows::add(const OtlpLogRecord& record, const AnyTree& tree) {
  if (is_full() || !accepts(record, tree)) return;
  EventRow row = make_row(record, tree);
  const size_t bytes = event_row_bytes(row);
  if (bytes > defaults_.limits.event_bytes) {
    reject(fmt::format("a log record takes {} bytes, the limit event_bytes is {}", bytes,
                       defaults_.limits.event_bytes));
    return;
  }
  row.id = defaults_.make_id();
  flush_if_full(bytes);
  builder_.add(row);
  batch_bytes_ += bytes - context_.size();
  total_bytes_ += bytes - context_.size();
}

// Views in the row hold until the next one is made.
EventRow OtlpLogRows::make_row(const OtlpLogRecord& record, const AnyTree& tree) {
  EventRow row;
  row.kind = EventKind::kLog;
  const TimeNs observed = known_time(record.observed_time_unix_nano);
  row.time = known_time(record.time_unix_nano);
  if (row.time == 0) row.time = observed;
  if (row.time == 0) row.time = defaults_.now;
  if (observed != 0) row.observed_time = observed;
  row.type = "log";
  if (!record.event_name.empty()) {
    assign_text(record.event_name, defaults_.limits.type_bytes, &type_);
    row.type = type_;
  }
  row.source = source_;
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
  row.context = context_;
  return row;
}

void OtlpLogRows::write_metadata(const OtlpLogRecord& record, const AnyTree& tree) {
  metadata_.clear();
  JsonObjectWriter object(&metadata_);
  if (has_children(tree, record.attributes)) {
    object.member("attributes");
    append_attributes(tree, record.attributes, KeyOrder::kAsSent, &metadata_);
  }
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

TimeNs OtlpLogRows::known_time(uint64_t unix_nano) {
  if (unix_nano <= static_cast<uint64_t>(INT64_MAX)) return static_cast<TimeNs>(unix_nano);
  ++late_times_;
  return 0;
}

void OtlpLogRows::reject(std::string reason) {
  if (result_.rejected == 0) result_.message = std::move(reason);
  ++result_.rejected;
}

void OtlpLogRows::flush_if_full(size_t row_bytes) {
  const bool full = builder_.rows() >= defaults_.limits.batch_events ||
                    batch_bytes_ + row_bytes > defaults_.limits.batch_bytes;
  if (builder_.rows() == 0 || !full) return;
  result_.batches.push_back(builder_.finish());
  batch_bytes_ = context_.size();
}

Result<OtlpLogs> OtlpLogRows::finish() {
  if (is_full()) {
    return too_large(
        fmt::format("the request becomes more than {} times the limit request_bytes of {}",
                    kExpansionMax, defaults_.limits.request_bytes));
  }
  if (builder_.rows() > 0) result_.batches.push_back(builder_.finish());
  if (late_times_ > 0) {
    if (!result_.message.empty()) result_.message += "; ";
    result_.message +=
        fmt::format("{} times after the year 2262 were taken as unknown", late_times_);
  }
  return std::move(result_);
}

}  // namespace firn
