#include "wire/json_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "wire/event_reader.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"

namespace firn {
namespace {

class EventsDecoder {
 public:
  explicit EventsDecoder(const DecodeDefaults& defaults)
      : limits_(defaults.limits), reader_(defaults), builder_(Dataset::kEvents) {}

  Status read_json(ByteView body) {
    const size_t first = body.find_first_not_of(" \t\r\n");
    if (first == ByteView::npos) return {};
    const bool is_array = body[first] == '[';
    JsonReader json(body, limits_.json_depth + (is_array ? 1 : 0), reader_.pool());
    if (is_array) {
      json.enter_array();
      while (json.next_element()) FIRN_TRY(add_event(&json, "event", builder_.rows()));
      return json.finish();
    }
    FIRN_TRY(add_event(&json, "event", 0));
    if (json.at_end()) return {};
    return invalid_argument(
        fmt::format("unexpected text after the event, byte {}; several events are an array, or one "
                    "per line as application/x-ndjson",
                    json.offset()));
  }

  Status read_ndjson(ByteView body) {
    size_t line = 0;
    for (size_t at = 0; at < body.size();) {
      const size_t end = std::min(body.find('\n', at), body.size());
      ++line;
      JsonReader json(body.substr(at, end - at), limits_.json_depth, reader_.pool(), at);
      if (!json.at_end()) {
        FIRN_TRY(add_event(&json, "line", line));
        Status ended = json.finish();
        if (!ended.ok()) return ended.with_context(fmt::format("line {}", line));
      }
      at = end + 1;
    }
    return {};
  }

  Result<DecodedEvents> finish() {
    if (builder_.rows() == 0) return invalid_argument("the body holds no event");
    decoded_.batch = builder_.finish();
    return std::move(decoded_);
  }

 private:
  Status add_event(JsonReader* json, const char* what, size_t number) {
    EventRow row;
    bool has_id = false;
    Status read = reader_.read(json, &row, &has_id);
    if (read.ok()) read = check_batch(row);
    if (!read.ok()) return read.with_context(fmt::format("{} {}", what, number));
    if (has_id) decoded_.rows_with_id.push_back(builder_.rows());
    builder_.add(row);
    return {};
  }

  Status check_batch(const EventRow& row) {
    if (builder_.rows() >= limits_.batch_events) {
      return too_large(
          fmt::format("more events than the limit batch_events of {}", limits_.batch_events));
    }
    bytes_ += event_row_bytes(row);
    if (bytes_ > limits_.batch_bytes) {
      return too_large(fmt::format("the events up to here exceed the limit batch_bytes of {}",
                                   limits_.batch_bytes));
    }
    return {};
  }

  const Limits& limits_;
  EventReader reader_;
  BatchBuilder builder_;
  DecodedEvents decoded_;
  size_t bytes_ = 0;
};

template <size_t kSize>
bool is_zero(const std::array<uint8_t, kSize>& bytes) {
  return bytes == std::array<uint8_t, kSize>{};
}

void append_text(JsonObjectWriter* object, std::string_view key, std::string_view value) {
  if (!value.empty()) object->text(key, value);
}

void append_document(JsonObjectWriter* object, std::string_view key, std::string_view json,
                     std::string* out) {
  if (json.empty()) return;
  object->member(key);
  append_json_one_line(json, out);
}

}  // namespace

Result<DecodedEvents> decode_events_json(ByteView body, JsonBodyKind kind,
                                         const DecodeDefaults& defaults) {
  FIRN_TRY(check_utf8(body));
  EventsDecoder decoder(defaults);
  FIRN_TRY(kind == JsonBodyKind::kJson ? decoder.read_json(body) : decoder.read_ndjson(body));
  return decoder.finish();
}

void append_event_json(const RecordBatch& batch, uint32_t row, std::string* out) {
  const EventRow event = event_row(batch, row);
  const Position position = batch.position(row);
  JsonObjectWriter object(out);
  if (batch.first_position() != 0) object.unsigned_integer("position", position);
  object.text("time", format_time(event.time));
  if (event.observed_time != kAbsentInt64) {
    object.text("observed_time", format_time(event.observed_time));
  }
  if (!event.id.is_zero()) object.text("id", event.id.to_uuid());
  object.text("kind", event_kind_name(event.kind));
  append_text(&object, "type", event.type);
  append_text(&object, "source", event.source);
  append_text(&object, "subject", event.subject);
  if (event.severity != 0) object.integer("severity", event.severity);
  append_text(&object, "stream", event.stream);
  if (event.stream_position != kAbsentInt64) {
    object.integer("stream_position", event.stream_position);
  }
  append_text(&object, "correlation_id", event.correlation_id);
  if (!event.trace_id.is_zero()) object.text("trace_id", event.trace_id.to_hex());
  if (!is_zero(event.span_id)) {
    object.text("span_id", hex_encode({reinterpret_cast<const char*>(event.span_id.data()),
                                       event.span_id.size()}));
  }
  if (!event.parent_id.is_zero()) object.text("parent_id", event.parent_id.to_uuid());
  if (event.duration != kAbsentInt64) object.integer("duration", event.duration);
  append_document(&object, "data", event.data, out);
  append_document(&object, "metadata", event.metadata, out);
  append_document(&object, "context", event.context, out);
  object.close();
}

}  // namespace firn
