// Power cut at every I/O call of the scripted workload, with everything unsynced lost, kept, and
// lost, torn or reordered at random. Slow: scripts/test --all.

#include <gtest/gtest.h>

#include "tests/crash/crash_workload.h"

namespace firn {
namespace {

void cut_at_every_call(CrashMode mode, uint64_t seed, Workload workload = run_scripted_workload) {
  const uint64_t calls = count_io_calls(seed, workload);
  ASSERT_GT(calls, 100u);
  for (uint64_t call = 1; call <= calls; ++call) {
    ASSERT_EQ(crash_and_check(seed, call, mode, workload), "")
        << "call " << call << " of " << calls << ", seed " << seed;
  }
  std::printf("seed=%lu cycles=%lu lost=0 dup=0 torn=0 ghost=0 order=0\n", seed, calls);
  std::fflush(stdout);
}

TEST(StoreCrashExhaustive, LoseAll) { cut_at_every_call(CrashMode::kLoseAll, 3); }
TEST(StoreCrashExhaustive, KeepAll) { cut_at_every_call(CrashMode::kKeepAll, 3); }

TEST(StoreCrashExhaustive, LoseAllOfALifecycle) {
  cut_at_every_call(CrashMode::kLoseAll, 3, run_lifecycle_workload);
}
TEST(StoreCrashExhaustive, KeepAllOfALifecycle) {
  cut_at_every_call(CrashMode::kKeepAll, 3, run_lifecycle_workload);
}
TEST(StoreCrashExhaustive, RandomOfALifecycle) {
  for (uint64_t seed = 41; seed < 44; ++seed) {
    cut_at_every_call(CrashMode::kRandom, seed, run_lifecycle_workload);
  }
}

// Parquet's engine takes nearly all of the time, and its own calls are a small part of all.
bool has_parquet(uint64_t seed) { return seed % 16 == 0; }

void run_scripted_workload_on_sqlite(SimStore* machine) {
  machine->options = sim_sqlite_options();
  run_scripted_workload(machine);
}

// What is lost and torn is another choice with each seed, and so is the order of the workers.
TEST(StoreCrashExhaustive, TwentyTimesRandom) {
  for (uint64_t seed = 11; seed < 31; ++seed) {
    cut_at_every_call(CrashMode::kRandom, seed,
                      has_parquet(seed) ? run_scripted_workload : run_scripted_workload_on_sqlite);
  }
}

TEST(StoreCrashExhaustive, TenThousandRandomWorkloads) {
  constexpr uint64_t kSeeds = 10'000;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const StoreOptions options = has_parquet(seed) ? sim_store_options() : sim_sqlite_options();
    ASSERT_EQ(cut_random_workloads(seed, options), "") << "seed " << seed;
    if (seed % 1000 == 0) {
      std::printf("%lu seeds\n", seed);
      std::fflush(stdout);
    }
  }
  std::printf("seed=1-%lu cycles=%lu lost=0 dup=0 torn=0 ghost=0 order=0\n", kSeeds, 4 * kSeeds);
}

}  // namespace
}  // namespace firn
