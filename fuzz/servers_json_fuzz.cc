// Rows of guardia's servers: whatever is accepted becomes a document and its numbers.

#include "wire/json_reader.h"
#include "wire/servers_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;
  constexpr uint32_t kSamples = 6;  // of a row
  DecodeDefaults defaults;
  defaults.now = 1;
  const auto decoded =
      decode_servers_json(ByteView(reinterpret_cast<const char*>(data), size), defaults);
  if (!decoded.ok()) return 0;
  FIRN_CHECK(decoded->samples->rows() % kSamples == 0);
  for (uint32_t i = 0; i < decoded->samples->rows(); ++i) {
    const EventRow row = event_row(*decoded->samples, i);
    FIRN_CHECK(row.metadata.empty() == (i % kSamples != 0));
    FIRN_CHECK(row.metadata.empty() || check_json(row.metadata, kLimits.json_depth).ok());
  }
  return 0;
}
