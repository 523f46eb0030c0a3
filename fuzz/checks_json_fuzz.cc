// Checks of services: whatever is accepted becomes two samples for each check, the first a state.

#include "model/service_check.h"
#include "wire/checks_json.h"
#include "wire/json_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;
  DecodeDefaults defaults;
  defaults.now = 1;
  const auto decoded =
      decode_checks_json(ByteView(reinterpret_cast<const char*>(data), size), defaults);
  if (!decoded.ok()) return 0;
  FIRN_CHECK(decoded->samples->rows() % 2 == 0 && decoded->definitions->rows() % 2 == 0);
  for (uint32_t i = 0; i < decoded->samples->rows(); i += 2) {
    const EventRow check = event_row(*decoded->samples, i);
    const EventRow response = event_row(*decoded->samples, i + 1);
    FIRN_CHECK(check_status_of(check.value.value()).has_value() && check.time == response.time);
    FIRN_CHECK(check.metadata.empty() || check_json(check.metadata, kLimits.json_depth).ok());
    FIRN_CHECK(response.value == kAbsentFloat64 || response.value.value() >= 0);
  }
  return 0;
}
