// Time, workers and the trace of the simulation.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "env/sim_env.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SimWorkers : public ::testing::Test {
 protected:
  std::unique_ptr<Worker> start(const std::string& name) {
    return env_.start_worker(name, [this, name] { ran_.push_back(name); });
  }

  std::vector<std::string> ran_;
  SimEnv env_{1};
};

TEST_F(SimWorkers, NothingRunsByItself) {
  const auto worker = start("a");
  EXPECT_FALSE(env_.run_one());
  worker->notify();
  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_TRUE(env_.run_one());
  EXPECT_THAT(ran_, ElementsAre("a"));
}

TEST_F(SimWorkers, RequestsBeforeAStepAreOne) {
  const auto worker = start("a");
  worker->notify();
  worker->notify();
  EXPECT_TRUE(env_.run_until_idle());
  EXPECT_THAT(ran_, ElementsAre("a"));
}

TEST_F(SimWorkers, ARequestDuringAStepIsAnotherStep) {
  Worker* self = nullptr;
  int steps = 0;
  const auto worker = env_.start_worker("a", [&] {
    if (++steps < 3) self->notify();
  });
  self = worker.get();
  worker->notify();
  EXPECT_TRUE(env_.run_until_idle());
  EXPECT_EQ(steps, 3);
}

TEST_F(SimWorkers, ADestroyedWorkerRunsNoMore) {
  auto worker = start("a");
  worker->notify();
  worker.reset();
  EXPECT_FALSE(env_.run_one());
}

TEST_F(SimWorkers, ATimerWaitsForItsTime) {
  const auto worker = start("a");
  worker->notify_after(kSecondNs);
  env_.advance(kSecondNs - 1);
  EXPECT_FALSE(env_.run_one());
  env_.advance(1);
  EXPECT_TRUE(env_.run_one());
  EXPECT_FALSE(env_.run_one());
}

TEST_F(SimWorkers, TheEarlierRequestWins) {
  const auto worker = start("a");
  worker->notify_after(kSecondNs);
  worker->notify_after(kHourNs);
  env_.advance(kSecondNs);
  EXPECT_TRUE(env_.run_one());
  env_.advance(kHourNs);
  EXPECT_FALSE(env_.run_one()) << "the step was what both requests asked for";
}

TEST_F(SimWorkers, RunUntilMovesTheClockToTheNextTimer) {
  const auto late = start("late");
  const auto early = start("early");
  const TimeNs before = env_.monotonic();
  late->notify_after(kHourNs);
  early->notify_after(kSecondNs);
  EXPECT_TRUE(env_.run_until([&] { return ran_.size() == 1; }));
  EXPECT_THAT(ran_, ElementsAre("early"));
  EXPECT_EQ(env_.monotonic() - before, kSecondNs);
  EXPECT_TRUE(env_.run_until([&] { return ran_.size() == 2; }));
  EXPECT_EQ(env_.monotonic() - before, kHourNs);
}

TEST_F(SimWorkers, RunUntilGivesUp) {
  EXPECT_TRUE(env_.run_until([] { return true; }));
  EXPECT_FALSE(env_.run_until([] { return false; })) << "nothing can run";
  Worker* self = nullptr;
  int steps = 0;
  const auto worker = env_.start_worker("busy", [&] {
    ++steps;
    self->notify();
  });
  self = worker.get();
  worker->notify();
  EXPECT_FALSE(env_.run_until([] { return false; }, 10));
  EXPECT_EQ(steps, 10);
  EXPECT_FALSE(env_.run_until_idle(10));
}

TEST_F(SimWorkers, RunUntilIdleLeavesTimersAlone) {
  const auto worker = start("a");
  worker->notify_after(kSecondNs);
  const TimeNs before = env_.monotonic();
  EXPECT_TRUE(env_.run_until_idle());
  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_EQ(env_.monotonic(), before);
}

TEST_F(SimWorkers, RunForRunsEveryTimerOfThatTime) {
  Worker* self = nullptr;
  int steps = 0;
  const auto worker = env_.start_worker("tick", [&] {
    ++steps;
    self->notify_after(kSecondNs);
  });
  self = worker.get();
  worker->notify_after(kSecondNs);
  const TimeNs before = env_.monotonic();
  EXPECT_TRUE(env_.run_for(10 * kSecondNs));
  EXPECT_EQ(steps, 10);
  EXPECT_EQ(env_.monotonic() - before, 10 * kSecondNs);
}

TEST_F(SimWorkers, TheSeedDecidesTheOrder) {
  std::set<std::vector<std::string>> orders;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    std::vector<std::string> first;
    for (int repeat = 0; repeat < 2; ++repeat) {
      SimEnv env(seed);
      std::vector<std::string> ran;
      std::vector<std::unique_ptr<Worker>> workers;
      for (const char* name : {"a", "b", "c"}) {
        workers.push_back(env.start_worker(name, [&ran, name] { ran.emplace_back(name); }));
        workers.back()->notify();
      }
      EXPECT_TRUE(env.run_until_idle());
      if (repeat == 0) first = ran;
      EXPECT_EQ(ran, first) << "seed " << seed;
    }
    orders.insert(first);
  }
  EXPECT_EQ(orders.size(), 6U) << "every order comes up";
}

TEST_F(SimWorkers, WithoutPowerNothingRuns) {
  const auto worker = start("a");
  worker->notify();
  env_.cut_power();
  EXPECT_FALSE(env_.run_one());
  EXPECT_FALSE(env_.run_until([] { return false; }));
  EXPECT_FALSE(env_.run_until_idle());
  EXPECT_FALSE(env_.run_for(kSecondNs));
  EXPECT_THAT(ran_, IsEmpty());
}

TEST_F(SimWorkers, WorkersOfTheOldProcessRunNoMore) {
  auto old = start("old");
  old->notify();
  env_.crash(CrashMode::kKeepAll, 0);
  old->notify();
  old->notify_after(1);
  const auto fresh = start("new");
  fresh->notify();
  EXPECT_TRUE(env_.run_for(kSecondNs));
  EXPECT_THAT(ran_, ElementsAre("new"));
}

TEST_F(SimWorkers, NotifyComesFromAnyThread) {
  int steps = 0;
  const auto worker = env_.start_worker("a", [&] { ++steps; });
  std::atomic<int> sent = 0;
  std::thread other([&] {
    for (; sent < 1000; ++sent) worker->notify();
  });
  while (sent < 1000) (void)env_.run_one();
  other.join();
  EXPECT_TRUE(env_.run_until_idle());
  EXPECT_GE(steps, 1);
}

// --- Clocks --------------------------------------------------------------------------------------

TEST(SimClock, StandsStillUnlessMoved) {
  SimEnv env(1);
  const TimeNs wall = env.now();
  const TimeNs monotonic = env.monotonic();
  EXPECT_EQ(format_time(wall), "2026-01-01T00:00:00Z");
  env.advance(kMinuteNs);
  EXPECT_EQ(env.now() - wall, kMinuteNs);
  EXPECT_EQ(env.monotonic() - monotonic, kMinuteNs);
}

TEST(SimClock, EveryNumberedCallTakesAMicrosecond) {
  SimEnv env(1);
  const TimeNs before = env.monotonic();
  ASSERT_TRUE(env.create_directories("/a").ok());
  EXPECT_EQ(env.monotonic() - before, static_cast<int64_t>(env.io_count()) * kMicrosecondNs);
}

TEST(SimClock, TheWallClockJumpsAlone) {
  SimEnv env(1);
  const TimeNs wall = env.now();
  const TimeNs monotonic = env.monotonic();
  env.jump_wall_clock(-kDayNs);
  EXPECT_EQ(env.now(), wall - kDayNs);
  EXPECT_EQ(env.monotonic(), monotonic);
}

// --- Trace ---------------------------------------------------------------------------------------

// Two workers write in the order that the seed decides; then the power goes.
uint64_t trace_of(uint64_t seed, std::string_view content = "x",
                  std::vector<std::string>* text = nullptr) {
  SimEnv env(seed);
  env.keep_trace();
  const auto file = std::move(*env.open("/a", OpenMode::kCreate));
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < 2; ++i) {
    workers.push_back(env.start_worker("worker", [&] { (void)file->write_at(0, content); }));
    workers.back()->notify();
  }
  EXPECT_TRUE(env.run_until_idle());
  (void)file->sync();
  env.crash(CrashMode::kRandom, seed);
  if (text != nullptr) *text = env.trace();
  return env.trace_hash();
}

TEST(SimTrace, TheSameRunHasTheSameHash) {
  EXPECT_EQ(trace_of(1), trace_of(1));
  EXPECT_NE(trace_of(1, "x"), trace_of(1, "y"));
  EXPECT_NE(trace_of(1), trace_of(2));
}

TEST(SimTrace, SaysWhatHappened) {
  std::vector<std::string> text;
  (void)trace_of(3, "x", &text);
  EXPECT_THAT(text, ElementsAre("1 create /a 0+0 00000000", "step worker",
                                "2 write /a 0+1 a93c5f93", "step worker", "3 write /a 0+1 a93c5f93",
                                "4 sync /a 0+0 00000000", "crash 2 3"));
}

}  // namespace
}  // namespace firn
