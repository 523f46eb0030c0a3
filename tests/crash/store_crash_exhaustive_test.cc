// Power cut at every I/O call of the scripted workload, with everything unsynced lost, kept, and
// lost, torn or reordered at random. Slow: scripts/test --all.

#include <gtest/gtest.h>

#include "tests/crash/crash_workload.h"

namespace firn {
namespace {

void cut_at_every_call(CrashMode mode, uint64_t seed) {
  const uint64_t calls = count_io_calls(seed);
  ASSERT_GT(calls, 100u);
  for (uint64_t call = 1; call <= calls; ++call) {
    ASSERT_EQ(crash_and_check(seed, call, mode), "")
        << "call " << call << " of " << calls << ", seed " << seed;
  }
  std::printf("seed=%lu cycles=%lu lost=0 dup=0 torn=0 ghost=0 order=0\n", seed, calls);
}

TEST(StoreCrashExhaustive, LoseAll) { cut_at_every_call(CrashMode::kLoseAll, 3); }
TEST(StoreCrashExhaustive, KeepAll) { cut_at_every_call(CrashMode::kKeepAll, 3); }
TEST(StoreCrashExhaustive, Random) { cut_at_every_call(CrashMode::kRandom, 11); }

}  // namespace
}  // namespace firn
