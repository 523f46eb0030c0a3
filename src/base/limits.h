#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/size.h"
#include "base/time.h"

namespace firn {

// Every limit of Firn, with its unit in its name. What exceeds one is refused with a message that
// names the limit and its value; `firn config --limits` prints the table.
struct Limits {
  uint64_t event_bytes = 1 * kMiB;          // all columns of one event together
  uint64_t batch_bytes = 16 * kMiB;         // one append
  uint64_t batch_events = 100'000;          // one append
  uint64_t batch_intervals = 1000;          // chunk intervals one append may touch
  uint64_t request_wire_bytes = 20 * kMiB;  // as received, before decompression
  uint64_t request_bytes = 64 * kMiB;       // after decompression
  uint64_t decompression_ratio = 100;       // request_bytes over request_wire_bytes, above 1 MiB
  uint64_t json_depth = 64;
  uint64_t protobuf_depth = 64;
  uint64_t stream_name_bytes = 512;
  uint64_t type_bytes = 512;           // also source and subject
  uint64_t namespace_name_bytes = 63;  // [a-z0-9][a-z0-9_-]*
  uint64_t namespaces = 10'000;
  uint64_t attributes_per_event = 128;      // also labels of a series
  DurationNs sample_ahead_ns = 1 * kDayNs;  // of the clock; of samples that come not by OTLP
  uint64_t sql_bytes = 64 * kKiB;
  uint64_t query_rows = 1'000'000;               // rows in one SQL answer
  uint64_t page_rows = 10'000;                   // rows in one page of events
  uint64_t page_bytes = 16 * kMiB;               // rows in one page of events; then it ends early
  uint64_t answer_bytes = 64 * kMiB;             // text of one SQL answer
  uint64_t queries_waiting = 256;                // requests behind those that query_threads work on
  DurationNs query_patience_ns = 2 * kSecondNs;  // how long a query waits for its memory
  uint64_t query_memory_bytes = 768 * kMiB;
  DurationNs query_time_ns = 30 * kSecondNs;
  uint64_t connections = 12'000;
  uint64_t header_bytes = 16 * kKiB;
  DurationNs header_time_ns = 10 * kSecondNs;
  DurationNs body_time_ns = 30 * kSecondNs;
  uint64_t http2_streams = 100;           // calls at a time on one connection
  uint64_t tail_buffer_bytes = 1 * kMiB;  // unsent bytes of one tail before it is cut
};

static_assert(Limits{}.event_bytes <= Limits{}.batch_bytes);
static_assert(Limits{}.batch_bytes <= Limits{}.request_bytes);
static_assert(Limits{}.request_wire_bytes <= Limits{}.request_bytes);

inline constexpr Limits kLimits{};

}  // namespace firn
