#include "views/metrics/metric_windows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "views/metrics/test_metrics.h"

namespace firn {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class MetricWindowsTest : public MetricsStoreTest {
 protected:
  WindowAnswer windows(const WindowQuery& query) {
    auto answer = query_windows(*snapshot(), query, QueryGuard());
    EXPECT_TRUE(answer.ok()) << answer.status().to_string();
    return answer.ok() ? std::move(*answer) : WindowAnswer();
  }
  static std::string series(int host) {
    std::string text = std::to_string(host);
    return std::string(32 - text.size(), '0') + text;
  }
};

TEST_F(MetricWindowsTest, AStateTellsEverythingOfTheValuesOfItsWindow) {
  ASSERT_TRUE(
      write({{kCpu, at(0), 4}, {kCpu, at(59), -2}, {kCpu, at(60), 7}, {kCpu, at(10), 1}}).ok());
  const WindowAnswer answer = windows({.time = {at(0), at(120)}, .window_ns = kMinuteNs});
  ASSERT_EQ(answer.groups.size(), 1u);
  const auto& found = answer.groups[0].windows;
  ASSERT_EQ(found.size(), 2u);
  const SampleState& first = found.at(at(0));
  EXPECT_EQ(first.count, 3u);
  EXPECT_EQ(first.sum, 3);
  EXPECT_EQ(first.average(), 1);
  EXPECT_EQ(first.min, -2);
  EXPECT_EQ(first.max, 4);
  EXPECT_EQ(first.first, 4);
  EXPECT_EQ(first.last, -2);
  EXPECT_EQ(first.last_time, at(59));
  EXPECT_EQ(found.at(at(60)).count, 1u);
}

TEST_F(MetricWindowsTest, RangesAreHalfOpenAndWindowsStandAtMultiplesOfTheirWidth) {
  ASSERT_TRUE(
      write({{kCpu, at(9), 1}, {kCpu, at(10), 2}, {kCpu, at(29), 3}, {kCpu, at(30), 4}}).ok());
  const WindowAnswer answer = windows({.time = {at(10), at(30)}, .window_ns = 20 * kSecondNs});
  const auto& found = answer.groups.at(0).windows;
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found.at(at(0)).sum, 2);
  EXPECT_EQ(found.at(at(20)).sum, 3);
}

TEST_F(MetricWindowsTest, WhatIsNoValueIsNotCounted) {
  ASSERT_TRUE(write({{kCpu, at(1), 1},
                     {kCpu, at(2), kNaN},
                     {kCpu, at(3), 9, kNoRecordedValue},
                     {kCpu, at(4), 5},
                     {kCpu, at(4), 0, kSampleDeleted}})
                  .ok());
  const WindowAnswer answer = windows({.time = {at(0), at(60)}});
  ASSERT_EQ(answer.groups.size(), 1u);
  EXPECT_EQ(answer.groups[0].windows.at(at(0)).count, 1u);
}

TEST_F(MetricWindowsTest, GroupsAreByTheValuesOfLabels) {
  ASSERT_TRUE(
      write({{kCpu, at(1), 1}, {kDisk, at(1), 2}, {series(10), at(1), 3}, {series(11), at(1), 4}})
          .ok());
  WindowQuery query{.time = {at(0), at(60)}, .group_by = {"name"}};
  WindowAnswer answer = windows(query);
  ASSERT_EQ(answer.groups.size(), 3u);
  EXPECT_EQ(answer.groups[2].values, std::vector<std::string>{"temperature"});
  EXPECT_EQ(answer.groups[2].windows.at(at(0)).sum, 7);
  query.group_by = {"host", "none"};
  answer = windows(query);
  ASSERT_EQ(answer.groups.size(), 4u);
  EXPECT_EQ(answer.groups[0].values, (std::vector<std::string>{"10", ""}));
  query.group_by = {"series"};
  query.match.name = "cpu";
  answer = windows(query);
  ASSERT_EQ(answer.groups.size(), 1u);
  EXPECT_EQ(answer.groups[0].values, std::vector<std::string>{kCpu});
}

TEST_F(MetricWindowsTest, WhatIsTooMuchIsRefusedByName) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(2), 1}, {kDisk, at(1), 2}}).ok());
  const auto status = [&](const WindowQuery& query) {
    return query_windows(*snapshot(), query, QueryGuard()).status();
  };
  EXPECT_EQ(status({.window_ns = kSecondNs, .rows_max = 1}).code(), StatusCode::kTooLarge);
  EXPECT_EQ(status({.series_max = 1}).code(), StatusCode::kTooLarge);
}

TEST_F(MetricWindowsTest, SeriesThatAreTooManyForTheMemoryAreReadInParts) {
  std::vector<Sample> samples;
  for (int host = 10; host < 20; ++host) {
    for (int i = 0; i < 7; ++i) samples.push_back({series(host), at(i), 1.0 * i});
  }
  ASSERT_TRUE(write(samples).ok());
  SampleScan scan{.samples_max = 10};
  for (int host = 10; host < 20; ++host) scan.series.push_back(series(host));
  std::map<size_t, size_t> counts;
  QueryCost cost;
  const auto count = [&](size_t place, std::span<const SampleValue> values) {
    counts[place] += values.size();
    return Status();
  };
  ASSERT_TRUE(scan_samples(*snapshot(), scan, QueryGuard(), &cost, count).ok());
  EXPECT_EQ(counts.size(), 10u);
  for (const auto& [place, found] : counts) EXPECT_EQ(found, 7u) << place;
  scan.samples_max = 5;
  EXPECT_EQ(scan_samples(*snapshot(), scan, QueryGuard(), &cost, count).code(),
            StatusCode::kTooLarge);
}

TEST_F(MetricWindowsTest, TheWidthFollowsFromTheNumberOfPoints) {
  const auto width = [&](int64_t seconds, uint64_t points) {
    return *window_for_points({at(0), at(seconds)}, points);
  };
  EXPECT_EQ(width(100, 100), kSecondNs);
  EXPECT_EQ(width(86'400, 288), 5 * kMinuteNs);
  EXPECT_EQ(width(86'400, 287), 10 * kMinuteNs);
  EXPECT_EQ(width(86'400, 1), kDayNs);
  EXPECT_EQ(width(10 * 86'400, 4), 3 * kDayNs);
  EXPECT_FALSE(window_for_points({}, 10).has_value());
}

// A model that keeps everything in a map agrees on every window, wherever the samples are.
TEST_F(MetricWindowsTest, AgreesWithAModelThroughAllTiers) {
  std::mt19937_64 random(7);
  std::map<std::pair<std::string, TimeNs>, double> model;
  const auto check = [&](const std::string& when) {
    for (const DurationNs width : {DurationNs{7 * kSecondNs}, 5 * kMinuteNs, kDayNs}) {
      std::map<std::string, std::map<TimeNs, std::vector<double>>> expected;
      for (const auto& [key, value] : model) {
        expected[key.first][interval_start(key.second, width)].push_back(value);
      }
      const WindowAnswer answer = windows({.window_ns = width, .group_by = {"series"}});
      ASSERT_EQ(answer.groups.size(), expected.size()) << when;
      for (const WindowGroup& group : answer.groups) {
        const auto& wanted = expected.at(group.values[0]);
        ASSERT_EQ(group.windows.size(), wanted.size()) << when;
        for (const auto& [start, values] : wanted) {
          const SampleState& state = group.windows.at(start);
          double sum = 0;
          for (const double value : values) sum += value;
          ASSERT_EQ(state.count, values.size()) << when;
          ASSERT_NEAR(state.sum, sum, 1e-9) << when;
          ASSERT_EQ(state.first, values.front()) << when;
          ASSERT_EQ(state.last, values.back()) << when;
          ASSERT_EQ(state.max, *std::max_element(values.begin(), values.end())) << when;
        }
      }
    }
  };
  for (int round = 0; round < 6; ++round) {
    std::vector<Sample> samples;
    for (int i = 0; i < 400; ++i) {
      // Over three days, some late, some written again.
      const int64_t second =
          static_cast<int64_t>(random() % (round < 3 ? 86'400 : 3 * 86'400)) / 10 * 10;
      Sample sample{series(10 + static_cast<int>(random() % 5)), at(second),
                    static_cast<double>(random() % 1000) / 10};
      model[{sample.series, sample.time}] = sample.value;
      samples.push_back(sample);
    }
    ASSERT_TRUE(write(samples).ok());
    check("written");
    if (round % 3 == 1) {
      EXPECT_TRUE(flush().ok());
    }
    if (round % 3 == 2) {
      EXPECT_TRUE(move().ok());
    }
    if (round == 4) restart();
    check("round " + std::to_string(round));
  }
}

}  // namespace
}  // namespace firn
