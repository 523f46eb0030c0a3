#include <gtest/gtest.h>

#include "store/test_store.h"
#include "views/metrics/metric_append.h"
#include "views/metrics/metric_reads.h"

namespace firn {
namespace {

const std::string kCpu = "0000000000000000000000000000000a";
const std::string kDisk = "0000000000000000000000000000000b";

class MetricsTest : public StoreTest {
 protected:
  struct Sample {
    std::string series;
    TimeNs time;
    double value;
  };

  NewSamples batches(const std::vector<Sample>& samples) const {
    BatchBuilder rows(Dataset::kSamples), definitions(Dataset::kSeries);
    for (const Sample& sample : samples) {
      EventRow row;
      row.series = sample.series;
      row.time = sample.time;
      row.value = Float64::of(sample.value);
      rows.add(row);
    }
    for (const std::string& series : {kCpu, kDisk}) {
      EventRow row;
      row.series = series;
      row.name = series == kCpu ? "cpu" : "disk";
      row.type = "gauge";
      row.labels = series == kCpu ? R"({"host":"a"})" : R"({"host":"b"})";
      definitions.add(row);
    }
    return {rows.finish(), definitions.finish()};
  }

  Status write(const std::vector<Sample>& samples) {
    Mutex mutex;
    CondVar changed;
    std::optional<Status> outcome;
    append_samples(store_.get(), space_, batches(samples), [&](const Result<AppendResult>& result) {
      MutexLock lock(&mutex);
      outcome = result.status();
      changed.notify_all();
    });
    MutexLock lock(&mutex);
    while (!outcome) changed.wait(&mutex);
    return *outcome;
  }

  // "time in seconds behind kDay:value".
  std::vector<std::string> points(const std::string& series, TimeRange time = {},
                                  uint32_t limit = 1000) {
    const auto page = read_points(**store_->snapshot(space_),
                                  {.series = series, .time = time, .limit = limit}, QueryGuard());
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    std::vector<std::string> texts;
    for (const Point& point : page->points) {
      texts.push_back(std::to_string((point.time - kDay) / kSecondNs) + ":" +
                      std::to_string(static_cast<int>(point.value.value())));
    }
    if (page->next) texts.push_back("next " + std::to_string((*page->next - kDay) / kSecondNs));
    return texts;
  }
  std::vector<std::string> names(const SeriesQuery& query = {}) {
    const auto page = find_series(**store_->snapshot(space_), query, QueryGuard());
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    std::vector<std::string> texts;
    for (const Series& series : page->series) texts.push_back(series.name);
    if (page->has_more) texts.emplace_back("more");
    return texts;
  }
  uint64_t rows(Dataset dataset) {
    uint64_t count = 0;
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    for (const SnapshotChunk& chunk : snapshot->chunks(dataset, Filter{})) {
      count += chunk.stats.rows;
    }
    return count;
  }
  static TimeNs at(int64_t seconds) { return kDay + seconds * kSecondNs; }
};

using Texts = std::vector<std::string>;

TEST_F(MetricsTest, TheLastWriteWinsInEveryTierAndAcrossThem) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(2), 2}, {kDisk, at(1), 5}}).ok());
  EXPECT_EQ(points(kCpu), (Texts{"1:1", "2:2"}));
  EXPECT_TRUE(flush().ok());
  EXPECT_TRUE(move().ok());
  ASSERT_TRUE(write({{kCpu, at(2), 20}}).ok());
  EXPECT_EQ(points(kCpu), (Texts{"1:1", "2:20"}));
  EXPECT_TRUE(flush().ok());
  ASSERT_TRUE(write({{kCpu, at(1), 10}, {kCpu, at(1), 11}}).ok());
  EXPECT_EQ(points(kCpu), (Texts{"1:11", "2:20"}));
  restart();
  EXPECT_EQ(points(kCpu), (Texts{"1:11", "2:20"}));
  EXPECT_TRUE(flush().ok());
  EXPECT_TRUE(move().ok());
  EXPECT_EQ(points(kCpu), (Texts{"1:11", "2:20"}));
  EXPECT_EQ(points(kDisk), (Texts{"1:5"}));
}

TEST_F(MetricsTest, PagesOfPointsGoOnAcrossChunks) {
  std::vector<Sample> samples;
  for (int day = 0; day < 3; ++day) {
    for (int i = 0; i < 3; ++i) samples.push_back({kCpu, at(day * 86'400 + i), 1.0 * i});
  }
  ASSERT_TRUE(write(samples).ok());
  EXPECT_EQ(points(kCpu, {}, 2), (Texts{"0:0", "1:1", "next 2"}));
  EXPECT_EQ(points(kCpu, {at(2), INT64_MAX}, 2), (Texts{"2:2", "86400:0", "next 86401"}));
  EXPECT_EQ(points(kCpu, {at(86'401), at(172'801)}), (Texts{"86401:1", "86402:2", "172800:0"}));
}

TEST_F(MetricsTest, SeriesAreDefinedOncePerIntervalAndFoundByNameAndLabel) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(1), 1}}).ok());
  ASSERT_TRUE(write({{kCpu, at(2), 1}, {kDisk, at(2), 1}}).ok());
  EXPECT_EQ(rows(Dataset::kSeries), 2u);
  ASSERT_TRUE(write({{kCpu, at(86'400), 1}}).ok());
  EXPECT_EQ(rows(Dataset::kSeries), 3u);
  EXPECT_EQ(names(), (Texts{"cpu", "disk"}));
  EXPECT_EQ(names({.time = {at(86'400), INT64_MAX}, .name = "", .labels = {}, .after = ""}),
            (Texts{"cpu"}));
  EXPECT_EQ(names({.time = {}, .name = "disk", .labels = {}, .after = ""}), (Texts{"disk"}));
  EXPECT_EQ(names({.time = {}, .name = "", .labels = {{"host", "a"}}, .after = ""}),
            (Texts{"cpu"}));
  EXPECT_EQ(names({.time = {}, .name = "", .labels = {}, .after = "", .limit = 1}),
            (Texts{"cpu", "more"}));
  EXPECT_EQ(names({.time = {}, .name = "", .labels = {}, .after = kCpu}), (Texts{"disk"}));
}

TEST_F(MetricsTest, EventsAndSamplesCountTheirPositionsApart) {
  ASSERT_TRUE(append({{.data = "1"}}).ok());
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(2), 1}}).ok());
  const auto second = append({{.data = "2"}});
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->first_position, 2u);
  EXPECT_TRUE(flush().ok());
  restart();
  EXPECT_EQ(append({{.data = "3"}})->first_position, 3u);
  ASSERT_TRUE(write({{kCpu, at(3), 1}}).ok());
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  EXPECT_EQ(snapshot->published(Dataset::kSamples), 3u);
  EXPECT_EQ(snapshot->published(), 3u);
}

TEST_F(MetricsTest, DefinitionsStayAsLongAsSamplesOfTheirIntervalDo) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}}).ok());
  EXPECT_TRUE(flush().ok());
  std::string samples, series;
  const SnapshotPtr before = *store_->snapshot(space_);
  for (const SnapshotChunk& chunk : before->chunks(Dataset::kSamples, Filter{})) {
    samples = chunk.key.name();
  }
  for (const SnapshotChunk& chunk : before->chunks(Dataset::kSeries, Filter{})) {
    series = chunk.key.name();
  }
  EXPECT_EQ(command(ChunkAction::kDrop, {series}).status.code(), StatusCode::kConflict);
  EXPECT_EQ(names(), (Texts{"cpu"}));
  ASSERT_TRUE(command(ChunkAction::kDrop, {samples, series}).status.ok());
  EXPECT_EQ(names(), Texts{});
  // What was known of the interval is forgotten with it.
  ASSERT_TRUE(write({{kCpu, at(2), 2}}).ok());
  EXPECT_EQ(names(), (Texts{"cpu"}));
  EXPECT_EQ(points(kCpu), (Texts{"2:2"}));
}

TEST_F(MetricsTest, PositionsOfSamplesGoOnWhenTheLogWasTrimmed) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(1), 1}}).ok());
  EXPECT_TRUE(flush().ok());
  EXPECT_TRUE(move().ok());
  restart();
  ASSERT_TRUE(write({{kCpu, at(2), 1}}).ok());
  EXPECT_EQ((*store_->snapshot(space_))->published(Dataset::kSamples), 3u);
}

}  // namespace
}  // namespace firn
