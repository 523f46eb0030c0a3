#include "base/time.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

constexpr TimeNs kMoment = 1'795'243'467'123'456'789;  // 2026-11-21T06:44:27.123456789Z

TEST(Time, FormatsAsRfc3339WithoutTrailingZeros) {
  EXPECT_EQ(format_time(kMoment), "2026-11-21T06:44:27.123456789Z");
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(1'500'000'000), "1970-01-01T00:00:01.5Z");
  EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999999999Z");
}

TEST(Time, FormatsTheFirstAndTheLastMoment) {
  EXPECT_EQ(format_time(INT64_MIN), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(format_time(INT64_MAX), "2262-04-11T23:47:16.854775807Z");
}

TEST(Time, ReadsWhatItWrites) {
  for (TimeNs time : {INT64_MIN, INT64_MIN + 1, int64_t{-1}, int64_t{0}, kMoment, INT64_MAX}) {
    EXPECT_EQ(parse_time(format_time(time)), time);
  }
  // A step that meets every month, leap days and all times of day.
  for (TimeNs time = -90 * 366 * kDayNs; time < 200 * 366 * kDayNs;
       time += 13 * kDayNs + 7'654'321'987'654) {
    ASSERT_EQ(parse_time(format_time(time)), time) << time;
  }
}

TEST(Time, ReadsTheFormsOfRfc3339) {
  for (const char* text :
       {"2026-11-21T06:44:27.123456789Z", "2026-11-21t06:44:27.123456789z",
        "2026-11-21 06:44:27.123456789Z", "2026-11-21T08:14:27.123456789+01:30",
        "2026-11-20T22:44:27.123456789-08:00", "2026-11-21T06:44:27.1234567894Z",
        "2026-11-21T06:44:27.123456789+00:00", "2026-11-21T06:44:27.123456789-00:00"}) {
    EXPECT_EQ(parse_time(text), kMoment) << text;
  }
  EXPECT_EQ(parse_time("2026-11-21T06:44:27Z"), kMoment - 123'456'789);
}

TEST(Time, ReadsADateAsMidnightUtc) {
  EXPECT_EQ(parse_time("1970-01-02"), kDayNs);
  EXPECT_EQ(parse_time("2024-02-29"), parse_time("2024-02-29T00:00:00Z"));
}

TEST(Time, ReadsNumbersByMagnitude) {
  EXPECT_EQ(parse_time("1795243467"), 1'795'243'467 * kSecondNs);
  EXPECT_EQ(parse_time("1795243467123"), 1'795'243'467'123 * kMillisecondNs);
  EXPECT_EQ(parse_time("1795243467123456"), 1'795'243'467'123'456 * kMicrosecondNs);
  EXPECT_EQ(parse_time("1795243467123456789"), kMoment);
  EXPECT_EQ(parse_time("1795243467.123456789"), kMoment);
  EXPECT_EQ(parse_time("-1.5"), -1'500'000'000);
  EXPECT_EQ(parse_time("0"), 0);
}

TEST(Time, ReadsALeapSecondAsTheNextDay) {
  EXPECT_EQ(parse_time("2016-12-31T23:59:60Z"), parse_time("2017-01-01T00:00:00Z"));
  EXPECT_EQ(parse_time("2016-12-31T15:59:60-08:00"), parse_time("2017-01-01T00:00:00Z"));
  EXPECT_FALSE(parse_time("2016-12-31T12:59:60Z").has_value());
}

TEST(Time, RefusesOtherText) {
  for (const char* text : {"",
                           "now",
                           "-",
                           ".",
                           "1.",
                           ".5",
                           "1e9",
                           " 1",
                           "1 ",
                           "2026",
                           "1795243467123.5",
                           "2026-11-21T",
                           "2026-11-21T06:44:27",
                           "2026-11-21T06:44Z",
                           "2026-11-21T06:44:27.Z",
                           "2026-11-21T06:44:27+0100",
                           "2026-11-21T06:44:27+01:00x",
                           "2026-11-21T06:44:27+24:00",
                           "2026-11-21T24:00:00Z",
                           "2026-11-21T06:60:00Z",
                           "2026-11-21T06:44:61Z",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-02-29",
                           "2026-04-31",
                           "2026-1-01",
                           "1677-09-21T00:12:43Z",
                           "2262-04-12",
                           "99999999999999999999",
                           "-9223372036854775809"}) {
    if (std::string_view(text) == "2026") continue;  // a number: 2026 seconds
    EXPECT_FALSE(parse_time(text).has_value()) << text;
  }
}

TEST(Time, ConvertsFieldsBothWays) {
  const CivilTime civil = civil_from_time(kMoment);
  EXPECT_EQ(civil.year, 2026);
  EXPECT_EQ(civil.month, 11);
  EXPECT_EQ(civil.day, 21);
  EXPECT_EQ(civil.hour, 6);
  EXPECT_EQ(civil.minute, 44);
  EXPECT_EQ(civil.second, 27);
  EXPECT_EQ(civil.nanosecond, 123'456'789);
  EXPECT_EQ(time_from_civil(civil), kMoment);
  CivilTime wrong = civil;
  wrong.second = 60;
  EXPECT_FALSE(time_from_civil(wrong).has_value());
}

TEST(Time, RangesAreHalfOpenAndTheLastMomentIsNoEnd) {
  const TimeRange range{10, 20};
  EXPECT_TRUE(range.contains(10));
  EXPECT_FALSE(range.contains(20));
  EXPECT_TRUE(range.overlaps(0, 10));
  EXPECT_FALSE(range.overlaps(20, 30));
  EXPECT_TRUE(TimeRange{}.contains(INT64_MAX));
}

TEST(Duration, ReadsUnitsAndTheirSums) {
  EXPECT_EQ(parse_duration("1h"), kHourNs);
  EXPECT_EQ(parse_duration("30d"), 30 * kDayNs);
  EXPECT_EQ(parse_duration("7w"), 49 * kDayNs);
  EXPECT_EQ(parse_duration("1h30m"), 90 * kMinuteNs);
  EXPECT_EQ(parse_duration("250ms"), 250 * kMillisecondNs);
  EXPECT_EQ(parse_duration("1m1ms"), kMinuteNs + kMillisecondNs);
  EXPECT_EQ(parse_duration("5us7ns"), 5007);
  EXPECT_EQ(parse_duration("0s"), 0);
  EXPECT_EQ(parse_duration("forever"), INT64_MAX);
}

TEST(Duration, RefusesOtherText) {
  for (const char* text : {"", "1", "h", "-1h", "1.5h", "1 h", "1h 30m", "30m1h", "1h1h", "1H",
                           "1y", "1hx", "Forever", "106752d", "9223372036854775808ns"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

TEST(Duration, FormatsLargestUnitsFirst) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(30 * kDayNs), "30d");
  EXPECT_EQ(format_duration(90 * kSecondNs), "1m30s");
  EXPECT_EQ(format_duration(kHourNs + 5), "1h5ns");
  EXPECT_EQ(format_duration(-kMinuteNs), "-1m");
  EXPECT_EQ(format_duration(INT64_MAX), "forever");
}

TEST(Duration, ReadsWhatItWrites) {
  for (const DurationNs duration :
       {int64_t{0}, int64_t{1}, kHourNs + 5, 400 * kDayNs + 1, INT64_MAX - 1, INT64_MAX}) {
    EXPECT_EQ(parse_duration(format_duration(duration)), duration);
  }
}

TEST(Interval, StartsAtOrBeforeTheTime) {
  EXPECT_EQ(interval_start(0, kDayNs), 0);
  EXPECT_EQ(interval_start(kDayNs - 1, kDayNs), 0);
  EXPECT_EQ(interval_start(kDayNs, kDayNs), kDayNs);
  EXPECT_EQ(interval_start(-1, kDayNs), -kDayNs);
  EXPECT_EQ(interval_start(-kDayNs, kDayNs), -kDayNs);
  EXPECT_EQ(interval_start(INT64_MIN, kDayNs), INT64_MIN);
}

}  // namespace
}  // namespace firn
