#pragma once

#include <cstdint>

namespace firn {

// Bits of a sample's flags (docs/formats/samples.md). The first is OpenTelemetry's, a staleness
// marker; the other is Firn's own.
inline constexpr int64_t kNoRecordedValue = 1;
inline constexpr int64_t kSampleDeleted = int64_t{1} << 62;

}  // namespace firn
