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
  check_with_and_without_cache(
      [&](const DecodeDefaults& defaults) { return decode_exposition(body, format, defaults); });
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  firn::check_text(body, firn::ExpositionFormat::kText);
  firn::check_text(body, firn::ExpositionFormat::kOpenMetrics);
  return 0;
}
