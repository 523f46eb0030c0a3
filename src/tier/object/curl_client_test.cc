#include "tier/object/curl_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/test_directory.h"
#include "tier/object/test_http_listener.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

TestHttpAnswer hello(const TestHttpRequest&) { return {200, {{"X-One", " 1 "}}, "hello"}; }

CurlOptions impatient() {
  CurlOptions options;
  options.connect_time_ns = 2 * kSecondNs;
  options.low_speed_time_ns = 1 * kSecondNs;
  return options;
}

CurlRequest get(const std::string& url) {
  CurlRequest request;
  request.method = "GET";
  request.url = url;
  return request;
}

TEST(CurlClient, SendsExactlyWhatItIsGiven) {
  TestHttpRequest seen;
  TestHttpListener server([&](const TestHttpRequest& request) {
    seen = request;
    return TestHttpAnswer{201, {}, ""};
  });
  CurlClient client(impatient());
  CurlRequest request;
  request.method = "PUT";
  request.url = server.endpoint() + "/a%3Db/../c?x=%2F";
  request.headers = {{"host", "elsewhere"}, {"x-empty", ""}, {"x-full", "v"}};
  const std::string body(2'000'000, 'b');
  request.body = body;
  const auto response = client.send(request);
  ASSERT_TRUE(response.ok()) << response.status().to_string();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(seen.path, "/a%3Db/../c");
  EXPECT_EQ(seen.query, "x=%2F");
  EXPECT_EQ(seen.body, body);
  EXPECT_THAT(seen.headers, ::testing::UnorderedElementsAre(
                                std::pair("host", "elsewhere"), std::pair("x-empty", ""),
                                std::pair("x-full", "v"), std::pair("content-length", "2000000")));
}

TEST(CurlClient, ReturnsStatusHeadersAndBody) {
  TestHttpListener server(hello);
  CurlClient client(impatient());
  const auto response = client.send(get(server.endpoint() + "/"));
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->header("x-one"), "1");
  EXPECT_EQ(response->body, "hello");
}

TEST(CurlClient, KeepsItsConnection) {
  TestHttpListener server(hello);
  CurlClient client(impatient());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client.send(get(server.endpoint() + "/")).ok());
  EXPECT_EQ(server.connections(), 1u);
}

TEST(CurlClient, FollowsNoRedirect) {
  TestHttpListener elsewhere(hello);
  TestHttpListener server([&](const TestHttpRequest&) {
    return TestHttpAnswer{307, {{"Location", elsewhere.endpoint() + "/"}}, ""};
  });
  CurlClient client(impatient());
  EXPECT_EQ(client.send(get(server.endpoint() + "/"))->status, 307);
  EXPECT_EQ(elsewhere.connections(), 0u);
}

TEST(CurlClient, RefusesLinkLocalAddresses) {
  CurlClient client(impatient());
  for (const char* url : {"http://169.254.169.254/", "http://[::ffff:169.254.1.1]/",
                          "http://[fe80::1]/", "https://169.254.0.1/"}) {
    const Status status = client.send(get(url)).status();
    EXPECT_EQ(status.code(), StatusCode::kIoError) << url;
    EXPECT_THAT(status.to_string(), HasSubstr("link-local"));
  }
}

TEST(CurlClient, TalksOnlyHttp) {
  CurlClient client(impatient());
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/"}) {
    EXPECT_EQ(client.send(get(url)).status().code(), StatusCode::kInvalidArgument) << url;
  }
}

TEST(CurlClient, RefusesACertificateThatNobodyVouchesFor) {
  TestHttpListener server(hello, true);
  CurlClient client(impatient());
  const Status status = client.send(get(server.endpoint() + "/")).status();
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_THAT(status.to_string(), HasSubstr("certificate"));
}

TEST(CurlClient, AcceptsACertificateOfTheAuthorityItWasGiven) {
  TestHttpListener server(hello, true);
  const TestDirectory directory;
  CurlOptions options = impatient();
  options.ca_file = directory.file("ca.pem");
  ASSERT_TRUE(replace_file(posix_env(), options.ca_file, server.certificate()).ok());
  CurlClient client(options);
  const auto response = client.send(get(server.endpoint() + "/"));
  ASSERT_TRUE(response.ok()) << response.status().to_string();
  EXPECT_EQ(response->body, "hello");
}

TEST(CurlClient, RefusesACertificateForAnotherHost) {
  TestHttpListener server(hello, true);
  const TestDirectory directory;
  CurlOptions options = impatient();
  options.ca_file = directory.file("ca.pem");
  ASSERT_TRUE(replace_file(posix_env(), options.ca_file, server.certificate()).ok());
  CurlClient client(options);
  std::string url = server.endpoint() + "/";
  url.replace(url.find("127.0.0.1"), 9, "localhost");
  EXPECT_EQ(client.send(get(url)).status().code(), StatusCode::kIoError);
}

TEST(CurlClient, NoticesAnAnswerThatIsCutShort) {
  TestHttpListener server([](const TestHttpRequest&) {
    return TestHttpAnswer{200, {}, "hello", TestDelivery::kHalf};
  });
  CurlClient client(impatient());
  EXPECT_EQ(client.send(get(server.endpoint() + "/")).status().code(), StatusCode::kCorruption);
}

TEST(CurlClient, TakesNoMoreThanItAskedFor) {
  TestHttpListener server(hello);
  CurlClient client(impatient());
  char out[5] = "";
  CurlRequest request = get(server.endpoint() + "/");
  request.out = out;
  request.out_size = 4;
  EXPECT_EQ(client.send(request).status().code(), StatusCode::kCorruption);
  EXPECT_STREQ(out, "");
}

TEST(CurlClient, GivesUpOnASilentServer) {
  TestHttpListener server([](const TestHttpRequest&) {
    return TestHttpAnswer{200, {}, "", TestDelivery::kStall};
  });
  CurlClient client(impatient());
  EXPECT_EQ(client.send(get(server.endpoint() + "/")).status().code(), StatusCode::kUnavailable);
}

TEST(CurlClient, GivesUpOnASlowServer) {
  TestHttpListener server([](const TestHttpRequest&) {
    return TestHttpAnswer{200, {}, std::string(1'000'000, 'x'), TestDelivery::kSlow};
  });
  CurlClient client(impatient());
  EXPECT_EQ(client.send(get(server.endpoint() + "/")).status().code(), StatusCode::kUnavailable);
}

TEST(CurlClient, NobodyListening) {
  std::string url;
  {
    TestHttpListener server(hello);
    url = server.endpoint() + "/";
  }
  CurlClient client(impatient());
  EXPECT_EQ(client.send(get(url)).status().code(), StatusCode::kUnavailable);
}

TEST(CurlClient, CancelEndsWhatIsRunning) {
  CurlClient client(impatient());
  TestHttpListener server([&](const TestHttpRequest&) {
    client.cancel();
    return TestHttpAnswer{200, {}, "", TestDelivery::kStall};
  });
  EXPECT_EQ(client.send(get(server.endpoint() + "/")).status().code(), StatusCode::kCancelled);
  EXPECT_EQ(client.send(get(server.endpoint() + "/")).status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace firn
