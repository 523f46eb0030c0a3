#include "base/recent_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace firn {
namespace {

using Cache = RecentCache<int, std::string>;

TEST(RecentCache, KeepsWhatWasUsedLast) {
  Cache cache(30);
  for (int key = 1; key <= 3; ++key) cache.put(key, std::to_string(key), 10);
  EXPECT_EQ(cache.find(1), "1");
  cache.put(4, "4", 10);
  EXPECT_EQ(cache.find(2), std::nullopt);
  EXPECT_EQ(cache.find(1), "1");
  EXPECT_EQ(cache.find(4), "4");
}

TEST(RecentCache, ALargeValueTakesThePlaceOfAll) {
  Cache cache(30);
  cache.put(1, "1", 10);
  cache.put(2, "2", 40);
  EXPECT_EQ(cache.find(1), std::nullopt);
  EXPECT_EQ(cache.find(2), "2");
  cache.put(3, "3", 10);
  EXPECT_EQ(cache.find(2), std::nullopt);
}

TEST(RecentCache, AReplacedOrErasedValueGivesItsBytesBack) {
  Cache cache(30);
  for (int i = 0; i < 5; ++i) cache.put(1, std::to_string(i), 20);
  cache.put(2, "2", 10);
  EXPECT_EQ(cache.find(1), "4");
  cache.erase(1);
  cache.put(3, "3", 20);
  EXPECT_EQ(cache.find(2), "2");
  EXPECT_EQ(cache.find(1), std::nullopt);
}

}  // namespace
}  // namespace firn
