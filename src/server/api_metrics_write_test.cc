#include <gmock/gmock.h>

#include "server/test_faces.h"
#include "wire/gzip.h"

namespace firn {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

class MetricsBatchTest : public FaceTest {
 protected:
  HttpResponse write(const std::string& samples, const RequestFields& fields = {}) {
    return post(in_default("metrics:batch"), "{\"samples\":[" + samples + "]}", fields);
  }
  std::string range(const std::string& query = "") {
    return get(in_default("metrics/range" + query)).body;
  }
  const std::string cpu_ =
      R"({"server_id":"a","timestamp":1767225600000,"metric_type":"cpu","value":42.5})";
};

TEST_F(MetricsBatchTest, SamplesAreThereWhenAnswered) {
  const HttpResponse response = write(cpu_);
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body,
            R"({"first_position":1,"last_position":1,"count":1,"duplicates":0,"ack":"fsync"})"
            "\n");
  EXPECT_THAT(response.headers, Contains(Pair("firn-ack", "fsync")));
  EXPECT_THAT(response.headers, Contains(Pair("firn-position", "1")));
  const std::string found = range("?server_id=a&metric_type=cpu");
  EXPECT_THAT(found, HasSubstr(R"("time":"2026-01-01T00:00:00Z","value":42.5)"));
}

TEST_F(MetricsBatchTest, TheLastWriteOfASeriesAndTimeCounts) {
  write(cpu_);
  write(
      R"({"name":"cpu","labels":{"server_id":"a"},"timestamp":"2026-01-01T00:00:00Z","value":1})");
  EXPECT_THAT(range(), HasSubstr(R"("value":1})"));
  EXPECT_THAT(range(), Not(HasSubstr("42.5")));
}

TEST_F(MetricsBatchTest, ABadSampleRefusesAll) {
  const HttpResponse response =
      write(cpu_ + R"(,{"server_id":"a","timestamp":1,"metric_type":"cpu","value":"NaN"})");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("sample 1:"));
  EXPECT_THAT(range(), HasSubstr(R"("points":[])"));
}

TEST_F(MetricsBatchTest, TheLevelIsThatOfTheRequest) {
  EXPECT_THAT(write(cpu_, {.firn_ack = "memory"}).body, HasSubstr(R"("ack":"memory")"));
  EXPECT_THAT(post(in_default("metrics:batch?ack=os"), "{\"samples\":[" + cpu_ + "]}").body,
              HasSubstr(R"("ack":"os")"));
  EXPECT_EQ(write(cpu_, {.firn_ack = "perhaps"}).status, 400);
}

TEST_F(MetricsBatchTest, BodiesMayBePacked) {
  const std::string packed = gzip("{\"samples\":[" + cpu_ + "]}");
  const std::string path = in_default("metrics:batch");
  EXPECT_EQ(post(path, packed, {.content_encoding = "gzip"}).status, 200);
  EXPECT_EQ(post(path, packed, {.content_encoding = "br"}).status, 415);
  EXPECT_EQ(post(path, "no gzip", {.content_encoding = "gzip"}).status, 400);
}

TEST_F(MetricsBatchTest, TheNamespaceMustExist) {
  EXPECT_EQ(post("/api/v1/namespaces/nowhere/metrics:batch", "{\"samples\":[" + cpu_ + "]}").status,
            404);
}

TEST_F(MetricsBatchTest, ABatchBeyondTheLimitOfSeriesIsRefusedByName) {
  EXPECT_THAT(put("/api/v1/namespaces/default", R"({"series_limit":1})").body,
              HasSubstr(R"("series_limit":1})"));
  EXPECT_EQ(write(cpu_).status, 200);
  const HttpResponse response = write(cpu_ + R"(,{"server_id":"b","timestamp":1767225600000,)"
                                             R"("metric_type":"cpu","value":1})");
  EXPECT_EQ(response.status, 429);
  EXPECT_THAT(response.body, HasSubstr(R"("code":"series_limit")"));
  EXPECT_THAT(response.body, HasSubstr("has 1 series"));
  EXPECT_THAT(range(), Not(HasSubstr(R"("server_id":"b")")));
  EXPECT_EQ(write(cpu_).status, 200) << "known series go on";
  EXPECT_EQ(put("/api/v1/namespaces/default", R"({"series_limit":null})").status, 200);
  EXPECT_EQ(
      write(R"({"server_id":"b","timestamp":1767225600000,"metric_type":"cpu","value":1})").status,
      200);
}

TEST_F(MetricsBatchTest, TheReportSaysWhereSeriesComeFrom) {
  write(cpu_);
  write(R"({"name":"cpu","labels":{"server_id":"b"},"timestamp":1767225600000,"value":1})");
  const std::string range_of_day = "metrics/cardinality?from=2026-01-01T00:00:00Z";
  EXPECT_THAT(get(in_default(range_of_day)).body,
              HasSubstr(R"({"series":2,"series_limit":5000000,"names":[{"name":"cpu","series":2}],)"
                        R"("labels":[{"name":"server_id","values":2}],)"
                        R"("pairs":[{"label":"server_id","value":"a","series":1},)"
                        R"({"label":"server_id","value":"b","series":1}],)"
                        R"("names_error":0,"pairs_error":0,"tiers":["hot"]})"));
  EXPECT_THAT(get(in_default(range_of_day + "&limit=1")).body, Not(HasSubstr(R"("value":"b")")));
  EXPECT_EQ(get(in_default("metrics/cardinality?name=cpu")).status, 400);
}

}  // namespace
}  // namespace firn
