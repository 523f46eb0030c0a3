#include "store/series_limit.h"

#include <thread>

#include "views/metrics/test_metrics.h"

namespace firn {
namespace {

class SeriesLimitTest : public MetricsStoreTest {
 protected:
  void SetUp() override {
    change_options_ = [](StoreOptions* options) { options->series_limit = 4; };
    MetricsStoreTest::SetUp();
  }

  static std::string series(int number) {
    std::string text = std::to_string(100 + number);
    return std::string(32 - text.size(), '0') + text;
  }
  // A sample of each series from `first` to before `end`.
  Status write_series(int first, int end, TimeNs time = at(0)) {
    std::vector<Sample> samples;
    for (int i = first; i < end; ++i) samples.push_back({series(i), time, 1});
    return write(samples);
  }
  size_t stored(Dataset dataset = Dataset::kSamples) { return snapshot()->published(dataset); }
};

TEST_F(SeriesLimitTest, ABatchThatWouldDefineTooManyIsRefusedWhole) {
  ASSERT_TRUE(write_series(0, 3).ok());
  const Status refused = write_series(2, 5);
  EXPECT_EQ(refused.code(), StatusCode::kSeriesLimit);
  for (const char* part :
       {"'default' has 3 series", "series_limit is 4", "would add 2", "metrics/cardinality"}) {
    EXPECT_NE(refused.message().find(part), std::string::npos) << refused.message();
  }
  EXPECT_EQ(stored(), 3u);
  EXPECT_EQ(stored(Dataset::kSeries), 3u);
}

TEST_F(SeriesLimitTest, KnownSeriesGoOnAtTheLimit) {
  ASSERT_TRUE(write_series(0, 4).ok());
  EXPECT_EQ(write_series(4, 5).code(), StatusCode::kSeriesLimit);
  EXPECT_TRUE(write_series(0, 4, at(1)).ok());
  restart();
  EXPECT_TRUE(write_series(0, 4, at(2)).ok()) << "known from what is stored";
  EXPECT_EQ(write_series(4, 5).code(), StatusCode::kSeriesLimit);
}

TEST_F(SeriesLimitTest, DefinitionsThatAreWrittenAgainCountOnce) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(write_series(0, 3).ok());
    restart();  // forgets what is known
  }
  EXPECT_TRUE(write_series(3, 4).ok());
  EXPECT_EQ(write_series(4, 5).code(), StatusCode::kSeriesLimit);
}

TEST_F(SeriesLimitTest, EachChunkIntervalHasItsOwnPlaces) {
  ASSERT_TRUE(write_series(0, 4).ok());
  EXPECT_TRUE(write_series(4, 8, at(0) + kDayNs).ok());
  EXPECT_EQ(write_series(8, 9, at(0) + kDayNs).code(), StatusCode::kSeriesLimit);
}

TEST_F(SeriesLimitTest, OneIntervalThatIsFullRefusesABatchOfTwo) {
  ASSERT_TRUE(write_series(0, 4).ok());
  EXPECT_EQ(write({{series(9), at(0), 1}, {series(9), at(0) + kDayNs, 1}}).code(),
            StatusCode::kSeriesLimit);
  EXPECT_EQ(stored(), 4u);
  EXPECT_TRUE(write_series(4, 8, at(0) + kDayNs).ok()) << "its places are free";
}

TEST_F(SeriesLimitTest, DroppedSeriesFreeTheirPlaces) {
  ASSERT_TRUE(write_series(0, 4).ok());
  ASSERT_EQ(write_series(4, 5).code(), StatusCode::kSeriesLimit);
  ASSERT_TRUE(flush().ok());
  for (const Dataset dataset : {Dataset::kSamples, Dataset::kSeries}) {
    std::vector<std::string> names;
    for (const SnapshotChunk& chunk : snapshot()->chunks(dataset, Filter{})) {
      names.push_back(chunk.key.name());
    }
    ASSERT_TRUE(command(ChunkAction::kDrop, names).status.ok());
  }
  EXPECT_TRUE(write_series(4, 8).ok());
  EXPECT_EQ(write_series(0, 1).code(), StatusCode::kSeriesLimit);
}

TEST_F(SeriesLimitTest, ANamespaceMayHaveAnotherLimitThatStays) {
  ASSERT_TRUE(store_->set_series_limit("default", 6).ok());
  ASSERT_TRUE(write_series(0, 6).ok());
  restart();
  EXPECT_EQ(store_->find_namespace("default")->series_limit, 6u);
  EXPECT_EQ(write_series(6, 7).code(), StatusCode::kSeriesLimit);
  ASSERT_TRUE(store_->set_series_limit("default", 0).ok());
  EXPECT_EQ(write_series(6, 7).code(), StatusCode::kSeriesLimit);
  ASSERT_TRUE(store_->set_series_limit("default", 7).ok());
  EXPECT_TRUE(write_series(6, 7).ok());
  EXPECT_EQ(store_->set_series_limit("default", UINT64_MAX).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->set_series_limit("none", 1).status().code(), StatusCode::kNotFound);
}

TEST_F(SeriesLimitTest, AnEmptiedNamespaceKeepsItsLimitAndHasAllPlaces) {
  ASSERT_TRUE(store_->set_series_limit("default", 2).ok());
  ASSERT_TRUE(write_series(0, 2).ok());
  ASSERT_TRUE(store_->clear_namespace("default").ok());
  restart();
  EXPECT_TRUE(write_series(2, 4).ok());
  EXPECT_EQ(write_series(4, 5).code(), StatusCode::kSeriesLimit);
}

TEST_F(SeriesLimitTest, WritersBesideEachOtherFillItExactly) {
  constexpr int kThreads = 4, kSeries = 40, kLimit = 100;
  ASSERT_TRUE(store_->set_series_limit("default", kLimit).ok());
  std::atomic<int> admitted{0}, refused{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kSeries; ++i) {
        // Each series is brought by two threads.
        const int number = (thread / 2) * kSeries * 2 + (thread % 2 == 0 ? i : kSeries - 1 - i);
        const Status status = write_series(number, number + 1);
        if (status.ok()) ++admitted;
        if (status.code() == StatusCode::kSeriesLimit) ++refused;
        const Status own = write_series(1000 + thread * kSeries + i, 1001 + thread * kSeries + i);
        if (own.ok()) ++admitted;
        if (own.code() == StatusCode::kSeriesLimit) ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted + refused, kThreads * kSeries * 2);
  SeriesQuery query;
  query.limit = 1000;
  const auto found = find_series(*snapshot(), query, nullptr);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->series.size(), static_cast<size_t>(kLimit)) << "neither more nor a place left";
}

}  // namespace
}  // namespace firn
