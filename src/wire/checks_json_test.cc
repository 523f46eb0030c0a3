#include "wire/checks_json.h"

#include <gmock/gmock.h>

#include "base/size.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

class ChecksJsonTest : public ::testing::Test {
 protected:
  ChecksJsonTest() {
    defaults_.now = kDayNs;
    defaults_.series_cache = &cache_;
  }
  Result<DecodedSamples> decode(const std::string& checks) {
    return decode_checks_json("{\"checks\":[" + checks + "]}", defaults_);
  }
  std::string refusal(const std::string& check) {
    return std::string(decode(check).status().message());
  }
  static EventRow sample(const Result<DecodedSamples>& decoded, uint32_t row) {
    return event_row(*decoded->samples, row);
  }

  SeriesCache cache_{kMiB, 7};
  DecodeDefaults defaults_;
};

TEST_F(ChecksJsonTest, ACheckIsTwoSamples) {
  const auto decoded = decode(
      R"({"service_name":"shop","timestamp":1000,"url":"https:\/\/a","status":"up","response_time_ms":12.5,)"
      R"("http_status_code":200,"error_message":null})");
  ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
  const EventRow check = event_row(*decoded->definitions, 0);
  EXPECT_EQ(check.name, "service_check");
  EXPECT_EQ(check.labels, R"({"service_name":"shop"})");
  EXPECT_EQ(event_row(*decoded->definitions, 1).name, "service_check_response_ms");
  EXPECT_EQ(event_row(*decoded->definitions, 1).unit, "ms");
  EXPECT_EQ(sample(decoded, 0).time, kSecondNs);
  EXPECT_EQ(sample(decoded, 0).value, Float64::of(2));
  EXPECT_EQ(sample(decoded, 0).metadata,
            R"({"url":"https:\/\/a","response_time_ms":12.5,"http_status_code":200})");
  EXPECT_EQ(sample(decoded, 1).value, Float64::of(12.5));
}

TEST_F(ChecksJsonTest, StatesAreNumbersAndWhatIsMissingIsAbsent) {
  const auto decoded = decode(R"({"service_name":"a","timestamp":1,"status":"down"},)"
                              R"({"service_name":"a","timestamp":2,"status":"degraded"})");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->definitions->rows(), 2u);
  EXPECT_EQ(sample(decoded, 0).value, Float64::of(0));
  EXPECT_EQ(sample(decoded, 0).metadata, "");
  EXPECT_EQ(sample(decoded, 1).value, kAbsentFloat64);
  EXPECT_EQ(sample(decoded, 2).value, Float64::of(1));
}

TEST_F(ChecksJsonTest, BadChecksAreNamed) {
  const std::string good = R"({"service_name":"a","timestamp":1,"status":"up")";
  EXPECT_THAT(refusal(good + "}," + R"({"service_name":"a","timestamp":1})"),
              HasSubstr(R"(check 1: "status" must be "up", "degraded" or "down", byte )"));
  EXPECT_THAT(refusal(R"({"service_name":"a","timestamp":1,"status":"UP"})"),
              HasSubstr("\"status\" must be"));
  EXPECT_THAT(refusal(R"({"service_name":"","timestamp":1,"status":"up"})"),
              HasSubstr("\"service_name\" must not be empty"));
  EXPECT_THAT(refusal(R"({"timestamp":1,"status":"up"})"),
              HasSubstr("\"service_name\" must be a text"));
  EXPECT_THAT(refusal(R"({"service_name":"a","status":"up"})"),
              HasSubstr("\"timestamp\" must be a whole number"));
  for (const char* time : {"-1", "\"1\"", "1e999"}) {
    EXPECT_THAT(refusal(good + ",\"response_time_ms\":" + time + "}"),
                HasSubstr("\"response_time_ms\" must be a number that is not negative"))
        << time;
  }
  EXPECT_THAT(refusal(good + R"(,"http_status_code":200.5})"),
              HasSubstr("\"http_status_code\" must be a whole number"));
  EXPECT_THAT(refusal(good + R"(,"url":7})"), HasSubstr("\"url\" must be a text"));
  EXPECT_THAT(refusal(good + R"(,"colour":7})"), HasSubstr("\"colour\" is no member of a check"));
  EXPECT_THAT(refusal(""), HasSubstr("the body holds no check"));
}

}  // namespace
}  // namespace firn
