#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/record_batch.h"
#include "wire/json_events.h"
#include "wire/otlp_logs.h"
#include "wire/otlp_value.h"

namespace firn {

// What OTLP says about where logs come from. Node numbers are of the tree given along.
struct OtlpResource {
  uint32_t attributes = 0;  // a map; 0: none
  uint32_t dropped_attributes_count = 0;
  std::string_view schema_url;
};
struct OtlpScope {
  std::string_view name, version;
  uint32_t attributes = 0;
  uint32_t dropped_attributes_count = 0;
  std::string_view schema_url;
};

struct OtlpLogRecord {
  uint64_t time_unix_nano = 0;
  uint64_t observed_time_unix_nano = 0;
  int64_t severity_number = 0;
  std::string_view severity_text, event_name;
  Id trace_id{};
  std::array<uint8_t, 8> span_id{};
  uint32_t flags = 0;
  uint32_t dropped_attributes_count = 0;
  uint32_t body = 0;        // 0: there is none
  uint32_t attributes = 0;  // a map; 0: none
};

// Nested containers a value may have, so that the document it ends up in keeps json_depth.
uint32_t otlp_value_depth_max(const Limits& limits);
// Values that a record, a resource or a scope may have: with more it cannot be within event_bytes.
size_t otlp_values_max(const Limits& limits);

// Turns decoded log records into rows: the part that is the same for protobuf and JSON. Inside wire
// only. Thread rule: one thread.
class OtlpLogRows {
 public:
  // `defaults` must outlive the object.
  explicit OtlpLogRows(const DecodeDefaults& defaults);

  // The records added from now on come from this resource and scope.
  void begin_scope(const OtlpResource& resource, const AnyTree& resource_tree,
                   const OtlpScope& scope, const AnyTree& scope_tree);
  void add(const OtlpLogRecord& record, const AnyTree& tree);
  // kTooLarge when the rows together passed what one request may become.
  Result<OtlpLogs> finish();

 private:
  // Whether the record can become a row; rejects it otherwise.
  bool accepts(const OtlpLogRecord& record, const AnyTree& tree);
  EventRow make_row(const OtlpLogRecord& record, const AnyTree& tree);
  void reject(std::string reason);
  bool is_full() const;
  TimeNs known_time(uint64_t unix_nano);
  void write_metadata(const OtlpLogRecord& record, const AnyTree& tree);
  void flush_if_full(size_t row_bytes);

  const DecodeDefaults& defaults_;
  BatchBuilder builder_;
  OtlpLogs result_;
  std::string context_, source_, data_, metadata_, type_;
  bool context_is_too_large_ = false;
  size_t batch_bytes_ = 0;
  uint64_t total_bytes_ = 0;  // of all rows, and of contexts as often as they were written
  uint64_t late_times_ = 0;   // after 2262
};

}  // namespace firn
