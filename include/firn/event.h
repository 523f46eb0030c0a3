#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace firn {

// An event as a program appends it. The views must stay valid during the call they are given to.
// Empty or zero means absent. data, metadata and context are JSON texts and are kept byte by byte.
struct Event {
  std::string_view type;  // required
  int64_t time_ns = 0;    // since the Unix epoch, UTC; 0: now
  std::string_view id;    // UUID or 32 hexadecimal digits; empty: made by the store
  std::string_view source;
  std::string_view subject;
  uint8_t severity = 0;     // 0 to 24, OpenTelemetry's numbers
  std::string_view stream;  // the stream it is appended to
  std::string_view correlation_id;
  std::string_view trace_id;   // 32 hexadecimal digits
  std::string_view span_id;    // 16 hexadecimal digits
  std::string_view parent_id;  // UUID or 32 hexadecimal digits
  int64_t duration_ns = -1;    // negative: absent
  std::string_view data;
  std::string_view metadata;
  std::string_view context;
};

// An event as it is read back. Owns its texts.
struct StoredEvent {
  uint64_t position = 0;         // in the namespace, from 1, without gaps
  int64_t stream_position = -1;  // in its stream, from 0; negative without a stream
  int64_t time_ns = 0;
  std::string id, type, source, subject;
  uint8_t severity = 0;
  std::string stream, correlation_id, trace_id, span_id, parent_id;
  int64_t duration_ns = -1;
  std::string data, metadata, context;
};

}  // namespace firn
