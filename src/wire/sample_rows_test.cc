#include "wire/sample_rows.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/size.h"
#include "wire/series_form.h"

namespace firn {
namespace {

constexpr TimeNs kNow = 1'767'225'600'000'000'000;

DecodeDefaults defaults(SeriesCache* cache = nullptr) {
  DecodeDefaults defaults;
  defaults.now = kNow;
  defaults.series_cache = cache;
  return defaults;
}
PlainSample sample(TimeNs time, double value) {
  return {.time = time, .value = Float64::of(value)};
}
EventRow sample_row(const std::vector<DecodedSamples>& parts, uint32_t row, size_t part = 0) {
  return event_row(*parts.at(part).samples, row);
}
EventRow series_row(const std::vector<DecodedSamples>& parts, uint32_t row, size_t part = 0) {
  return event_row(*parts.at(part).definitions, row);
}
Status begin(SampleRows* rows, std::vector<Label> labels, std::string_view name = "up") {
  return rows->begin_series(name, labels);
}

TEST(SampleRows, IdentityIsNameAndSortedLabelsAlone) {
  const DecodeDefaults given = defaults();
  SampleRows rows(given, SampleDoor::kRemoteWrite1);
  ASSERT_TRUE(begin(&rows, {{"job", "api"}, {"empty", ""}, {"instance", "a\"b"}}).ok());
  rows.describe({.type = "gauge", .unit = "s", .description = "help"});
  ASSERT_TRUE(rows.add(sample(kNow, 1.5)).ok());
  ASSERT_TRUE(begin(&rows, {{"instance", "a\"b"}, {"job", "api"}}).ok());
  ASSERT_TRUE(rows.add(sample(kNow + 1, 2.5)).ok());
  const auto parts = rows.finish();
  ASSERT_EQ(parts.size(), 1u);
  ASSERT_EQ(parts[0].definitions->rows(), 1u);
  const std::string labels = R"({"instance":"a\"b","job":"api"})";
  const EventRow series = series_row(parts, 0);
  EXPECT_EQ(series.labels, labels);
  EXPECT_EQ(series.name, "up");
  EXPECT_EQ(series.type, "gauge");
  EXPECT_EQ(series.unit, "s");
  EXPECT_EQ(series.description, "help");
  EXPECT_EQ(series.series, hash_bytes_128(R"({"labels":)" + labels + R"(,"name":"up"})").to_hex());
  EXPECT_EQ(sample_row(parts, 1).series, series.series);
  EXPECT_EQ(sample_row(parts, 1).value, Float64::of(2.5));
}

TEST(SampleRows, ARoleMakesAnotherSeries) {
  const DecodeDefaults given = defaults();
  SampleRows rows(given, SampleDoor::kRemoteWrite1);
  ASSERT_TRUE(begin(&rows, {}).ok());
  ASSERT_TRUE(rows.add(sample(kNow, 1)).ok());
  ASSERT_TRUE(rows.begin_series("up", {}, SeriesRole::kExemplars).ok());
  ASSERT_TRUE(rows.add({.time = kNow, .data = R"({"exemplars":[]})"}).ok());
  const auto parts = rows.finish();
  EXPECT_EQ(parts.at(0).definitions->rows(), 2u);
  EXPECT_EQ(series_row(parts, 1).type, "exemplar");
  EXPECT_EQ(sample_row(parts, 1).data, R"({"exemplars":[]})");
  EXPECT_EQ(sample_row(parts, 1).value, kAbsentFloat64);
}

TEST(SampleRows, WhatWasSentBeforeIsKnown) {
  SeriesCache cache(kMiB, 7);
  std::string first;
  for (const bool is_known : {false, true}) {
    const DecodeDefaults given = defaults(&cache);
    SampleRows rows(given, SampleDoor::kRemoteWrite1);
    EXPECT_EQ(rows.knows_series("sent"), is_known);
    if (!is_known) {
      ASSERT_TRUE(begin(&rows, {{"job", "api"}}).ok());
    }
    ASSERT_TRUE(rows.add(sample(kNow, 1)).ok());
    const auto parts = rows.finish();
    EXPECT_EQ(series_row(parts, 0).labels, R"({"job":"api"})");
    EXPECT_EQ(series_row(parts, 0).name, "up");
    if (first.empty()) first = series_row(parts, 0).series;
    EXPECT_EQ(series_row(parts, 0).series, first);
  }
  const DecodeDefaults given = defaults(&cache);
  SampleRows rows(given, SampleDoor::kRemoteWrite1);
  EXPECT_FALSE(rows.knows_series("sent", SeriesRole::kExemplars));
  EXPECT_FALSE(SampleRows(given, SampleDoor::kLineProtocol).knows_series("sent"));
}

TEST(SampleRows, DefinitionsThatTheStoreHasAreLeftOut) {
  SeriesCache cache(kMiB, 7);
  KnownSeries known(kMiB);
  DecodeDefaults given = defaults(&cache);
  given.knowledge = {&known, 3, kDayNs};
  const auto write = [&](const char* job, TimeNs time) {
    SampleRows rows(given, SampleDoor::kRemoteWrite1);
    if (!rows.knows_series(job)) {
      EXPECT_TRUE(begin(&rows, {{"job", job}}).ok());
    }
    EXPECT_TRUE(rows.add(sample(time, 1)).ok());
    return rows.finish();
  };
  const auto define = [&](const std::vector<DecodedSamples>& parts) {
    const SeriesDefinition one{interval_start(kNow, kDayNs),
                               *Id::parse(series_row(parts, 0).series)};
    known.add(3, {&one, 1}, known.epoch());
  };
  for (const char* job : {"a", "b"}) {
    const auto first = write(job, kNow);
    EXPECT_EQ(first.at(0).known_epoch, known.epoch());
    define(first);
  }
  // The second time by what the cache says of it.
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(write("a", kNow).at(0).definitions, nullptr);
    EXPECT_EQ(write("b", kNow).at(0).definitions, nullptr);
  }
  EXPECT_EQ(series_row(write("a", kNow - kDayNs), 0).labels, R"({"job":"a"})");
  known.forget(3, interval_start(kNow, kDayNs));
  EXPECT_EQ(series_row(write("a", kNow), 0).labels, R"({"job":"a"})");
  define(write("b", kNow));
  EXPECT_EQ(series_row(write("a", kNow), 0).labels, R"({"job":"a"})");
  EXPECT_EQ(write("b", kNow).at(0).definitions, nullptr);
}

TEST(SampleRows, MarkersAndTheAbsentNanAreKept) {
  const DecodeDefaults given = defaults();
  SampleRows rows(given, SampleDoor::kRemoteWrite1);
  constexpr uint64_t kStale = 0x7ff0000000000002;
  ASSERT_TRUE(begin(&rows, {}).ok());
  ASSERT_TRUE(rows.add({.time = 1, .value = sample_value(kStale), .is_stale = true}).ok());
  ASSERT_TRUE(rows.add({.time = 2, .value = sample_value(kAbsentFloat64.bits)}).ok());
  const auto parts = rows.finish();
  EXPECT_EQ(sample_row(parts, 0).value.bits, kStale);
  EXPECT_EQ(sample_row(parts, 0).flags, 1);
  EXPECT_EQ(sample_row(parts, 1).value.bits, 0x7ff8000000000000u);
  EXPECT_EQ(sample_row(parts, 1).flags, kAbsentInt64);
}

TEST(SampleRows, BadSeriesAreNamed) {
  const DecodeDefaults given = defaults();
  SampleRows rows(given, SampleDoor::kRemoteWrite1);
  EXPECT_EQ(begin(&rows, {}, "").message(), "series '': it has no name");
  EXPECT_EQ(begin(&rows, {{"a", "1"}, {"a", "2"}}).message(),
            "series 'up{\"a\":\"1\"': the label 'a' comes twice");
  EXPECT_EQ(begin(&rows, {{"", "1"}}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(begin(&rows, {{"a", "\xff"}}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(begin(&rows, {}, "\xff").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(begin(&rows, {}, std::string(513, 'n')).code(), StatusCode::kTooLarge);
  std::vector<std::string> names;
  for (int i = 0; i < 129; ++i) names.push_back("l" + std::to_string(i));
  std::vector<Label> labels;
  for (const std::string& name : names) labels.push_back({name, "v"});
  EXPECT_EQ(begin(&rows, labels).code(), StatusCode::kTooLarge);
  EXPECT_TRUE(rows.finish().empty());
}

TEST(SampleRows, TimesFarAheadAreRefusedByName) {
  const DecodeDefaults given = defaults();
  SampleRows rows(given, SampleDoor::kRemoteWrite1);
  ASSERT_TRUE(begin(&rows, {{"job", "api"}}).ok());
  ASSERT_TRUE(rows.add(sample(kNow + kDayNs, 1)).ok());
  const Status status = rows.add(sample(kNow + kDayNs + 1, 1));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "series 'up{\"job\":\"api\"}': sample 2: its time 2026-01-02T00:00:00.000000001Z is "
            "more than 1d ahead of the clock (sample_ahead)");
}

TEST(SampleRows, EachPartDefinesItsSeries) {
  DecodeDefaults given = defaults();
  given.limits.batch_events = 2;
  SampleRows rows(given, SampleDoor::kRemoteWrite1);
  ASSERT_TRUE(begin(&rows, {}).ok());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(rows.add(sample(kNow + i, i)).ok());
  const auto parts = rows.finish();
  ASSERT_EQ(parts.size(), 3u);
  for (size_t part = 0; part < 3; ++part) EXPECT_EQ(series_row(parts, 0, part).name, "up");
  EXPECT_EQ(parts[2].samples->rows(), 1u);
}

TEST(SampleRows, LongDescriptionsAreKeptWhole) {
  const DecodeDefaults given = defaults();
  const std::string help(600, 'h');
  SampleRows rows(given, SampleDoor::kRemoteWrite2);
  ASSERT_TRUE(begin(&rows, {}).ok());
  rows.describe({.description = help});
  ASSERT_TRUE(rows.add(sample(kNow, 1)).ok());
  const auto parts = rows.finish();
  EXPECT_EQ(series_row(parts, 0).description, help.substr(0, 512));
  EXPECT_EQ(series_row(parts, 0).metadata, R"({"description":")" + help + "\"}");
}

TEST(SampleRows, ARequestMayNotBecomeFarMoreThanItWas) {
  DecodeDefaults given = defaults();
  given.limits.request_bytes = 100;
  SampleRows rows(given, SampleDoor::kRemoteWrite1);
  ASSERT_TRUE(begin(&rows, {}).ok());
  Status status;
  for (int i = 0; i < 20 && status.ok(); ++i) status = rows.add(sample(kNow, i));
  EXPECT_EQ(status.code(), StatusCode::kTooLarge);
}

}  // namespace
}  // namespace firn
