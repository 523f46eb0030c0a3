#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/size.h"
#include "model/test_rows.h"
#include "wire/json_reader.h"
#include "wire/otlp.h"
#include "wire/otlp_test_request.h"
#include "wire/series_cache.h"

namespace firn {
namespace {

constexpr auto kProtobuf = OtlpEncoding::kProtobuf;
constexpr auto kJson = OtlpEncoding::kJson;
constexpr uint64_t kTime = 1'767'225'600'000'000'007;

uint64_t bits(double value) { return std::bit_cast<uint64_t>(value); }

Result<OtlpRecords> decode(std::string_view body, OtlpEncoding encoding,
                           const Limits& limits = kLimits, SeriesCache* cache = nullptr) {
  DecodeDefaults defaults;
  defaults.series_cache = cache;
  defaults.now = kTestTime;
  defaults.limits = limits;
  defaults.make_id = [] { return Id(); };
  return decode_otlp(OtlpSignal::kMetrics, body, encoding, defaults);
}

TestProto attribute(std::string_view key, std::string_view value) {
  return TestProto().text(1, key).message(2, TestProto().text(1, value));
}

// A request of metrics of one resource and scope.
std::string request(const std::vector<TestProto>& metrics) {
  TestProto scope_metrics;
  scope_metrics.message(1, TestProto().text(1, "lib").text(2, "1.0"));
  for (const TestProto& metric : metrics) scope_metrics.message(2, metric);
  TestProto resource_metrics;
  resource_metrics.message(1, TestProto().message(1, attribute("service.name", "shop")));
  resource_metrics.message(2, scope_metrics);
  return TestProto().message(1, resource_metrics).bytes;
}
std::string json_request(const std::string& metrics) {
  return R"({"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},)"
         R"("scopeMetrics":[{"scope":{"name":"lib","version":"1.0"},"metrics":[)" +
         metrics + "]}]}]}";
}

TestProto gauge(const TestProto& point, std::string_view name = "load") {
  return TestProto().text(1, name).text(3, "1").message(5, TestProto().message(1, point));
}
TestProto double_point(double value, uint64_t time = kTime) {
  return TestProto().fixed64(3, time).fixed64(4, bits(value));
}

struct Rows {
  OtlpRecords records;
  EventRow sample(uint32_t row) const { return event_row(*records.samples.at(0).samples, row); }
  EventRow series(uint32_t row) const { return event_row(*records.samples.at(0).definitions, row); }
};
Rows rows_of(std::string_view body, OtlpEncoding encoding = kProtobuf) {
  auto decoded = decode(body, encoding);
  EXPECT_TRUE(decoded.ok()) << decoded.status().to_string();
  return {decoded.ok() ? std::move(*decoded) : OtlpRecords{}};
}

// The same request in both forms becomes the same rows.
Rows same_rows(const std::string& protobuf, const std::string& json) {
  Rows rows = rows_of(protobuf), other = rows_of(json, kJson);
  EXPECT_EQ(rows.records.rejected, other.records.rejected);
  EXPECT_EQ(rows.records.samples.size(), 1u);
  EXPECT_EQ(other.records.samples.size(), 1u);
  if (rows.records.samples.size() == 1 && other.records.samples.size() == 1) {
    EXPECT_EQ(rows.records.samples[0].samples->encoded(),
              other.records.samples[0].samples->encoded());
    EXPECT_EQ(rows.records.samples[0].definitions->encoded(),
              other.records.samples[0].definitions->encoded());
  }
  return rows;
}

TEST(OtlpMetrics, AGaugeBecomesASampleAndItsSeries) {
  TestProto point = double_point(1.25);
  point.fixed64(2, kTime - 5).message(7, attribute("z", "1")).message(7, attribute("a", "2"));
  const Rows rows = same_rows(
      request({gauge(point).text(2, "how much")}),
      json_request(
          R"({"gauge":{"dataPoints":[{"attributes":[{"key":"z","value":{"stringValue":"1"}},)"
          R"({"key":"a","value":{"stringValue":"2"}}],"startTimeUnixNano":"1767225600000000002",)"
          R"("timeUnixNano":"1767225600000000007","asDouble":1.25}]},"name":"load",)"
          R"("unit":"1","description":"how much"})"));
  const EventRow sample = rows.sample(0), series = rows.series(0);
  EXPECT_EQ(sample.time, static_cast<TimeNs>(kTime));
  EXPECT_EQ(sample.start_time, static_cast<TimeNs>(kTime - 5));
  EXPECT_EQ(sample.value, Float64::of(1.25));
  EXPECT_EQ(sample.integer, 0);
  EXPECT_EQ(sample.data, "");
  EXPECT_EQ(sample.series.size(), 32u);
  EXPECT_EQ(series.series, sample.series);
  EXPECT_EQ(series.name, "load");
  EXPECT_EQ(series.type, "gauge");
  EXPECT_EQ(series.unit, "1");
  EXPECT_EQ(series.description, "how much");
  EXPECT_EQ(series.temporality, "");
  EXPECT_EQ(series.labels, R"({"a":"2","z":"1"})");
  EXPECT_EQ(
      series.context,
      R"({"resource":{"attributes":{"service.name":"shop"}},"scope":{"name":"lib","version":"1.0"}})");
}

TEST(OtlpMetrics, ASumKeepsIntegersOfEverySizeExactly) {
  const int64_t values[] = {7, -3, 9'007'199'254'740'993, INT64_MIN, INT64_MAX};
  TestProto sum;
  std::string points;
  for (const int64_t value : values) {
    sum.message(1, TestProto().fixed64(3, kTime).fixed64(6, static_cast<uint64_t>(value)));
    points += (points.empty() ? "" : ",") +
              (R"({"timeUnixNano":1767225600000000007,"asInt":")" + std::to_string(value) + "\"}");
  }
  sum.number(2, 2).number(3, 1);
  const Rows rows = same_rows(request({TestProto().text(1, "count").message(7, sum)}),
                              json_request(R"({"name":"count","sum":{"dataPoints":[)" + points +
                                           R"(],"aggregationTemporality":2,"isMonotonic":true}})"));
  EXPECT_EQ(rows.series(0).type, "sum");
  EXPECT_EQ(rows.series(0).temporality, "cumulative");
  EXPECT_EQ(rows.series(0).monotonic, 1);
  EXPECT_EQ(rows.sample(0).value, Float64::of(7));
  EXPECT_EQ(rows.sample(0).integer, 1);
  EXPECT_EQ(rows.sample(1).data, "");
  EXPECT_EQ(rows.sample(2).data, R"({"asInt":9007199254740993})");
  EXPECT_EQ(rows.sample(3).data, "");
  EXPECT_EQ(rows.sample(4).data, R"({"asInt":9223372036854775807})");
}

TEST(OtlpMetrics, AHistogramKeepsEveryField) {
  TestProto exemplar;
  exemplar.fixed64(2, kTime - 1).fixed64(3, bits(0.5)).text(4, "abcdefgh");
  exemplar.text(5, "0123456789abcdef").message(7, attribute("k", "v"));
  TestProto point;
  point.fixed64(2, kTime - 9).fixed64(3, kTime).fixed64(4, 5).fixed64(5, bits(12.5));
  std::string counts, bounds;
  for (const uint64_t count : {1, 4}) append_le(&counts, count);
  append_le(&bounds, bits(10));
  point.text(6, counts).text(7, bounds).message(8, exemplar).message(9, attribute("a", "b"));
  point.number(10, 0).fixed64(11, bits(-1)).fixed64(12, bits(INFINITY));
  const Rows rows = same_rows(
      request(
          {TestProto().text(1, "latency").message(9, TestProto().message(1, point).number(2, 1))}),
      json_request(
          R"({"name":"latency","histogram":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[)"
          R"({"startTimeUnixNano":"1767225599999999998","timeUnixNano":"1767225600000000007","count":"5","sum":12.5,)"
          R"("bucketCounts":["1",4],"explicitBounds":[10],"min":-1,"max":"Infinity","attributes":[{"key":"a",)"
          R"("value":{"stringValue":"b"}}],"exemplars":[{"timeUnixNano":"1767225600000000006","asDouble":0.5,)"
          R"("spanId":"6162636465666768","traceId":"30313233343536373839616263646566","filteredAttributes":)"
          R"([{"key":"k","value":{"stringValue":"v"}}]}]}]}})"));
  EXPECT_EQ(rows.series(0).type, "histogram");
  EXPECT_EQ(rows.series(0).temporality, "delta");
  EXPECT_EQ(rows.sample(0).value, Float64::of(12.5));
  EXPECT_EQ(
      rows.sample(0).data,
      R"({"count":5,"min":-1.0,"max":{"double":"Infinity"},"bucket_counts":[1,4],)"
      R"("explicit_bounds":[10.0],"exemplars":[{"time_unix_nano":1767225600000000006,"value":0.5,)"
      R"("attributes":{"k":"v"},"trace_id":"30313233343536373839616263646566",)"
      R"("span_id":"6162636465666768"}]})");
}

TEST(OtlpMetrics, AnExponentialHistogramKeepsEveryField) {
  std::string packed;
  for (const uint64_t count : {uint64_t{3}, uint64_t{UINT64_MAX}})
    TestProto::varint(count, &packed);
  TestProto positive, negative, point;
  positive.number(1, 5).text(2, packed);  // zigzag of -3
  negative.number(2, 7);
  point.fixed64(3, kTime).fixed64(4, 10).number(6, 3).fixed64(7, 2);  // scale: zigzag of -2
  point.message(8, positive).message(9, negative).fixed64(14, bits(0.25));
  const Rows rows = same_rows(
      request({TestProto().text(1, "e").message(10, TestProto().message(1, point).number(2, 2))}),
      json_request(
          R"({"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":)"
          R"("1767225600000000007","count":10,"scale":-2,"zeroCount":"2","zeroThreshold":0.25,"positive":)"
          R"({"offset":-3,"bucketCounts":[3,"18446744073709551615"]},"negative":{"bucketCounts":[7]}}]}})"));
  EXPECT_EQ(rows.sample(0).value, kAbsentFloat64);
  EXPECT_EQ(
      rows.sample(0).data,
      R"({"count":10,"scale":-2,"zero_count":2,"zero_threshold":0.25,"positive":{"offset":-3,)"
      R"("bucket_counts":[3,18446744073709551615]},"negative":{"offset":0,"bucket_counts":[7]}})");
}

TEST(OtlpMetrics, ASummaryKeepsItsQuantiles) {
  TestProto point;
  point.fixed64(3, kTime).fixed64(4, 2).fixed64(5, bits(3));
  point.message(6, TestProto().fixed64(1, bits(0.5)).fixed64(2, bits(1.5)));
  point.message(6, TestProto().fixed64(1, bits(1)).fixed64(2, bits(NAN)));
  const Rows rows = same_rows(
      request({TestProto().text(1, "s").message(11, TestProto().message(1, point))}),
      json_request(
          R"({"name":"s","summary":{"dataPoints":[{"timeUnixNano":"1767225600000000007","count":"2","sum":3,)"
          R"("quantileValues":[{"quantile":0.5,"value":1.5},{"quantile":1,"value":"NaN"}]}]}})"));
  EXPECT_EQ(rows.series(0).type, "summary");
  EXPECT_EQ(rows.sample(0).data, R"({"count":2,"quantiles":[{"quantile":0.5,"value":1.5},)"
                                 R"({"quantile":1.0,"value":{"double":"NaN"}}]})");
}

TEST(OtlpMetrics, NansInfinitiesAndStalenessAreValues) {
  TestProto marker = TestProto().fixed64(3, kTime + 1).number(8, 1);
  TestProto points;
  points.message(1, TestProto().fixed64(3, kTime).fixed64(4, 0x7ff0000000000002));
  points.message(1, marker).message(1, double_point(-INFINITY)).message(1, double_point(-0.0));
  const Rows rows = rows_of(request({TestProto().text(1, "g").message(5, points)}));
  ASSERT_EQ(rows.records.rejected, 0u);
  EXPECT_EQ(rows.sample(0).value.bits, 0x7ff0000000000002u);
  EXPECT_EQ(rows.sample(1).value, kAbsentFloat64);
  EXPECT_EQ(rows.sample(1).flags, 1);
  EXPECT_EQ(rows.sample(2).value, Float64::of(-INFINITY));
  EXPECT_EQ(rows.sample(3).value, Float64::of(-0.0));
}

TEST(OtlpMetrics, IdentityIsTheSortedLabelsAndNotTheDescription) {
  TestProto one = double_point(1), same = double_point(2, kTime + 1), other = double_point(3);
  one.message(7, attribute("a", "1")).message(7, attribute("b", "2"));
  same.message(7, attribute("b", "2")).message(7, attribute("a", "1"));
  other.message(7, attribute("a", "1"));
  const Rows rows = rows_of(request({gauge(one), gauge(same).text(2, "other words"), gauge(other),
                                     gauge(one, "other"), gauge(one).text(3, "s")}));
  EXPECT_EQ(rows.sample(0).series, rows.sample(1).series);
  for (uint32_t row = 2; row < 5; ++row) EXPECT_NE(rows.sample(0).series, rows.sample(row).series);
  EXPECT_EQ(rows.records.samples[0].definitions->rows(), 4u);
}

TEST(OtlpMetrics, WhatCannotBeKeptIsRejectedAndCounted) {
  const auto decoded =
      decode(request({gauge(double_point(1, 0)), gauge(TestProto().fixed64(3, kTime)),
                      gauge(double_point(1), ""), gauge(double_point(1))}),
             kProtobuf);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->rejected, 3u);
  EXPECT_EQ(decoded->message, "a data point has no time, or one after the year 2262");
  EXPECT_EQ(decoded->samples.at(0).samples->rows(), 1u);
  EXPECT_EQ(encode_otlp_response(OtlpSignal::kMetrics, 3, "m", kJson),
            R"({"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"m"}})");
}

TEST(OtlpMetrics, LimitsHoldForPoints) {
  Limits limits;
  limits.attributes_per_event = 1;
  TestProto many = double_point(1);
  many.message(7, attribute("a", "1")).message(7, attribute("b", "2"));
  EXPECT_EQ(decode(request({gauge(many)}), kProtobuf, limits)->rejected, 1u);
  limits = Limits();
  limits.event_bytes = 64;
  TestProto point = TestProto().fixed64(3, kTime);
  point.text(6, std::string(8 * 100, 'x'));
  const auto large =
      decode(request({TestProto().text(1, "h").message(9, TestProto().message(1, point))}),
             kProtobuf, limits);
  EXPECT_EQ(large->rejected, 1u);
  limits = Limits();
  limits.batch_events = 2;
  const auto parts =
      decode(request({gauge(double_point(1)), gauge(double_point(2)), gauge(double_point(3))}),
             kProtobuf, limits);
  ASSERT_EQ(parts->samples.size(), 2u);
  EXPECT_EQ(parts->samples[1].definitions->rows(), 1u);
}

TEST(OtlpMetrics, MalformedRequestsAreRefusedByName) {
  const std::string good = request({gauge(double_point(1))});
  EXPECT_EQ(decode(good.substr(0, good.size() - 1), kProtobuf).status().code(),
            StatusCode::kInvalidArgument);
  for (const char* metric :
       {R"({"name":1})", R"({"name":"a","gauge":[]})", R"({"name":"a","gauge":{"dataPoints":{}}})",
        R"({"name":"a","gauge":{"dataPoints":[{"asDouble":"x"}]}})",
        R"({"name":"a","histogram":{"dataPoints":[{"bucketCounts":[-1]}]}})",
        R"({"name":"a","exponentialHistogram":{"dataPoints":[{"scale":3000000000}]}})"}) {
    const Status status = decode(json_request(metric), kJson).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << metric;
    EXPECT_NE(status.message().find("OTLP metrics request"), std::string_view::npos) << metric;
  }
  EXPECT_TRUE(decode("", kProtobuf)->samples.empty());
  EXPECT_TRUE(decode("{}", kJson)->samples.empty());
}

void expect_same(const OtlpRecords& records, const OtlpRecords& other) {
  ASSERT_EQ(records.samples.size(), 1u);
  ASSERT_EQ(other.samples.size(), 1u);
  EXPECT_EQ(records.samples[0].samples->encoded(), other.samples[0].samples->encoded());
  EXPECT_EQ(records.samples[0].definitions->encoded(), other.samples[0].definitions->encoded());
}

TEST(OtlpMetrics, RememberedAttributesBecomeTheSameRows) {
  TestProto apart = TestProto().message(7, attribute("a", "1")).fixed64(3, kTime);
  apart.message(7, attribute("b", "2")).fixed64(4, bits(2));
  TestProto with_exemplar = double_point(3).message(7, attribute("a", "1"));
  with_exemplar.message(5, TestProto().message(7, attribute("inner", "x")).fixed64(3, bits(1)));
  const std::vector<TestProto> points = {
      double_point(1).message(7, attribute("b", "2")).message(7, attribute("a", "1")),
      apart,
      with_exemplar,
      double_point(4),
      double_point(5).message(7, attribute("", "")),
      double_point(6).message(7, attribute("a", "1"))};
  std::vector<TestProto> metrics;
  for (const std::string_view name : {"one", "other"}) {
    for (const TestProto& point : points) metrics.push_back(gauge(point, name));
  }
  const std::string body = request(metrics);
  const auto expected = decode(body, kProtobuf);
  ASSERT_TRUE(expected.ok());
  SeriesCache cache(kMiB);
  for (int turn = 0; turn < 3; ++turn) {
    const auto decoded = decode(body, kProtobuf, kLimits, &cache);
    ASSERT_TRUE(decoded.ok());
    expect_same(*decoded, *expected);
  }
  EXPECT_GT(cache.bytes(), SeriesCache(kMiB).bytes());
}

TEST(OtlpMetrics, AttributesThatWereRefusedAreNotRemembered) {
  Limits limits = kLimits;
  limits.json_depth = 6;
  TestProto deep = TestProto().text(1, "end");
  for (int i = 0; i < 4; ++i) deep = TestProto().message(5, TestProto().message(1, deep));
  const std::string body =
      request({gauge(double_point(1).message(7, TestProto().text(1, "k").message(2, deep)))});
  SeriesCache cache(kMiB);
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(decode(body, kProtobuf, limits, &cache).status().code(), StatusCode::kTooLarge);
  }
  Limits few = kLimits;
  few.attributes_per_event = 1;
  const std::string many = request(
      {gauge(double_point(1).message(7, attribute("a", "1")).message(7, attribute("b", "1")))});
  for (int turn = 0; turn < 2; ++turn) {
    const auto decoded = decode(many, kProtobuf, few, &cache);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->rejected, 1u);
  }
  EXPECT_EQ(cache.bytes(), SeriesCache(kMiB).bytes());
}

}  // namespace
}  // namespace firn
