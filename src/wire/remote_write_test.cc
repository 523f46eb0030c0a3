#include "wire/remote_write.h"

#include <gtest/gtest.h>

#include "base/size.h"
#include "wire/test_remote_write.h"

namespace firn {
namespace {

constexpr TimeNs kNow = 1'767'225'600'000'000'000;
constexpr int64_t kNowMs = kNow / kMillisecondNs;
constexpr uint64_t kStaleNan = 0x7ff0000000000002;
const TestLabels kUp = {{"__name__", "up"}, {"instance", "a:1"}, {"job", "api"}};

Result<RemoteWriteRecords> decode(std::string_view body, RemoteWriteVersion version,
                                  SeriesCache* cache = nullptr) {
  DecodeDefaults defaults;
  defaults.now = kNow;
  defaults.series_cache = cache;
  return decode_remote_write(body, version, defaults);
}
Result<RemoteWriteRecords> decode1(const std::vector<TestProto>& series) {
  return decode(test_request1(series), RemoteWriteVersion::k1);
}

struct Rows {
  RemoteWriteRecords records;
  EventRow sample(uint32_t row) const { return event_row(*records.parts.at(0).samples, row); }
  EventRow series(uint32_t row) const { return event_row(*records.parts.at(0).definitions, row); }
  uint32_t samples() const { return records.parts.at(0).samples->rows(); }
  uint32_t all_series() const { return records.parts.at(0).definitions->rows(); }
};
Rows rows_of(Result<RemoteWriteRecords> records) {
  EXPECT_TRUE(records.ok()) << records.status().to_string();
  return {records.ok() ? std::move(*records) : RemoteWriteRecords{}};
}

TEST(RemoteWrite, Version1SamplesBecomeRows) {
  const Rows rows = rows_of(
      decode1({test_series1(kUp, {test_sample(1.0, kNowMs), test_sample(-0.0, kNowMs + 15'000)}),
               test_series1({{"__name__", "down"}}, {test_sample(uint64_t{0}, 0)})}));
  EXPECT_EQ(rows.records.samples, 3u);
  EXPECT_EQ(rows.series(0).name, "up");
  EXPECT_EQ(rows.series(0).labels, R"({"instance":"a:1","job":"api"})");
  EXPECT_EQ(rows.series(1).labels, "");
  EXPECT_EQ(rows.sample(0).series, rows.series(0).series);
  EXPECT_EQ(rows.sample(1).value, Float64::of(-0.0));
  EXPECT_EQ(rows.sample(1).time, kNow + 15 * kSecondNs);
  EXPECT_EQ(rows.sample(2).time, 0);
  EXPECT_EQ(rows.sample(2).start_time, kAbsentInt64);
}

TEST(RemoteWrite, FieldsThatAreTheDefaultNeedNotBeSent) {
  const Rows rows = rows_of(decode1({test_series1(kUp, {TestProto()})}));
  EXPECT_EQ(rows.sample(0).time, 0);
  EXPECT_EQ(rows.sample(0).value, Float64::of(0));
}

TEST(RemoteWrite, NansInfinitiesAndStalenessMarkersAreKept) {
  const uint64_t infinity = 0x7ff0000000000000, nan = 0x7ff8000000000001;
  const Rows rows = rows_of(decode1({test_series1(
      kUp, {test_sample(infinity, 1), test_sample(nan, 2), test_sample(kStaleNan, 3)})}));
  EXPECT_EQ(rows.sample(0).value.bits, infinity);
  EXPECT_EQ(rows.sample(1).value.bits, nan);
  EXPECT_EQ(rows.sample(1).flags, kAbsentInt64);
  EXPECT_EQ(rows.sample(2).value.bits, kStaleNan);
  EXPECT_EQ(rows.sample(2).flags, 1);
}

TEST(RemoteWrite, WhereLabelsStandDoesNotMatter) {
  TestProto scattered;
  scattered.message(1, test_label("job", "api")).message(2, test_sample(1.0, kNowMs));
  scattered.message(1, test_label("__name__", "up")).message(1, test_label("instance", "a:1"));
  SeriesCache cache(kMiB);
  for (int i = 0; i < 2; ++i) {
    const Rows rows =
        rows_of(decode(test_request1({scattered, test_series1(kUp, {test_sample(2.0, kNowMs)})}),
                       RemoteWriteVersion::k1, &cache));
    EXPECT_EQ(rows.all_series(), 1u);
    EXPECT_EQ(rows.samples(), 2u);
  }
}

TEST(RemoteWrite, TheCacheGivesTheSameRows) {
  SeriesCache cache(kMiB, 5);
  TestRequest2 request;
  request.add(request.series(kUp, {test_sample(1.0, kNowMs)}));
  const std::string body1 = test_request1({test_series1(kUp, {test_sample(1.0, kNowMs)})});
  const Rows first = rows_of(decode(body1, RemoteWriteVersion::k1));
  for (int i = 0; i < 2; ++i) {
    const Rows one = rows_of(decode(body1, RemoteWriteVersion::k1, &cache));
    const Rows two = rows_of(decode(request.bytes(), RemoteWriteVersion::k2, &cache));
    for (const Rows* rows : {&one, &two}) {
      EXPECT_EQ(rows->records.parts[0].samples->encoded(),
                first.records.parts[0].samples->encoded());
      EXPECT_EQ(rows->records.parts[0].definitions->encoded(),
                first.records.parts[0].definitions->encoded());
    }
  }
}

TEST(RemoteWrite, Version2MetadataAndStartTimes) {
  TestRequest2 request;
  const TestProto metadata = TestProto()
                                 .number(1, 1)
                                 .number(3, request.symbol("All requests."))
                                 .number(4, request.symbol("requests"));
  request.add(request.series(kUp, {test_sample(1.0, kNowMs)})
                  .message(5, metadata)
                  .number(6, static_cast<uint64_t>(kNowMs - 1000)));
  request.add(request.series({{"__name__", "b"}}, {test_sample(1.0, kNowMs).number(3, 5)}));
  const Rows rows = rows_of(decode(request.bytes(), RemoteWriteVersion::k2));
  EXPECT_EQ(rows.series(0).type, "counter");
  EXPECT_EQ(rows.series(0).monotonic, 1);
  EXPECT_EQ(rows.series(0).temporality, "cumulative");
  EXPECT_EQ(rows.series(0).unit, "requests");
  EXPECT_EQ(rows.series(0).description, "All requests.");
  EXPECT_EQ(rows.sample(0).start_time, kNow - kSecondNs);
  EXPECT_EQ(rows.series(1).type, "");
  EXPECT_EQ(rows.sample(1).start_time, 5 * kMillisecondNs);
}

TEST(RemoteWrite, NativeHistogramsAreKeptWhole) {
  TestProto one = test_series1(kUp, {});
  one.message(4, test_histogram(kNowMs));
  TestRequest2 request;
  request.add(request.series(kUp, {}).message(3, test_histogram(kNowMs)));
  const Rows rows1 = rows_of(decode1({one}));
  const Rows rows2 = rows_of(decode(request.bytes(), RemoteWriteVersion::k2));
  for (const Rows* rows : {&rows1, &rows2}) {
    EXPECT_EQ(rows->records.histograms, 1u);
    EXPECT_EQ(rows->records.samples, 0u);
    EXPECT_EQ(rows->sample(0).value, Float64::of(4.5));
    EXPECT_EQ(rows->sample(0).data, kTestHistogramJson);
    EXPECT_EQ(rows->sample(0).time, kNow);
  }
}

TEST(RemoteWrite, FloatAndStaleHistograms) {
  std::string counts;
  append_le(&counts, std::bit_cast<uint64_t>(1.5));
  const TestProto histogram = TestProto()
                                  .fixed64(2, std::bit_cast<uint64_t>(3.0))
                                  .fixed64(3, kStaleNan)
                                  .number(4, 105)  // -53
                                  .fixed64(7, std::bit_cast<uint64_t>(0.5))
                                  .message(8, TestProto().number(2, 1))
                                  .text(10, counts)
                                  .fixed64(16, std::bit_cast<uint64_t>(2.5))
                                  .number(15, 1);
  TestProto series = test_series1(kUp, {});
  const Rows rows = rows_of(decode1({series.message(4, histogram)}));
  EXPECT_EQ(rows.sample(0).data,
            R"({"count":3.0,"schema":-53,"zero_count":0.5,"zero_threshold":0.0,)"
            R"("negative":{"spans":[[0,1]],"counts":[1.5]},"custom_values":[2.5]})");
  EXPECT_EQ(rows.sample(0).value.bits, kStaleNan);
  EXPECT_EQ(rows.sample(0).flags, 1);
}

TEST(RemoteWrite, ExemplarsHaveASeriesOfTheirOwn) {
  const std::string trace_id(32, 'a'), span_id(16, 'b');
  TestProto one = test_series1(kUp, {test_sample(1.0, kNowMs)});
  one.message(3, TestProto()
                     .message(1, test_label("trace_id", trace_id))
                     .message(1, test_label("span_id", span_id))
                     .message(1, test_label("user", "u"))
                     .fixed64(2, std::bit_cast<uint64_t>(0.25))
                     .number(3, static_cast<uint64_t>(kNowMs)));
  one.message(3, TestProto().fixed64(2, std::bit_cast<uint64_t>(0.5)).number(3, kNowMs));
  TestRequest2 request;
  request.add(
      request.series(kUp, {test_sample(1.0, kNowMs)})
          .message(4,
                   TestProto()
                       .text(1, request.references(
                                    {{"trace_id", trace_id}, {"span_id", span_id}, {"user", "u"}}))
                       .fixed64(2, std::bit_cast<uint64_t>(0.25))
                       .number(3, static_cast<uint64_t>(kNowMs)))
          .message(4, TestProto().fixed64(2, std::bit_cast<uint64_t>(0.5)).number(3, kNowMs)));
  const Rows rows1 = rows_of(decode1({one}));
  const Rows rows2 = rows_of(decode(request.bytes(), RemoteWriteVersion::k2));
  const std::string time = std::to_string(kNow);
  for (const Rows* rows : {&rows1, &rows2}) {
    EXPECT_EQ(rows->records.exemplars, 2u);
    ASSERT_EQ(rows->samples(), 2u);
    EXPECT_EQ(rows->series(1).name, "up");
    EXPECT_EQ(rows->series(1).labels, rows->series(0).labels);
    EXPECT_EQ(rows->series(1).type, "exemplar");
    EXPECT_EQ(rows->sample(1).series, rows->series(1).series);
    EXPECT_EQ(rows->sample(1).value, kAbsentFloat64);
    EXPECT_EQ(rows->sample(1).data, R"({"exemplars":[{"time_unix_nano":)" + time +
                                        R"(,"value":0.25,"attributes":{"user":"u"},"trace_id":")" +
                                        trace_id + R"(","span_id":")" + span_id +
                                        R"("},{"time_unix_nano":)" + time + R"(,"value":0.5}]})");
  }
}

TEST(RemoteWrite, Version1MetadataIsOfTheFamily) {
  const TestProto metadata =
      TestProto().number(1, 1).text(2, "requests_total").text(4, "All requests.").text(5, "1");
  const Rows rows = rows_of(decode(TestProto().message(3, metadata).bytes, RemoteWriteVersion::k1));
  EXPECT_EQ(rows.series(0).name, "requests_total");
  EXPECT_EQ(rows.series(0).type, "metadata");
  EXPECT_EQ(rows.series(0).description, "All requests.");
  EXPECT_EQ(rows.sample(0).time, kNow);
  EXPECT_EQ(rows.sample(0).value, kAbsentFloat64);
  EXPECT_EQ(rows.sample(0).metadata, R"({"help":"All requests.","type":"counter","unit":"1"})");
  EXPECT_EQ(rows.records.samples, 0u);
}

TEST(RemoteWrite, BadInputIsNamed) {
  EXPECT_EQ(decode1({test_series1(kUp, {test_sample(1.0, INT64_MAX / 1000)})}).status().message(),
            "series 'up{\"instance\":\"a:1\",\"job\":\"api\"}': sample 1: its time of "
            "9223372036854775 ms is not between the years 1677 and 2262");
  EXPECT_EQ(decode1({test_series1(kUp, {test_sample(1.0, 1), test_sample(1.0, kNowMs * 2)})})
                .status()
                .message()
                .substr(0, 67),
            "series 'up{\"instance\":\"a:1\",\"job\":\"api\"}': sample 2: its time 2082-");
  EXPECT_EQ(decode1({test_series1({{"job", "api"}}, {test_sample(1.0, 1)})}).status().message(),
            "series '': it has no name");
  EXPECT_EQ(decode("\x0a\xff", RemoteWriteVersion::k1).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(RemoteWrite, SymbolsThatAreNotThereAreNamed) {
  const auto of = [](const TestProto& series) -> std::string {
    const auto decoded =
        decode(TestProto().text(4, "").message(5, series).bytes, RemoteWriteVersion::k2);
    return std::string(decoded.status().message());
  };
  EXPECT_EQ(of(TestProto().number(1, 0).number(1, 9)),
            "series 1 of the request refers to symbol 9, there are 1");
  EXPECT_EQ(of(TestProto().number(1, 0)), "series 1 of the request has a label without a value");
}

TEST(RemoteWrite, ManyLabelsAreRefusedBeforeTheyAreKept) {
  TestProto series;
  for (int i = 0; i < 200; ++i) series.message(1, test_label("l" + std::to_string(i), "v"));
  EXPECT_EQ(decode1({series}).status().message(),
            "series 1 of the request has more than 128 labels, the limit attributes_per_event");
}

TEST(RemoteWrite, AnEmptyRequestStoresNothing) {
  EXPECT_TRUE(decode("", RemoteWriteVersion::k1)->parts.empty());
  EXPECT_TRUE(decode("", RemoteWriteVersion::k2)->parts.empty());
  EXPECT_TRUE(decode1({test_series1(kUp, {})})->parts.empty());
}

}  // namespace
}  // namespace firn
