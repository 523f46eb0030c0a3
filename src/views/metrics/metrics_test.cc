#include <gtest/gtest.h>

#include "views/metrics/test_metrics.h"

namespace firn {
namespace {

class MetricsTest : public MetricsStoreTest {
 protected:
  // "time in seconds behind kDay:value".
  std::vector<std::string> points(const std::string& series, TimeRange time = {},
                                  uint32_t limit = 1000) {
    return points(PointQuery{.match = {.series = {series}}, .time = time, .limit = limit});
  }
  std::vector<std::string> points(const PointQuery& query) {
    const auto page = read_points(*snapshot(), query, QueryGuard());
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    std::vector<std::string> texts;
    for (const Point& point : page->points) texts.push_back(text_of(point));
    if (page->next) {
      texts.push_back("next " + std::to_string((page->next->time - kDay) / kSecondNs));
    }
    return texts;
  }
  static std::string text_of(const Point& point) {
    return std::to_string((point.time - kDay) / kSecondNs) + ":" +
           std::to_string(static_cast<int>(point.value.value()));
  }
  std::vector<std::string> names(const SeriesQuery& query = {}) {
    const auto page = find_series(*snapshot(), query, QueryGuard());
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    std::vector<std::string> texts;
    for (const Series& series : page->series) texts.push_back(series.name);
    if (page->has_more) texts.emplace_back("more");
    return texts;
  }
  // "series' last digit@time:value"
  std::vector<std::string> latest(const LatestQuery& query) {
    const auto answer = read_latest(*snapshot(), query, QueryGuard());
    EXPECT_TRUE(answer.ok()) << answer.status().to_string();
    std::vector<std::string> texts;
    for (const Point& point : answer->points) {
      texts.push_back(answer->series[point.series].series.substr(31) + "@" + text_of(point));
    }
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

TEST_F(MetricsTest, ARangeOfSeveralSeriesIsInTheOrderOfTimeAndThenSeries) {
  ASSERT_TRUE(
      write({{kDisk, at(1), 5}, {kCpu, at(1), 1}, {kCpu, at(2), 2}, {kDisk, at(3), 6}}).ok());
  EXPECT_EQ(points(PointQuery{}), (Texts{"1:1", "1:5", "2:2", "3:6"}));
  // A page may end between two series of the same time.
  PointQuery query{.limit = 1};
  EXPECT_EQ(points(query), (Texts{"1:1", "next 1"}));
  query.from = read_points(*snapshot(), query, QueryGuard())->next;
  EXPECT_EQ(points(query), (Texts{"1:5", "next 2"}));
}

TEST_F(MetricsTest, ADeletedSampleIsShownByNoReading) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(2), 2}, {kCpu, at(3), 3}}).ok());
  EXPECT_TRUE(flush().ok());
  ASSERT_TRUE(write({{kCpu, at(2), 0, kSampleDeleted}, {kCpu, at(3), 0, kSampleDeleted}}).ok());
  EXPECT_EQ(points(kCpu), (Texts{"1:1"}));
  EXPECT_EQ(latest({}), (Texts{"a@1:1"}));
  ASSERT_TRUE(write({{kCpu, at(2), 20}}).ok());
  EXPECT_EQ(points(kCpu), (Texts{"1:1", "2:20"}));
}

TEST_F(MetricsTest, ARangeOfASeriesIsDeleted) {
  ASSERT_TRUE(
      write({{kCpu, at(1), 1}, {kCpu, at(2), 2}, {kCpu, at(3), 3}, {kDisk, at(2), 5}}).ok());
  EXPECT_TRUE(flush().ok());
  const auto remove = [&](const SeriesMatch& match) {
    return *delete_points(store_.get(), space_, match, {at(1), at(3)}, QueryGuard());
  };
  EXPECT_EQ(remove({.name = "cpu"}), 2u);
  EXPECT_EQ(points(kCpu), (Texts{"3:3"}));
  EXPECT_EQ(points(kDisk), (Texts{"2:5"}));
  EXPECT_EQ(remove({.name = "cpu"}), 0u);
}

TEST_F(MetricsTest, TheLatestPointsOfEachSeriesAreFoundInWhateverIntervalTheyLie) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(2), 2}, {kDisk, at(5), 5}}).ok());
  EXPECT_TRUE(flush().ok());
  EXPECT_TRUE(move().ok());
  ASSERT_TRUE(write({{kCpu, at(86'400), 3}}).ok());
  EXPECT_EQ(latest({}), (Texts{"a@86400:3", "b@5:5"}));
  EXPECT_EQ(latest({.per_series = 2}), (Texts{"a@2:2", "a@86400:3", "b@5:5"}));
  EXPECT_EQ(latest({.match = {.name = "cpu"}, .time = {at(0), at(2)}}), (Texts{"a@1:1"}));
  // A marker says that there is no value, and is none.
  ASSERT_TRUE(write({{kCpu, at(86'401), 0, kNoRecordedValue}}).ok());
  EXPECT_EQ(latest({.match = {.name = "cpu"}}), (Texts{"a@86400:3"}));
}

TEST_F(MetricsTest, LabelsAndTheirValuesAreCounted) {
  ASSERT_TRUE(
      write({{kCpu, at(1), 1}, {kDisk, at(1), 1}, {std::string(30, '0') + "1a", at(1), 1}}).ok());
  using Counts = std::map<std::string, uint64_t>;
  EXPECT_EQ(find_labels(*snapshot(), {}, 10, QueryGuard())->texts, (Counts{{"host", 3}}));
  LabelQuery query{.key = "host"};
  EXPECT_EQ(find_labels(*snapshot(), query, 10, QueryGuard())->texts,
            (Counts{{"1a", 1}, {"a", 1}, {"b", 1}}));
  query.limit = 1;
  EXPECT_TRUE(find_labels(*snapshot(), query, 10, QueryGuard())->has_more);
  EXPECT_EQ(find_labels(*snapshot(), query, 2, QueryGuard()).status().code(),
            StatusCode::kTooLarge);
}

TEST_F(MetricsTest, SeriesAreDefinedOncePerIntervalAndFoundByNameAndLabel) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(1), 1}}).ok());
  ASSERT_TRUE(write({{kCpu, at(2), 1}, {kDisk, at(2), 1}}).ok());
  EXPECT_EQ(rows(Dataset::kSeries), 2u);
  ASSERT_TRUE(write({{kCpu, at(86'400), 1}}).ok());
  EXPECT_EQ(rows(Dataset::kSeries), 3u);
  EXPECT_EQ(names(), (Texts{"cpu", "disk"}));
  EXPECT_EQ(names({.time = {at(86'400), INT64_MAX}}), (Texts{"cpu"}));
  EXPECT_EQ(names({.match = {.name = "disk"}}), (Texts{"disk"}));
  EXPECT_EQ(names({.match = {.labels = {{"host", "a"}}}}), (Texts{"cpu"}));
  EXPECT_EQ(names({.limit = 1}), (Texts{"cpu", "more"}));
  EXPECT_EQ(names({.after = kCpu}), (Texts{"disk"}));
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
