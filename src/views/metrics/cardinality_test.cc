#include "views/metrics/cardinality.h"

#include "views/metrics/test_metrics.h"

namespace firn {
namespace {

class CardinalityTest : public MetricsStoreTest {
 protected:
  static std::string series(int number) {
    std::string text = std::to_string(1000 + number);
    return std::string(32 - text.size(), '0') + text;
  }
  Cardinality count(const CardinalityQuery& query = {}) {
    auto found = count_series(*snapshot(), query, nullptr);
    EXPECT_TRUE(found.ok()) << found.status().to_string();
    return std::move(*found);
  }
  static std::vector<std::string> texts(const std::vector<CardinalityEntry>& entries) {
    std::vector<std::string> texts;
    for (const CardinalityEntry& entry : entries) {
      texts.push_back(entry.name + (entry.value.empty() ? "" : "=" + entry.value) + ":" +
                      std::to_string(entry.count));
    }
    return texts;
  }
};

using Texts = std::vector<std::string>;

TEST_F(CardinalityTest, ToldAreTheNamesLabelsAndPairsWithMostSeries) {
  // Hosts 10 to 14 and, with 10, the host of another series of the same label.
  std::vector<Sample> samples = {{kCpu, at(0), 1}, {kDisk, at(0), 1}};
  for (int i = 10; i < 15; ++i) samples.push_back({series(i), at(0), 1});
  samples.push_back({"1" + series(10).substr(1), at(0), 1});
  ASSERT_TRUE(write(samples).ok());
  const Cardinality found = count();
  EXPECT_EQ(found.series, 8u);
  EXPECT_EQ(texts(found.names), Texts({"temperature:6", "cpu:1", "disk:1"}));
  EXPECT_EQ(texts(found.labels), Texts({"host:7"}));
  EXPECT_EQ(texts(found.pairs).front(), "host=10:2");
  EXPECT_EQ(found.pairs.size(), 7u);
  EXPECT_EQ(found.names_error + found.pairs_error, 0u);
}

TEST_F(CardinalityTest, ASeriesCountsOnceHoweverOftenItWasDefined) {
  ASSERT_TRUE(write({{kCpu, at(0), 1}, {kCpu, at(0) + kDayNs, 1}}).ok());
  restart();
  ASSERT_TRUE(write({{kCpu, at(1), 1}}).ok());
  EXPECT_EQ(count().series, 1u);
  EXPECT_EQ(texts(count().names), Texts({"cpu:1"}));
}

TEST_F(CardinalityTest, TheRangeChoosesChunkIntervals) {
  ASSERT_TRUE(write({{kCpu, at(0), 1}, {kDisk, at(0) + kDayNs, 1}}).ok());
  EXPECT_EQ(count().series, 2u);
  CardinalityQuery query;
  query.time = {at(500), at(501)};
  EXPECT_EQ(texts(count(query).names), Texts({"cpu:1"}));
}

TEST_F(CardinalityTest, MoreSeriesThanThereIsMemoryForAreRefused) {
  ASSERT_TRUE(write({{kCpu, at(0), 1}, {kDisk, at(0), 1}}).ok());
  CardinalityQuery query;
  query.series_max = 1;
  EXPECT_EQ(count_series(*snapshot(), query, nullptr).status().code(), StatusCode::kTooLarge);
}

TEST(TopCounterTest, TheFrequentOnesAreFoundAmongMoreThanAreCounted) {
  TopCounter counter(100);
  for (uint64_t i = 0; i < 10'000; ++i) {
    counter.add(1'000'000 + i, "rare", "");
    if (i % 10 == 0) counter.add(1, "often", "");
    if (i % 20 == 0) counter.add(2, "now and then", "");
  }
  const auto top = counter.top(2);
  EXPECT_EQ(top[0].name, "often");
  EXPECT_EQ(top[1].name, "now and then");
  EXPECT_GE(top[0].count, 1000u);
  EXPECT_LE(top[0].count, 1000 + counter.error());
  EXPECT_LE(counter.error(), 11'500u / 100);
}

TEST(DistinctCounterTest, FewAreExactAndManyWithinSomePercent) {
  uint64_t state = 1;
  const auto next = [&state] {  // splitmix64
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  };
  DistinctCounter counter;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t hash = next();
    counter.add(hash);
    counter.add(hash);
  }
  EXPECT_EQ(counter.count(), 1000u);
  for (int i = 1000; i < 200'000; ++i) counter.add(next());
  EXPECT_NEAR(static_cast<double>(counter.count()), 200'000, 200'000 * 0.1);
}

}  // namespace
}  // namespace firn
