// The text of a target of Prometheus, in both formats: whatever is accepted becomes rows that other
// rooms can rely on, the same ones when the cache knows the series.

#include <string_view>

#include "base/size.h"
#include "base/status.h"
#include "samples.h"
#include "wire/exposition.h"

namespace firn {
namespace {

void check_text(std::string_view body, ExpositionFormat format) {
  static SeriesCache cache(16 * kMiB, 1);
  DecodeDefaults defaults;
  defaults.now = 1;
  const auto plain = decode_exposition(body, format, defaults);
  defaults.series_cache = &cache;
  const auto cached = decode_exposition(body, format, defaults);
  FIRN_CHECK(plain.ok() == cached.ok());
  if (!plain.ok()) return;
  check_samples(plain->parts);
  FIRN_CHECK(plain->parts.size() == cached->parts.size());
  for (size_t i = 0; i < plain->parts.size(); ++i) {
    FIRN_CHECK(plain->parts[i].samples->encoded() == cached->parts[i].samples->encoded());
    FIRN_CHECK(plain->parts[i].definitions->encoded() == cached->parts[i].definitions->encoded());
  }
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  firn::check_text(body, firn::ExpositionFormat::kText);
  firn::check_text(body, firn::ExpositionFormat::kOpenMetrics);
  return 0;
}
