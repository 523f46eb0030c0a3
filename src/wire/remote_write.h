#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "wire/sample_rows.h"

namespace firn {

// Prometheus' remote write requests (docs/prometheus.md), unpacked.

enum class RemoteWriteVersion : uint8_t {
  k1,  // prometheus.WriteRequest
  k2,  // io.prometheus.write.v2.Request
};

struct RemoteWriteRecords {
  std::vector<DecodedSamples> parts;  // usually one; none when there is nothing to store
  // What the request had, as version 2 wants it told.
  uint64_t samples = 0, histograms = 0, exemplars = 0;
};

// All of a request or nothing: kInvalidArgument, kTooLarge naming series and sample. The body is
// only read during the call. Any thread.
Result<RemoteWriteRecords> decode_remote_write(ByteView body, RemoteWriteVersion version,
                                               const DecodeDefaults& defaults);

}  // namespace firn
