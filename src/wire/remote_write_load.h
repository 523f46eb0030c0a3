#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace firn {

// A remote write request (1.0, not packed) as a busy Prometheus would send it, for measuring
// receivers: one sample of each of its series, which have eight labels of about 200 bytes.
struct RemoteWriteLoad {
  TimeNs first = 0;
  std::string body;
  std::vector<size_t> samples;  // where in the body the values stand, behind which are the times

  // Makes it the samples of the same series `turn` times 15 s later.
  void renew(uint64_t turn);
};

// The same for the same arguments; other seeds have other series.
RemoteWriteLoad make_remote_write_load(uint32_t samples, TimeNs first, uint64_t seed);

}  // namespace firn
