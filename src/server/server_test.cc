#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <set>
#include <thread>

#include "client/grpc_client.h"
#include "client/http_client.h"
#include "env/test_directory.h"
#include "server/test_socket.h"
#include "wire/otlp_test_request.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A whole server on ports that the system chose.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    config_.listen = "127.0.0.1:0";
    config_.otlp_http.text = config_.otlp_grpc.text = "127.0.0.1:0";
    config_.store.data_dir = directory_.file("data");
  }

  void start() {
    auto server = Server::start(posix_env(), config_);
    ASSERT_TRUE(server.ok()) << server.status().to_string();
    server_ = std::move(*server);
    const Status ready = server_->wait_ready();
    ASSERT_TRUE(ready.ok()) << ready.to_string();
  }

  std::unique_ptr<HttpClient> client() {
    auto created = HttpClient::create(server_->addresses()[0]);
    EXPECT_TRUE(created.ok());
    return std::move(*created);
  }
  HttpClientResponse ask(HttpClient* client, const HttpClientRequest& request) {
    auto response = client->send(request);
    EXPECT_TRUE(response.ok()) << response.status().to_string();
    return response.ok() ? *response : HttpClientResponse{};
  }
  HttpClientResponse append(HttpClient* client, std::string_view body) {
    return ask(client, {.method = "POST", .target = kEvents, .body = body});
  }

  const std::string kEvents = "/api/v1/namespaces/default/events";
  TestDirectory directory_;
  ServerConfig config_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AppendsAndReadsOverOneConnection) {
  start();
  const auto http = client();
  EXPECT_THAT(append(http.get(), R"({"type":"a"})").body, HasSubstr("\"first_position\":1"));
  EXPECT_THAT(append(http.get(), R"({"type":"b"})").body, HasSubstr("\"first_position\":2"));
  EXPECT_THAT(ask(http.get(), {.target = kEvents + "?type=b"}).body, HasSubstr("\"position\":2"));
  EXPECT_THAT(ask(http.get(), {.target = "/metrics"}).body,
              HasSubstr("firn_http_requests_total{route=\"POST "
                        "/api/v1/namespaces/{ns}/events\",code=\"200\"} 2\n"));
}

TEST_F(ServerTest, WhatIsAcknowledgedIsThereAfterARestart) {
  start();
  append(client().get(), R"([{"type":"a"},{"type":"b"}])");
  server_->stop();
  EXPECT_EQ(server_->exit_code(), 0);
  start();
  EXPECT_THAT(ask(client().get(), {.target = kEvents + ":count"}).body, HasSubstr("\"count\":2"));
}

TEST_F(ServerTest, OtlpIsOnBothAddresses) {
  start();
  ASSERT_EQ(server_->addresses().size(), 2u);
  for (const std::string& address : server_->addresses()) {
    const auto http = HttpClient::create(address);
    const auto response = (*http)->send({.method = "POST",
                                         .target = "/v1/logs",
                                         .headers = {{"Content-Type", "application/json"}},
                                         .body = "{}"});
    ASSERT_TRUE(response.ok());
    EXPECT_EQ(response->status, 200);
  }
  const auto otlp = HttpClient::create(server_->addresses()[1]);
  EXPECT_EQ((*otlp)->send({.target = kEvents})->status, 404);
}

TEST_F(ServerTest, ManyConnectionsAppendAtOnce) {
  start();
  constexpr int kThreads = 8, kAppends = 100;
  std::vector<std::thread> threads;
  Mutex mutex;
  std::set<std::string> answers;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      const auto http = client();
      for (int i = 0; i < kAppends; ++i) {
        const std::string body = append(http.get(), R"({"type":"a"})").body;
        MutexLock lock(&mutex);
        answers.insert(body);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answers.size(), static_cast<size_t>(kThreads * kAppends));  // each its own position
  EXPECT_THAT(ask(client().get(), {.target = kEvents + ":count"}).body, HasSubstr("\"count\":800"));
}

TEST_F(ServerTest, ATailOverASocketSeesEverythingOnce) {
  start();
  append(client().get(), R"([{"type":"a"},{"type":"a"}])");
  std::thread writer([this] {
    const auto http = client();
    for (int i = 0; i < 100; ++i) append(http.get(), R"({"type":"a"})");
  });
  std::vector<std::string> ids;
  const auto response =
      client()->stream({.target = kEvents + ":tail?after=0"}, [&](std::string_view line) {
        if (line.starts_with("id: ")) ids.emplace_back(line.substr(4));
        return ids.size() < 102;
      });
  writer.join();
  ASSERT_TRUE(response.ok()) << response.status().to_string();
  ASSERT_EQ(ids.size(), 102u);
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], std::to_string(i + 1));
}

TEST_F(ServerTest, StopsQuicklyUnderLoadWithTailsOpen) {
  start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      const auto http = client();
      while (http->send({.method = "POST", .target = kEvents, .body = R"({"type":"a"})"}).ok()) {
      }
    });
    threads.emplace_back([this] {
      (void)client()->stream({.target = kEvents + ":tail?after=0"},
                             [](std::string_view) { return true; });
    });
  }
  const auto http = client();
  while (ask(http.get(), {.target = kEvents + ":count"}).body.find("{\"count\":0") == 0) {
  }
  const TimeNs began = posix_env()->monotonic();
  server_->stop();
  EXPECT_LT(posix_env()->monotonic() - began, 2 * kSecondNs);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server_->exit_code(), 0);
}

TEST_F(ServerTest, WaitReturnsWhenASignalComes) {
  start();
  server_->stop_on_signals();
  std::thread waiter([this] { EXPECT_TRUE(server_->wait().ok()); });
  // The handler is installed by the server's thread; an answer shows that it got there.
  ask(client().get(), {.target = "/livez"});
  ask(client().get(), {.target = "/livez"});
  ::raise(SIGTERM);
  waiter.join();
  server_->stop();
  EXPECT_EQ(server_->exit_code(), 0);
}

TEST_F(ServerTest, ADataDirectoryInUseEndsTheServer) {
  start();
  auto second = Server::start(posix_env(), config_);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ((*second)->wait_ready().code(), StatusCode::kConflict);
  EXPECT_EQ((*second)->wait().code(), StatusCode::kConflict);
  (*second)->stop();
  EXPECT_EQ((*second)->exit_code(), 1);
}

TEST_F(ServerTest, TakesOtlpOverGrpc) {
  start();
  TestLog log;
  log.body = TestValue::of("over gRPC");
  const std::string request =
      TestRequest{{TestResource{{}, 0, "", {TestScope{"", "", "", {}, 0, {log}}}}}}.proto();
  const auto answer =
      GrpcClient(server_->grpc_address().value())
          .call({.method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
                 .body = request,
                 .gzip = true});
  EXPECT_EQ(answer.code, 0) << answer.message;
  EXPECT_THAT(ask(client().get(), {.target = kEvents}).body, HasSubstr("over gRPC"));
}

TEST_F(ServerTest, ATakenAddressIsRefused) {
  start();
  ServerConfig second = config_;
  second.listen = server_->addresses()[0];
  second.store.data_dir = directory_.file("other");
  EXPECT_EQ(Server::start(posix_env(), second).status().code(), StatusCode::kConflict);
}

TEST_F(ServerTest, ATakenOtlpAddressIsRefusedOnlyWhenItWasAskedFor) {
  start();
  ServerConfig second = config_;
  second.store.data_dir = directory_.file("other");
  for (OptionalAddress ServerConfig::*address :
       {&ServerConfig::otlp_http, &ServerConfig::otlp_grpc}) {
    ServerConfig asked = second;
    asked.*address = {address == &ServerConfig::otlp_http ? server_->addresses()[1]
                                                          : server_->grpc_address().value(),
                      false};
    EXPECT_EQ(Server::start(posix_env(), asked).status().code(), StatusCode::kConflict);
  }
  second.otlp_http = {server_->addresses()[1], true};
  second.otlp_grpc = {server_->grpc_address().value(), true};
  const auto server = Server::start(posix_env(), second);
  ASSERT_TRUE(server.ok()) << server.status().to_string();
  EXPECT_EQ((*server)->addresses().size(), 1u);
  EXPECT_FALSE((*server)->grpc_address().has_value());
}

TEST_F(ServerTest, AClosedConnectionCancelsItsStatement) {
  start();
  {
    TestSocket socket(server_->port());
    const std::string body =
        R"({"query":"SELECT count(*) FROM range(1000000000) a, range(1000000000) b"})";
    socket.send(
        "POST /api/v1/namespaces/default/sql HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  const std::string cancelled =
      "firn_http_requests_total{route=\"POST /api/v1/namespaces/{ns}/sql\",code=\"503\"} 1\n";
  const auto http = client();
  const TimeNs began = posix_env()->monotonic();
  std::string metrics;
  while (metrics.find(cancelled) == std::string::npos &&
         posix_env()->monotonic() - began < 10 * kSecondNs) {
    metrics = ask(http.get(), {.target = "/metrics"}).body;
  }
  EXPECT_THAT(metrics, HasSubstr(cancelled));
}

}  // namespace
}  // namespace firn
