#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "wire/otlp_rows.h"

namespace firn {

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

// Log records into rows. Inside wire only.
class OtlpLogRows : public OtlpRows {
 public:
  explicit OtlpLogRows(const DecodeDefaults& defaults) : OtlpRows(defaults, "log record") {}
  void add(const OtlpLogRecord& record, const AnyTree& tree);

 private:
  void write_metadata(const OtlpLogRecord& record, const AnyTree& tree);

  std::string data_, metadata_, type_;
};

}  // namespace firn
