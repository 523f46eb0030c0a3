#include "wire/series_cache.h"

#include <gtest/gtest.h>

#include <string>

#include "base/hash.h"
#include "base/size.h"

namespace firn {
namespace {

Id id_of(int number) { return hash_bytes_128(std::to_string(number)); }

const Id kMetric = id_of(1), kOther = id_of(2);

struct Found : CachedSeries {
  bool is_known = false;
};
Found find(const SeriesCache& cache, const Id& metric, int number, uint32_t next = 0) {
  Found found;
  SeriesCache::Hint hint;
  hint.next.fill(next);
  found.is_known = cache.find(metric, id_of(number), &hint, &found);
  return found;
}

TEST(SeriesCache, FindsWhatWasAddedWhereverTheSearchBegins) {
  SeriesCache cache(2 * kMiB);
  for (int i = 0; i < 2000; ++i) {
    cache.add(i % 2 == 0 ? kMetric : kOther, id_of(i),
              {id_of(-i), "{" + std::to_string(i) + "}", std::to_string(i)});
  }
  for (int i = 0; i < 2000; ++i) {
    for (const int next : {0, i / 2, i / 2 + 1, 5000}) {
      const Found found =
          find(cache, i % 2 == 0 ? kMetric : kOther, i, static_cast<uint32_t>(next));
      ASSERT_TRUE(found.is_known);
      EXPECT_EQ(found.series, id_of(-i));
      EXPECT_EQ(found.labels, "{" + std::to_string(i) + "}");
      EXPECT_EQ(found.name, std::to_string(i));
    }
  }
  EXPECT_FALSE(find(cache, kMetric, 2000).is_known);
  EXPECT_FALSE(find(SeriesCache(kMiB), kMetric, 1).is_known);
}

TEST(SeriesCache, FindsNeighboursOfTwoRequestsThatCameTogether) {
  SeriesCache cache(kMiB);
  for (int i = 0; i < 100; ++i) {
    cache.add(kMetric, id_of(i), {id_of(-i), "of one", ""});
    cache.add(kMetric, id_of(1000 + i), {id_of(-1000 - i), "of the other", ""});
  }
  SeriesCache::Hint hint;
  CachedSeries found;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(cache.find(kMetric, id_of(i), &hint, &found));
    EXPECT_EQ(found.series, id_of(-i));
    EXPECT_EQ(found.labels, "of one");
  }
  EXPECT_TRUE(cache.find(kMetric, id_of(1000), &hint, &found));
  EXPECT_EQ(found.labels, "of the other");
}

TEST(SeriesCache, RemembersForWhichIntervalASeriesIsKnown) {
  SeriesCache cache(kMiB);
  for (int i = 0; i < 100; ++i) cache.add(kMetric, id_of(i), {id_of(-i), "", ""});
  SeriesCache::Hint hint;
  CachedSeries found;
  ASSERT_TRUE(cache.find(kMetric, id_of(50), &hint, &found));
  EXPECT_EQ(found.known_stamp, 0u);
  cache.set_known(kMetric, id_of(50), hint, 7);
  cache.set_known(kMetric, id_of(51), hint, 9);  // not the one found
  cache.set_known(kMetric, id_of(50), SeriesCache::Hint(), 9);
  EXPECT_EQ(find(cache, kMetric, 50).known_stamp, 7u);
  EXPECT_EQ(find(cache, kMetric, 49).known_stamp, 0u);
  EXPECT_EQ(find(cache, kMetric, 51).known_stamp, 0u);
}

TEST(SeriesCache, StaysWithinItsBytes) {
  constexpr uint64_t kBytes = 256 * kKiB;
  SeriesCache cache(kBytes);
  for (int i = 0; i < 20'000; ++i) {
    cache.add(id_of(i % 100), id_of(i), {id_of(-i), std::string(100, 'x'), ""});
    // Its vectors grow by doubling.
    if (i % 100 == 0) {
      ASSERT_LE(cache.bytes(), 3 * kBytes);
    }
  }
  EXPECT_TRUE(find(cache, id_of(99), 19'999).is_known);
}

}  // namespace
}  // namespace firn
