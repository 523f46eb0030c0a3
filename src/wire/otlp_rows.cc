#include "wire/otlp_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "wire/event_reader.h"
#include "wire/json_text.h"
#include "wire/series_form.h"

namespace firn {
namespace {

constexpr uint64_t kLevelsAroundValue = 4;  // data, a span's events, the event, attributes
constexpr uint64_t kExpansionMax = 4;       // rows over request_bytes; ordinary ones stay below 2

void append_resource(const OtlpResource& resource, const AnyTree& tree, std::string* out) {
  JsonObjectWriter object(out);
  append_attributes_member(tree, resource.attributes, KeyOrder::kSorted, &object, out);
  if (resource.dropped_attributes_count != 0) {
    object.unsigned_integer("dropped_attributes_count", resource.dropped_attributes_count);
  }
  if (!resource.schema_url.empty()) object.text("schema_url", resource.schema_url);
  object.close();
}

void append_scope(const OtlpScope& scope, const AnyTree& tree, std::string* out) {
  JsonObjectWriter object(out);
  append_attributes_member(tree, scope.attributes, KeyOrder::kSorted, &object, out);
  if (scope.dropped_attributes_count != 0) {
    object.unsigned_integer("dropped_attributes_count", scope.dropped_attributes_count);
  }
  if (!scope.name.empty()) object.text("name", scope.name);
  if (!scope.schema_url.empty()) object.text("schema_url", scope.schema_url);
  if (!scope.version.empty()) object.text("version", scope.version);
  object.close();
}

bool is_empty(const OtlpResource& resource, const AnyTree& tree) {
  return !tree.has_children(resource.attributes) && resource.dropped_attributes_count == 0 &&
         resource.schema_url.empty();
}

bool is_empty(const OtlpScope& scope, const AnyTree& tree) {
  return !tree.has_children(scope.attributes) && scope.dropped_attributes_count == 0 &&
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

Status otlp_too_deep(const Limits& limits) {
  return too_large(fmt::format("a value is nested deeper than {}, which json_depth {} allows",
                               otlp_value_depth_max(limits), limits.json_depth));
}

OtlpRows::OtlpRows(const DecodeDefaults& defaults, std::string_view what)
    : defaults_(defaults), what_(what), builder_(Dataset::kEvents) {}

void OtlpRows::begin_scope(const OtlpResource& resource, const AnyTree& resource_tree,
                           const OtlpScope& scope, const AnyTree& scope_tree) {
  std::string_view source = text_attribute(resource_tree, resource.attributes, "service.name");
  if (source.empty()) source = scope.name;
  if (source.empty()) source = "unknown";
  std::string buffer;
  source_ = column_text(source, &buffer);
  scope_began(resource, resource_tree, scope, scope_tree);

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

std::string_view OtlpRows::text_attribute(const AnyTree& tree, uint32_t map, std::string_view key) {
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

// Spans have neither severity nor observed time: theirs does not depend on them.
Id OtlpRows::identity_of(const EventRow& row) {
  identity_.clear();
  const auto append = [this](const auto& bytes) {
    identity_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  append(row.trace_id.bytes);
  append(row.span_id);
  append(row.parent_id.bytes);
  append_le(&identity_, row.time);
  append_le(&identity_, row.duration);
  for (const std::string_view text : {row.type, row.source, row.data, row.metadata, row.context}) {
    append_le(&identity_, static_cast<uint64_t>(text.size()));
    identity_.append(text);
  }
  if (row.kind != EventKind::kSpan) {
    append_le(&identity_, row.observed_time);
    identity_.push_back(static_cast<char>(row.severity));
  }
  Id id;
  store_le(id.bytes.data(), hash_bytes(identity_, 1));
  store_le(id.bytes.data() + 8, hash_bytes(identity_, 2));
  id.bytes[6] = static_cast<uint8_t>(0x80 | (id.bytes[6] & 0x0f));
  id.bytes[8] = static_cast<uint8_t>(0x80 | (id.bytes[8] & 0x3f));
  return id;
}

// A small resource with many scopes becomes far more than what was sent, because each scope's
// context says it again.
bool OtlpRows::is_full() const {
  return total_bytes_ > kExpansionMax * defaults_.limits.request_bytes;
}

bool OtlpRows::accepts(const AnyTree& tree, uint32_t attributes, size_t text_bytes) {
  if (is_full()) return false;
  const Limits& limits = defaults_.limits;
  const uint32_t count = tree.children(attributes);
  if (count > limits.attributes_per_event) {
    reject(fmt::format("a {} has {} attributes, the limit attributes_per_event is {}", what_, count,
                       limits.attributes_per_event));
    return false;
  }
  if (context_is_too_large_ || tree.overflowed() ||
      tree.text_bytes() + text_bytes > limits.event_bytes) {
    reject(
        fmt::format("a {} takes more than the limit event_bytes of {}", what_, limits.event_bytes));
    return false;
  }
  return true;
}

void OtlpRows::add_row(EventRow row) {
  row.source = source_;
  row.context = context_;
  if (row.time == 0) row.time = defaults_.now;
  const size_t bytes = event_row_bytes(row);
  if (bytes > defaults_.limits.event_bytes) {
    reject(fmt::format("a {} takes {} bytes, the limit event_bytes is {}", what_, bytes,
                       defaults_.limits.event_bytes));
    return;
  }
  flush_if_full(bytes);
  if (row.id.is_zero()) {
    row.id = defaults_.make_id();
  } else {
    rows_with_id_.push_back(static_cast<uint32_t>(builder_.rows()));
  }
  builder_.add(row);
  batch_bytes_ += bytes - context_.size();
  total_bytes_ += bytes - context_.size();
}

std::string_view OtlpRows::column_text(std::string_view text, std::string* out) const {
  return firn::column_text(text, defaults_.limits.type_bytes, out);
}

TimeNs OtlpRows::known_time(uint64_t unix_nano) {
  if (unix_nano <= static_cast<uint64_t>(INT64_MAX)) return static_cast<TimeNs>(unix_nano);
  ++late_times_;
  return 0;
}

void OtlpRows::reject(std::string reason) {
  if (result_.rejected == 0) result_.message = std::move(reason);
  ++result_.rejected;
}

void OtlpRows::flush_if_full(size_t row_bytes) {
  const bool full = builder_.rows() >= defaults_.limits.batch_events ||
                    batch_bytes_ + row_bytes > defaults_.limits.batch_bytes;
  if (builder_.rows() == 0 || !full) return;
  flush();
  batch_bytes_ = context_.size();
}

void OtlpRows::flush() {
  result_.batches.push_back({builder_.finish(), std::exchange(rows_with_id_, {})});
}

Result<OtlpRecords> OtlpRows::finish() {
  if (is_full()) {
    return too_large(
        fmt::format("the request becomes more than {} times the limit request_bytes of {}",
                    kExpansionMax, defaults_.limits.request_bytes));
  }
  if (builder_.rows() > 0) flush();
  if (late_times_ > 0) {
    if (!result_.message.empty()) result_.message += "; ";
    result_.message +=
        fmt::format("{} times after the year 2262 were taken as unknown", late_times_);
  }
  return std::move(result_);
}

}  // namespace firn
