#include "server/influx_face.h"

#include <gmock/gmock.h>

#include "server/eventodb_token.h"
#include "server/test_faces.h"
#include "wire/gzip.h"
#include "wire/json_text.h"

namespace firn {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

class InfluxTest : public FaceTest {
 protected:
  void SetUp() override {
    FaceTest::SetUp();
    router_ = std::make_unique<Router>(
        std::vector<Face>{api_face(&services_), influx_face(&services_)}, &metrics_);
  }
  // Posts with an Authorization header.
  HttpResponse post_as(const std::string& authorization, const std::string& target,
                       const std::string& body, const RequestFields& fields = {}) {
    const HttpRequestPtr request = make_request(HttpMethod::kPost, target, body, fields);
    request->authorization = authorization;
    return ask(request);
  }
  std::string latest(const std::string& name_space = "default") {
    return get("/api/v1/namespaces/" + name_space + "/metrics/latest").body;
  }
  // A namespace with a token of its own.
  std::string make_namespace(const std::string& name) {
    put("/api/v1/namespaces/" + name);
    const std::string token = make_token(posix_env(), name);
    NamespaceProfile profile;
    profile.token_sha256 = token_sha256(token);
    const OpenStorePtr open = services_.gate->get();
    EXPECT_TRUE(open->store->set_namespace_profile(name, std::move(profile)).ok());
    return token;
  }
  static std::string basic(const std::string& password) {
    std::string encoded;
    append_base64("user:" + password, &encoded);
    return "Basic " + encoded;
  }
};

TEST_F(InfluxTest, TooManySeriesAre400BecauseClientsRepeatOthers) {
  put("/api/v1/namespaces/default", R"({"series_limit":1})");
  EXPECT_EQ(post("/write", "cpu,host=a v=1 1").status, 204);
  EXPECT_EQ(post("/write", "cpu,host=b v=1 1").status, 400);
  EXPECT_EQ(post("/write", "cpu,host=a v=1 2").status, 204);
}

TEST_F(InfluxTest, LinesAreStoredWhenAnswered) {
  const HttpResponse response =
      post("/write?db=telegraf&rp=autogen&precision=s", "cpu,host=a usage=42.5,n=3i 1767225600\n");
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_THAT(response.headers, Contains(Pair("firn-ack", "fsync")));
  EXPECT_THAT(response.headers, Contains(Pair("firn-position", "2")));
  EXPECT_THAT(latest(), HasSubstr(R"("name":"cpu_usage","labels":{"host":"a"})"));
  EXPECT_THAT(latest(), HasSubstr(R"("time":"2026-01-01T00:00:00Z","value":42.5)"));
  EXPECT_THAT(latest(), HasSubstr(R"("value":3})"));
}

TEST_F(InfluxTest, Version2HasItsOwnRoute) {
  EXPECT_EQ(post("/api/v2/write?org=o&bucket=b&precision=ms", "cpu v=1 1767225600000").status, 204);
  EXPECT_THAT(latest(), HasSubstr(R"("time":"2026-01-01T00:00:00Z")"));
  EXPECT_EQ(post("/api/v2/write?precision=h", "cpu v=1").status, 400);
  EXPECT_EQ(post("/write?precision=h", "cpu v=1 1").status, 204);
}

TEST_F(InfluxTest, ABadLineRefusesAllAndIsNamed) {
  const std::string lines = "cpu good=1\ncpu,host=a\n";
  const HttpResponse first = post("/write", lines);
  EXPECT_EQ(first.status, 400);
  EXPECT_EQ(first.body,
            R"({"error":"line 2: unable to parse 'cpu,host=a': missing fields; nothing of the )"
            "request was stored\"}\n");
  const HttpResponse second = post("/api/v2/write", lines);
  EXPECT_EQ(second.status, 400);
  EXPECT_THAT(second.body, HasSubstr(R"({"code":"invalid","message":"line 2: )"));
  EXPECT_THAT(second.body, HasSubstr(R"("line":2})"));
  EXPECT_THAT(latest(), Not(HasSubstr("cpu")));
}

TEST_F(InfluxTest, BodiesMayBePackedOrEmpty) {
  EXPECT_EQ(post("/write", gzip("cpu v=1 1"), {.content_encoding = "gzip"}).status, 204);
  EXPECT_THAT(latest(), HasSubstr("cpu_v"));
  EXPECT_EQ(post("/write", "").status, 204);
  EXPECT_EQ(post("/write", "x", {.content_encoding = "br"}).status, 415);
}

TEST_F(InfluxTest, ATokenNamesTheNamespaceAndMustBeRight) {
  const std::string token = make_namespace("shop");
  EXPECT_EQ(post_as("Token " + token, "/api/v2/write", "a v=1").status, 204);
  EXPECT_EQ(post_as("Bearer " + token, "/write", "b v=1").status, 204);
  EXPECT_EQ(post_as(basic(token), "/write", "c v=1").status, 204);
  EXPECT_EQ(post("/write?u=user&p=" + token, "d v=1").status, 204);
  for (const char* name : {"a_v", "b_v", "c_v", "d_v"})
    EXPECT_THAT(latest("shop"), HasSubstr(name));
  std::string wrong = token;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  const HttpResponse refused = post_as("Token " + wrong, "/api/v2/write", "e v=1");
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.body, HasSubstr(R"("code":"unauthorized")"));
  EXPECT_EQ(post_as("Token " + make_token(posix_env(), "nowhere"), "/write", "e v=1").status, 401);
  EXPECT_EQ(post_as("Token " + token, "/write", "e v=1", {.firn_namespace = "default"}).status,
            400);
}

TEST_F(InfluxTest, CredentialsOfAnotherServerAreNotLookedAt) {
  EXPECT_EQ(post_as("Token my-old-token", "/api/v2/write", "a v=1").status, 204);
  EXPECT_EQ(post_as(basic("secret"), "/write", "b v=1").status, 204);
  EXPECT_THAT(latest(), HasSubstr("b_v"));
}

TEST_F(InfluxTest, TheHeaderNamesANamespace) {
  put("/api/v1/namespaces/depot");
  EXPECT_EQ(post("/write", "a v=1", {.firn_namespace = "depot"}).status, 204);
  EXPECT_THAT(latest("depot"), HasSubstr("a_v"));
  EXPECT_EQ(post("/write", "a v=1", {.firn_namespace = "nowhere"}).status, 404);
}

TEST_F(InfluxTest, PingAnswersWithAVersion) {
  EXPECT_EQ(get("/ping").status, 204);
  EXPECT_THAT(post("/ping", "").headers, Contains(Key("X-Influxdb-Version")));
}

TEST_F(InfluxTest, ManySamplesAreSeveralAppends) {
  services_.limits.batch_events = 2;
  EXPECT_EQ(post("/write", "a v=1 1\na v=2 2\na v=3 3\na v=4 4\na v=5 5").status, 204);
  EXPECT_THAT(get(in_default("metrics/aggregate")).body, HasSubstr(R"("count":5)"));
}

}  // namespace
}  // namespace firn
