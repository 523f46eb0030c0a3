// Durable subscriptions over both faces.

#include <gmock/gmock.h>

#include "server/api_face.h"
#include "server/test_eventodb.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kPlace = "/api/v1/namespaces/default/subscriptions";

class SubscriptionCallsTest : public EventodbTest {
 protected:
  void SetUp() override {
    EventodbTest::SetUp();
    router_ = std::make_unique<Router>(
        std::vector<Face>{eventodb_face(&services_), api_face(&services_)}, &metrics_);
  }
  std::string good(const HttpResponse& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    return response.body;
  }
};

TEST_F(SubscriptionCallsTest, TheApiGivesOutAndTakesAnswers) {
  EXPECT_THAT(
      good(put(kPlace + "/billing", R"({"category":"order","retry_min":"0s","retry_max":"0s"})")),
      StartsWith(R"({"name":"billing","category":"order","from":1,"consumers":1,)"));
  write("order-1");
  write("other-1");
  write("order-2");
  const std::string given = good(post(kPlace + "/billing/receive", "{\"max\":5}"));
  EXPECT_THAT(given, StartsWith(R"({"messages":[{"attempt":1,"position":1,)"));
  EXPECT_THAT(given, HasSubstr(R"({"attempt":1,"position":3,)"));
  EXPECT_EQ(good(post(kPlace + "/billing/ack", R"({"positions":[1]})")), "{\"acknowledged\":1}\n");
  EXPECT_EQ(good(post(kPlace + "/billing/nack", R"({"positions":[3],"reason":"no","park":true})")),
            "{\"failed\":1}\n");
  EXPECT_THAT(good(get(kPlace + "/billing/parked?limit=5")),
              StartsWith(R"({"parked":[{"position":3,"attempts":1,"reason":"no","time":")"));
  EXPECT_EQ(good(post(kPlace + "/billing/replay", "")), "{\"replayed\":1}\n");
  EXPECT_THAT(good(post(kPlace + "/billing/receive", "")),
              StartsWith(R"({"messages":[{"attempt":1,"position":3,)"));
  EXPECT_THAT(good(get(kPlace + "/billing")),
              HasSubstr(R"("members":[{"member":0,"through":3,"in_flight":1,"waiting":0,)"
                        R"("parked":0,"acknowledged":1,"behind":0}])"));
  EXPECT_THAT(good(get(kPlace)), StartsWith(R"({"subscriptions":[{"name":"billing",)"));
  good(remove(kPlace + "/billing"));
  EXPECT_EQ(get(kPlace + "/billing").status, 404);
}

TEST_F(SubscriptionCallsTest, SettingsAreChecked) {
  for (const char* settings : {"", "{}", R"({"all":true,"stream":"a"})", R"({"all":true,"from":0})",
                               R"({"stream":"a","consumers":2})", R"({"all":true,"no":1})",
                               R"({"all":true,"answer_time":"x"})", "[]", "{"}) {
    EXPECT_EQ(put(kPlace + "/s", settings).status, 400) << settings;
  }
  good(put(kPlace + "/s", R"({"all":true,"from":"end"})"));
  write("a-1");
  good(put(kPlace + "/s", R"({"all":true,"from":"end"})"));
  EXPECT_EQ(put(kPlace + "/s", R"({"stream":"a"})").status, 409);
}

TEST_F(SubscriptionCallsTest, EventodbsProtocolHasThemToo) {
  call(R"(["subscription.create","s",{"all":true}])");
  write("a-1");
  EXPECT_THAT(call(R"(["subscription.receive","s",{"max":1}])"),
              StartsWith(R"({"messages":[{"attempt":1,"position":1,)"));
  EXPECT_EQ(call(R"(["subscription.ack","s",{"positions":[1]}])"), R"({"acknowledged":1})");
  EXPECT_THAT(call(R"(["subscription.list"])"), StartsWith(R"({"subscriptions":[{"name":"s")"));
  EXPECT_EQ(error(R"(["subscription.info","none"])"), "404 NOT_FOUND");
  EXPECT_EQ(error(R"(["subscription.create","s",{"stream":"a"}])"), "409 SUBSCRIPTION_EXISTS");
  EXPECT_EQ(error(R"(["subscription.none","s"])"), "404 METHOD_NOT_FOUND");
  EXPECT_EQ(call(R"(["subscription.delete","s"])"), "{}");
}

}  // namespace
}  // namespace firn
