// Samples as JSON: whatever is accepted becomes rows of defined series, whose values are finite and
// whose documents are JSON.

#include "wire/samples_json.h"

#include "wire/json_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;
  DecodeDefaults defaults;
  defaults.now = 1;
  SeriesCache cache(kKiB, 1);
  defaults.series_cache = &cache;
  const ByteView body(reinterpret_cast<const char*>(data), size);
  const auto decoded = decode_samples_json(body, defaults);
  // What the cache knows the second time changes nothing.
  const auto again = decode_samples_json(body, defaults);
  FIRN_CHECK(decoded.ok() == again.ok());
  if (!decoded.ok()) {
    FIRN_CHECK(decoded.status().message() == again.status().message());
    return 0;
  }
  FIRN_CHECK(decoded->samples->rows() == again->samples->rows());
  FIRN_CHECK(decoded->definitions->rows() <= decoded->samples->rows());
  for (uint32_t i = 0; i < decoded->samples->rows(); ++i) {
    const EventRow row = event_row(*decoded->samples, i);
    FIRN_CHECK(row.series == event_row(*again->samples, i).series);
    FIRN_CHECK(row.value.value() - row.value.value() == 0);
    FIRN_CHECK(row.data.empty() || check_json(row.data, 2).ok());
    FIRN_CHECK(row.metadata.empty() || check_json(row.metadata, kLimits.json_depth).ok());
  }
  for (uint32_t i = 0; i < decoded->definitions->rows(); ++i) {
    const EventRow row = event_row(*decoded->definitions, i);
    FIRN_CHECK(!row.name.empty() && check_utf8(row.name).ok());
    FIRN_CHECK(row.labels.empty() || check_json(row.labels, 2).ok());
  }
  return 0;
}
