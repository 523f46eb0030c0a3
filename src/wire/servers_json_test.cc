#include "wire/servers_json.h"

#include <gmock/gmock.h>

namespace firn {
namespace {

using ::testing::HasSubstr;

Result<DecodedSamples> decode(const std::string& servers) {
  DecodeDefaults defaults;
  defaults.now = kDayNs;
  return decode_servers_json("{\"servers\":[" + servers + "]}", defaults);
}
std::string refusal(const std::string& server) {
  return std::string(decode(server).status().message());
}
EventRow sample(const Result<DecodedSamples>& decoded, uint32_t row) {
  return event_row(*decoded->samples, row);
}

TEST(ServersJson, ARowIsADocumentAndItsNumbers) {
  const std::string metrics =
      R"({"memory":{"total":16,"used":4},"cpus":{"average_usage":42.7,"cpus":[]},)"
      R"("components":{"average_temperature":null}})";
  const auto decoded = decode(
      R"({"server_id":"a:1","timestamp":1000,"display_name":"rack","metrics":)" + metrics + "}");
  ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
  ASSERT_EQ(decoded->samples->rows(), 6u);
  const std::vector<std::string> names = {"server_metrics", "cpu_usage_avg", "temperature_avg",
                                          "memory_used",    "memory_total",  "memory_used_pct"};
  for (uint32_t i = 0; i < 6; ++i) {
    EXPECT_EQ(event_row(*decoded->definitions, i).name, names[i]);
    EXPECT_EQ(event_row(*decoded->definitions, i).labels, R"({"server_id":"a:1"})");
    EXPECT_EQ(sample(decoded, i).time, kSecondNs);
  }
  EXPECT_EQ(sample(decoded, 0).metadata, R"({"display_name":"rack","metrics":)" + metrics + "}");
  EXPECT_EQ(sample(decoded, 0).value, Float64::of(1));
  EXPECT_EQ(sample(decoded, 1).value, Float64::of(42.7));
  EXPECT_EQ(sample(decoded, 2).value, kAbsentFloat64);
  EXPECT_EQ(sample(decoded, 3).value, Float64::of(4));
  EXPECT_EQ(sample(decoded, 3).integer, 1);
  EXPECT_EQ(sample(decoded, 5).value, Float64::of(25));
}

TEST(ServersJson, WhatIsMissingIsAbsent) {
  const auto decoded =
      decode(R"({"server_id":"a","timestamp":1,"metrics":{"memory":{"total":0,"used":0}}})");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(sample(decoded, 1).value, kAbsentFloat64);
  EXPECT_EQ(sample(decoded, 4).value, Float64::of(0));
  EXPECT_EQ(sample(decoded, 5).value, kAbsentFloat64);
}

TEST(ServersJson, BadRowsAreNamed) {
  EXPECT_THAT(refusal(R"({"timestamp":1,"metrics":{}})"),
              HasSubstr("server 0: \"server_id\" must be a text"));
  EXPECT_THAT(refusal(R"({"server_id":"","timestamp":1,"metrics":{}})"),
              HasSubstr("\"server_id\" must not be empty"));
  EXPECT_THAT(refusal(R"({"server_id":"a","timestamp":1})"),
              HasSubstr("\"metrics\" must be an object"));
  EXPECT_THAT(
      refusal(R"({"server_id":"a","timestamp":1,"metrics":{"cpus":{"average_usage":"x"}}})"),
      HasSubstr("\"metrics\" has a 'average_usage' that is no number"));
  EXPECT_THAT(refusal(R"({"server_id":"a","timestamp":1,"metrics":{"memory":{"used":1e999}}})"),
              HasSubstr("\"metrics\" has a number that no float64 can hold"));
}

}  // namespace
}  // namespace firn
