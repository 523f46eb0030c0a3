#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/time.h"
#include "model/known_series.h"
#include "model/record_batch.h"

namespace firn {

// The JSON form of events, in and out (docs/formats/events_json.md).

enum class JsonBodyKind : uint8_t {
  kJson,    // one object, or an array of objects
  kNdjson,  // one object per line
};

class SeriesCache;

// What events and samples get that do not say it themselves.
struct DecodeDefaults {
  TimeNs now = 0;
  std::function<Id()> make_id;  // a new UUIDv7; called once per event without an id
  Limits limits = kLimits;
  // Of metrics; null: everything is worked out again. One cache belongs to one set of limits.
  SeriesCache* series_cache = nullptr;
  SeriesKnowledge knowledge{};  // the definitions that metrics do not bring along
};

struct DecodedEvents {
  std::unique_ptr<RecordBatch> batch;
  // Ascending rows whose id the client chose: only these can be repetitions of stored events.
  std::vector<uint32_t> rows_with_id;
};

// All events of the body, in order, or none: kInvalidArgument or kTooLarge naming the event (or
// line), the member and the offset. A body without events is kInvalidArgument. The body is only
// read during the call. Any thread.
Result<DecodedEvents> decode_events_json(ByteView body, JsonBodyKind kind,
                                         const DecodeDefaults& defaults);

// One event as a JSON object on one line, without a line break at the end. Absent members are left
// out; so are positions of a batch that was not stamped.
void append_event_json(const RecordBatch& batch, uint32_t row, std::string* out);

}  // namespace firn
