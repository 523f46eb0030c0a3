#include "base/id_set.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace firn {
namespace {

TEST(IdSet, HasWhatWasInserted) {
  std::mt19937_64 random(1);
  std::vector<Id> ids;
  for (int i = 0; i < 5000; ++i) ids.push_back(make_uuid7(random(), random(), random()));
  IdSet set;
  for (size_t i = 0; i < ids.size(); i += 2) EXPECT_TRUE(set.insert(ids[i]));
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(set.contains(ids[i]), i % 2 == 0);
  EXPECT_EQ(set.size(), ids.size() / 2);
  EXPECT_FALSE(set.insert(ids[0]));
}

TEST(IdSet, NeverHasTheZeroId) {
  IdSet set;
  EXPECT_FALSE(set.insert(Id{}));
  EXPECT_FALSE(set.contains(Id{}));
}

TEST(IdSet, IsEmptyAfterClear) {
  IdSet set;
  const Id id = make_uuid7(1, 2, 3);
  set.insert(id);
  set.clear();
  EXPECT_FALSE(set.contains(id));
  EXPECT_EQ(set.size(), 0u);
  EXPECT_TRUE(set.insert(id));
}

}  // namespace
}  // namespace firn
