// Every I/O call of the workload fails, in every way, and recoveries are cut short at every call,
// up to three times in a row. Slow: scripts/test --all.

#include <gtest/gtest.h>

#include <tuple>

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

// FIRN_FIRST_CALL=n begins at call n: for going on where a run stopped.
uint64_t first_call() {
  const auto text = posix_env()->environment_variable("FIRN_FIRST_CALL");
  return text.has_value() ? std::strtoull(text->c_str(), nullptr, 10) : 1;
}

void fail_every_call(const FaultSetup& setup, const Fault& fault) {
  SiteCoverage sites;
  uint64_t call = first_call(), acked = 0;
  for (;; ++call) {
    const FaultRun run = fault_and_check(setup, fault, call, &sites);
    ASSERT_EQ(run.problem, "") << fault.name << " at call " << call << ": " << run.sites;
    acked += run.acked;
    if (!run.came) break;  // the workload ended before the call came
  }
  std::printf("%s: call sites hit: %zu of %zu known\n", fault.name.c_str(), sites.hit(),
              sites.known());
  EXPECT_EQ(sites.missed(sites_of_a_clean_run(setup)), "");
  print_line(call, acked);
}

class EveryCall : public testing::TestWithParam<size_t> {};

TEST_P(EveryCall, FailsWithSqliteTiers) {
  fail_every_call({kSeed, sim_sqlite_options(), kSqliteForgets}, all_faults()[GetParam()]);
}

TEST_P(EveryCall, FailsWithParquet) {
  fail_every_call({kSeed, sim_store_options(), kSqliteForgets}, all_faults()[GetParam()]);
}

INSTANTIATE_TEST_SUITE_P(StoreFault, EveryCall, testing::Range(size_t{0}, all_faults().size()));

TEST(RecoveryExhaustive, EveryRecoveryIsCutAtEveryCall) {
  uint64_t cycles = 0, acked = 0;
  for (uint64_t crash = 20; crash <= 700; crash += 20) {
    CrashedMachine machine({kSeed, sim_sqlite_options()}, crash, CrashMode::kRandom);
    ASSERT_EQ(machine.problem(), "") << "crash " << crash;
    const uint64_t calls = machine.recovery_calls();
    for (uint64_t call = 1; call <= calls; ++call, ++cycles) {
      ASSERT_EQ(machine.recover_with_cuts({call}, CrashMode::kRandom), "") << "crash " << crash;
    }
    acked += machine.acked();
  }
  print_line(cycles, acked);
}

// In parts: all of them take an hour and more of a processor. A part begins the first cuts.
constexpr uint64_t kParts = 8;
class CutRecovery : public testing::TestWithParam<std::tuple<uint64_t, uint64_t>> {};

TEST_P(CutRecovery, IsCutAtEveryCallOfTheNext) {
  const auto [crash, part] = GetParam();
  uint64_t cycles = 0;
  CrashedMachine machine({kSeed, sim_sqlite_options()}, crash, CrashMode::kRandom);
  ASSERT_EQ(machine.problem(), "");
  const uint64_t calls = machine.recovery_calls();
  for (uint64_t first = 1 + part; first <= calls; first += kParts) {
    for (uint64_t second = 1; second <= calls; ++second, cycles += 2) {
      const uint64_t third = 1 + (first * 31 + second * 17) % calls;
      ASSERT_EQ(machine.recover_with_cuts({first, second}, CrashMode::kRandom), "");
      ASSERT_EQ(machine.recover_with_cuts({first, second, third}, CrashMode::kRandom), "");
    }
  }
  print_line(cycles, machine.acked());
}

INSTANTIATE_TEST_SUITE_P(RecoveryExhaustive, CutRecovery,
                         testing::Combine(testing::Values(90, 600),
                                          testing::Range(uint64_t{0}, kParts)));

TEST(RecoveryExhaustive, EveryCallOfARecoveryFails) {
  uint64_t cycles = 0, acked = 0;
  for (const uint64_t crash : {90, 350, 600}) {
    CrashedMachine machine({kSeed, sim_sqlite_options()}, crash, CrashMode::kRandom);
    ASSERT_EQ(machine.problem(), "") << "crash " << crash;
    for (const Fault& fault : all_faults()) {
      for (uint64_t call = 1; call <= machine.recovery_calls_with_reads(); ++call, ++cycles) {
        ASSERT_EQ(machine.recover_with_fault(fault, call), "") << "crash " << crash;
      }
    }
    acked += machine.acked();
  }
  print_line(cycles, acked);
}

}  // namespace
}  // namespace firn
