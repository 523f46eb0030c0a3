#include <gmock/gmock.h>

#include "server/test_faces.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ChecksTest : public FaceTest {
 protected:
  HttpResponse write(const std::string& checks) {
    return post(in_default("checks:batch"), "{\"checks\":[" + checks + "]}");
  }
  std::string ask_uptime(const std::string& query) {
    return get(in_default("uptime" + query)).body;
  }
  // A check of "shop", so many seconds into 2026.
  static std::string check(int second, const std::string& rest) {
    return R"({"service_name":"shop","timestamp":)" +
           std::to_string((1'767'225'600LL + second) * 1000) + "," + rest + "}";
  }
  const std::string range_ = "&from=2026-01-01T00:00:00Z&to=2026-01-01T00:10:00Z";
};

TEST_F(ChecksTest, AreListedAsTheyWereSent) {
  const HttpResponse response =
      write(check(0, R"("status":"down","url":"https:\/\/a","error_message":"refused")") + "," +
            check(1, R"("status":"up","response_time_ms":12,"http_status_code":200,"url":null)"));
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(response.body, HasSubstr(R"("ack":"fsync")"));
  EXPECT_EQ(
      get(in_default("checks?service_name=shop")).body,
      R"({"checks":[{"service_name":"shop","timestamp":"2026-01-01T00:00:00Z","status":"down",)"
      R"("url":"https:\/\/a","error_message":"refused"},)"
      R"({"service_name":"shop","timestamp":"2026-01-01T00:00:01Z","status":"up",)"
      R"("response_time_ms":12,"http_status_code":200}],"next":null,"tiers":["hot"]})"
      "\n");
  EXPECT_THAT(get(in_default("checks?service_name=depot")).body, HasSubstr(R"("checks":[])"));
  EXPECT_THAT(get(in_default("checks")).body, HasSubstr("refused"));
}

TEST_F(ChecksTest, ComeInPages) {
  write(check(0, R"("status":"up")") + "," + check(1, R"("status":"down")"));
  const std::string first = get(in_default("checks?limit=1")).body;
  EXPECT_THAT(first, HasSubstr(R"("status":"up")"));
  const size_t at = first.find(R"("next":")") + 8;
  const std::string cursor = first.substr(at, first.find('"', at) - at);
  const std::string second = get(in_default("checks?limit=1&cursor=" + cursor)).body;
  EXPECT_THAT(second, HasSubstr(R"("status":"down")"));
  EXPECT_THAT(second, HasSubstr(R"("next":null)"));
  EXPECT_EQ(get(in_default("checks?cursor=here")).status, 400);
}

TEST_F(ChecksTest, UptimeIsByCountAndByTime) {
  write(check(0, R"("status":"up","response_time_ms":100)") + "," +
        check(60, R"("status":"degraded","response_time_ms":300)") + "," +
        check(120, R"("status":"down")") + "," + check(240, R"("status":"up")"));
  const std::string body = ask_uptime("?service_name=shop&max_gap_s=120" + range_);
  EXPECT_THAT(body,
              HasSubstr(R"("max_gap_s":120,"total":4,"up":2,"degraded":1,"down":1,)"
                        R"("uptime_percentage":50.0,"up_s":180.0,"degraded_s":60.0,)"
                        R"("down_s":120.0,"unknown_s":240.0,"time_weighted_percentage":50.0)"));
  EXPECT_THAT(body, HasSubstr(R"("response_ms":{"count":2,"avg":200.0,"min":100.0,"max":300.0)"));
  EXPECT_THAT(body, Not(HasSubstr("windows")));
}

TEST_F(ChecksTest, ACheckSentAgainIsTheSameCheck) {
  const std::string once = check(0, R"("status":"up","response_time_ms":5)");
  write(once);
  write(once);
  write(check(0, R"("status":"down")"));
  const std::string body = ask_uptime("?service_name=shop" + range_);
  EXPECT_THAT(body, HasSubstr(R"("total":1,"up":0,"degraded":0,"down":1)"));
  EXPECT_THAT(body, HasSubstr(R"("response_ms":null)"));
}

TEST_F(ChecksTest, NothingKnownIsNull) {
  const std::string body = ask_uptime("?service_name=shop" + range_);
  EXPECT_THAT(body, HasSubstr(R"("uptime_percentage":null)"));
  EXPECT_THAT(body, HasSubstr(R"("unknown_s":600.0,"time_weighted_percentage":null)"));
  EXPECT_THAT(body, HasSubstr(R"("response_ms":null)"));
}

TEST_F(ChecksTest, WindowsCoverTheRange) {
  write(check(90, R"("status":"up")"));
  const std::string body = ask_uptime("?service_name=shop&window_s=300&max_gap_s=60" + range_);
  EXPECT_THAT(body,
              HasSubstr(R"("window_s":300,"windows":[{"start":"2026-01-01T00:00:00Z","total":1,)"));
  EXPECT_THAT(body, HasSubstr(R"({"start":"2026-01-01T00:05:00Z","total":0,)"));
}

TEST_F(ChecksTest, BadQuestionsAreRefused) {
  for (const char* query :
       {"", "?service_name=a&limit=1", "?service_name=a&name=b", "?service_name=a&from=now&to=-1h",
        "?service_name=a&from=1678-01-01&to=2262-01-01", "?service_name=a&max_gap_s=0"}) {
    EXPECT_EQ(get(in_default(std::string("uptime") + query)).status, 400) << query;
  }
  EXPECT_EQ(get(in_default("checks?server_id=a")).status, 400);
  EXPECT_EQ(write(check(0, R"("status":"gone")")).status, 400);
}

}  // namespace
}  // namespace firn
