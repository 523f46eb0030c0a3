#pragma once

#include <cstdint>

#include "base/time.h"
#include "tests/history/history.h"

namespace firn {

struct HistoryPlan {
  uint64_t seed = 1;
  DurationNs duration_ns = 3 * kSecondNs;
  uint32_t writers = 8;
  uint32_t readers = 2;
  uint32_t subscribers = 3;
  uint32_t racers = 4;
};

// Runs a store on the real file system with real threads: writers with streams of their own, who
// now and then repeat an acknowledged request; racers, who append to the same two streams and
// expect the version that they have just read; readers; subscribers; and somebody who flushes and
// moves chunks all the while. Then opens the store again and reads everything. Failures that are no
// matter for the judge (a read that fails, findings of verify) fail the running test.
History run_history(const HistoryPlan& plan);

}  // namespace firn
