// Power cuts of the whole store on the simulated file system. A part of all call numbers runs here;
// store_crash_exhaustive_test.cc runs every one.

#include <gtest/gtest.h>

#include "tests/crash/crash_workload.h"

namespace firn {
namespace {

constexpr CrashMode kModes[] = {CrashMode::kLoseAll, CrashMode::kKeepAll, CrashMode::kRandom};

TEST(StoreCrash, ScriptedWorkloadWithoutCrashKeepsEverything) {
  SimStore machine(1);
  run_scripted_workload(&machine);
  EXPECT_EQ(machine.check(), "");
  EXPECT_EQ(machine.acked_events(), 29u);
  machine.power_cut(CrashMode::kLoseAll, 1);
  ASSERT_TRUE(machine.boot());
  EXPECT_EQ(machine.check(), "");
  EXPECT_EQ(machine.rows_readable(), 29u);
}

TEST(StoreCrash, TheOracleNoticesALostEvent) {
  SimStore machine(1);
  run_scripted_workload(&machine);
  machine.sent.push_back(machine.sent.back());
  machine.sent.back().tokens[0] = "never stored";
  EXPECT_NE(machine.check(), "");
}

TEST(StoreCrash, SameSeedGivesTheSameTrace) {
  const auto trace_of_a_run = [] {
    SimStore machine(7);
    run_scripted_workload(&machine);
    return machine.env.trace_hash();
  };
  EXPECT_EQ(trace_of_a_run(), trace_of_a_run());
}

TEST(StoreCrash, PowerCutAtSampledCallsLosesNothingAcknowledged) {
  const uint64_t calls = count_io_calls(3);
  uint64_t cuts = 0;
  for (uint64_t call = 1; call <= calls; call += 9) {
    const CrashMode mode = kModes[(call / 9) % 3];
    const std::string problem = crash_and_check(3, call, mode);
    ASSERT_EQ(problem, "") << "call " << call << " of " << calls << ", mode "
                           << static_cast<int>(mode);
    ++cuts;
  }
  std::printf("seed=3 cycles=%lu calls=%lu lost=0 dup=0 torn=0 ghost=0 order=0\n", cuts, calls);
}

TEST(StoreCrash, RandomWorkloadsSurviveRandomPowerCuts) {
  for (uint64_t seed = 100; seed < 130; ++seed) {
    ASSERT_EQ(cut_random_workloads(seed), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace firn
