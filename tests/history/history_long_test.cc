// As history_test.cc, for a minute. Slow: scripts/test --all.

#include <gtest/gtest.h>

#include "tests/history/history_run.h"

namespace firn {
namespace {

TEST(HistoryLong, ThreadsOnARealDiskSeeOneOrder) {
  const HistoryPlan plan{.seed = 17, .duration_ns = 60 * kSecondNs};
  const Judgement judgement = judge_history(run_history(plan));
  std::printf("%s\n", judgement.line(plan.seed).c_str());
  for (const std::string& example : judgement.examples) ADD_FAILURE() << example;
  EXPECT_TRUE(judgement.is_clean());
  EXPECT_GT(judgement.acked_events, 100u);
}

}  // namespace
}  // namespace firn
