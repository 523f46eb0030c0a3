// How long series are kept by rules (docs/formats/rollups.md, "Retention").

#include <gmock/gmock.h>

#include <map>
#include <random>

#include "env/fault_env.h"
#include "views/metrics/rollup_rows.h"
#include "views/metrics/test_rollups.h"
#include "views/streams/stream_reads.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kDaySeconds = 86'400;

class RetentionRulesTest : public RollupTest {
 protected:
  static RetentionRule rule_of(std::string name, DurationNs raw) {
    RetentionRule rule;
    rule.match.name = std::move(name);
    rule.raw_ns = raw;
    return rule;
  }
  void set(MetricPolicy policy) {
    const Status status = keeper_->set_policy(space_, policy);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  // kDisk's raw samples go after a day, the others' never.
  void forget_disk() {
    MetricPolicy policy;
    policy.rules = {rule_of("disk", kDayNs)};
    set(policy);
  }
  // Values of the series that raw samples show, by second.
  std::map<int64_t, double> raw(const std::string& series) {
    PointQuery query;
    query.match.series = {series};
    query.limit = 10'000;
    std::map<int64_t, double> values;
    const auto page = read_points(*snapshot(), query, QueryGuard());
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    for (const Point& point : page->points) {
      values[(point.time - kDay) / kSecondNs] = point.value.value();
    }
    return values;
  }
  // The windows of one series.
  WindowStates states(const std::string& series, DurationNs width) {
    WindowAnswer answer = windows(width);
    for (WindowGroup& group : answer.groups) {
      if (group.values.at(0) == series) return std::move(group.windows);
    }
    return {};
  }
  static bool is_incomplete(const WindowAnswer& answer) {
    return std::any_of(answer.parts.begin(), answer.parts.end(),
                       [](const WindowPart& part) { return part.incomplete; });
  }
  std::vector<std::string> chunk_names() {
    std::vector<std::string> names;
    for (const SnapshotChunk& chunk : snapshot()->all_chunks()) names.push_back(chunk.key.name());
    return names;
  }
  // How many events the keeper has written about namespaces.
  Position keeper_events() {
    const auto info = store_->find_namespace("firn-metrics");
    return info.ok() ? (*store_->snapshot(info->id))->published() : 0;
  }
  void expect_sound() {
    const VerifyReport report = store_->verify();
    EXPECT_TRUE(report.findings.empty()) << report.findings[0].status.to_string();
    EXPECT_THAT(store_->health().stray_chunks, IsEmpty());
  }
};

TEST_F(RetentionRulesTest, SeriesOfARuleGoEarlierThanTheOthers) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}, {kCpu, at(301), 3}}).ok());
  const WindowAnswer before = windows(kFiveMinutes);
  forget_disk();
  EXPECT_THAT(run(at(2 * kDaySeconds - 1)).chunks_pruned, IsEmpty());
  const RollupRun done = run(at(2 * kDaySeconds));
  EXPECT_THAT(done.chunks_pruned, SizeIs(1));
  EXPECT_THAT(done.chunks_dropped, IsEmpty());
  const auto check = [&](const std::string& when) {
    EXPECT_THAT(raw(kDisk), IsEmpty()) << when;
    EXPECT_EQ(raw(kCpu), (std::map<int64_t, double>{{1, 1}, {301, 3}})) << when;
    expect_same(windows(kFiveMinutes), before, when);
    EXPECT_FALSE(is_incomplete(windows(kFiveMinutes))) << when;
    EXPECT_TRUE(is_incomplete(windows(kMinuteNs))) << when;
    EXPECT_THAT(states(kCpu, kMinuteNs), SizeIs(2)) << when;
  };
  check("at once");
  restart_all();
  check("restarted");
  expect_sound();
}

TEST_F(RetentionRulesTest, SeriesOfARuleOutliveTheOthers) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  MetricPolicy policy;
  policy.raw_ns = kDayNs;
  policy.rules = {rule_of("", 4 * kDayNs)};
  policy.rules[0].match.labels = {{"host", "b"}};
  set(policy);
  EXPECT_THAT(run(at(2 * kDaySeconds)).chunks_pruned, SizeIs(1));
  EXPECT_THAT(raw(kCpu), IsEmpty());
  EXPECT_THAT(raw(kDisk), SizeIs(1));
  const RollupRun done = run(at(5 * kDaySeconds));
  EXPECT_THAT(done.chunks_dropped, SizeIs(1));
  EXPECT_EQ(rows(Dataset::kSamples), 0u);
  EXPECT_EQ(states(kDisk, kFiveMinutes).at(at(0)).sum, 2);
  expect_sound();
}

TEST_F(RetentionRulesTest, TheFirstRuleThatMatchesDecides) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  MetricPolicy policy;
  policy.rules = {rule_of("cpu", kForever), rule_of("", kDayNs), rule_of("disk", kForever)};
  policy.rules[1].match.labels = {{"host", "a"}};
  set(policy);
  EXPECT_THAT(run(at(3 * kDaySeconds)).chunks_pruned, IsEmpty());
  EXPECT_THAT(raw(kCpu), SizeIs(1));
  std::swap(policy.rules[0], policy.rules[1]);
  set(policy);
  EXPECT_THAT(run(at(3 * kDaySeconds)).chunks_pruned, SizeIs(1));
  EXPECT_THAT(raw(kCpu), IsEmpty());
  EXPECT_THAT(raw(kDisk), SizeIs(1));
}

TEST_F(RetentionRulesTest, EachResolutionOfARuleHasItsOwnAge) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  MetricPolicy policy;
  policy.raw_ns = kDayNs;
  policy.rules = {{}};
  policy.rules[0].match.name = "disk";
  policy.rules[0].rollups = {{kFiveMinutes, 2 * kDayNs}};
  set(policy);
  run(at(2 * kDaySeconds));
  EXPECT_FALSE(is_incomplete(windows(kFiveMinutes)));
  EXPECT_THAT(run(at(3 * kDaySeconds)).chunks_pruned, SizeIs(1));
  const auto check = [&](const std::string& when) {
    EXPECT_TRUE(is_incomplete(windows(kFiveMinutes))) << when;
    EXPECT_THAT(states(kDisk, kFiveMinutes), IsEmpty()) << when;
    EXPECT_EQ(states(kCpu, kFiveMinutes).at(at(0)).sum, 1) << when;
    EXPECT_FALSE(is_incomplete(windows(kHourNs))) << when;
    EXPECT_EQ(states(kDisk, kHourNs).at(at(0)).sum, 2) << when;
  };
  check("at once");
  restart_all();
  check("restarted");
  expect_sound();
}

TEST_F(RetentionRulesTest, RollupsThatAreGoneForSomeAreNotAskedWhileRawSamplesAreThere) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  MetricPolicy policy;
  policy.rules = {{}};
  policy.rules[0].match.name = "disk";
  policy.rules[0].rollups = {{kFiveMinutes, kDayNs}, {kHourNs, kDayNs}};
  set(policy);
  EXPECT_THAT(run(at(2 * kDaySeconds)).chunks_pruned, SizeIs(2));
  for (const DurationNs width : {kFiveMinutes, kHourNs, kDayNs}) {
    expect_same(windows(width), windows(width, {}, true), std::to_string(width));
    EXPECT_FALSE(is_incomplete(windows(width)));
  }
}

TEST_F(RetentionRulesTest, AnIntervalOfWhichNothingIsKeptLongerGoesAsAWhole) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}}).ok());
  MetricPolicy policy;
  policy.raw_ns = kDayNs;
  for (RollupLevel& level : policy.rollups) level.keep_ns = 2 * kDayNs;
  policy.rules = {rule_of("disk", kForever)};
  policy.rules[0].rollups = {{kFiveMinutes, kForever}};
  set(policy);
  run(at(2 * kDaySeconds));
  EXPECT_EQ(rows(Dataset::kSamples), 0u);
  EXPECT_GT(rows(Dataset::kRollups1), 0u);
  run(at(3 * kDaySeconds));
  EXPECT_THAT(chunk_names(), IsEmpty());  // marks and definitions, too
}

TEST_F(RetentionRulesTest, DefinitionsStayUntilTheIntervalGoes) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  MetricPolicy policy;
  policy.raw_ns = 2 * kDayNs;
  policy.rollups = {};
  policy.rules = {rule_of("disk", kDayNs)};
  set(policy);
  run(at(2 * kDaySeconds));
  EXPECT_THAT(raw(kDisk), IsEmpty());
  EXPECT_EQ(rows(Dataset::kSeries), 2u);
  run(at(3 * kDaySeconds));
  EXPECT_THAT(chunk_names(), IsEmpty());
}

TEST_F(RetentionRulesTest, ASecondRunLooksAtNoChunk) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  MetricPolicy policy;
  policy.rules = {rule_of("disk", kDayNs)};
  policy.rules[0].rollups = {{kFiveMinutes, kDayNs}};
  set(policy);
  EXPECT_THAT(run(at(2 * kDaySeconds)).chunks_pruned, SizeIs(2));
  const auto names = chunk_names();
  const Position events = keeper_events();
  for (int round = 0; round < 2; ++round) {
    const RollupRun again = run(at(2 * kDaySeconds));
    EXPECT_THAT(again.chunks_pruned, IsEmpty());
    EXPECT_EQ(again.rows_written, 0u);
    EXPECT_EQ(chunk_names(), names);
    EXPECT_EQ(keeper_events(), events);  // each look at chunks is remembered by one
    restart_all();
  }
}

TEST_F(RetentionRulesTest, LateSamplesGoTooAndNoOtherChunkIsLookedAt) {
  forget_disk();
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  run(at(2 * kDaySeconds));
  const auto before = chunk_names();
  ASSERT_TRUE(write({{kCpu, at(3), 3}, {kDisk, at(4), 4}}).ok());
  EXPECT_THAT(raw(kDisk), SizeIs(1));
  EXPECT_THAT(run(at(2 * kDaySeconds)).chunks_pruned, SizeIs(1));
  EXPECT_THAT(raw(kDisk), IsEmpty());
  EXPECT_THAT(raw(kCpu), SizeIs(2));
  const auto after = chunk_names();
  const auto samples = std::find_if(before.begin(), before.end(), [](const std::string& name) {
    return name.find("-samples-") != std::string::npos;
  });
  ASSERT_NE(samples, before.end());
  EXPECT_NE(std::find(after.begin(), after.end(), *samples), after.end());
  EXPECT_EQ(states(kDisk, kFiveMinutes).at(at(0)).count, 2u);
}

TEST_F(RetentionRulesTest, AnotherRuleLooksAgain) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  forget_disk();
  run(at(2 * kDaySeconds));
  MetricPolicy policy;
  policy.rules = {rule_of("disk", kDayNs), rule_of("cpu", kDayNs)};
  set(policy);
  const RollupRun done = run(at(2 * kDaySeconds));
  EXPECT_THAT(done.chunks_dropped, SizeIs(1));  // nothing is left of it
  EXPECT_EQ(rows(Dataset::kSamples), 0u);
  EXPECT_THAT(states(kDisk, kFiveMinutes), SizeIs(1));
}

TEST_F(RetentionRulesTest, AnOverwrittenSampleOfASeriesThatIsWholeCountsOnce) {
  forget_disk();
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kCpu, at(2), 5}, {kDisk, at(2), 2}}).ok());
  run(at(2 * kDaySeconds));
  // One replaced, one late, one deleted; and one of each for the series that lost its samples.
  ASSERT_TRUE(write({{kCpu, at(1), 10},
                     {kCpu, at(3), 7},
                     {kCpu, at(2), 0, kSampleDeleted},
                     {kDisk, at(3), 3},
                     {kDisk, at(400), 4}})
                  .ok());
  const auto check = [&](const std::string& when) {
    for (const DurationNs width : {kFiveMinutes, kHourNs, kDayNs}) {
      const SampleState cpu = states(kCpu, width).at(at(0));
      EXPECT_EQ(cpu.count, 2u) << when;
      EXPECT_EQ(cpu.sum, 17) << when;
      EXPECT_EQ(cpu.min, 7) << when;
      EXPECT_EQ(cpu.first, 10) << when;
      EXPECT_EQ(cpu.last, 7) << when;
    }
    EXPECT_EQ(states(kDisk, kFiveMinutes).at(at(0)).sum, 5) << when;
    EXPECT_EQ(states(kDisk, kFiveMinutes).at(at(300)).sum, 4) << when;
    EXPECT_EQ(states(kDisk, kHourNs).at(at(0)).count, 3u) << when;
  };
  check("late");
  restart_all();
  check("late, restarted");
  run(at(kDaySeconds));
  check("rolled up");
  run(at(2 * kDaySeconds));
  check("gone again");
  restart_all();
  check("gone again, restarted");
  expect_sound();
}

TEST_F(RetentionRulesTest, ListedAreTheSeriesWhoseFateIsNotTheNamespaces) {
  const std::string other = std::string(31, '0') + "1";
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}, {other, at(3), 3}}).ok());
  MetricPolicy policy;
  policy.rules = {rule_of("disk", kDayNs), rule_of("cpu", kDayNs)};
  const auto choose = [&](std::vector<bool> over, uint64_t series_max = 100) {
    return choose_series(*snapshot(), {at(0), at(kDaySeconds)}, policy, over, series_max, nullptr);
  };
  const auto one = *choose({true, false, false});
  EXPECT_EQ(one->listed.size(), 1u);
  EXPECT_TRUE(one->removes(kDisk));
  EXPECT_FALSE(one->removes(kCpu));
  EXPECT_FALSE(one->removes(kRollupMark));
  const auto all_but_one = *choose({true, false, true});
  EXPECT_EQ(all_but_one->listed.size(), 1u);
  EXPECT_TRUE(all_but_one->removes(kDisk));
  EXPECT_TRUE(all_but_one->removes(other));
  EXPECT_TRUE(all_but_one->removes(std::string(31, '0') + "2"));  // not defined
  EXPECT_FALSE(all_but_one->removes(kCpu));
  EXPECT_FALSE(all_but_one->removes(kRollupMark));
  EXPECT_TRUE(choose({true, true, false}, 2).ok());
  EXPECT_EQ(choose({true, true, false}, 1).status().code(), StatusCode::kTooLarge);
}

TEST_F(RetentionRulesTest, AnInterruptedRunIsOnlyLookedAtAgain) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  forget_disk();
  run(at(kDaySeconds));
  // As after a crash between the removal and the event that tells of it.
  auto choice = std::make_shared<SeriesChoice>();
  choice->listed.insert(*Id::parse(kDisk));
  ChunkCommand command;
  command.action = ChunkAction::kPrune;
  command.namespace_id = space_;
  command.series = std::move(choice);
  ASSERT_TRUE(flush().ok());
  for (const SnapshotChunk& chunk : snapshot()->chunks(Dataset::kSamples, Filter{})) {
    command.names.push_back(chunk.key.name());
  }
  ASSERT_TRUE(store_->command_and_wait(std::move(command)).status.ok());
  const auto names = chunk_names();
  const Position events = keeper_events();
  EXPECT_THAT(run(at(2 * kDaySeconds)).chunks_pruned, IsEmpty());
  EXPECT_EQ(chunk_names(), names);
  EXPECT_EQ(keeper_events(), events + 1);
}

TEST_F(RetentionRulesTest, RulesOutliveARestartAndAPolicyWithoutThemHasNone) {
  MetricPolicy policy;
  policy.rules = {rule_of(std::string(600, 'x') + "\"", kDayNs)};  // more than a subject holds
  policy.rules[0].match.labels = {{"env", "dev"}};
  set(policy);
  restart_all();
  EXPECT_EQ(*keeper_->policy(space_), policy);
  set(MetricPolicy());
  restart_all();
  EXPECT_EQ(*keeper_->policy(space_), MetricPolicy());
}

TEST_F(RetentionRulesTest, AStoreThatOnlyHasMemoryHasNoRules) {
  keeper_.reset();
  store_.reset();
  TestDirectory other;
  StoreOptions options = default_store_options(other.path());
  options.tiers.resize(1);
  options.tiers[0].keep_ns = kForever;
  store_ = std::move(*Store::open(env_, options));
  RollupKeeper keeper(env_, store_.get());
  MetricPolicy policy;
  policy.rules = {rule_of("disk", kDayNs)};
  EXPECT_EQ(keeper.set_policy(space_, policy).code(), StatusCode::kUnsupported);
  EXPECT_TRUE(keeper.set_policy(space_, MetricPolicy()).ok());
  store_.reset();
}

class RetentionClockTest : public RetentionRulesTest {
 protected:
  RetentionClockTest() { env_ = &clock_; }
  void TearDown() override {
    keeper_.reset();
    store_.reset();
  }
  FaultEnv clock_{posix_env()};
};

TEST_F(RetentionClockTest, NothingGoesAfterTheClockJumpedUntilItIsConfirmed) {
  ASSERT_TRUE(write({{kCpu, at(1), 1}, {kDisk, at(2), 2}}).ok());
  forget_disk();
  clock_.jump_wall_clock(3'650 * kDayNs);
  for (int i = 0; i < 500 && !store_->health().clock_suspect; ++i) pause();
  EXPECT_EQ(keeper_->run(space_, clock_.now(), nullptr).status().code(), StatusCode::kConflict);
  EXPECT_THAT(raw(kDisk), SizeIs(1));
  store_->confirm_clock();
  EXPECT_THAT(run(clock_.now()).chunks_pruned, SizeIs(1));
  EXPECT_THAT(raw(kDisk), IsEmpty());
}

// What raw samples show, recomputed: of series that no rule shortens an answer equals that at any
// time, whatever goes around them.
TEST_F(RetentionRulesTest, SeriesThatAreKeptAgreeWithARecomputation) {
  std::map<std::string, std::map<TimeNs, double>> written;
  const auto expect_recomputed = [&](DurationNs width, const std::string& when) {
    for (const auto& [series, values] : written) {
      if (series == kDisk) continue;
      std::map<TimeNs, std::pair<uint64_t, double>> wanted;
      for (const auto& [time, value] : values) {
        auto& window = wanted[interval_start(time, width)];
        ++window.first;
        window.second += value;
      }
      std::map<TimeNs, std::pair<uint64_t, double>> found;
      for (const auto& [start, state] : states(series, width)) {
        found[start] = {state.count, state.sum};
      }
      ASSERT_EQ(found, wanted) << series << ", " << when;
    }
  };
  std::mt19937_64 random(23);
  forget_disk();
  for (int round = 0; round < 25; ++round) {
    std::vector<Sample> samples;
    for (int i = 0; i < 40; ++i) {
      const auto second = static_cast<int64_t>(random() % 7200) / 60 * 60;
      const std::string series = random() % 2 == 0   ? kDisk
                                 : random() % 2 == 0 ? kCpu
                                                     : std::string(31, '0') + "1";
      const auto value = static_cast<double>(random() % 1000);
      samples.push_back({series, at(second), value});
      written[series][at(second)] = value;
    }
    ASSERT_TRUE(write(samples).ok());
    const std::string when = "round " + std::to_string(round);
    for (const DurationNs width : {kFiveMinutes, kHourNs}) expect_recomputed(width, when);
    const uint64_t action = random() % 6;
    if (action == 3) {
      run(at(kDaySeconds));
    } else if (!disturb(action)) {
      run(at(2 * kDaySeconds));
      EXPECT_THAT(raw(kDisk), IsEmpty());
    }
    for (const DurationNs width : {kFiveMinutes, kHourNs, kDayNs}) expect_recomputed(width, when);
  }
  expect_sound();
}

}  // namespace
}  // namespace firn
