#include "env/parallel_tasks.h"

#include <gtest/gtest.h>

#include <atomic>

#include "env/sim_env.h"

namespace firn {
namespace {

std::vector<std::function<void()>> increments(std::vector<int>* counts) {
  std::vector<std::function<void()>> tasks;
  for (int& count : *counts) tasks.emplace_back([&count] { ++count; });
  return tasks;
}

TEST(ParallelTasks, EachRunsOnceAndIsDoneWhenFinishReturns) {
  ParallelTasks parallel(posix_env(), "test");
  for (size_t size : {0, 1, 2, 7, 100}) {
    std::vector<int> counts(size, 0);
    parallel.begin(increments(&counts));
    parallel.finish();
    EXPECT_EQ(counts, std::vector<int>(size, 1));
  }
}

TEST(ParallelTasks, TheWorkerRunsBesideTheCaller) {
  ParallelTasks parallel(posix_env(), "test");
  // Each of the two goes on only when the other has begun, so one thread alone would never end.
  std::atomic<int> begun = 0;
  const auto meet = [&] {
    ++begun;
    while (begun < 2) {
    }
  };
  parallel.begin({meet, meet});
  parallel.finish();
  EXPECT_EQ(begun, 2);
}

TEST(ParallelTasks, NothingBegunIsDone) {
  ParallelTasks parallel(posix_env(), "test");
  EXPECT_TRUE(parallel.is_done());
  parallel.finish();
}

TEST(ParallelTasks, IsNotDoneBeforeTheLastTaskIs) {
  ParallelTasks parallel(posix_env(), "test");
  std::atomic<bool> may_end = false;
  parallel.begin({[&] {
    while (!may_end) {
    }
  }});
  EXPECT_FALSE(parallel.is_done());
  may_end = true;
  parallel.finish();
  EXPECT_TRUE(parallel.is_done());
}

TEST(ParallelTasks, WithoutATurnForTheWorkerTheCallerDoesAll) {
  SimEnv env(1);
  ParallelTasks parallel(&env, "test");
  std::vector<int> counts(5, 0);
  parallel.begin(increments(&counts));
  parallel.finish();
  EXPECT_EQ(counts, std::vector<int>(5, 1));
  EXPECT_TRUE(env.run_until_idle());
  EXPECT_EQ(counts, std::vector<int>(5, 1));
}

TEST(ParallelTasks, WhatNobodyBeganIsNotRun) {
  std::vector<int> counts(5, 0);
  {
    SimEnv env(1);
    ParallelTasks parallel(&env, "test");
    parallel.begin(increments(&counts));
  }
  EXPECT_EQ(counts, std::vector<int>(5, 0));
}

}  // namespace
}  // namespace firn
