#include "views/metrics/metric_append.h"

#include <thread>

#include "views/metrics/test_metrics.h"

namespace firn {
namespace {

class MetricAppendTest : public MetricsStoreTest {
 protected:
  KnownSeries& known() { return store_->known_series(); }
  // Brings along the definitions of `defined` only.
  Status write_known(const std::vector<Sample>& samples, const std::vector<Sample>& defined,
                     uint64_t epoch) {
    NewSamples added = batches(samples);
    added.definitions = defined.empty() ? nullptr : batches(defined).definitions;
    added.known_epoch = epoch;
    return write_batches(std::move(added));
  }
  uint64_t stored(Dataset dataset) { return snapshot()->published(dataset); }
  void drop_all(Dataset dataset) {
    std::vector<std::string> names;
    for (const SnapshotChunk& chunk : snapshot()->chunks(dataset, Filter{})) {
      names.push_back(chunk.key.name());
    }
    if (!names.empty()) (void)command(ChunkAction::kDrop, names);
  }
  size_t points_by_name(const std::string& name) {
    PointQuery query;
    query.match.name = name;
    query.limit = 100;
    const auto page = read_points(*snapshot(), query, QueryGuard());
    return page.ok() ? page->points.size() : 0;
  }
};

TEST_F(MetricAppendTest, WhatIsKnownNeedsNoDefinition) {
  ASSERT_TRUE(write({{kCpu, at(0), 1}}).ok());
  const uint64_t epoch = known().epoch();
  EXPECT_TRUE(write_known({{kCpu, at(1), 2}}, {}, epoch).ok());
  EXPECT_TRUE(write_known({{kCpu, at(2), 2}, {kDisk, at(2), 2}}, {{kDisk}}, epoch).ok());
  EXPECT_EQ(stored(Dataset::kSamples), 4u);
  EXPECT_EQ(stored(Dataset::kSeries), 2u);
}

TEST_F(MetricAppendTest, ADefinitionIsWrittenForEachIntervalThatLacksIt) {
  ASSERT_TRUE(write({{kCpu, at(0), 1}}).ok());
  const std::vector<Sample> samples = {
      {kCpu, at(1), 2}, {kDisk, at(1), 1}, {kDisk, at(0) + kDayNs, 1}};
  EXPECT_TRUE(write_known(samples, {{kDisk}}, known().epoch()).ok());
  EXPECT_EQ(stored(Dataset::kSeries), 3u);
}

TEST_F(MetricAppendTest, WhatWasDroppedMeanwhileHasToBeSentAgain) {
  ASSERT_TRUE(write({{kCpu, at(0), 1}}).ok());
  const uint64_t epoch = known().epoch();
  known().forget(space_, interval_start(at(0), store_->options().chunk_interval_ns));
  for (const bool all : {false, true}) {
    const Status status =
        write_known({{kCpu, at(1), 2}, {kDisk, at(1), 2}},
                    all ? std::vector<Sample>{{kDisk}} : std::vector<Sample>(), epoch);
    EXPECT_EQ(status.code(), StatusCode::kOutcomeUnknown);
    EXPECT_NE(status.message().find("send the samples again"), std::string::npos);
  }
  EXPECT_TRUE(write({{kCpu, at(1), 2}}).ok());
}

TEST_F(MetricAppendTest, OtherIntervalsThatWereDroppedDoNotMatter) {
  ASSERT_TRUE(write({{kCpu, at(0), 1}}).ok());
  const uint64_t epoch = known().epoch();
  known().forget(space_, interval_start(at(0), store_->options().chunk_interval_ns) + kDayNs);
  known().forget(space_ + 1, interval_start(at(0), store_->options().chunk_interval_ns));
  EXPECT_TRUE(write_known({{kCpu, at(1), 2}}, {}, epoch).ok());
}

TEST_F(MetricAppendTest, WhatIsAcknowledgedWhileDefinitionsAreDroppedIsFoundByItsName) {
  int acknowledged = 0;
  for (int round = 0; round < 12; ++round) {
    ASSERT_TRUE(write({{kCpu, at(0), 1}}).ok());
    ASSERT_TRUE(flush().ok());
    drop_all(Dataset::kSamples);
    ASSERT_EQ(points_by_name("cpu"), 0u);
    const uint64_t epoch = known().epoch();
    std::thread dropping([this] { drop_all(Dataset::kSeries); });
    const Status status = write_known({{kCpu, at(1), 2}}, {}, epoch);
    dropping.join();
    if (!status.ok()) {
      ASSERT_EQ(status.code(), StatusCode::kOutcomeUnknown);
      ASSERT_TRUE(write({{kCpu, at(1), 2}}).ok());
    } else {
      ++acknowledged;
    }
    ASSERT_EQ(points_by_name("cpu"), 1u) << "round " << round;
    ASSERT_TRUE(flush().ok());
    drop_all(Dataset::kSamples);
    drop_all(Dataset::kSeries);
  }
  RecordProperty("acknowledged", acknowledged);
}

}  // namespace
}  // namespace firn
