// Every kind of I/O call of the store fails, once and for ever, and recoveries are cut short again
// and again. A part of all call numbers runs here; store_fault_exhaustive_test.cc runs every one.

#include <gtest/gtest.h>

#include "tests/crash/crash_workload.h"
#include "tests/crash/store_faults.h"

namespace firn {
namespace {

constexpr uint64_t kSeed = 5;
// Failed syncs of SQLite's files behave as on Linux: their bytes can be read but are gone.
constexpr bool kSqliteForgets = true;

void print_line(uint64_t cycles, uint64_t acked) {
  std::printf("seed=%lu cycles=%lu acked=%lu lost=0 dup=0 torn=0 ghost=0 order=0\n", kSeed, cycles,
              acked);
}

// Makes `samples` calls fail, spread over the workload, in turn in every way.
void fail_sampled_calls(const FaultSetup& setup, uint64_t samples) {
  const uint64_t calls = count_fault_calls(setup);
  ASSERT_GT(calls, 5 * samples);
  const std::vector<Fault> faults = all_faults();
  SiteCoverage sites;
  uint64_t acked = 0;
  for (uint64_t i = 0; i < samples; ++i) {
    const uint64_t call = 1 + i * calls / samples;
    const Fault& fault = faults[i % faults.size()];
    const FaultRun run = fault_and_check(setup, fault, call, &sites);
    ASSERT_EQ(run.problem, "") << fault.name << " at call " << call << " of " << calls << ": "
                               << run.sites;
    ASSERT_TRUE(run.came);
    acked += run.acked;
  }
  std::printf("call sites hit: %zu of %zu known\n", sites.hit(), sites.known());
  print_line(samples, acked);
}

TEST(StoreFault, SampledCallsFailAndNothingAcknowledgedIsLost) {
  fail_sampled_calls({kSeed, sim_sqlite_options(), kSqliteForgets}, 60);
}

TEST(StoreFault, SampledCallsFailBesideParquet) {
  fail_sampled_calls({kSeed, sim_store_options(), kSqliteForgets}, 6);
}

// What a failed sync of SQLite's log left in the page cache is not on the disk. The next process
// must not act on it before it has written it again: here it would remove the source of a move
// whose commit a power cut then takes back.
TEST(StoreFault, AFailedSyncOfTheManifestFencesTheStore) {
  SimStore machine(kSeed);
  machine.options = sim_sqlite_options();
  ASSERT_TRUE(machine.boot());
  machine.append(3, 0, true);
  machine.faults.fail_matching(IoKind::kSync, "/manifest.db", UINT64_MAX, io_error("injected"));
  machine.command(ChunkAction::kFlush);
  const StoreHealth health = machine.store()->health();
  EXPECT_TRUE(health.fenced);
  EXPECT_EQ(health.write_refusal.code(), StatusCode::kOutcomeUnknown);
  EXPECT_NE(health.write_refusal.message().find("a sync of the manifest failed"),
            std::string::npos);
  machine.shut_down();
  machine.faults.heal();
  ASSERT_TRUE(machine.boot());
  EXPECT_EQ(machine.check(), "");
}

TEST(StoreFault, AFailedSyncOfTheManifestIsNotTakenForDoneByTheNextProcess) {
  SimStore machine(kSeed);
  machine.options = sim_sqlite_options();
  machine.faults.on_failed_sync(
      [&machine](const std::string& path) { machine.env.forget_unsynced(path); });
  ASSERT_TRUE(machine.boot());
  machine.append(3, 0, true);
  machine.command(ChunkAction::kFlush);
  int syncs = 0;
  machine.faults.before_sync([&](const std::string& path) {
    if (path.find("/manifest.db") == std::string::npos || ++syncs != 2) return;  // 1: the seal
    machine.faults.fail_matching(IoKind::kSync, "/manifest.db", UINT64_MAX, io_error("injected"));
  });
  machine.command(ChunkAction::kMove);
  machine.shut_down();
  machine.faults.heal();
  ASSERT_TRUE(machine.boot());
  EXPECT_EQ(machine.check(), "");
  machine.power_cut(CrashMode::kLoseAll, kSeed);
  ASSERT_TRUE(machine.boot());
  EXPECT_EQ(machine.check(), "");
}

TEST(StoreFault, ACallBehindTheEndOfTheWorkloadChangesNothing) {
  const FaultSetup setup{kSeed, sim_sqlite_options()};
  SiteCoverage sites;
  const FaultRun run =
      fault_and_check(setup, all_faults()[0], count_fault_calls(setup) + 1'000'000, &sites);
  EXPECT_FALSE(run.came);
  EXPECT_EQ(run.problem, "");
  EXPECT_EQ(sites.hit(), 0u);
  EXPECT_GT(sites.known(), 20u);
}

TEST(StoreFault, RecoveriesCutShortEndLikeAnUndisturbedOne) {
  uint64_t cycles = 0, acked = 0;
  for (const uint64_t crash : {90, 400, 700}) {
    CrashedMachine machine({kSeed, sim_sqlite_options()}, crash, CrashMode::kRandom);
    ASSERT_EQ(machine.problem(), "");
    const uint64_t calls = machine.recovery_calls();
    ASSERT_GT(calls, 5u);
    for (uint64_t call = 1; call <= calls; call += 1 + calls / 8) {
      const uint64_t second = 1 + call * 7 % calls, third = 1 + call * 11 % calls;
      for (const auto& cuts :
           {std::vector<uint64_t>{call}, {call, second}, {call, second, third}}) {
        ASSERT_EQ(machine.recover_with_cuts(cuts, CrashMode::kRandom), "") << "crash " << crash;
        ++cycles;
      }
    }
    const uint64_t all_calls = machine.recovery_calls_with_reads();
    for (uint64_t call = 1; call <= all_calls; call += 1 + all_calls / 16) {
      ASSERT_EQ(machine.recover_with_fault(all_faults()[cycles % 5], call), "") << crash;
      ++cycles;
    }
    acked += machine.acked();
  }
  print_line(cycles, acked);
}

}  // namespace
}  // namespace firn
