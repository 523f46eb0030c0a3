#include "wire/exposition.h"

#include <gtest/gtest.h>

#include "base/size.h"

namespace firn {
namespace {

constexpr TimeNs kNow = 1'767'225'600'000'000'000;

Result<ExpositionRecords> decode(std::string_view text,
                                 ExpositionFormat format = ExpositionFormat::kText,
                                 SeriesCache* cache = nullptr) {
  DecodeDefaults defaults;
  defaults.now = kNow;
  defaults.series_cache = cache;
  return decode_exposition(text, format, defaults);
}
Result<ExpositionRecords> decode_open(std::string_view text) {
  return decode(text, ExpositionFormat::kOpenMetrics);
}

struct Rows {
  ExpositionRecords records;
  EventRow sample(uint32_t row) const { return event_row(*records.parts.at(0).samples, row); }
  EventRow series(uint32_t row) const { return event_row(*records.parts.at(0).definitions, row); }
};
Rows rows_of(Result<ExpositionRecords> records) {
  EXPECT_TRUE(records.ok()) << records.status().to_string();
  return {records.ok() ? std::move(*records) : ExpositionRecords{}};
}
std::string refusal(std::string_view text, ExpositionFormat format = ExpositionFormat::kText) {
  const auto decoded = decode(text, format);
  return decoded.ok() ? "taken" : std::string(decoded.status().message());
}

TEST(Exposition, LinesBecomeSamples) {
  const Rows rows = rows_of(decode(
      "# a comment\n\nup 1\r\n  requests_total { path = \"/a\\\"\\\\\\n\" , code=\"200\", } 2.5 "
      "1500\nlast -0"));
  EXPECT_EQ(rows.records.samples, 3u);
  EXPECT_EQ(rows.series(0).name, "up");
  EXPECT_EQ(rows.sample(0).time, kNow);
  EXPECT_EQ(rows.series(1).labels, R"({"code":"200","path":"/a\"\\\n"})");
  EXPECT_EQ(rows.sample(1).time, 1500 * kMillisecondNs);
  EXPECT_EQ(rows.sample(1).value, Float64::of(2.5));
  EXPECT_EQ(rows.sample(2).value, Float64::of(-0.0));
}

TEST(Exposition, Values) {
  const Rows rows = rows_of(decode("a +Inf\nb -inf\nc NaN\nd 1e300\ne +5\nf 0.1\n"));
  EXPECT_EQ(rows.sample(0).value.bits, 0x7ff0000000000000u);
  EXPECT_EQ(rows.sample(1).value.bits, 0xfff0000000000000u);
  EXPECT_EQ(rows.sample(2).value.bits, 0x7ff8000000000000u);
  EXPECT_EQ(rows.sample(3).value, Float64::of(1e300));
  EXPECT_EQ(rows.sample(4).value, Float64::of(5));
  EXPECT_EQ(rows.sample(5).value, Float64::of(0.1));
  for (const char* bad : {"a", "a x", "a 1e999", "a nan(1)", "a +-1", "a ++1", "a 1x", "a --inf"}) {
    EXPECT_EQ(refusal(bad), "line 1: the value is not a number") << bad;
  }
}

TEST(Exposition, FamiliesDescribeTheirSeries) {
  const Rows rows =
      rows_of(decode("latency_bucket{le=\"1\"} 2\nlatency_sum 3\n# TYPE latency histogram\n"
                     "# HELP latency How\\nlong \\\\.\n# UNIT latency seconds\nlatency_other 1\n"
                     "# TYPE hits untyped\nhits 1\n# TYPE hits_total counter\nhits_total 1\n"));
  EXPECT_EQ(rows.series(0).type, "histogram");
  EXPECT_EQ(rows.series(0).description, "How\nlong \\.");
  EXPECT_EQ(rows.series(0).unit, "seconds");
  EXPECT_EQ(rows.series(1).type, "histogram");
  EXPECT_EQ(rows.series(2).type, "");
  EXPECT_EQ(rows.series(3).type, "");
  EXPECT_EQ(rows.series(4).type, "counter");
  EXPECT_EQ(rows.series(4).monotonic, 1);
}

TEST(Exposition, QuotedNames) {
  const Rows rows = rows_of(
      decode("# TYPE \"http.requests\" counter\n{\"http.requests\", \"a.b\"=\"c\", d=\"e\"} 1\n"));
  EXPECT_EQ(rows.series(0).name, "http.requests");
  EXPECT_EQ(rows.series(0).labels, R"({"a.b":"c","d":"e"})");
  EXPECT_EQ(rows.series(0).type, "counter");
}

TEST(Exposition, OpenMetricsTimesAreSecondsToTheNanosecond) {
  const Rows rows =
      rows_of(decode_open("a 1 1767225600.123456789\nb 1 -1.5\nc 1 1.5e3\nd 1 7\n# EOF\n"));
  EXPECT_EQ(rows.sample(0).time, kNow + 123'456'789);
  EXPECT_EQ(rows.sample(1).time, -1'500'000'000);
  EXPECT_EQ(rows.sample(2).time, 1500 * kSecondNs);
  EXPECT_EQ(rows.sample(3).time, 7 * kSecondNs);
}

TEST(Exposition, OpenMetricsEndsOnce) {
  EXPECT_EQ(refusal("a 1\n", ExpositionFormat::kOpenMetrics),
            "the text does not end with '# EOF': it is not whole");
  EXPECT_EQ(refusal("a 1\n# EOF\nb 1\n", ExpositionFormat::kOpenMetrics),
            "line 3: there is something behind '# EOF'");
  EXPECT_EQ(refusal("# EOF\na 1\n"), "taken");
}

TEST(Exposition, ExemplarsOfOpenMetrics) {
  const Rows rows = rows_of(
      decode_open("# TYPE a histogram\na_bucket{le=\"1\"} 2 5 # {trace_id=\"x\"} 0.5 4.5\n# EOF"));
  EXPECT_EQ(rows.records.samples, 1u);
  EXPECT_EQ(rows.records.exemplars, 1u);
  EXPECT_EQ(rows.series(1).type, "exemplar");
  EXPECT_EQ(rows.series(1).labels, rows.series(0).labels);
  EXPECT_EQ(rows.sample(1).time, 4'500'000'000);
  EXPECT_EQ(
      rows.sample(1).data,
      R"({"exemplars":[{"time_unix_nano":4500000000,"value":0.5,"attributes":{"trace_id":"x"}}]})");
  EXPECT_EQ(refusal("a 1 # {} 1\n"), "line 1: there is '# {} 1' behind the sample");
}

TEST(Exposition, BadLinesAreNamed) {
  EXPECT_EQ(refusal("a 1\n{} 1"), "line 2: there is no name");
  EXPECT_EQ(refusal("9a 1"), "line 1: there is no name");
  EXPECT_EQ(refusal("a{b} 1"), "line 1: the label 'b' has no value");
  EXPECT_EQ(refusal("a{b=\"c\" d=\"e\"} 1"), "line 1: the labels are not closed by '}'");
  EXPECT_EQ(refusal("a{b=\"c} 1"), "line 1: a quoted text does not end");
  EXPECT_EQ(refusal("a{b=c} 1"), "line 1: a quoted text was expected");
  EXPECT_EQ(refusal("a{b=\"\\x\"} 1"), "line 1: '\\x' is no escape");
  EXPECT_EQ(refusal("a{b=\"1\",b=\"2\"} 1"),
            "line 1: series 'a{\"b\":\"1\"': the label 'b' comes twice");
  EXPECT_EQ(refusal("a 1 1.5"), "line 1: '1.5' is not a time in milliseconds");
  EXPECT_EQ(refusal("a 1 99999999999999999"),
            "line 1: '99999999999999999' is not a time in milliseconds");
  EXPECT_EQ(refusal("a 1 2 3"), "line 1: there is '3' behind the sample");
  EXPECT_EQ(refusal("# TYPE a gouge"), "line 1: 'a' has a type that does not exist");
}

TEST(Exposition, TheCacheGivesTheSameRows) {
  SeriesCache cache(kMiB, 1);
  const std::string_view text = "a{b=\"c\"} 1\na{b=\"c\"} 2 7\nd 3\n";
  const Rows first = rows_of(decode(text));
  for (int i = 0; i < 2; ++i) {
    const Rows rows = rows_of(decode(text, ExpositionFormat::kText, &cache));
    EXPECT_EQ(rows.records.parts[0].samples->encoded(), first.records.parts[0].samples->encoded());
    EXPECT_EQ(rows.records.parts[0].definitions->encoded(),
              first.records.parts[0].definitions->encoded());
  }
}

}  // namespace
}  // namespace firn
