#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "wire/otlp.h"

namespace firn {

// An export request as a busy service would send it, protobuf, for measuring receivers: records of
// about 200 bytes with six attributes of the resource and five of their own; or data points of
// regular gauges and sums, 50 to a metric, with the same resource and three attributes of their
// own, at the same time, each of another series.
struct OtlpLoad {
  OtlpSignal signal = OtlpSignal::kLogs;
  TimeNs now = 0;
  std::string body;
  // Where in the body eight bytes stand that tell a record from others: the ids of spans, the times
  // of data points. Empty where records have no identity.
  std::vector<size_t> identities;

  // Makes every record another one than before, so that none is a repetition: points are those of
  // the same series `turn` seconds later, with other values. `turn` must be one that no load of the
  // same seed had.
  void renew(uint64_t turn);
};

// The same for the same arguments. REQUIRES: seed < 2^15, records < 2^20.
OtlpLoad make_otlp_load(OtlpSignal signal, uint32_t records, TimeNs now, uint64_t seed);

}  // namespace firn
