#include "server/grpc_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "client/grpc_client.h"
#include "wire/gzip.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

constexpr int kUnavailable = 14;
constexpr int kResourceExhausted = 8;

// Answers with what it was asked.
void echo(GrpcCall call, const GrpcResponder& respond) {
  respond({0, "", "", call.method + "|" + call.firn_namespace + "|" + call.body});
}

std::unique_ptr<GrpcServer> serve(GrpcHandler handler, const GrpcOptions& options = {}) {
  auto server = GrpcServer::start(posix_env(), {"127.0.0.1", 0, true}, options, std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status().to_string();
  return server.ok() ? std::move(*server) : nullptr;
}

TEST(GrpcServer, CarriesBytesBothWays) {
  const auto server = serve(echo);
  GrpcClient client(server->address().to_string());
  const std::string body("a\0b", 3);
  const auto answer = client.call(
      {.method = "/any.Service/Method", .body = body, .metadata = {{"firn-namespace", "shop"}}});
  EXPECT_EQ(answer.code, 0) << answer.message;
  EXPECT_EQ(answer.body, "/any.Service/Method|shop|" + body);
}

TEST(GrpcServer, MetadataOfAnAnswerComesBehindIt) {
  const auto server = serve([](const GrpcCall& call, const GrpcResponder& respond) {
    respond({0, "", "", "", {{"firn-ack", call.firn_ack}}});
  });
  const auto answer = GrpcClient(server->address().to_string())
                          .call({.method = "/a/B", .metadata = {{"firn-ack", "os"}}});
  EXPECT_THAT(answer.metadata, ::testing::Contains(::testing::Pair("firn-ack", "os")));
}

TEST(GrpcServer, AFailureHasCodeMessageAndDetails) {
  const auto server = serve([](const GrpcCall&, const GrpcResponder& respond) {
    respond({kUnavailable, "later", "details", ""});
  });
  const auto answer = GrpcClient(server->address().to_string()).call({.method = "/a/B"});
  EXPECT_EQ(answer.code, kUnavailable);
  EXPECT_EQ(answer.message, "later");
  EXPECT_EQ(answer.details, "details");
}

TEST(GrpcServer, GzipComesAsItWasSent) {
  const auto server = serve([](const GrpcCall& call, const GrpcResponder& respond) {
    const Result<std::string> text =
        gunzip(call.body, 1 << 20, 1000, [](uint64_t) { return true; });
    respond({0, "", "", text.ok() ? *text : text.status().to_string()});
  });
  const std::string body(10'000, 'x');
  GrpcClient client(server->address().to_string());
  EXPECT_EQ(client.call({.method = "/a/B", .body = body, .gzip = true}).body, body);
}

TEST(GrpcServer, AMessageBeyondTheLimitIsRefused) {
  GrpcOptions options;
  options.message_bytes = 1000;
  const auto server = serve(echo, options);
  GrpcClient client(server->address().to_string());
  const std::string large(2000, 'x');
  EXPECT_EQ(client.call({.method = "/a/B", .body = large}).code, kResourceExhausted);
  EXPECT_EQ(client.call({.method = "/a/B", .body = "x"}).code, 0);
}

TEST(GrpcServer, HealthIsServing) {
  const auto server = serve(echo);
  const auto answer =
      GrpcClient(server->address().to_string()).call({.method = "/grpc.health.v1.Health/Check"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.body, std::string("\x08\x01"));
}

TEST(GrpcServer, ATakenPortIsAConflict) {
  const auto server = serve(echo);
  const auto second =
      GrpcServer::start(posix_env(), server->address(), GrpcOptions{}, GrpcHandler(echo));
  EXPECT_EQ(second.status().code(), StatusCode::kConflict);
  EXPECT_THAT(second.status().to_string(), HasSubstr(server->address().to_string()));
}

TEST(GrpcServer, ManyClientsAtOnceGetTheirOwnAnswers) {
  const auto server = serve(echo);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      GrpcClient client(server->address().to_string());
      for (int i = 0; i < 50; ++i) {
        const std::string body = std::to_string(t) + "-" + std::to_string(i);
        right += client.call({.method = "/a/B", .body = body}).body == "/a/B||" + body;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right.load(), 400);
}

// The answer comes after the server has gone: the client was told, and nothing else happens.
TEST(GrpcServer, WhatWaitsWhenItStopsIsUnavailable) {
  std::vector<GrpcResponder> kept;
  std::atomic<bool> arrived{false};
  auto server = serve([&](const GrpcCall&, const GrpcResponder& respond) {
    kept.push_back(respond);
    arrived = true;
  });
  GrpcClient client(server->address().to_string());
  GrpcClientResponse answer;
  std::thread caller([&] { answer = client.call({.method = "/a/B", .body = "x"}); });
  while (!arrived) std::this_thread::yield();
  server->stop(10 * kMillisecondNs);
  caller.join();
  EXPECT_EQ(answer.code, kUnavailable);
  EXPECT_EQ(answer.message, "the server is stopping");
  server.reset();
  kept.at(0)({0, "", "", "too late"});
}

TEST(GrpcServer, ReflectionListsTheServices) {
  const auto server = serve(echo);
  GrpcClient client(server->address().to_string());
  const std::string list_services("\x3a\x00", 2);
  for (const std::string version : {"v1", "v1alpha"}) {
    const auto answer = client.call(
        {.method = "/grpc.reflection." + version + ".ServerReflection/ServerReflectionInfo",
         .body = list_services});
    EXPECT_EQ(answer.code, 0) << answer.message;
    EXPECT_THAT(answer.body, HasSubstr("opentelemetry.proto.collector.logs.v1.LogsService"));
    EXPECT_THAT(answer.body, HasSubstr("grpc.health.v1.Health"));
  }
}

}  // namespace
}  // namespace firn
