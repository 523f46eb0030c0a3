#include "tier/object/retry.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(RetryPause, ItsLimitDoublesUpToTheGreatest) {
  const RetryOptions options;
  const DurationNs limits[] = {100, 200, 400, 800, 1600, 3200, 6400, 10'000, 10'000};
  for (uint32_t failed = 1; failed <= 9; ++failed) {
    const DurationNs limit = limits[failed - 1] * kMillisecondNs;
    EXPECT_EQ(retry_pause(options, failed, static_cast<uint64_t>(limit)), limit);
    EXPECT_EQ(retry_pause(options, failed, static_cast<uint64_t>(limit) + 1), 0);
  }
  EXPECT_LE(retry_pause(options, UINT32_MAX, UINT64_MAX), options.pause_max_ns);
}

TEST(RetryPause, UsesTheWholeRange) {
  const RetryOptions options;
  int early = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    early += retry_pause(options, 1, i * 0x9e3779b97f4a7c15) < 50 * kMillisecondNs ? 1 : 0;
  }
  EXPECT_GT(early, 400);
  EXPECT_LT(early, 600);
}

TEST(IsRetryableAnswer, IsWhatMayPass) {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    EXPECT_TRUE(is_retryable_answer(status, "")) << status;
  }
  EXPECT_TRUE(is_retryable_answer(400, "RequestTimeout"));
  EXPECT_TRUE(is_retryable_answer(409, "ConditionalRequestConflict"));
}

TEST(IsRetryableAnswer, IsNoRefusal) {
  for (const int status : {301, 307, 400, 403, 404, 405, 409, 412, 416, 501, 507}) {
    EXPECT_FALSE(is_retryable_answer(status, "AccessDenied")) << status;
  }
}

}  // namespace
}  // namespace firn
