#include "server/memory_budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <utility>

namespace firn {
namespace {

TEST(MemoryBudget, SharesNeverExceedIt) {
  MemoryBudget budget(100);
  auto first = budget.take(60, 0);
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(budget.take(41, 0).has_value());
  EXPECT_TRUE(budget.take(40, 0).has_value());
  EXPECT_EQ(budget.bytes_used(), 60u);
}

TEST(MemoryBudget, AShareGrowsOnlyWithinIt) {
  MemoryBudget budget(100);
  auto first = budget.take(10, 0);
  auto second = budget.take(50, 0);
  EXPECT_FALSE(first->resize(51));
  EXPECT_EQ(first->bytes(), 10u);
  EXPECT_TRUE(first->resize(50));
  EXPECT_TRUE(second->resize(0));
  EXPECT_EQ(budget.bytes_used(), 50u);
}

TEST(MemoryBudget, WhoWantsMoreThanThereIsGetsAllOfIt) {
  MemoryBudget budget(100);
  EXPECT_EQ(budget.take(1000, 0)->bytes(), 100u);
}

TEST(MemoryBudget, AMovedShareIsReturnedOnce) {
  MemoryBudget budget(100);
  {
    auto first = budget.take(60, 0);
    MemoryBudget::Share second = std::move(*first);
    first.reset();
    EXPECT_EQ(budget.bytes_used(), 60u);
  }
  EXPECT_EQ(budget.bytes_used(), 0u);
}

TEST(MemoryBudget, AShareTakesOverAnother) {
  MemoryBudget budget(100);
  {
    MemoryBudget::Share all;
    all.add(std::move(*budget.take(20, 0)));
    all.add(std::move(*budget.take(30, 0)));
    all.add(MemoryBudget::Share());
    EXPECT_EQ(all.bytes(), 50u);
    EXPECT_EQ(budget.bytes_used(), 50u);
  }
  EXPECT_EQ(budget.bytes_used(), 0u);
}

TEST(MemoryBudget, AWaiterGetsWhatIsReturned) {
  MemoryBudget budget(100);
  auto first = budget.take(100, 0);
  std::thread returns([&] { first.reset(); });
  EXPECT_TRUE(budget.take(100, 20 * kSecondNs).has_value());
  returns.join();
}

TEST(MemoryBudget, AWaiterMayGiveUp) {
  MemoryBudget budget(100);
  const auto first = budget.take(100, 0);
  EXPECT_FALSE(budget.take(1, kHourNs, [] { return true; }).has_value());
}

}  // namespace
}  // namespace firn
