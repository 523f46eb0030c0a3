#include "wire/samples_json.h"

#include <gmock/gmock.h>

#include "base/size.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

constexpr TimeNs kNow = 1'767'225'600'000'000'000;

class SamplesJsonTest : public ::testing::Test {
 protected:
  SamplesJsonTest() {
    defaults_.now = kNow;
    defaults_.series_cache = &cache_;
  }
  Result<DecodedSamples> decode(const std::string& body) {
    return decode_samples_json(body, defaults_);
  }
  // The message for a body with these objects.
  std::string refusal(const std::string& samples) {
    const auto decoded = decode("{\"samples\":[" + samples + "]}");
    return decoded.ok() ? "" : std::string(decoded.status().message());
  }
  static EventRow sample(const Result<DecodedSamples>& decoded, uint32_t row) {
    return event_row(*decoded->samples, row);
  }
  static EventRow series(const Result<DecodedSamples>& decoded, uint32_t row) {
    return event_row(*decoded->definitions, row);
  }

  SeriesCache cache_{kMiB, 7};
  DecodeDefaults defaults_;
};

TEST_F(SamplesJsonTest, ServerAndTypeMakeASeries) {
  const auto decoded = decode(
      R"({"samples":[{"server_id":"a","timestamp":1767225600001,"metric_type":"cpu","value":42.5}]})");
  ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
  EXPECT_EQ(series(decoded, 0).name, "cpu");
  EXPECT_EQ(series(decoded, 0).labels, R"({"server_id":"a"})");
  EXPECT_EQ(sample(decoded, 0).time, kNow + kMillisecondNs);
  EXPECT_EQ(sample(decoded, 0).value, Float64::of(42.5));
  EXPECT_EQ(sample(decoded, 0).integer, 0);
}

TEST_F(SamplesJsonTest, NameAndLabelsMayBeWrittenInAnyOrderAndWithEscapes) {
  const auto decoded = decode(
      R"({"samples":[{"value":7,"name":"di\u0073k","timestamp":1,"labels":{"b":"\u00e9\"","a":"x","none":""}},
                     {"labels":{"a":"x","b":"\u00e9\""},"name":"disk","timestamp":2,"value":8}]})");
  ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
  ASSERT_EQ(decoded->definitions->rows(), 1u);
  EXPECT_EQ(series(decoded, 0).name, "disk");
  EXPECT_EQ(series(decoded, 0).labels, "{\"a\":\"x\",\"b\":\"é\\\"\"}");
  EXPECT_EQ(sample(decoded, 0).series, sample(decoded, 1).series);
  EXPECT_EQ(sample(decoded, 0).integer, 1);
}

TEST_F(SamplesJsonTest, TheSameBodyAgainGivesTheSameRows) {
  const std::string body =
      R"({"samples":[{"server_id":"a","timestamp":1,"metric_type":"cpu","value":1},
                     {"server_id":"b","timestamp":1,"metric_type":"cpu","value":2},
                     {"server_id":"a","timestamp":2,"metric_type":"cpu","value":3}]})";
  const auto first = decode(body), second = decode(body);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->definitions->rows(), 2u);
  EXPECT_EQ(second->definitions->rows(), 2u);
  for (uint32_t row = 0; row < 3; ++row) {
    EXPECT_EQ(sample(first, row).series, sample(second, row).series);
  }
  EXPECT_EQ(sample(first, 0).series, sample(first, 2).series);
  EXPECT_NE(sample(first, 0).series, sample(first, 1).series);
}

TEST_F(SamplesJsonTest, TimesMayBeTextsWithNanoseconds) {
  const auto decoded = decode(
      R"({"samples":[{"timestamp":"2026-01-01T01:00:00.000000005+01:00","name":"a","value":1}]})");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(sample(decoded, 0).time, kNow + 5);
}

TEST_F(SamplesJsonTest, MetadataAndGreatIntegersAreKept) {
  const auto decoded = decode(
      R"({"samples":[{"timestamp":1,"name":"a","value":9007199254740993,"metadata":{"x": [1]}},
                     {"timestamp":2,"name":"a","value":-9007199254740993,"metadata":null}]})");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(sample(decoded, 0).data, R"({"asInt":9007199254740993})");
  EXPECT_EQ(sample(decoded, 0).metadata, R"({"x": [1]})");
  EXPECT_EQ(sample(decoded, 1).metadata, "");
}

TEST_F(SamplesJsonTest, ASampleWithoutAFiniteNumberIsNamed) {
  const std::string good = R"({"timestamp":1,"name":"a","value":1},)";
  for (const char* value : {"null", "\"NaN\"", "\"1\"", "true", "[]"}) {
    EXPECT_THAT(
        refusal(good + R"({"timestamp":1,"name":"a","value":)" + value + "}"),
        HasSubstr("sample 1: \"value\" must be a number; JSON has no NaN and no infinities"))
        << value;
  }
  EXPECT_THAT(refusal(good + R"({"timestamp":1,"name":"a","value":1e999})"),
              HasSubstr("sample 1: \"value\" is beyond what a float64 can hold, byte "));
  EXPECT_THAT(refusal(good + R"({"timestamp":1,"name":"a","value":NaN})"),
              HasSubstr("sample 1: expected a JSON value, byte "));
  EXPECT_THAT(refusal(R"({"timestamp":1,"name":"a"})"), HasSubstr("sample 0: \"value\" must be"));
}

TEST_F(SamplesJsonTest, BadTimesAreNamed) {
  for (const char* time : {"1.5", "\"1767225600000\"", "\"soon\"", "null", "9223372036854775807"}) {
    EXPECT_THAT(refusal(std::string(R"({"name":"a","value":1,"timestamp":)") + time + "}"),
                HasSubstr("sample 0: \"timestamp\" must be a whole number of milliseconds"))
        << time;
  }
  const std::string later = std::to_string((kNow + kDayNs) / kMillisecondNs + 1);
  EXPECT_EQ(refusal(R"({"name":"a","labels":{"b":"c"},"value":1,"timestamp":)" + later + "}"),
            "sample 0: series 'a{\"b\":\"c\"}': its time 2026-01-02T00:00:00.001Z is more than 1d "
            "ahead of the clock (sample_ahead)");
}

TEST_F(SamplesJsonTest, MembersAreKnownAndGivenOnce) {
  EXPECT_THAT(refusal(R"({"name":"a","value":1,"timestamp":1,"colour":"red"})"),
              HasSubstr("sample 0: \"colour\" is no member of a sample, byte "));
  EXPECT_THAT(refusal(R"({"name":"a","value":1,"timestamp":1,"value":2})"),
              HasSubstr("sample 0: \"value\" is given twice, byte "));
  EXPECT_THAT(refusal(R"({"name":"a","metric_type":"a","value":1,"timestamp":1})"),
              HasSubstr("\"name\" is \"metric_type\" by another name"));
  EXPECT_THAT(refusal(R"({"value":1,"timestamp":1})"),
              HasSubstr("sample 0: \"metric_type\" (or \"name\") must be a text"));
  EXPECT_THAT(refusal(R"({"name":"a","labels":{"b":1},"value":1,"timestamp":1})"),
              HasSubstr("\"labels\" must have texts; 'b' is none"));
  EXPECT_THAT(
      refusal(R"({"name":"a","server_id":"x","labels":{"server_id":"y"},"value":1,"timestamp":1})"),
      HasSubstr("the label 'server_id' comes twice"));
  EXPECT_THAT(refusal(R"({"name":"a","metadata":7,"value":1,"timestamp":1})"),
              HasSubstr("\"metadata\" must be an object"));
}

TEST_F(SamplesJsonTest, OtherBodiesAreRefused) {
  for (const char* body : {"", "[]", "{}", R"({"samples":[]})", R"({"samples":{}})",
                           R"({"points":[]})", R"({"samples":[1]})", R"({"samples":[{"name":)"}) {
    EXPECT_EQ(decode(body).status().code(), StatusCode::kInvalidArgument) << body;
  }
  EXPECT_EQ(decode("{\"samples\":[{\"name\":\"\xff\"}]}").status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(SamplesJsonTest, OneBodyIsOneAppend) {
  defaults_.limits.batch_events = 2;
  std::string samples;
  for (int i = 0; i < 3; ++i) {
    if (i > 0) samples += ',';
    samples += R"({"name":"a","value":1,"timestamp":)" + std::to_string(i) + "}";
  }
  EXPECT_THAT(refusal(samples), HasSubstr("exceed the limit batch_events of 2"));
}

}  // namespace
}  // namespace firn
