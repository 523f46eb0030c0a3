#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/record_batch.h"
#include "wire/json_events.h"
#include "wire/json_reader.h"
#include "wire/string_pool.h"

namespace firn {

// The members an event has in JSON; others are folded into metadata.
enum class EventMember : uint8_t {
  kPosition,
  kTime,
  kObservedTime,
  kId,
  kKind,
  kType,
  kSource,
  kSubject,
  kSeverity,
  kStream,
  kStreamPosition,
  kCorrelationId,
  kTraceId,
  kSpanId,
  kParentId,
  kDuration,
  kData,
  kMetadata,
  kContext,
  kOther,
};

EventMember event_member(std::string_view name);

// What an event's values take together, the measure of the limit event_bytes.
size_t event_row_bytes(const EventRow& row);

// Reads event objects one by one. Inside wire only; others call decode_events_json. Thread rule:
// one thread.
class EventReader {
 public:
  // `defaults` must outlive the reader.
  explicit EventReader(const DecodeDefaults& defaults) : defaults_(defaults) {}

  // The pool to give to the JsonReader that read() is called with.
  StringPool* pool() { return &pool_; }

  // Reads the object that comes next into `row`, whose views hold until the next call of read().
  // `has_id`: the object had an id. Errors name the member and the offset, not the event.
  Status read(JsonReader* json, EventRow* row, bool* has_id);

 private:
  struct Other {
    std::string_view name;
    std::string_view raw;
  };

  Status read_member(JsonReader* json, EventMember member, EventRow* row);
  Status check_size(const EventRow& row, size_t offset) const;
  Status read_text(JsonReader* json, const char* name, uint64_t bytes_max, const char* limit,
                   std::string_view* out);
  Status read_time(JsonReader* json, const char* name, TimeNs* out);
  Status read_id(JsonReader* json, const char* name, Id* out);
  Status read_span_id(JsonReader* json, EventRow* row);
  Status read_kind(JsonReader* json, EventRow* row);
  Status read_severity(JsonReader* json, EventRow* row);
  Status read_duration(JsonReader* json, EventRow* row);
  Status read_position(JsonReader* json, const char* name);
  Status read_document(JsonReader* json, std::string_view* out);
  Status read_other(JsonReader* json, std::string_view name);
  Status fold_others(EventRow* row);
  Status find_metadata_parts(std::string_view metadata, std::optional<std::string_view>* attributes,
                             bool* has_severity_text);
  Status merge_attributes(std::string_view attributes, std::string* out);
  void append_others(bool first, std::string* out);

  const DecodeDefaults& defaults_;
  StringPool pool_;
  std::vector<Other> others_;
  std::optional<std::string_view> severity_text_;
};

}  // namespace firn
