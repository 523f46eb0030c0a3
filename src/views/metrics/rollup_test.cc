#include <gtest/gtest.h>

#include <random>

#include "views/metrics/rollup_rows.h"
#include "views/metrics/test_rollups.h"

namespace firn {
namespace {

TEST_F(RollupTest, WindowsAreServedByTheWidestRollupThatFits) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(400), 2}, {kCpu, at(4000), 4}}).ok());
  EXPECT_EQ(run().intervals_rolled, 3u);
  EXPECT_EQ(resolutions(windows(kMinuteNs)), (std::set<DurationNs>{0}));
  EXPECT_EQ(resolutions(windows(10 * kMinuteNs)), (std::set<DurationNs>{kFiveMinutes}));
  EXPECT_EQ(resolutions(windows(kHourNs)), (std::set<DurationNs>{kHourNs}));
  EXPECT_EQ(resolutions(windows(kDayNs)), (std::set<DurationNs>{kDayNs}));
  // The ends of a range come from narrower ones.
  const WindowAnswer answer = windows(kDayNs, {at(60), at(8000)});
  EXPECT_EQ(resolutions(answer), (std::set<DurationNs>{0, kFiveMinutes, kHourNs}));
  EXPECT_EQ(answer.groups.at(0).windows.at(at(0)).count, 2u);
  expect_same(windows(kHourNs), windows(kHourNs, {}, true), "hours");
}

TEST_F(RollupTest, MarksOfStoredChunksAreReadOnce) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(400), 2}}).ok());
  run();
  ASSERT_TRUE(flush().ok());
  const auto bytes_read = [&] {
    uint64_t bytes = 0;
    for (const auto& [tier, cost] : windows(kFiveMinutes).cost.tiers) bytes += cost.cost.bytes_read;
    return bytes;
  };
  keeper_ = std::make_unique<RollupKeeper>(env_, store_.get());  // remembers nothing
  const uint64_t first = bytes_read(), second = bytes_read();
  EXPECT_LT(second, first);
  EXPECT_EQ(bytes_read(), second);
}

TEST_F(RollupTest, MarksThatComeLaterAreSeen) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}}).ok());
  run();
  ASSERT_TRUE(flush().ok());
  const SnapshotPtr before = snapshot();
  EXPECT_EQ(windows(kFiveMinutes).groups.at(0).windows.at(at(0)).sum, 1);
  ASSERT_TRUE(write({{kCpu, at(2), 5}}).ok());
  EXPECT_EQ(windows(kFiveMinutes).groups.at(0).windows.at(at(0)).sum, 6);
  run();
  ASSERT_TRUE(flush().ok());
  QueryCost cost;
  const auto through = [&](const Snapshot& from) {
    const auto mark = keeper_->marks()->through(from, Dataset::kRollups1, {at(0), at(86'400)},
                                                kFiveMinutes, nullptr, &cost);
    EXPECT_TRUE(mark.ok()) << mark.status().to_string();
    return mark.ok() ? *mark : Position{0};
  };
  EXPECT_EQ(through(*before), 1u);
  EXPECT_EQ(through(*snapshot()), 2u);
  EXPECT_EQ(windows(kFiveMinutes).groups.at(0).windows.at(at(0)).sum, 6);
}

TEST_F(RollupTest, PartsOfStatesThatNobodyWantsAreNotRead) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(200), 5}, {kCpu, at(250), 3}}).ok());
  run();
  ASSERT_TRUE(flush().ok());
  WindowQuery query;
  query.window_ns = kFiveMinutes;
  uint64_t bytes_of_all = 0;
  const auto ask = [&](StateParts wanted, uint64_t* bytes) {
    query.wanted = wanted;
    const auto answer = query_windows(*snapshot(), query, QueryGuard());
    EXPECT_TRUE(answer.ok()) << answer.status().to_string();
    *bytes = 0;
    for (const auto& [tier, cost] : answer->cost.tiers) *bytes += cost.cost.bytes_read;
    return answer->groups.at(0).windows.at(at(0));
  };
  const SampleState all = ask({}, &bytes_of_all);
  EXPECT_EQ(all.max, 5);
  EXPECT_EQ(all.last, 3);
  EXPECT_EQ(all.sketch.count(), 3u);
  uint64_t bytes = 0;
  const SampleState least = ask({.extremes = false, .ends = false, .sketch = false}, &bytes);
  EXPECT_EQ(least.count, 3u);
  EXPECT_EQ(least.sum, 9);
  EXPECT_LT(bytes, bytes_of_all);
  EXPECT_EQ(ask({.ends = false, .sketch = false}, &bytes).max, 5);
  EXPECT_EQ(ask({.extremes = false, .sketch = false}, &bytes).last, 3);
}

TEST_F(RollupTest, ASecondRunWritesNothing) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}}).ok());
  EXPECT_GT(run().rows_written, 0u);
  EXPECT_EQ(run().rows_written, 0u);
  restart_all();
  EXPECT_EQ(run().rows_written, 0u);
}

TEST_F(RollupTest, LateRepeatedReplacedAndDeletedSamplesCorrectWhatTheyTouch) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(301), 2}, {kDisk, at(1), 7}}).ok());
  run();
  ASSERT_TRUE(
      write({{kCpu, at(2), 5}, {kCpu, at(301), 20}, {kDisk, at(1), 0, kSampleDeleted}}).ok());
  const auto check = [&](const std::string& when) {
    const WindowAnswer answer = windows(kFiveMinutes);
    ASSERT_EQ(answer.groups.size(), 1u) << when;
    EXPECT_EQ(answer.groups[0].windows.at(at(0)).sum, 6) << when;
    EXPECT_EQ(answer.groups[0].windows.at(at(300)).sum, 20) << when;
    expect_same(answer, windows(kFiveMinutes, {}, true), when);
    EXPECT_EQ(resolutions(answer), (std::set<DurationNs>{kFiveMinutes})) << when;
  };
  check("at once");
  // Three windows of five minutes, two of an hour and of a day were touched, and three marks.
  EXPECT_EQ(run().rows_written, 3u + 2u + 2u + 3u);
  check("rolled up again");
  EXPECT_TRUE(flush().ok());
  EXPECT_TRUE(move().ok());
  restart_all();
  check("cold");
}

TEST_F(RollupTest, RawSamplesAreDroppedWhenTheirRollupsAreCompleteAndThoseStay) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(301), 2}, {kCpu, at(86'401), 3}}).ok());
  const WindowAnswer before = windows(kFiveMinutes);
  MetricPolicy policy;
  policy.raw_ns = kDayNs;
  ASSERT_TRUE(keeper_->set_policy(space_, policy).ok());
  EXPECT_TRUE(flush().ok());
  const RollupRun done = run(at(2 * 86'400));
  ASSERT_EQ(done.chunks_dropped.size(), 1u);
  EXPECT_EQ(rows(Dataset::kSamples), 1u);
  expect_same(windows(kFiveMinutes), before, "dropped");
  // A narrower window than is left cannot be told.
  const WindowAnswer minutes = windows(kMinuteNs);
  ASSERT_FALSE(minutes.parts.empty());
  EXPECT_TRUE(minutes.parts[0].incomplete);
  restart_all();
  EXPECT_EQ(*keeper_->policy(space_), policy);
  expect_same(windows(kFiveMinutes), before, "restarted");
  expect_same(windows(kDayNs), windows(kDayNs), "days");
}

TEST_F(RollupTest, ASampleThatComesAfterItsNeighboursWereDroppedIsAddedToTheState) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(2), 5}, {kDisk, at(1), 9}}).ok());
  MetricPolicy policy;
  policy.raw_ns = kDayNs;
  ASSERT_TRUE(keeper_->set_policy(space_, policy).ok());
  run(at(3 * 86'400));
  EXPECT_EQ(rows(Dataset::kSamples), 0u);
  ASSERT_TRUE(write({{kCpu, at(3), 3}, {kCpu, at(400), 4}}).ok());
  const auto check = [&](const std::string& when) {
    const WindowAnswer answer = windows(kFiveMinutes);
    ASSERT_EQ(answer.groups.size(), 2u) << when;
    const SampleState& first = answer.groups[0].windows.at(at(0));
    EXPECT_EQ(first.count, 3u) << when;
    EXPECT_EQ(first.sum, 9) << when;
    EXPECT_EQ(first.max, 5) << when;
    EXPECT_EQ(first.last, 3) << when;
    EXPECT_EQ(answer.groups[0].windows.at(at(300)).sum, 4) << when;
    EXPECT_EQ(answer.groups[1].windows.at(at(0)).sum, 9) << when;
  };
  check("at once");
  run(at(3 * 86'400));
  EXPECT_EQ(rows(Dataset::kSamples), 0u);
  check("rolled up");
  run(at(3 * 86'400));
  restart_all();
  check("restarted");
}

TEST_F(RollupTest, EachResolutionGoesWhenItsOwnTimeIsOver) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}}).ok());
  MetricPolicy policy;
  policy.raw_ns = kDayNs;
  policy.rollups = {{kFiveMinutes, 2 * kDayNs}, {kHourNs, 4 * kDayNs}};
  ASSERT_TRUE(keeper_->set_policy(space_, policy).ok());
  run(at(2 * 86'400));
  EXPECT_EQ(resolutions(windows(kHourNs)), (std::set<DurationNs>{kHourNs}));
  EXPECT_GT(rows(Dataset::kRollups1), 0u);
  run(at(3 * 86'400));
  EXPECT_EQ(rows(Dataset::kRollups1), 0u);
  EXPECT_EQ(windows(kHourNs).groups.at(0).windows.at(at(0)).count, 1u);
  EXPECT_GT(rows(Dataset::kSeries), 0u);
  run(at(6 * 86'400));
  EXPECT_EQ(rows(Dataset::kRollups2), 0u);
  EXPECT_EQ(rows(Dataset::kSeries), 0u);
  EXPECT_TRUE(windows(kHourNs).groups.empty());
}

TEST_F(RollupTest, ANewWidthFillsItselfFromThePast) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(86'401), 2}}).ok());
  MetricPolicy policy;
  policy.rollups = {{kHourNs, kForever}};
  ASSERT_TRUE(keeper_->set_policy(space_, policy).ok());
  run();
  policy.rollups = {{15 * kMinuteNs, kForever}, {kHourNs, kForever}};
  ASSERT_TRUE(keeper_->set_policy(space_, policy).ok());
  EXPECT_EQ((*keeper_->progress(space_, nullptr))[0].intervals_rolled, 0u);
  run();
  const auto progress = *keeper_->progress(space_, nullptr);
  ASSERT_EQ(progress.size(), 2u);
  EXPECT_EQ(progress[0].intervals_rolled, 2u);
  EXPECT_EQ(progress[0].intervals, 2u);
  EXPECT_EQ(resolutions(windows(15 * kMinuteNs)), (std::set<DurationNs>{15 * kMinuteNs}));
}

TEST_F(RollupTest, PoliciesThatCannotBeAreRefusedByName) {
  const auto set = [&](std::vector<RollupLevel> rollups, DurationNs raw = kForever) {
    return keeper_->set_policy(space_, {raw, std::move(rollups)}).code();
  };
  constexpr auto kBad = StatusCode::kInvalidArgument;
  EXPECT_EQ(set({{kHourNs, kForever}, {kFiveMinutes, kForever}}), kBad);
  EXPECT_EQ(set({{kHourNs, kForever}, {kHourNs, kForever}}), kBad);
  EXPECT_EQ(set({{7 * kHourNs, kForever}}), kBad);
  EXPECT_EQ(set({{2 * kDayNs, kForever}}), kBad);
  EXPECT_EQ(set({{kHourNs, 0}}), kBad);
  EXPECT_EQ(set({}, 0), kBad);
  EXPECT_EQ(set({{kSecondNs, 1}, {kMinuteNs, 1}, {kHourNs, 1}, {kDayNs, 1}}), kBad);
  EXPECT_EQ(set({}), StatusCode::kOk);
}

// Rollups, late samples, flushes, moves and restarts in some order: an answer is always what raw
// samples give.
TEST_F(RollupTest, AgreesWithRawSamplesWhateverWasRolledUpWhen) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 30; ++round) {
    std::vector<Sample> samples;
    for (int i = 0; i < 60; ++i) {
      const auto second = static_cast<int64_t>(random() % (2 * 86'400)) / 60 * 60;
      const std::string series = std::string(30, '0') + std::to_string(10 + random() % 4);
      const int64_t flags = random() % 20 == 0 ? kSampleDeleted : kAbsentInt64;
      samples.push_back({series, at(second), static_cast<double>(random() % 1000) / 8, flags});
    }
    ASSERT_TRUE(write(samples).ok());
    if (!disturb(random() % 5)) run();
    for (const DurationNs width : {kFiveMinutes, DurationNs{30 * kMinuteNs}, kHourNs, kDayNs}) {
      expect_same(windows(width), windows(width, {}, true), "round " + std::to_string(round));
    }
    const TimeRange odd{at(static_cast<int64_t>(random() % 86'400)), at(90'000)};
    expect_same(windows(kHourNs, odd), windows(kHourNs, odd, true), "ends");
  }
}

}  // namespace
}  // namespace firn
