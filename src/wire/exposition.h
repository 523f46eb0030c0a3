#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "wire/sample_rows.h"

namespace firn {

// What a target of Prometheus exposes, as text (docs/prometheus.md, "Text").

enum class ExpositionFormat : uint8_t { kText, kOpenMetrics };

struct ExpositionRecords {
  std::vector<DecodedSamples> parts;  // usually one; none when there is nothing to store
  uint64_t samples = 0, exemplars = 0;
};

// All of the text or nothing: kInvalidArgument, kTooLarge naming the line. The body is only read
// during the call. Any thread.
Result<ExpositionRecords> decode_exposition(ByteView body, ExpositionFormat format,
                                            const DecodeDefaults& defaults);

}  // namespace firn
