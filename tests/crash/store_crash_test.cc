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

TEST(StoreCrash, LifecycleWorkloadWithoutCrashKeepsEverything) {
  SimStore machine(1);
  run_lifecycle_workload(&machine);
  EXPECT_EQ(machine.check(), "");
  EXPECT_EQ(machine.verify(), "");
  EXPECT_EQ(machine.rows_readable(), machine.acked_events());
  machine.power_cut(CrashMode::kLoseAll, 1);
  ASSERT_TRUE(machine.boot());
  EXPECT_EQ(machine.check(), "");
  EXPECT_EQ(machine.verify(), "");
}

TEST(StoreCrash, PowerCutAtSampledCallsOfALifecycleLosesNothingAcknowledged) {
  const uint64_t calls = count_io_calls(3, run_lifecycle_workload);
  uint64_t cuts = 0;
  for (uint64_t call = 1; call <= calls; call += 41) {
    const CrashMode mode = kModes[(call / 41) % 3];
    const std::string problem = crash_and_check(3, call, mode, run_lifecycle_workload);
    ASSERT_EQ(problem, "") << "call " << call << " of " << calls << ", mode "
                           << static_cast<int>(mode);
    ++cuts;
  }
  std::printf("seed=3 cycles=%lu calls=%lu lost=0 dup=0 torn=0 ghost=0 order=0\n", cuts, calls);
}

// What a power cut at I/O call `call` of the clearing of a full namespace leaves, as its profile
// and the number of its rows; 0: after it. `calls`: how many were made.
std::string clear_with_power_cut(uint64_t call, CrashMode mode, uint64_t* calls) {
  SimStore machine(11);
  if (!machine.boot()) return "no boot";
  FIRN_CHECK(machine.store()->set_namespace_profile("default", {"ours", "hash"}).ok());
  machine.append(7, 0, true);
  machine.command(ChunkAction::kFlush);
  machine.append(2, 0, true);
  const uint64_t before = machine.env.io_count();
  if (call > 0) machine.env.crash_at(before + call);
  const bool cleared = machine.store()->clear_namespace("default").ok();
  if (!machine.has_crashed()) machine.settle();
  *calls = machine.env.io_count() - before;
  machine.power_cut(mode, call);
  if (!machine.boot()) return "no boot after the cut";
  const auto info = machine.store()->find_namespace("default");
  if (!info.ok()) return "the namespace is gone";
  const std::string rows = std::to_string(machine.rows_readable());
  if (cleared && rows != "0") return "cleared, but " + rows + " rows are back";
  machine.settle();
  if (std::to_string(machine.rows_readable()) != rows) return "rows come and go";
  return info->profile->description + "/" + info->profile->token_sha256 + " " + rows;
}

TEST(StoreCrash, APowerCutWhileANamespaceIsClearedLeavesItFullOrEmpty) {
  uint64_t calls = 0, ignored = 0;
  EXPECT_EQ(clear_with_power_cut(0, CrashMode::kLoseAll, &calls), "ours/hash 0");
  for (uint64_t call = 1; call <= calls; ++call) {
    for (const CrashMode mode : kModes) {
      const std::string left = clear_with_power_cut(call, mode, &ignored);
      EXPECT_TRUE(left == "ours/hash 9" || left == "ours/hash 0")
          << "call " << call << ": " << left;
    }
  }
  EXPECT_GT(calls, 4u);
}

TEST(StoreCrash, RandomWorkloadsSurviveRandomPowerCuts) {
  for (uint64_t seed = 100; seed < 130; ++seed) {
    ASSERT_EQ(cut_random_workloads(seed), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace firn
