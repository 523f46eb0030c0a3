#include "env/sqlite_locks.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

constexpr auto kNone = SqliteLockLevel::kNone;
constexpr auto kShared = SqliteLockLevel::kShared;
constexpr auto kReserved = SqliteLockLevel::kReserved;
constexpr auto kPending = SqliteLockLevel::kPending;
constexpr auto kExclusive = SqliteLockLevel::kExclusive;

class SqliteLocks : public ::testing::Test {
 protected:
  using Holder = SqliteShared::Holder;
  bool lock(Holder* holder, SqliteLockLevel level) { return shared_.lock(holder, level); }
  void unlock(Holder* holder, SqliteLockLevel level) { shared_.unlock(holder, level); }
  bool share(Holder* holder, int slot) { return shared_.lock_slots(holder, slot, 1, false); }
  bool exclude(Holder* holder, int first, int count) {
    return shared_.lock_slots(holder, first, count, true);
  }
  char* region(Holder* holder, size_t index, bool extend) {
    return static_cast<char*>(shared_.index_region(holder, index, 100, extend));
  }

  SqliteShared shared_{"db"};
  Holder a_;
  Holder b_;
  Holder c_;
};

TEST_F(SqliteLocks, ManyRead) {
  EXPECT_TRUE(lock(&a_, kShared));
  EXPECT_TRUE(lock(&b_, kShared));
  EXPECT_FALSE(shared_.reserved());
}

TEST_F(SqliteLocks, OneMayReserveWhileOthersReadAndBegin) {
  ASSERT_TRUE(lock(&a_, kShared));
  ASSERT_TRUE(lock(&b_, kShared));
  EXPECT_TRUE(lock(&a_, kReserved));
  EXPECT_TRUE(shared_.reserved());
  EXPECT_FALSE(lock(&b_, kReserved));
  EXPECT_TRUE(lock(&c_, kShared));
}

TEST_F(SqliteLocks, AWaitingWriterKeepsNewReadersOut) {
  ASSERT_TRUE(lock(&a_, kShared) && lock(&a_, kReserved) && lock(&b_, kShared));
  EXPECT_FALSE(lock(&a_, kExclusive));
  EXPECT_EQ(a_.level, kPending);
  EXPECT_FALSE(lock(&c_, kShared));
  unlock(&b_, kNone);
  EXPECT_TRUE(lock(&a_, kExclusive));
}

TEST_F(SqliteLocks, ExclusiveMeansAlone) {
  ASSERT_TRUE(lock(&a_, kShared) && lock(&a_, kReserved) && lock(&a_, kExclusive));
  EXPECT_FALSE(lock(&b_, kShared));
  unlock(&a_, kShared);
  EXPECT_TRUE(lock(&b_, kShared));
  EXPECT_FALSE(shared_.reserved());
}

TEST_F(SqliteLocks, TwoThatRollBackAJournalDoNotBlockEachOtherForEver) {
  ASSERT_TRUE(lock(&a_, kShared) && lock(&b_, kShared));
  EXPECT_FALSE(lock(&a_, kExclusive));
  EXPECT_FALSE(lock(&b_, kExclusive));
  EXPECT_EQ(a_.level, kShared);
  unlock(&b_, kNone);
  EXPECT_TRUE(lock(&a_, kExclusive));
}

TEST_F(SqliteLocks, NobodyPassesAReservedLock) {
  ASSERT_TRUE(lock(&a_, kShared) && lock(&a_, kReserved) && lock(&b_, kShared));
  EXPECT_FALSE(lock(&b_, kExclusive));
  EXPECT_EQ(b_.level, kShared);
}

TEST_F(SqliteLocks, SlotsAreSharedOrExclusive) {
  EXPECT_TRUE(share(&a_, 3));
  EXPECT_TRUE(share(&b_, 3));
  EXPECT_FALSE(exclude(&c_, 3, 1));
  EXPECT_TRUE(exclude(&c_, 4, 1));
  EXPECT_FALSE(share(&a_, 4));
  shared_.unlock_slots(&a_, 3, 1);
  EXPECT_FALSE(exclude(&c_, 3, 1));
  shared_.unlock_slots(&b_, 3, 1);
  EXPECT_TRUE(exclude(&c_, 3, 1));
}

TEST_F(SqliteLocks, ARangeOfSlotsIsTakenWholeOrNotAtAll) {
  ASSERT_TRUE(share(&a_, 5));
  EXPECT_FALSE(exclude(&b_, 3, 5));
  EXPECT_TRUE(share(&c_, 4));
}

TEST_F(SqliteLocks, RegionsAreZeroSharedAndStayInPlace) {
  EXPECT_EQ(region(&a_, 0, false), nullptr);
  char* first = region(&a_, 0, true);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(std::string_view(first, 100), std::string(100, '\0'));
  first[7] = 'x';
  ASSERT_NE(region(&b_, 50, true), nullptr);
  EXPECT_EQ(region(&b_, 0, false), first);
  EXPECT_EQ(first[7], 'x');
}

TEST_F(SqliteLocks, TheLastUserTakesTheIndexAlong) {
  region(&a_, 0, true)[0] = 'x';
  ASSERT_NE(region(&b_, 0, false), nullptr);
  ASSERT_TRUE(exclude(&a_, 0, 8));
  shared_.leave_index(&a_);
  EXPECT_TRUE(exclude(&b_, 0, 8)) << "leaving gives the locks back";
  EXPECT_EQ(region(&b_, 0, false)[0], 'x');
  shared_.leave_index(&b_);
  EXPECT_EQ(region(&c_, 0, false), nullptr);
}

}  // namespace
}  // namespace firn
