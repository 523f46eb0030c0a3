#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"

namespace firn {

// Buckets of one sign: either deltas or counts.
struct NativeBuckets {
  std::vector<std::pair<int32_t, uint32_t>> spans;  // offset, length
  std::vector<int64_t> deltas;
  std::vector<double> counts;
};

// A native histogram as both versions of remote write have it.
struct NativeHistogram {
  std::optional<uint64_t> count, zero_count;
  std::optional<double> float_count, float_zero_count;
  uint64_t sum_bits = 0;
  int32_t schema = 0;
  double zero_threshold = 0;
  NativeBuckets negative, positive;
  int64_t reset_hint = 0;
  std::vector<double> custom_values;
  int64_t timestamp_ms = 0;
  int64_t start_timestamp_ms = 0;  // 0: not set
  bool overflowed = false;         // more parts than it can have
};

// Parts of one list of a histogram, or exemplars of a series.
size_t native_histogram_parts_max(const Limits& limits);
// Reads the message. Throws what protozero throws. Inside wire only.
NativeHistogram read_native_histogram(ByteView message, const Limits& limits);
// Everything but sum and times as `data` of a sample (docs/formats/samples.md).
void append_native_histogram(const NativeHistogram& histogram, std::string* out);

}  // namespace firn
