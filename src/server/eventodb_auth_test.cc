// Who may ask what of EventoDB's face: section 2 of its contract, row by row, with tokens enforced
// unless a test says otherwise.

#include <gmock/gmock.h>

#include "server/test_eventodb.h"

namespace firn {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class EventodbAuth : public EventodbTest {
 protected:
  void SetUp() override {
    EventodbTest::SetUp();
    serve_tokens(token_);
  }
  // With this header; none when it is empty.
  HttpResponse ask_with(HttpMethod method, const std::string& target,
                        const std::string& authorization = {}, std::string body = {}) {
    const HttpRequestPtr request = make_request(method, target, std::move(body));
    request->authorization = authorization;
    return ask(request);
  }
  HttpResponse version_with(const std::string& authorization, const std::string& query = {}) {
    return ask_with(HttpMethod::kPost, "/rpc" + query, authorization, kVersion);
  }

  const std::string token_ = make_token(posix_env(), "default");
  const std::string kVersion = R"(["sys.version"])";
};

TEST_F(EventodbAuth, AHeaderMustSayBearer) {
  for (const std::string& header : {std::string(), token_, "bearer " + token_, "BEARER " + token_,
                                    "Basic " + token_, std::string("Bearer ")}) {
    EXPECT_EQ(error_of(version_with(header)), "401 AUTH_REQUIRED") << header;
  }
  EXPECT_EQ(version_with("Bearer " + token_).status, 200);
}

TEST_F(EventodbAuth, AnInvalidTokenIsToldWhy) {
  const std::string secret(64, 'a');
  for (const std::string& token :
       {std::string("x"), "ns_" + secret, "ns__" + secret, "ns_ZGVmYXVsdA_" + secret.substr(1),
        "ns_ZGVmYXVsdA_" + std::string(64, 'g'), "ns_Z!_" + secret, "xx_ZGVmYXVsdA_" + secret}) {
    const HttpResponse response = version_with("Bearer " + token);
    EXPECT_EQ(error_of(response), "401 AUTH_INVALID_TOKEN") << token;
    EXPECT_THAT(response.body, HasSubstr(R"("details":{"error":")")) << token;
  }
}

TEST_F(EventodbAuth, ATokenThatIsNotTheStoredOneNamesItsNamespace) {
  for (const char* name : {"default", "nobody"}) {
    const HttpResponse response = version_with("Bearer " + make_token(posix_env(), name));
    EXPECT_EQ(error_of(response), "403 AUTH_UNAUTHORIZED");
    EXPECT_THAT(response.body,
                HasSubstr(std::string(R"("details":{"namespace":")") + name + "\"}"));
  }
}

TEST_F(EventodbAuth, TheParameterWinsOverTheHeader) {
  EXPECT_EQ(version_with("", "?token=" + token_).status, 200);
  EXPECT_EQ(version_with("Bearer wrong", "?token=" + token_).status, 200);
  EXPECT_EQ(error_of(version_with("Bearer " + token_, "?token=wrong")), "401 AUTH_INVALID_TOKEN");
  const std::string other = make_token(posix_env(), "default");
  EXPECT_EQ(error_of(version_with("Bearer " + token_, "?token=" + other)), "403 AUTH_UNAUTHORIZED");
}

TEST_F(EventodbAuth, TheParameterCountsOnEveryRoute) {
  const std::string query = "?token=" + token_;
  EXPECT_EQ(get("/subscribe" + query + "&category=a").status, 200);
  EXPECT_EQ(get("/export" + query).status, 200);
  HttpResponse import = post("/import" + query, record_line("s-1", 0));
  EXPECT_THAT(read_all(import.stream.get()), HasSubstr("\"imported\":1"));
}

TEST_F(EventodbAuth, EveryRouteAsksForAToken) {
  for (const auto& [method, target] :
       std::vector<std::pair<HttpMethod, std::string>>{{HttpMethod::kPost, "/rpc"},
                                                       {HttpMethod::kGet, "/subscribe?all=true"},
                                                       {HttpMethod::kPost, "/import"},
                                                       {HttpMethod::kGet, "/export"}}) {
    const HttpResponse response = ask_with(method, target);
    EXPECT_EQ(error_of(response), "401 AUTH_REQUIRED") << target;
    EXPECT_THAT(std::string(response.content_type), StartsWith("application/json")) << target;
    EXPECT_EQ(error_of(ask_with(method, target, "Bearer x")), "401 AUTH_INVALID_TOKEN") << target;
    EXPECT_EQ(error_of(ask_with(method, target, "Bearer " + make_token(posix_env(), "default"))),
              "403 AUTH_UNAUTHORIZED")
        << target;
  }
}

TEST_F(EventodbAuth, TheVersionIsForEverybodyWithAnyMethod) {
  for (const HttpMethod method : kRouteMethods) {
    EXPECT_EQ(ask_with(method, "/version").body, "{\"version\":\"0.7.0\"}\n");
  }
}

// The token is looked at first.
TEST_F(EventodbAuth, OtherMethodsOfRpcAreRefusedBehindTheToken) {
  for (const HttpMethod method :
       {HttpMethod::kGet, HttpMethod::kPut, HttpMethod::kDelete, HttpMethod::kOther}) {
    EXPECT_EQ(error_of(ask_with(method, "/rpc")), "401 AUTH_REQUIRED");
    EXPECT_EQ(error_of(ask_with(method, "/rpc", "Bearer x")), "401 AUTH_INVALID_TOKEN");
    const HttpResponse response = ask_with(method, "/rpc", "Bearer " + token_);
    EXPECT_EQ(error_of(response), "405 INVALID_REQUEST");
    EXPECT_THAT(response.headers, Contains(std::pair<std::string, std::string>("Allow", "POST")));
  }
}

TEST_F(EventodbAuth, OtherMethodsOfOtherRoutesAreRefused) {
  for (const char* target : {"/subscribe", "/export"}) {
    EXPECT_EQ(error_of(post(target, "")), "405 INVALID_REQUEST") << target;
  }
  EXPECT_EQ(error_of(get("/import")), "405 INVALID_REQUEST");
}

TEST_F(EventodbAuth, AnyTokenMayManageEveryNamespace) {
  const std::string guest = make_token(posix_env(), "guest");
  call(R"(["ns.create","guest",{"token":")" + guest + "\"}]", token_);
  call(R"(["ns.create","third"])", guest);
  EXPECT_THAT(call(R"(["ns.info","default"])", guest), HasSubstr("\"namespace\":\"default\""));
  EXPECT_THAT(call(R"(["ns.list"])", guest),
              MatchesRegex(R"(\[\{"namespace":"third",.*"guest",.*"default",.*\])"));
  EXPECT_THAT(call(R"(["ns.delete","third"])", guest), HasSubstr("\"messagesDeleted\":0"));
}

TEST_F(EventodbAuth, ATokenIsForItsNamespaceAlone) {
  const std::string guest = make_token(posix_env(), "guest");
  call(R"(["ns.create","guest",{"token":")" + guest + "\"}]", token_);
  const std::string write = R"(["stream.write","s-1",{"type":"T","data":{}}])";
  EXPECT_EQ(call(write, guest), R"({"position":0,"globalPosition":1})");
  EXPECT_EQ(call(R"(["stream.version","s-1"])", token_), "null");
  EXPECT_EQ(call(write, token_), R"({"position":0,"globalPosition":1})");
}

TEST_F(EventodbAuth, ATokenEndsWithItsNamespace) {
  const std::string guest = make_token(posix_env(), "guest");
  const std::string create = R"(["ns.create","guest",{"token":")" + guest + "\"}]";
  const std::string write = R"(["stream.write","s-1",{"type":"T","data":{}}])";
  call(create, token_);
  call(write, guest);
  call(R"(["ns.delete","guest"])", token_);
  EXPECT_EQ(error_of(rpc(R"(["stream.get","s-1"])", guest)), "403 AUTH_UNAUTHORIZED");
  call(create, token_);
  EXPECT_EQ(call(R"(["stream.get","s-1"])", guest), "[]");
  EXPECT_EQ(call(write, guest), R"({"position":0,"globalPosition":1})");
}

TEST_F(EventodbAuth, InTestModeNoTokenMeansTheNamespaceDefault) {
  services_.eventodb_test_mode = true;
  for (const std::string& header : {std::string(), std::string("Bearer x"), "bearer " + token_}) {
    EXPECT_EQ(version_with(header).status, 200) << header;
    EXPECT_EQ(ask_with(HttpMethod::kGet, "/subscribe?all=true", header).status, 200) << header;
    EXPECT_EQ(error_of(ask_with(HttpMethod::kGet, "/rpc", header)), "405 INVALID_REQUEST");
  }
}

TEST_F(EventodbAuth, InTestModeATokenChoosesItsNamespaceUncompared) {
  services_.eventodb_test_mode = true;
  call(R"(["ns.create","guest"])");
  const std::string other = make_token(posix_env(), "guest");
  EXPECT_EQ(call(R"(["stream.write","s-1",{"type":"T","data":{}}])", other),
            R"({"position":0,"globalPosition":1})");
  EXPECT_EQ(call(R"(["stream.version","s-1"])"), "null");
}

TEST_F(EventodbAuth, InTestModeAMissingNamespaceFailsInTheStoreAlone) {
  services_.eventodb_test_mode = true;
  const std::string nobody = make_token(posix_env(), "nobody");
  for (const char* data_call :
       {R"(["stream.write","s-1",{"type":"T","data":{}}])", R"(["stream.get","s-1"])",
        R"(["stream.last","s-1"])", R"(["stream.version","s-1"])", R"(["category.get","s"])",
        R"(["ns.streams"])", R"(["ns.categories"])"}) {
    EXPECT_EQ(error_of(rpc(data_call, nobody)), "500 BACKEND_ERROR") << data_call;
  }
  EXPECT_EQ(call(R"(["sys.version"])", nobody), "\"0.7.0\"");
  call(R"(["ns.create","nobody"])", nobody);
  EXPECT_EQ(call(R"(["stream.get","s-1"])", nobody), "[]");
}

}  // namespace
}  // namespace firn
