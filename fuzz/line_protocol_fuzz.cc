// Line protocol: whatever is accepted becomes rows of defined series, with a finite value or a
// text; a refusal names a line of the body.

#include <algorithm>

#include "wire/json_reader.h"
#include "wire/line_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;
  DecodeDefaults defaults;
  defaults.now = kDayNs;
  const ByteView body(reinterpret_cast<const char*>(data), size);
  uint64_t bad_line = 0;
  const auto parts = decode_line_protocol(body, kMillisecondNs, defaults, &bad_line);
  if (!parts.ok()) {
    const auto lines = 1 + static_cast<uint64_t>(std::count(body.begin(), body.end(), '\n'));
    FIRN_CHECK(bad_line >= 1 && bad_line <= lines && !parts.status().message().empty());
    return 0;
  }
  FIRN_CHECK(bad_line == 0);
  for (const auto& [samples, definitions, known_epoch] : *parts) {
    FIRN_CHECK(known_epoch == 0);  // so all definitions are there
    FIRN_CHECK(definitions->rows() <= samples->rows());
    for (uint32_t i = 0; i < samples->rows(); ++i) {
      const EventRow row = event_row(*samples, i);
      FIRN_CHECK(Id::parse(row.series).has_value());
      FIRN_CHECK(row.data.empty() || check_json(row.data, 2).ok());
      const double value = row.value.value();
      FIRN_CHECK(row.value == kAbsentFloat64 ? !row.data.empty() : value - value == 0);
    }
    for (uint32_t i = 0; i < definitions->rows(); ++i) {
      const EventRow row = event_row(*definitions, i);
      FIRN_CHECK(!row.name.empty() && check_utf8(row.name).ok());
      FIRN_CHECK(row.labels.empty() || check_json(row.labels, 2).ok());
    }
  }
  return 0;
}
