#include "base/status.h"

#include <gtest/gtest.h>

#include <set>

namespace firn {
namespace {

Result<int> half_of(int value) {
  if (value % 2 != 0) return invalid_argument("odd");
  return value / 2;
}

Result<int> quarter_of(int value) {
  FIRN_ASSIGN(const int half, half_of(value));
  return half_of(half);
}

Status check_even(int value) {
  FIRN_TRY(half_of(value).status());
  return {};
}

TEST(Status, OkHasNoMessage) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().code(), StatusCode::kOk);
  EXPECT_EQ(Status().message(), "");
  EXPECT_EQ(Status().to_string(), "ok");
}

TEST(Status, SaysCodeAndMessage) {
  const Status status = not_found("no such chunk");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.to_string(), "not_found: no such chunk");
}

TEST(Status, ContextGoesInFrontAndKeepsTheCode) {
  EXPECT_EQ(io_error("read").with_context("a.db").to_string(), "io_error: a.db: read");
  EXPECT_TRUE(Status().with_context("a.db").ok());
}

TEST(Status, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(StatusCode::kInternal); ++code) {
    names.insert(status_code_name(static_cast<StatusCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(StatusCode::kInternal) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(Result, HoldsAValueOrTheReason) {
  EXPECT_EQ(*half_of(4), 2);
  EXPECT_TRUE(half_of(4).status().ok());
  EXPECT_EQ(half_of(3).status().code(), StatusCode::kInvalidArgument);
}

TEST(Result, MacrosLeaveWithTheFirstFailure) {
  EXPECT_EQ(*quarter_of(8), 2);
  EXPECT_FALSE(quarter_of(6).ok());
  EXPECT_FALSE(quarter_of(5).ok());
  EXPECT_TRUE(check_even(2).ok());
  EXPECT_FALSE(check_even(1).ok());
}

TEST(ResultDeathTest, TakingAValueThatIsNotThereStops) {
  EXPECT_DEATH(half_of(1).value(), "internal check failed");
}

}  // namespace
}  // namespace firn
