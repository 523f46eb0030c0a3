#include "server/guardia_stream.h"

#include <gmock/gmock.h>

#include "server/eventodb_token.h"
#include "server/guardia_face.h"
#include "server/test_faces.h"
#include "server/test_web_socket.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

class GuardiaStreamTest : public FaceTest {
 protected:
  void SetUp() override {
    FaceTest::SetUp();
    router_ = std::make_unique<Router>(
        std::vector<Face>{api_face(&services_), guardia_face(&services_)}, &metrics_);
  }
  void TearDown() override {
    stream_ = nullptr;
    FaceTest::TearDown();
  }

  HttpResponse ask_stream(const std::string& query = "", const std::string& authorization = "",
                          const std::string& name_space = "") {
    const HttpRequestPtr request = make_request(HttpMethod::kGet, "/api/v1/stream" + query);
    request->wants_web_socket = true;
    request->authorization = authorization;
    request->firn_namespace = name_space;
    return ask(request);
  }
  void open(const std::string& query = "", const std::string& authorization = "",
            const std::string& name_space = "") {
    HttpResponse response = ask_stream(query, authorization, name_space);
    EXPECT_EQ(response.status, 101) << response.body;
    stream_ = std::move(response.messages);
  }
  void ask_next() {
    stream_->next([next = next_](MessagePiece piece) { next->set(std::move(piece)); });
  }
  MessagePiece next() {
    ask_next();
    return next_->get().value_or(MessagePiece());
  }
  void write(const std::string& path, const std::string& list, const std::string& item,
             const std::string& name_space = "default") {
    const HttpResponse response =
        post("/api/v1/namespaces/" + name_space + "/" + path, "{\"" + list + "\":[" + item + "]}");
    ASSERT_EQ(response.status, 200) << response.body;
  }
  void server_row(const std::string& id, const std::string& name_space = "default") {
    write("servers:batch", "servers",
          R"({"server_id":")" + id +
              R"(","timestamp":1767225600000,"display_name":"rack","metrics":{"cpus":{}}})",
          name_space);
  }
  void check(const std::string& rest) {
    write("checks:batch", "checks",
          R"({"service_name":"shop","timestamp":1767225600000,)" + rest + "}");
  }
  // A namespace with a token of its own.
  std::string make_namespace(const std::string& name) {
    put("/api/v1/namespaces/" + name);
    const std::string token = make_token(posix_env(), name);
    NamespaceProfile profile;
    profile.token_sha256 = token_sha256(token);
    EXPECT_TRUE(services_.gate->get()->store->set_namespace_profile(name, std::move(profile)).ok());
    return token;
  }

  std::unique_ptr<MessageStream> stream_;
  std::shared_ptr<Awaited<MessagePiece>> next_ = std::make_shared<Awaited<MessagePiece>>();
};

TEST_F(GuardiaStreamTest, RowsOfServersAndChecksComeAsTheyAreWritten) {
  server_row("before:1");
  open();
  ask_next();
  server_row("a:1");
  const auto row = next_->get();
  ASSERT_TRUE(row.has_value());
  ASSERT_EQ(row->messages.size(), 1u) << "no message for the samples extracted from the row";
  EXPECT_THAT(row->messages[0],
              HasSubstr(R"({"type":"metric","server_id":"a:1","display_name":"rack","metrics":)"
                        R"({"cpus":{}},"timestamp":"2026-01-01T00:00:00Z","position":)"));
  check(R"("status":"degraded","response_time_ms":12.5,"url":"https://a")");
  const MessagePiece checked = next();
  ASSERT_EQ(checked.messages.size(), 1u);
  EXPECT_THAT(checked.messages[0],
              HasSubstr(R"({"type":"service_check","service_name":"shop","url":"https://a",)"
                        R"("timestamp":"2026-01-01T00:00:00Z","status":"degraded",)"
                        R"("response_time_ms":12.5,"http_status_code":null,"error_message":null,)"
                        R"("ssl_expiry_days":null,"position":)"));
}

TEST_F(GuardiaStreamTest, OtherSamplesMakeNoMessages) {
  open();
  ask_next();
  write("metrics:batch", "samples",
        R"({"name":"cpu","labels":{"server_id":"a"},"timestamp":1767225600000,"value":1})");
  server_row("a:1");
  EXPECT_EQ(next_->get()->messages.size(), 1u);
}

TEST_F(GuardiaStreamTest, ItGoesOnBehindThePositionOfAMessage) {
  for (int i = 0; i < 5; ++i) server_row("a:" + std::to_string(i));
  open("?after=0");
  std::vector<std::string> all;
  while (all.size() < 5) {
    for (std::string& message : next().messages) all.push_back(std::move(message));
  }
  ASSERT_EQ(all.size(), 5u);
  const size_t at = all[2].find("\"position\":") + 11;
  open("?after=" + all[2].substr(at, all[2].find('}', at) - at));
  const MessagePiece rest = next();
  ASSERT_FALSE(rest.messages.empty());
  EXPECT_EQ(rest.messages[0], all[3]);
  EXPECT_EQ(ask_stream("?after=soon").status, 400);
}

TEST_F(GuardiaStreamTest, ManyMoreRowsThanOnePieceComeWholeAndInOrder) {
  open();
  std::string rows;
  for (int i = 0; i < 5000; ++i) {
    rows += std::string(i > 0 ? "," : "") + R"({"server_id":"a","timestamp":)" +
            std::to_string(1767225600000 + i) + R"(,"metrics":{"n":)" + std::to_string(i) + "}}";
  }
  write("servers:batch", "servers", rows);
  int expected = 0;
  while (expected < 5000) {
    for (const std::string& message : next().messages) {
      ASSERT_THAT(message, HasSubstr("{\"n\":" + std::to_string(expected) + "}"));
      ++expected;
    }
  }
}

TEST_F(GuardiaStreamTest, TheTokenMayComeInTheHeaderTheQueryOrAMessage) {
  const std::string token = make_namespace("racks");
  open("", "Bearer " + token);
  server_row("header:1", "racks");
  EXPECT_THAT(next().messages.at(0), HasSubstr("header:1"));
  open("?token=" + token);
  server_row("query:1", "racks");
  EXPECT_THAT(next().messages.at(0), HasSubstr("query:1"));
  open();
  stream_->receive(R"({"type":"auth","token":")" + token + R"("})");
  stream_->receive(R"({"type":"ping"})");
  EXPECT_EQ(next().messages.at(0), R"({"type":"pong"})") << "so the token was looked at";
  ask_next();
  server_row("default:1");
  server_row("message:1", "racks");
  EXPECT_THAT(next_->get()->messages.at(0), HasSubstr("message:1"));
}

TEST_F(GuardiaStreamTest, AWrongTokenIsRefused) {
  make_namespace("racks");
  const std::string wrong = make_token(posix_env(), "racks");
  EXPECT_EQ(ask_stream("?token=" + wrong).status, 401);
  EXPECT_EQ(ask_stream("", "Bearer " + wrong).status, 401);
  open();
  stream_->receive(R"({"type":"auth","token":")" + wrong + R"("})");
  EXPECT_EQ(next().close.code, 1008);
}

TEST_F(GuardiaStreamTest, WhatItDoesNotUnderstandIsPassedOver) {
  open();
  for (const char* text : {"", "{", "[]", "null", R"({"type":5})", R"({"type":"subscribe"})",
                           R"({"type":"auth","token":"secret"})", R"({"token":{"a":[1]}})"}) {
    stream_->receive(text);
  }
  ask_next();
  server_row("a:1");
  EXPECT_THAT(next_->get()->messages.at(0), HasSubstr("a:1"));
}

TEST_F(GuardiaStreamTest, ItEndsWhenTheStoreGoes) {
  open();
  services_.gate->close().reset();
  stream_->receive(R"({"type":"ping"})");
  EXPECT_EQ(next().close.code, 1013);
}

TEST_F(GuardiaStreamTest, ARequestWithoutUpgradeIs426) {
  const HttpResponse response = get("/api/v1/stream");
  EXPECT_EQ(response.status, 426);
  EXPECT_THAT(response.headers, ::testing::Contains(::testing::Pair("Upgrade", "websocket")));
  EXPECT_EQ(ask_stream("", "", "nowhere").status, 404);
}

TEST_F(GuardiaStreamTest, OverASocketMessagesArriveInOrder) {
  HttpServer server(posix_env(), {}, &metrics_);
  const auto address = server.listen(*parse_listen_address("127.0.0.1:0"), router_.get());
  ASSERT_TRUE(address.ok());
  server.start();
  {
    TestWebSocket socket(address->port, "/api/v1/stream");
    EXPECT_THAT(socket.answer(), HasSubstr("HTTP/1.1 101"));
    for (int i = 0; i < 50; ++i) server_row("a:" + std::to_string(i));
    for (int i = 0; i < 50; ++i) {
      EXPECT_THAT(socket.read().content, HasSubstr("\"a:" + std::to_string(i) + "\""));
    }
  }
  server.stop(0);
}

}  // namespace
}  // namespace firn
