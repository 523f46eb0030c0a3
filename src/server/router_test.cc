#include "server/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// Routes whose handlers answer with their own name and arguments.
class RouterTest : public ::testing::Test {
 protected:
  static Route route(HttpMethod method, const std::string& pattern, const std::string& name,
                     ErrorEncoder error = nullptr) {
    return {method, pattern,
            [name](const HttpRequestPtr& request, const Responder& respond) {
              std::string body = name;
              for (const std::string& argument : request->path_arguments) body += "|" + argument;
              respond(json_response(body));
            },
            error};
  }

  static HttpResponse teapot_error(const HttpRequest&, int status, std::string_view code,
                                   std::string_view) {
    HttpResponse response;
    response.status = status;
    response.body = "special:" + std::string(code);
    return response;
  }

  RouterTest()
      : router_(
            {{route(HttpMethod::kGet, "/items", "list"), route(HttpMethod::kPost, "/items", "add"),
              route(HttpMethod::kGet, "/items/{id}", "one"),
              route(HttpMethod::kGet, "/items:count", "count")},
             {route(HttpMethod::kPost, "/special", "special", &teapot_error)}},
            &metrics_) {}

  HttpResponse ask(HttpMethod method, const std::string& path) {
    HttpResponse answer;
    auto request = std::make_shared<HttpRequest>();
    request->method = method;
    request->path = path;
    router_.handle(request,
                   Responder([&](HttpResponse response) { answer = std::move(response); }));
    return answer;
  }

  ServerMetrics metrics_;
  Router router_;
};

TEST_F(RouterTest, FindsByMethodAndPath) {
  EXPECT_EQ(ask(HttpMethod::kGet, "/items").body, "list");
  EXPECT_EQ(ask(HttpMethod::kPost, "/items").body, "add");
  EXPECT_EQ(ask(HttpMethod::kGet, "/items:count").body, "count");
}

TEST_F(RouterTest, DecodesArgumentsSegmentBySegment) {
  EXPECT_EQ(ask(HttpMethod::kGet, "/items/a%2Fb+c").body, "one|a/b+c");
}

TEST_F(RouterTest, AnEmptySegmentIsNoArgument) {
  EXPECT_EQ(ask(HttpMethod::kGet, "/items/").status, 404);
}

TEST_F(RouterTest, UnknownPathIs404) {
  const HttpResponse response = ask(HttpMethod::kGet, "/nothing");
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(response.body, HasSubstr("/nothing"));
}

TEST_F(RouterTest, MalformedPathIs400) {
  EXPECT_EQ(ask(HttpMethod::kGet, "*").status, 400);
  EXPECT_EQ(ask(HttpMethod::kGet, "/items/%zz").status, 400);
}

TEST_F(RouterTest, OtherMethodIs405AndNamesThoseThatWork) {
  const HttpResponse response = ask(HttpMethod::kDelete, "/items");
  EXPECT_EQ(response.status, 405);
  EXPECT_THAT(response.headers, Contains(Pair("Allow", "GET, HEAD, POST")));
}

TEST_F(RouterTest, ErrorsHaveTheFormOfTheRoute) {
  EXPECT_EQ(ask(HttpMethod::kGet, "/special").body, "special:method_not_allowed");
  HttpRequest request;
  request.path = "/special";
  EXPECT_EQ(router_.error(request, 413, "too_large", "x").body, "special:too_large");
  request.path = "/items";
  EXPECT_THAT(router_.error(request, 413, "too_large", "x").body, HasSubstr("\"too_large\""));
}

}  // namespace
}  // namespace firn
