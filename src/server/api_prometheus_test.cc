#include <gmock/gmock.h>

#include "server/test_faces.h"
#include "wire/gzip.h"
#include "wire/snappy_block.h"
#include "wire/test_remote_write.h"

namespace firn {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

constexpr const char* kWrite = "/api/v1/write";
constexpr const char* kVersion2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const TestLabels kUp = {{"__name__", "up"}, {"job", "api"}};

class PrometheusTest : public FaceTest {
 protected:
  static std::string one_sample(int64_t time_ms = 1000) {
    return test_request1({test_series1(kUp, {test_sample(1.5, time_ms)})});
  }
  HttpResponse write(const std::string& body, const RequestFields& fields = {}) {
    return post(kWrite, pack_snappy(body), fields);
  }
  std::string series(const std::string& name_space = "default") {
    return get("/api/v1/namespaces/" + name_space + "/metrics/series").body;
  }

  const RequestFields version1{.content_type = "application/x-protobuf",
                               .content_encoding = "snappy"};
  const RequestFields version2{.content_type = kVersion2, .content_encoding = "snappy"};
};

TEST_F(PrometheusTest, StoresVersion1) {
  const HttpResponse response = write(one_sample(), version1);
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_THAT(response.headers, Contains(Pair("firn-ack", "fsync")));
  EXPECT_THAT(response.headers, Contains(Pair("firn-position", "1")));
  EXPECT_THAT(series(), HasSubstr(R"("name":"up")"));
  EXPECT_THAT(series(), HasSubstr(R"("labels":{"job":"api"})"));
}

TEST_F(PrometheusTest, StoresVersion2AndTellsWhatWasWritten) {
  TestRequest2 request;
  request.add(request.series(kUp, {test_sample(1.5, 1000), test_sample(2.5, 2000)})
                  .message(3, test_histogram(3000)));
  request.add(request.series(kUp, {}).message(4, TestProto().number(3, 4000)));
  const HttpResponse response = write(request.bytes(), version2);
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_THAT(response.headers, Contains(Pair("X-Prometheus-Remote-Write-Samples-Written", "2")));
  EXPECT_THAT(response.headers,
              Contains(Pair("X-Prometheus-Remote-Write-Histograms-Written", "1")));
  EXPECT_THAT(response.headers, Contains(Pair("X-Prometheus-Remote-Write-Exemplars-Written", "1")));
}

TEST_F(PrometheusTest, TheSameSampleOfBothVersionsIsOne) {
  EXPECT_EQ(write(one_sample(), version1).status, 204);
  TestRequest2 request;
  request.add(request.series(kUp, {test_sample(7.5, 1000)}));
  EXPECT_EQ(write(request.bytes(), version2).status, 204);
  const std::string listed = series();
  const size_t at = listed.find(R"("series":")", 10);
  ASSERT_NE(at, std::string::npos);
  const std::string id = listed.substr(at + 10, 32);
  const std::string points = get(in_default("metrics/range?series=" + id)).body;
  EXPECT_THAT(points, HasSubstr(R"("value":7.5)"));
  EXPECT_THAT(points, Not(HasSubstr(R"("value":1.5)")));
}

TEST_F(PrometheusTest, GoesToTheNamespaceOfHeaderOrPath) {
  put("/api/v1/namespaces/shop");
  put("/api/v1/namespaces/depot");
  RequestFields fields = version1;
  fields.firn_namespace = "shop";
  EXPECT_EQ(write(one_sample(), fields).status, 204);
  EXPECT_EQ(
      post("/api/v1/namespaces/depot/metrics/prometheus/write", pack_snappy(one_sample()), version1)
          .status,
      204);
  EXPECT_THAT(series("shop"), HasSubstr("up"));
  EXPECT_THAT(series("depot"), HasSubstr("up"));
  EXPECT_THAT(series(), Not(HasSubstr("up")));
  fields.firn_namespace = "nowhere";
  EXPECT_EQ(write(one_sample(), fields).status, 404);
}

TEST_F(PrometheusTest, TooManySeriesAre400BecauseSendersRepeatOthers) {
  put("/api/v1/namespaces/default", R"({"series_limit":1})");
  EXPECT_EQ(write(one_sample(), version1).status, 204);
  const std::string two =
      test_request1({test_series1(kUp, {test_sample(1.5, 2000)}),
                     test_series1({{"__name__", "other"}}, {test_sample(1.0, 2000)})});
  const HttpResponse response = write(two, version1);
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr(R"("code":"series_limit")"));
  EXPECT_THAT(series(), Not(HasSubstr("other")));
  EXPECT_EQ(write(one_sample(3000), version1).status, 204) << "known series go on";
}

TEST_F(PrometheusTest, OtherContentIs415) {
  for (const char* type : {"application/json", "application/x-protobuf;proto=other.Request"}) {
    EXPECT_EQ(write(one_sample(), {.content_type = type}).status, 415);
  }
  EXPECT_EQ(write(one_sample(), {.content_encoding = "gzip"}).status, 415);
  EXPECT_EQ(write(one_sample(), {.content_type = "application/x-protobuf; "
                                                 "proto=\"prometheus.WriteRequest\""})
                .status,
            204);
  EXPECT_EQ(get(kWrite).status, 405);
}

TEST_F(PrometheusTest, BadDataIs400AndNothingIsWritten) {
  const int64_t in_two_days = (posix_env()->now() + 2 * kDayNs) / kMillisecondNs;
  const std::string body =
      test_request1({test_series1({{"__name__", "good"}}, {test_sample(1.0, 1)}),
                     test_series1(kUp, {test_sample(1.0, 1), test_sample(2.0, in_two_days)})});
  const HttpResponse response = write(body, version1);
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("sample 2: its time"));
  EXPECT_THAT(response.body, HasSubstr(R"(up{\"job\":\"api\"})"));
  EXPECT_EQ(post(kWrite, "no snappy", version1).status, 400);
  EXPECT_EQ(write("\x0a\xff", version1).status, 400);
  // Says it unpacks to 4 GiB.
  const HttpResponse bomb = post(kWrite, "\xff\xff\xff\xff\x0f", version1);
  EXPECT_EQ(bomb.status, 400);
  EXPECT_THAT(bomb.body, HasSubstr("request_bytes"));
  EXPECT_THAT(series(), Not(HasSubstr("good")));
}

TEST_F(PrometheusTest, RefusalsOfVersion2HaveTheHeadersToo) {
  const HttpResponse response = write("\x0a\xff", version2);
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.headers, Contains(Pair("X-Prometheus-Remote-Write-Samples-Written", "0")));
}

TEST_F(PrometheusTest, OurOwnFailuresAre503) {
  services_.gate->close().reset();
  const HttpResponse response = write(one_sample(), version1);
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.headers, Contains(Key("Retry-After")));
}

TEST_F(PrometheusTest, ImportsText) {
  const std::string path = in_default("metrics/import/prometheus");
  const HttpResponse response =
      post(path, "# TYPE up gauge\n# HELP up Whether.\nup{job=\"api\"} 1\nup 0 1000\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"samples":2,"exemplars":0})");
  EXPECT_THAT(series(), HasSubstr(R"("type":"gauge")"));
  EXPECT_THAT(series(), HasSubstr(R"("description":"Whether.")"));
  EXPECT_EQ(post(path, gzip("up 2\n"), {.content_encoding = "gzip"}).status, 200);
  EXPECT_EQ(post(path, "{}", {.content_type = "application/json"}).status, 415);
  EXPECT_EQ(post("/api/v1/namespaces/nowhere/metrics/import/prometheus", "up 1\n").status, 404);
}

TEST_F(PrometheusTest, ABadLineIsNamedAndNothingIsWritten) {
  const HttpResponse response = post(in_default("metrics/import/prometheus"), "good 1\nbad one\n");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("line 2: the value is not a number"));
  EXPECT_THAT(series(), Not(HasSubstr("good")));
}

TEST_F(PrometheusTest, OpenMetricsMustBeWhole) {
  const RequestFields open_metrics{.content_type = "application/openmetrics-text; version=1.0.0"};
  const std::string path = in_default("metrics/import/prometheus");
  EXPECT_EQ(post(path, "up 1 12.5\n", open_metrics).status, 400);
  EXPECT_EQ(post(path, "up 1 12.5\n# EOF\n", open_metrics).status, 200);
}

TEST_F(PrometheusTest, AnEmptyRequestIsFine) { EXPECT_EQ(write("", version1).status, 204); }

}  // namespace
}  // namespace firn
