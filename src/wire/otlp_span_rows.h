#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/otlp_rows.h"

namespace firn {

using SpanId = std::array<uint8_t, 8>;

struct OtlpSpanEvent {
  uint64_t time_unix_nano = 0;
  std::string_view name;
  uint32_t attributes = 0;  // a map; 0: none
  uint32_t dropped_attributes_count = 0;
};
struct OtlpSpanLink {
  Id trace_id{};
  SpanId span_id{};
  std::string_view trace_state;
  uint32_t attributes = 0;
  uint32_t dropped_attributes_count = 0;
  uint32_t flags = 0;
};

struct OtlpSpan {
  Id trace_id{};
  SpanId span_id{}, parent_span_id{};
  std::string_view trace_state, name, status_message;
  int64_t kind = 0, status_code = 0;
  uint64_t start_time_unix_nano = 0, end_time_unix_nano = 0;
  uint32_t attributes = 0;  // a map; 0: none
  uint32_t dropped_attributes_count = 0, dropped_events_count = 0, dropped_links_count = 0;
  uint32_t flags = 0;
  std::vector<OtlpSpanEvent> events;
  std::vector<OtlpSpanLink> links;
  bool overflowed = false;  // events or links were left out, because there were too many

  // Keeps the memory of events and links.
  void clear();
  // Leaves them out, and says so, when there are `parts_max` already.
  void add(const OtlpSpanEvent& event, size_t parts_max);
  void add(const OtlpSpanLink& link, size_t parts_max);
};

// Events or links that a span may have: with more it cannot be within event_bytes.
size_t otlp_span_parts_max(const Limits& limits);

// Spans into rows. Inside wire only.
class OtlpSpanRows : public OtlpRows {
 public:
  explicit OtlpSpanRows(const DecodeDefaults& defaults) : OtlpRows(defaults, "span") {}
  void add(const OtlpSpan& span, const AnyTree& tree);

 private:
  void set_times(const OtlpSpan& span, EventRow* row);
  void write_data(const OtlpSpan& span, const AnyTree& tree);
  void write_metadata(const OtlpSpan& span, const AnyTree& tree, const EventRow& row);

  std::string data_, metadata_, type_;
};

}  // namespace firn
