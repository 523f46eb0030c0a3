#include <charconv>
#include <cmath>
#include <optional>

#include "wire/import_formats.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"
#include "wire/severity.h"

namespace firn {
namespace {

using Kind = JsonReader::Kind;

// What a member of anybody's log line means to us.
enum class Meaning : uint8_t {
  kNone,
  kTime,
  kType,
  kSeverity,
  kLevel,
  kTraceId,
  kSpanId,
  kCorrelationId,
  kSource,
};

Meaning meaning_of(std::string_view key) {
  struct Entry {
    std::string_view key;
    Meaning meaning;
  };
  static constexpr Entry kEntries[] = {
      {"time", Meaning::kTime},
      {"timestamp", Meaning::kTime},
      {"@timestamp", Meaning::kTime},
      {"ts", Meaning::kTime},
      {"type", Meaning::kType},
      {"severity", Meaning::kSeverity},
      {"level", Meaning::kLevel},
      {"log.level", Meaning::kLevel},
      {"lvl", Meaning::kLevel},
      {"loglevel", Meaning::kLevel},
      {"trace_id", Meaning::kTraceId},
      {"traceId", Meaning::kTraceId},
      {"trace.id", Meaning::kTraceId},
      {"traceID", Meaning::kTraceId},
      {"span_id", Meaning::kSpanId},
      {"spanId", Meaning::kSpanId},
      {"span.id", Meaning::kSpanId},
      {"spanID", Meaning::kSpanId},
      {"correlation_id", Meaning::kCorrelationId},
      {"correlationId", Meaning::kCorrelationId},
      {"request_id", Meaning::kCorrelationId},
      {"requestId", Meaning::kCorrelationId},
      {"source", Meaning::kSource},
      {"service", Meaning::kSource},
      {"service.name", Meaning::kSource},
  };
  for (const Entry& entry : kEntries) {
    if (entry.key == key) return entry.meaning;
  }
  return Meaning::kNone;
}

// "1446249499.322" as well as "1.446249499322e9".
std::optional<TimeNs> parse_number_time(std::string_view text) {
  if (const std::optional<TimeNs> time = parse_time(text)) return time;
  double number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec != std::errc() || !(std::abs(number) < 0x1p63)) return std::nullopt;
  return parse_time(std::to_string(static_cast<int64_t>(number)));
}

std::optional<TimeNs> parse_text_time(std::string_view text) {
  if (const std::optional<TimeNs> time = parse_time(text)) return time;
  const std::optional<LeadingTime> leading = leading_time(text);
  if (leading && leading->size == text.size()) return leading->time;
  return std::nullopt;
}

// The number of "severity": 0 to 24; of "level" also bunyan's and pino's 10, 20 ... 60.
std::optional<uint8_t> severity_of_number(std::string_view text, Meaning meaning) {
  int number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  if (meaning == Meaning::kLevel && number >= 10 && number <= 60 && number % 10 == 0) {
    return static_cast<uint8_t>(1 + (number / 10 - 1) * 4);
  }
  if (number < 0 || number > 24) return std::nullopt;
  return static_cast<uint8_t>(number);
}

class ObjectReader {
 public:
  ObjectReader(const Limits& limits, StringPool* pool, ImportedLine* out)
      : limits_(limits), pool_(pool), out_(out), row_(out->row) {}

  void read(std::string_view line) {
    row_.kind = EventKind::kLog;
    row_.data = line;
    JsonReader json(line, limits_.json_depth, pool_);
    std::string_view key;
    json.enter_object();
    while (json.next_member(&key)) {
      const Meaning meaning = meaning_of(key);
      const Kind kind = json.peek();
      std::string_view value;
      const bool read = kind == Kind::kString   ? json.read_string(&value)
                        : kind == Kind::kNumber ? json.read_number(&value)
                                                : json.skip_value();
      if (!read) break;
      if (kind == Kind::kString && !value.empty()) take_text(meaning, value);
      if (kind == Kind::kNumber) take_number(meaning, value);
    }
    FIRN_CHECK(json.ok());  // the line was checked before
    if (row_.type.empty()) row_.type = "log";
  }

 private:
  void take_text(Meaning meaning, std::string_view value) {
    switch (meaning) {
      case Meaning::kTime:
        set_time(parse_text_time(value));
        break;
      case Meaning::kType:
        set_text(value, &row_.type);
        break;
      case Meaning::kSource:
        set_text(value, &row_.source);
        break;
      case Meaning::kCorrelationId:
        set_text(value, &row_.correlation_id);
        break;
      case Meaning::kSeverity:
      case Meaning::kLevel:
        take_level(value);
        break;
      case Meaning::kTraceId:
        if (row_.trace_id.is_zero()) row_.trace_id = Id::parse(value).value_or(Id{});
        break;
      case Meaning::kSpanId:
        if (!hex_decode(value, row_.span_id.data(), row_.span_id.size())) row_.span_id.fill(0);
        break;
      case Meaning::kNone:
        break;
    }
  }

  void take_number(Meaning meaning, std::string_view value) {
    if (meaning == Meaning::kTime) set_time(parse_number_time(value));
    if ((meaning == Meaning::kSeverity || meaning == Meaning::kLevel) && row_.severity == 0) {
      row_.severity = severity_of_number(value, meaning).value_or(0);
    }
  }

  void take_level(std::string_view text) {
    const std::optional<uint8_t> severity = severity_from_name(text);
    if (!severity || row_.severity != 0) return;
    row_.severity = *severity;
    std::string* metadata = pool_->take();
    JsonObjectWriter object(metadata);
    object.text("severity_text", text);
    object.close();
    row_.metadata = *metadata;
  }

  void set_time(std::optional<TimeNs> time) {
    if (!time || out_->has_time) return;
    row_.time = *time;
    out_->has_time = true;
  }

  // What does not fit a column is in data anyway.
  void set_text(std::string_view value, std::string_view* column) const {
    if (column->empty() && value.size() <= limits_.type_bytes) *column = value;
  }

  const Limits& limits_;
  StringPool* pool_;
  ImportedLine* out_;
  EventRow& row_;
};

// Whether all members are an event's and the required one is there.
bool looks_like_event(std::string_view line, const Limits& limits, StringPool* pool) {
  JsonReader json(line, limits.json_depth, pool);
  std::string_view key;
  bool has_type = false;
  json.enter_object();
  while (json.next_member(&key)) {
    const EventMember member = event_member(key);
    if (member == EventMember::kOther) return false;
    if (member == EventMember::kType) has_type = true;
    if (!json.skip_value()) return false;
  }
  return has_type && json.ok();
}

}  // namespace

void read_ndjson_line(std::string_view line, const Limits& limits, EventReader* events,
                      StringPool* pool, ImportedLine* out) {
  const Status checked = check_json(line, limits.json_depth);
  if (!checked.ok()) {
    std::string* reason = pool->take();
    reason->assign(checked.message());
    out->error = *reason;
    return;
  }
  if (line[line.find_first_not_of(" \t\r\n")] != '{') {
    out->error = "not a JSON object";
    return;
  }
  if (looks_like_event(line, limits, pool)) {
    JsonReader json(line, limits.json_depth, events->pool());
    if (events->read(&json, &out->row, &out->has_id).ok()) {
      out->is_event = true;
      out->has_time = true;  // its own, or the one the event reader gives
      return;
    }
    out->row = EventRow{};  // not an event after all: {"type":..., "severity": 99}
    out->has_id = false;
  }
  ObjectReader(limits, pool, out).read(line);
}

}  // namespace firn
