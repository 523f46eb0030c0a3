#include "server/guardia_face.h"

#include <gmock/gmock.h>

#include "server/eventodb_token.h"
#include "server/test_faces.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class GuardiaTest : public FaceTest {
 protected:
  void SetUp() override {
    FaceTest::SetUp();
    router_ = std::make_unique<Router>(
        std::vector<Face>{api_face(&services_), guardia_face(&services_)}, &metrics_);
  }
  void write(const std::string& path, const std::string& list, const std::string& items) {
    const HttpResponse response = post(in_default(path), "{\"" + list + "\":[" + items + "]}");
    ASSERT_EQ(response.status, 200) << response.body;
  }
  // So many seconds before now, in milliseconds.
  static std::string ago(int64_t seconds) {
    static const int64_t now_ms = posix_env()->now() / kMillisecondNs;
    return std::to_string(now_ms - seconds * 1000);
  }
  static std::string ago_text(int64_t seconds) {
    return format_time(std::stoll(ago(seconds)) * kMillisecondNs);
  }
  void server_row(const std::string& id, int64_t seconds_ago, const std::string& metrics,
                  const std::string& more = "") {
    write("servers:batch", "servers",
          R"({"server_id":")" + id + R"(","timestamp":)" + ago(seconds_ago) + more +
              R"(,"metrics":)" + metrics + "}");
  }
  void check(int64_t seconds_ago, const std::string& rest) {
    write("checks:batch", "checks",
          R"({"service_name":"shop","timestamp":)" + ago(seconds_ago) + "," + rest + "}");
  }
  const std::string metrics_text_ =
      R"({"memory":{"total":16,"used":4},"cpus":{"average_usage":42.7},"components":{"average_temperature":null}})";
};

TEST_F(GuardiaTest, ServersAreListedWithTheirHealth) {
  server_row("a:1", 10, metrics_text_, R"(,"display_name":"rack 7")");
  server_row("b:1", 1000, "{}");
  const std::string body = get("/api/v1/servers").body;
  EXPECT_THAT(
      body,
      HasSubstr(
          R"("server_id":"a:1","display_name":"rack 7","monitoring_status":"active","health_status":"up")"));
  EXPECT_THAT(body, HasSubstr(R"("latest_metrics":)" + metrics_text_));
  EXPECT_THAT(
      body,
      HasSubstr(
          R"("server_id":"b:1","display_name":"b:1","monitoring_status":"active","health_status":"stale")"));
  EXPECT_THAT(body, HasSubstr(R"("count":2})"));
}

TEST_F(GuardiaTest, ARangeHasBothItsEnds) {
  for (const int64_t seconds : {40, 30, 20, 10}) server_row("a:1", seconds, metrics_text_);
  const std::string body =
      get("/api/v1/servers/a:1/metrics?start=" + ago_text(30) + "&end=" + ago_text(20)).body;
  EXPECT_THAT(body, HasSubstr(R"("count":2,"metrics":[{"timestamp":")" + ago_text(30)));
  EXPECT_THAT(body, HasSubstr(R"("server_id":"a:1","display_name":"a:1","metric_type":"resource",)"
                              R"("cpu_avg":42.7,"memory_used":4,"memory_total":16,"temp_avg":null,)"
                              R"("metadata":)" +
                              metrics_text_));
  EXPECT_THAT(body, HasSubstr(R"("end":")" + ago_text(20) + "\""));
  EXPECT_THAT(get("/api/v1/servers/a:1/metrics?limit=1").body, Not(HasSubstr(R"("next":null)")));
}

TEST_F(GuardiaTest, TheLatestComeFromOldToNew) {
  for (const int64_t seconds : {40, 30, 20}) server_row("a:1", seconds, metrics_text_);
  const std::string body = get("/api/v1/servers/a:1/metrics/latest?limit=2").body;
  EXPECT_THAT(body, HasSubstr(R"("count":2,"metrics":[{"timestamp":")" + ago_text(30)));
  EXPECT_THAT(body, Not(HasSubstr(ago_text(40))));
}

TEST_F(GuardiaTest, ARowSentAgainReplacesTheOneBefore) {
  server_row("a:1", 10, metrics_text_);
  server_row("a:1", 10, R"({"cpus":{"average_usage":null}})");
  EXPECT_THAT(get("/api/v1/servers/a:1/metrics").body, HasSubstr(R"("count":1,)"));
  EXPECT_THAT(get("/api/v1/servers/a:1/metrics").body, HasSubstr(R"("cpu_avg":null)"));
  EXPECT_THAT(get(in_default("metrics/aggregate?metric_type=cpu_usage_avg")).body,
              HasSubstr(R"("groups":[])"));
}

TEST_F(GuardiaTest, ServicesChecksAndUptime) {
  check(100, R"("status":"up","response_time_ms":100,"url":"https://a")");
  check(50, R"("status":"down","error_message":"refused")");
  check(10, R"("status":"degraded","response_time_ms":300)");
  EXPECT_THAT(get("/api/v1/services").body,
              HasSubstr(R"({"services":[{"name":"shop","url":null,"monitoring_status":"active",)"
                        R"("health_status":"degraded","last_check":")" +
                        ago_text(10)));
  const std::string checks = get("/api/v1/services/shop/checks").body;
  EXPECT_THAT(checks, HasSubstr(R"("count":3,"checks":[{"service_name":"shop",)"));
  EXPECT_THAT(checks, HasSubstr(R"("status":"down","url":null,"response_time_ms":null,)"
                                R"("http_status_code":null,"error_message":"refused"})"));
  const std::string uptime = get("/api/v1/services/shop/uptime").body;
  EXPECT_THAT(uptime, HasSubstr(R"("uptime_percentage":33.3333)"));
  EXPECT_THAT(uptime,
              HasSubstr(R"("total_checks":3,"successful_checks":1,"avg_response_time_ms":200.0})"));
  EXPECT_THAT(get("/api/v1/services/depot/uptime").body,
              HasSubstr(R"("uptime_percentage":null,"total_checks":0)"));
}

TEST_F(GuardiaTest, StatsAndHealth) {
  server_row("a:1", 10, metrics_text_);
  EXPECT_THAT(get("/api/v1/stats").body,
              HasSubstr(R"("storage":{"total_metrics":6,"buffer_size":0)"));
  EXPECT_THAT(get("/api/v1/stats").body, HasSubstr(R"("collectors":1,"service_monitors":0})"));
  EXPECT_THAT(get("/api/v1/health").body, HasSubstr(R"({"status":"ok","timestamp":")"));
}

TEST_F(GuardiaTest, FailuresAreInItsForm) {
  for (const char* query : {"start=soon", "limit=0", "cursor=here", "start=now&end=-1h"}) {
    const HttpResponse response = get(std::string("/api/v1/servers/a/metrics?") + query);
    EXPECT_EQ(response.status, 400) << query;
    EXPECT_THAT(response.body, HasSubstr(R"({"error":")"));
  }
  EXPECT_EQ(get("/api/v1/servers", {.firn_namespace = "nowhere"}).status, 404);
  EXPECT_EQ(get("/api/v1/servers?token=" + make_token(posix_env(), "default")).status, 401);
}

}  // namespace
}  // namespace firn
