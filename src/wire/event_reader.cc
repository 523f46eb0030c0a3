#include "wire/event_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/json_text.h"
#include "wire/severity.h"

namespace firn {
namespace {

using Kind = JsonReader::Kind;

constexpr int64_t kSeverityMax = 24;
constexpr uint64_t kFoldedDepth = 3;  // the event, metadata and attributes around a folded member

// The reader's own error when it has one, otherwise ours about a member.
Status member_error(const JsonReader& json, const char* name, const char* what, size_t offset) {
  if (!json.ok()) return json.status();
  return invalid_argument(fmt::format("\"{}\" {}, byte {}", name, what, offset));
}

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

// Whether the braces of a valid JSON object have nothing but blanks between them.
bool is_empty_object(std::string_view object) {
  return object.find_first_not_of(" \t\r\n", 1) == object.size() - 1;
}

EventMember pick(std::string_view name, std::string_view expected, EventMember member) {
  return name == expected ? member : EventMember::kOther;
}

EventMember member_of_8(std::string_view name) {
  if (name == "severity") return EventMember::kSeverity;
  if (name == "trace_id") return EventMember::kTraceId;
  if (name == "duration") return EventMember::kDuration;
  if (name == "metadata") return EventMember::kMetadata;
  return pick(name, "position", EventMember::kPosition);
}

}  // namespace

// By length first: every event of every request comes through here, member by member.
EventMember event_member(std::string_view name) {
  switch (name.size()) {
    case 2:
      return pick(name, "id", EventMember::kId);
    case 4:
      if (name == "type") return EventMember::kType;
      if (name == "data") return EventMember::kData;
      if (name == "time") return EventMember::kTime;
      return pick(name, "kind", EventMember::kKind);
    case 6:
      if (name == "source") return EventMember::kSource;
      return pick(name, "stream", EventMember::kStream);
    case 7:
      if (name == "subject") return EventMember::kSubject;
      if (name == "span_id") return EventMember::kSpanId;
      return pick(name, "context", EventMember::kContext);
    case 8:
      return member_of_8(name);
    case 9:
      return pick(name, "parent_id", EventMember::kParentId);
    case 13:
      return pick(name, "observed_time", EventMember::kObservedTime);
    case 14:
      return pick(name, "correlation_id", EventMember::kCorrelationId);
    case 15:
      return pick(name, "stream_position", EventMember::kStreamPosition);
    default:
      return EventMember::kOther;
  }
}

size_t event_row_bytes(const EventRow& row) {
  constexpr size_t kFixedBytes = 4 * sizeof(int64_t) + 3 * sizeof(Id) + 8 + 2;
  return kFixedBytes + row.type.size() + row.source.size() + row.subject.size() +
         row.stream.size() + row.correlation_id.size() + row.data.size() + row.metadata.size() +
         row.context.size();
}

Status EventReader::read(JsonReader* json, EventRow* row, bool* has_id) {
  *row = EventRow{};
  row->time = defaults_.now;
  pool_.reset();
  others_.clear();
  severity_text_.reset();
  const size_t begin = json->offset();
  uint32_t seen = 0;
  std::string_view name;
  if (!json->enter_object()) return json->status();
  while (json->next_member(&name)) {
    const EventMember member = event_member(name);
    if (member == EventMember::kOther) {
      FIRN_TRY(read_other(json, name));
      continue;
    }
    const uint32_t bit = uint32_t{1} << static_cast<unsigned>(member);
    if ((seen & bit) != 0) {
      return invalid_argument(fmt::format("\"{}\" is given twice, byte {}", name, json->offset()));
    }
    seen |= bit;
    FIRN_TRY(read_member(json, member, row));
  }
  if (!json->ok()) return json->status();
  if (row->type.empty()) {
    return invalid_argument(fmt::format("\"type\" is required, byte {}", begin));
  }
  FIRN_TRY(check_size(*row, begin));  // before metadata is read again, which takes memory
  FIRN_TRY(fold_others(row));
  FIRN_TRY(check_size(*row, begin));
  *has_id = !row->id.is_zero();
  if (!*has_id) row->id = defaults_.make_id();
  return {};
}

Status EventReader::check_size(const EventRow& row, size_t offset) const {
  const size_t bytes = event_row_bytes(row);
  if (bytes <= defaults_.limits.event_bytes) return {};
  return too_large(fmt::format("{} bytes exceed the limit event_bytes of {}, byte {}", bytes,
                               defaults_.limits.event_bytes, offset));
}

Status EventReader::read_member(JsonReader* json, EventMember member, EventRow* row) {
  const Limits& limits = defaults_.limits;
  switch (member) {
    case EventMember::kData:
      return read_document(json, &row->data);
    case EventMember::kMetadata:
      return read_document(json, &row->metadata);
    case EventMember::kContext:
      return read_document(json, &row->context);
    default:
      break;
  }
  if (json->skip_null()) return {};
  switch (member) {
    case EventMember::kType:
      return read_text(json, "type", limits.type_bytes, "type_bytes", &row->type);
    case EventMember::kSource:
      return read_text(json, "source", limits.type_bytes, "type_bytes", &row->source);
    case EventMember::kSubject:
      return read_text(json, "subject", limits.type_bytes, "type_bytes", &row->subject);
    case EventMember::kCorrelationId:
      return read_text(json, "correlation_id", limits.type_bytes, "type_bytes",
                       &row->correlation_id);
    case EventMember::kStream:
      return read_text(json, "stream", limits.stream_name_bytes, "stream_name_bytes", &row->stream);
    case EventMember::kTime:
      return read_time(json, "time", &row->time);
    case EventMember::kObservedTime:
      return read_time(json, "observed_time", &row->observed_time);
    case EventMember::kId:
      return read_id(json, "id", &row->id);
    case EventMember::kTraceId:
      return read_id(json, "trace_id", &row->trace_id);
    case EventMember::kParentId:
      return read_id(json, "parent_id", &row->parent_id);
    case EventMember::kSpanId:
      return read_span_id(json, row);
    case EventMember::kKind:
      return read_kind(json, row);
    case EventMember::kSeverity:
      return read_severity(json, row);
    case EventMember::kDuration:
      return read_duration(json, row);
    case EventMember::kPosition:
      return read_position(json, "position");
    case EventMember::kStreamPosition:
      return read_position(json, "stream_position");
    default:
      FIRN_CHECK(false);
  }
}

Status EventReader::read_text(JsonReader* json, const char* name, uint64_t bytes_max,
                              const char* limit, std::string_view* out) {
  const size_t offset = json->offset();
  if (json->peek() != Kind::kString || !json->read_string(out)) {
    return member_error(*json, name, "must be text", offset);
  }
  if (out->size() > bytes_max) {
    return too_large(fmt::format("\"{}\" has {} bytes, the limit {} is {}, byte {}", name,
                                 out->size(), limit, bytes_max, offset));
  }
  return {};
}

Status EventReader::read_time(JsonReader* json, const char* name, TimeNs* out) {
  const size_t offset = json->offset();
  std::string_view text;
  const Kind kind = json->peek();
  const bool read = kind == Kind::kString   ? json->read_string(&text)
                    : kind == Kind::kNumber ? json->read_number(&text)
                                            : false;
  const std::optional<TimeNs> time = read ? parse_time(text) : std::nullopt;
  if (!time) {
    return member_error(*json, name,
                        "must be RFC 3339 text or a number of seconds, milliseconds, microseconds "
                        "or nanoseconds since 1970",
                        offset);
  }
  *out = *time;
  return {};
}

Status EventReader::read_id(JsonReader* json, const char* name, Id* out) {
  const size_t offset = json->offset();
  std::string_view text;
  const bool read = json->peek() == Kind::kString && json->read_string(&text);
  const std::optional<Id> id = read ? Id::parse(text) : std::nullopt;
  if (!id) {
    return member_error(*json, name, "must be a UUID or 32 hexadecimal digits", offset);
  }
  *out = *id;
  return {};
}

Status EventReader::read_span_id(JsonReader* json, EventRow* row) {
  const size_t offset = json->offset();
  std::string_view text;
  if (json->peek() != Kind::kString || !json->read_string(&text) ||
      !hex_decode(text, row->span_id.data(), row->span_id.size())) {
    return member_error(*json, "span_id", "must be 16 hexadecimal digits", offset);
  }
  return {};
}

Status EventReader::read_kind(JsonReader* json, EventRow* row) {
  const size_t offset = json->offset();
  std::string_view text;
  const bool read = json->peek() == Kind::kString && json->read_string(&text);
  const std::optional<EventKind> kind = read ? parse_event_kind(text) : std::nullopt;
  if (!kind) {
    return member_error(*json, "kind", "must be event, message, log, span or causal", offset);
  }
  row->kind = *kind;
  return {};
}

Status EventReader::read_severity(JsonReader* json, EventRow* row) {
  constexpr const char* kExpected = "must be 0 to 24 or a name";
  const size_t offset = json->offset();
  std::string_view text;
  if (json->peek() == Kind::kString) {
    if (!json->read_string(&text)) return json->status();
    if (text.empty()) return {};
    row->severity = severity_from_name(text).value_or(0);
    severity_text_ = text;
    return {};
  }
  const bool read = json->peek() == Kind::kNumber && json->read_number(&text);
  const std::optional<int64_t> number = read ? parse_integer(text) : std::nullopt;
  if (!number || *number < 0 || *number > kSeverityMax) {
    return member_error(*json, "severity", kExpected, offset);
  }
  row->severity = static_cast<uint8_t>(*number);
  return {};
}

Status EventReader::read_duration(JsonReader* json, EventRow* row) {
  const size_t offset = json->offset();
  std::string_view text;
  std::optional<DurationNs> duration;
  if (json->peek() == Kind::kString) {
    if (json->read_string(&text)) duration = parse_duration(text);
  } else if (json->peek() == Kind::kNumber && json->read_number(&text)) {
    duration = parse_integer(text);
  }
  if (!duration || *duration == kAbsentInt64) {
    return member_error(*json, "duration",
                        "must be an integer of nanoseconds or text such as \"12ms\"", offset);
  }
  row->duration = *duration;
  return {};
}

Status EventReader::read_position(JsonReader* json, const char* name) {
  const size_t offset = json->offset();
  std::string_view text;
  const bool read = json->peek() == Kind::kNumber && json->read_number(&text);
  if (!read || !parse_integer(text)) return member_error(*json, name, "must be an integer", offset);
  return {};
}

Status EventReader::read_document(JsonReader* json, std::string_view* out) {
  return json->read_raw(out) ? Status() : json->status();
}

Status EventReader::read_other(JsonReader* json, std::string_view name) {
  const size_t offset = json->offset();
  for (const Other& other : others_) {
    if (other.name == name) {
      return invalid_argument(fmt::format("\"{}\" is given twice, byte {}", name, offset));
    }
  }
  if (others_.size() == defaults_.limits.attributes_per_event) {
    return too_large(
        fmt::format("more than {} other members, the limit attributes_per_event, byte {}",
                    defaults_.limits.attributes_per_event, offset));
  }
  std::string_view raw;
  if (!json->read_raw(&raw)) return json->status();
  if (raw.front() == '{' || raw.front() == '[') {
    // Inside metadata.attributes it stands two levels deeper, and must still be readable there.
    const uint64_t depth =
        defaults_.limits.json_depth - std::min(defaults_.limits.json_depth, kFoldedDepth);
    JsonReader again(raw, depth, &pool_);
    if (!again.skip_value()) {
      return too_large(fmt::format(
          "\"{}\" is nested deeper than json_depth {} allows inside metadata.attributes, byte {}",
          name, defaults_.limits.json_depth, offset));
    }
  }
  others_.push_back({name, raw});
  return {};
}

// Puts the text of the severity and the other members into metadata, whose own bytes stay as they
// are.
Status EventReader::fold_others(EventRow* row) {
  if (others_.empty() && !severity_text_) return {};
  const bool is_absent = row->metadata.empty() || row->metadata == "null";
  const std::string_view metadata = is_absent ? std::string_view("{}") : row->metadata;
  if (metadata.front() != '{') {
    return invalid_argument(
        "\"metadata\" must be an object, because the severity's text or other members are added to "
        "it");
  }
  std::optional<std::string_view> attributes;
  bool has_severity_text = false;
  FIRN_TRY(find_metadata_parts(metadata, &attributes, &has_severity_text));

  std::string* out = pool_.take();
  bool first = is_empty_object(metadata);
  if (attributes && !others_.empty()) {
    const size_t at = static_cast<size_t>(attributes->data() - metadata.data());
    out->append(metadata, 0, at);
    FIRN_TRY(merge_attributes(*attributes, out));
    out->append(metadata, at + attributes->size());
  } else {
    out->append(metadata);
  }
  out->pop_back();  // the brace, put back below
  if (severity_text_ && !has_severity_text) {
    if (!first) out->push_back(',');
    first = false;
    append_json_key("severity_text", out);
    append_json_string(*severity_text_, out);
  }
  if (!attributes && !others_.empty()) {
    if (!first) out->push_back(',');
    append_json_key("attributes", out);
    out->push_back('{');
    append_others(true, out);
    out->push_back('}');
  }
  out->push_back('}');
  row->metadata = *out;
  return {};
}

Status EventReader::find_metadata_parts(std::string_view metadata,
                                        std::optional<std::string_view>* attributes,
                                        bool* has_severity_text) {
  JsonReader json(metadata, JsonReader::kDepthMax, &pool_);
  std::string_view name;
  json.enter_object();
  while (json.next_member(&name)) {
    std::string_view raw;
    if (!json.read_raw(&raw)) break;
    if (name == "severity_text") *has_severity_text = true;
    if (name == "attributes") *attributes = raw;
  }
  return json.finish();
}

// Appends the attributes that metadata has already, with the other members behind them.
Status EventReader::merge_attributes(std::string_view attributes, std::string* out) {
  if (attributes.front() != '{') {
    return invalid_argument(
        "\"metadata.attributes\" must be an object, because other members are added to it");
  }
  JsonReader json(attributes, JsonReader::kDepthMax, &pool_);
  std::string_view name;
  json.enter_object();
  while (json.next_member(&name) && json.skip_value()) {
    const bool clashes = std::any_of(others_.begin(), others_.end(),
                                     [&](const Other& other) { return other.name == name; });
    if (clashes) {
      return invalid_argument(
          fmt::format("\"{}\" is a member of the event and of metadata.attributes", name));
    }
  }
  out->append(attributes);
  out->pop_back();
  append_others(is_empty_object(attributes), out);
  out->push_back('}');
  return {};
}

void EventReader::append_others(bool first, std::string* out) {
  for (const Other& other : others_) {
    if (!first) out->push_back(',');
    first = false;
    append_json_key(other.name, out);
    out->append(other.raw);
  }
}

}  // namespace firn
