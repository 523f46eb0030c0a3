#include "views/metrics/uptime.h"

#include <gtest/gtest.h>

#include "views/metrics/rollup_keeper.h"
#include "views/metrics/test_metrics.h"

namespace firn {
namespace {

const std::string kCheckId = "000000000000000000000000000000c1";
const std::string kResponseId = "000000000000000000000000000000c2";
constexpr double kUpValue = 2, kDegradedValue = 1, kDownValue = 0;

class UptimeTest : public MetricsStoreTest {
 protected:
  struct Check {
    int64_t second;
    double state;
    double response_ms = -1;  // none
  };

  void check(const std::vector<Check>& checks) {
    BatchBuilder rows(Dataset::kSamples), definitions(Dataset::kSeries);
    for (const auto& [id, name] :
         {std::pair(kCheckId, kCheckSeries), std::pair(kResponseId, kCheckResponseSeries)}) {
      EventRow row;
      row.series = id;
      row.name = name;
      row.labels = R"({"service_name":"shop"})";
      definitions.add(row);
    }
    for (const Check& one : checks) {
      EventRow row;
      row.time = at(one.second);
      row.series = kCheckId;
      row.value = Float64::of(one.state);
      rows.add(row);
      row.series = kResponseId;
      row.value = one.response_ms < 0 ? kAbsentFloat64 : Float64::of(one.response_ms);
      rows.add(row);
    }
    ASSERT_TRUE(write_batches({rows.finish(), definitions.finish()}).ok());
  }

  // Of the first `seconds` of the day.
  UptimeQuery query(int64_t seconds) {
    UptimeQuery query;
    query.service = "shop";
    query.time = {at(0), at(seconds)};
    query.gap_max_ns = 100 * kSecondNs;
    query.now = at(1'000'000);
    return query;
  }
  UptimeAnswer ask(const UptimeQuery& query) {
    auto answer = query_uptime(*snapshot(), query, {});
    EXPECT_TRUE(answer.ok()) << answer.status().to_string();
    return answer.ok() ? std::move(*answer) : UptimeAnswer();
  }
  static std::vector<int64_t> seconds(const Uptime& uptime) {
    return {uptime.known(CheckStatus::kUp) / kSecondNs,
            uptime.known(CheckStatus::kDegraded) / kSecondNs,
            uptime.known(CheckStatus::kDown) / kSecondNs};
  }
  static std::vector<uint64_t> counts(const Uptime& uptime) {
    return {uptime.count(CheckStatus::kUp), uptime.count(CheckStatus::kDegraded),
            uptime.count(CheckStatus::kDown)};
  }
  using Seconds = std::vector<int64_t>;
  using Counts = std::vector<uint64_t>;
};

TEST_F(UptimeTest, CountsAndResponseTimesAreThoseOfTheRange) {
  check({{0, kUpValue, 10}, {60, kDegradedValue, 30}, {120, kDownValue}, {300, kUpValue, 50}});
  const UptimeAnswer answer = ask(query(300));
  EXPECT_EQ(counts(answer.whole), (Counts{1, 1, 1}));
  EXPECT_EQ(answer.whole.response_ms.count, 2u);
  EXPECT_EQ(answer.whole.response_ms.sum, 40);
  EXPECT_TRUE(answer.windows.empty());
}

TEST_F(UptimeTest, AStateLastsUntilTheNextCheckButNotForEver) {
  check({{10, kUpValue}, {60, kDownValue}, {70, kUpValue}, {400, kDegradedValue}});
  const UptimeAnswer answer = ask(query(450));
  // Up for 50 seconds and then for the longest of 100; degraded until the end.
  EXPECT_EQ(seconds(answer.whole), (Seconds{150, 50, 10}));
}

TEST_F(UptimeTest, TheStateAtTheBeginningIsThatOfTheCheckBefore) {
  check({{-50, kDownValue}, {-40, kUpValue}});
  const UptimeAnswer answer = ask(query(200));
  EXPECT_EQ(seconds(answer.whole), (Seconds{60, 0, 0}));
  EXPECT_EQ(counts(answer.whole), (Counts{0, 0, 0}));
}

TEST_F(UptimeTest, NothingIsKnownOfTheFuture) {
  check({{0, kUpValue}});
  UptimeQuery early = query(1000);
  early.now = at(30);
  EXPECT_EQ(seconds(ask(early).whole), (Seconds{30, 0, 0}));
}

TEST_F(UptimeTest, ACheckSentAgainCountsOnceAndTheLastCounts) {
  check({{0, kDownValue, 5}});
  check({{0, kUpValue}});
  const UptimeAnswer answer = ask(query(100));
  EXPECT_EQ(counts(answer.whole), (Counts{1, 0, 0}));
  EXPECT_EQ(answer.whole.response_ms.count, 0u);
}

TEST_F(UptimeTest, WindowsAreCutToTheRangeAndShareStates) {
  check({{50, kUpValue, 1}, {130, kDownValue, 2}, {390, kUpValue, 3}});
  UptimeQuery windows = query(420);
  windows.time.from = at(30);
  windows.window_ns = 60 * kSecondNs;
  const UptimeAnswer answer = ask(windows);
  ASSERT_EQ(answer.windows.size(), 7u);
  EXPECT_EQ(answer.windows[0].start, at(30));
  EXPECT_EQ(answer.windows[0].end, at(60));
  EXPECT_EQ(seconds(answer.windows[0]), (Seconds{10, 0, 0}));
  EXPECT_EQ(seconds(answer.windows[1]), (Seconds{60, 0, 0}));
  EXPECT_EQ(seconds(answer.windows[2]), (Seconds{10, 0, 50}));
  EXPECT_EQ(counts(answer.windows[2]), (Counts{0, 0, 1}));
  EXPECT_EQ(seconds(answer.windows[4]), (Seconds{0, 0, 0}));
  EXPECT_EQ(seconds(answer.windows[6]), (Seconds{30, 0, 0}));
  EXPECT_EQ(seconds(answer.whole), (Seconds{110, 0, 100}));
  EXPECT_EQ(answer.whole.response_ms.count, 3u);
  windows.windows_max = 3;
  EXPECT_EQ(query_uptime(*snapshot(), windows, {}).status().code(), StatusCode::kTooLarge);
}

TEST_F(UptimeTest, OtherServicesAndOtherValuesAreNotCounted) {
  check({{0, kUpValue}, {10, 7}});
  UptimeQuery other = query(100);
  other.service = "depot";
  EXPECT_EQ(counts(ask(other).whole), (Counts{0, 0, 0}));
  EXPECT_EQ(counts(ask(query(100)).whole), (Counts{1, 0, 0}));
  EXPECT_EQ(seconds(ask(query(100)).whole), (Seconds{100, 0, 0}));
}

// Three days of checks about once a minute, with gaps and failures, rolled up.
class LongUptimeTest : public UptimeTest {
 protected:
  void SetUp() override {
    UptimeTest::SetUp();
    keeper_ = std::make_unique<RollupKeeper>(env_, store_.get());
    std::vector<Check> checks;
    int64_t second = -200;
    for (int i = 0; second < kDays * 86'400 + 200; ++i) {
      const bool is_failing = i % 700 < 9;
      const double state = is_failing ? i % 3 : kUpValue;
      checks.push_back({second, state, is_failing ? -1 : 10.0 + i % 50});
      second += i % 1000 == 999 ? 3000 : 40 + i % 37;
    }
    check(checks);
    ASSERT_TRUE(keeper_->run(space_, at(0), nullptr).ok());
  }
  UptimeQuery long_query(DurationNs window = 0) {
    UptimeQuery long_one = query(kDays * 86'400);
    long_one.time.from = at(77);
    long_one.gap_max_ns = 5 * kMinuteNs;
    long_one.window_ns = window;
    return long_one;
  }
  // Windows of another width than that of states are read from raw checks.
  Uptime from_raw() { return ask(long_query(kMinuteNs + kSecondNs)).whole; }
  void drop_raw() {
    MetricPolicy policy;
    policy.raw_ns = kDayNs;
    ASSERT_TRUE(keeper_->set_policy(space_, policy).ok());
    ASSERT_TRUE(keeper_->run(space_, at(0) + 30 * kDayNs, nullptr).ok());
  }

  static constexpr int64_t kDays = 3;
  std::unique_ptr<RollupKeeper> keeper_;
};

TEST_F(LongUptimeTest, StatesGiveWhatRawChecksGive) {
  const Uptime raw = from_raw();
  for (const DurationNs window : {DurationNs{0}, kHourNs, kDayNs}) {
    const UptimeAnswer answer = ask(long_query(window));
    EXPECT_EQ(answer.whole.checks, raw.checks);
    EXPECT_EQ(answer.whole.known_ns, raw.known_ns);
    EXPECT_EQ(answer.whole.response_ms.count, raw.response_ms.count);
    EXPECT_EQ(answer.whole.response_ms.sketch, raw.response_ms.sketch);
  }
}

TEST_F(LongUptimeTest, WindowsFromStatesAreThoseOfRawChecks) {
  UptimeQuery hour = long_query();
  hour.time = {at(7200), at(10'800)};  // too short for states
  const Uptime raw = ask(hour).whole;
  const UptimeAnswer hours = ask(long_query(kHourNs));
  EXPECT_EQ(hours.windows[2].start, hour.time.from);
  EXPECT_EQ(hours.windows[2].checks, raw.checks);
  EXPECT_EQ(hours.windows[2].known_ns, raw.known_ns);
}

TEST_F(LongUptimeTest, ItOutlivesRawChecks) {
  const Uptime raw = from_raw();
  drop_raw();
  UptimeQuery aligned = long_query();
  const Uptime left = ask(aligned).whole;
  // The first seven checks lie before a whole window of states begins.
  EXPECT_GT(left.count(CheckStatus::kDown), 0u);
  EXPECT_LE(left.count(CheckStatus::kUp), raw.count(CheckStatus::kUp));
  EXPECT_GE(left.count(CheckStatus::kUp) + 10, raw.count(CheckStatus::kUp));
  const DurationNs known = left.known(CheckStatus::kUp), all = raw.known(CheckStatus::kUp);
  EXPECT_LE(known, all);
  EXPECT_GT(known, all / 100 * 97) << "not known is only what happened where checks differ";
  EXPECT_NEAR(static_cast<double>(left.response_ms.count),
              static_cast<double>(raw.response_ms.count), 10);
}

}  // namespace
}  // namespace firn
