#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>

#include "server/test_faces.h"
#include "server/test_web_socket.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

// Says back what it hears; ends when it hears "end", and says a mebibyte at a time after "flood".
class EchoStream final : public MessageStream {
 public:
  void next(Deliver deliver) override {
    {
      MutexLock lock(&mutex_);
      deliver_ = std::move(deliver);
    }
    go_on();
  }
  void receive(std::string_view text) override {
    {
      MutexLock lock(&mutex_);
      if (text == "end") piece_.close = {4000, "as you like"};
      if (text == "flood") floods_ = true;
      piece_.messages.emplace_back(text);
    }
    go_on();
  }

 private:
  void go_on() {
    Deliver deliver;
    MessagePiece piece;
    {
      MutexLock lock(&mutex_);
      if (floods_) piece_.messages.assign(1, std::string(kMiB, 'f'));
      if (!deliver_ || piece_.messages.empty()) return;
      deliver = std::exchange(deliver_, nullptr);
      piece = std::exchange(piece_, {});
    }
    deliver(std::move(piece));
  }

  Mutex mutex_;
  Deliver deliver_ GUARDED_BY(mutex_);
  MessagePiece piece_ GUARDED_BY(mutex_);
  bool floods_ GUARDED_BY(mutex_) = false;
};

class WebSocketTest : public ::testing::Test {
 protected:
  using S = TestWebSocket;

  void start() {
    const auto open = [](const HttpRequestPtr& request, const Responder& respond) {
      HttpResponse response;
      if (!request->wants_web_socket) return respond(json_error(426, "upgrade_required", "no"));
      response.status = 101;
      response.messages = std::make_unique<EchoStream>();
      respond(std::move(response));
    };
    router_ = std::make_unique<Router>(std::vector<Face>{{Route{HttpMethod::kGet, "/echo", open}}},
                                       &metrics_);
    server_ = std::make_unique<HttpServer>(posix_env(), options_, &metrics_);
    const auto address = server_->listen(*parse_listen_address("127.0.0.1:0"), router_.get());
    ASSERT_TRUE(address.ok()) << address.status().to_string();
    port_ = address->port;
    server_->start();
  }
  void SetUp() override { start(); }
  void TearDown() override {
    if (server_ != nullptr) server_->stop(0);
  }
  S open() { return S(port_, "/echo"); }

  HttpOptions options_;
  ServerMetrics metrics_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<HttpServer> server_;
  uint16_t port_ = 0;
};

TEST_F(WebSocketTest, TheHandshakeProvesThatItWasUnderstood) {
  S socket = open();
  EXPECT_THAT(socket.answer(), HasSubstr("HTTP/1.1 101"));
  // The example of RFC 6455, section 1.3.
  EXPECT_THAT(socket.answer(), HasSubstr("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

TEST_F(WebSocketTest, MessagesGoBothWays) {
  S socket = open();
  socket.send(S::kText, "hello");
  EXPECT_EQ(socket.read().content, "hello");
  const std::string large(60'000, 'l');
  socket.send(S::kText, large);
  const S::Frame frame = socket.read();
  EXPECT_TRUE(frame.content == large && frame.is_last) << frame.content.size();
  EXPECT_EQ(frame.code, S::kText);
}

TEST_F(WebSocketTest, FragmentsAreOneMessageAndPingsMayStandBetweenThem) {
  S socket = open();
  socket.socket().send(S::frame(S::kText, "in ", false));
  socket.send(S::kPing, "there?");
  socket.socket().send(S::frame(0, "two", true));
  const S::Frame pong = socket.read();
  EXPECT_EQ(pong.code, S::kPong);
  EXPECT_EQ(pong.content, "there?");
  EXPECT_EQ(socket.read().content, "in two");
}

TEST_F(WebSocketTest, ACloseIsAnsweredAndTheConnectionEnds) {
  S socket = open();
  socket.send(S::kClose, "\x03\xe8");
  EXPECT_EQ(socket.read().close_code(), 1000);
  EXPECT_EQ(socket.read().code, -1);
}

TEST_F(WebSocketTest, TheStreamEndsWithItsCodeBehindItsLastMessage) {
  S socket = open();
  socket.send(S::kText, "end");
  EXPECT_EQ(socket.read().content, "end");
  const S::Frame close = socket.read();
  EXPECT_EQ(close.close_code(), 4000);
  EXPECT_EQ(close.content.substr(2), "as you like");
}

TEST_F(WebSocketTest, WhatBreaksTheRulesIsClosedWithItsCode) {
  const struct {
    std::string bytes;
    int code;
  } cases[] = {
      {S::frame(S::kText, "x", true, false), 1002},       // not masked
      {S::frame(3, "x"), 1002},                           // no such frame
      {S::frame(S::kText | 0x40, "x"), 1002},             // a reserved bit
      {S::frame(0, "x"), 1002},                           // nothing to continue
      {S::frame(S::kPing, std::string(126, 'p')), 1002},  // a long control frame
      {S::frame(S::kPing, "p", false), 1002},             // a fragmented one
      {S::frame(S::kText, "a", false) + S::frame(S::kText, "b"), 1002},
      {S::frame(S::kText, "\xc3\x28"), 1007},      // no UTF-8
      {S::frame(S::kText, "\xed\xa0\x80"), 1007},  // a surrogate
      {S::frame(S::kBinary, "x"), 1003},
      {S::frame(S::kText, std::string(64 * 1024 + 1, 'x')), 1009},
      {S::frame(S::kText, std::string(40'000, 'x'), false) + S::frame(0, std::string(40'000, 'x')),
       1009},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    S socket = open();
    socket.socket().send(cases[i].bytes);
    EXPECT_EQ(socket.read().close_code(), cases[i].code) << "case " << i;
  }
  S still = open();
  still.send(S::kText, "alive");
  EXPECT_EQ(still.read().content, "alive");
}

TEST_F(WebSocketTest, ARequestWithoutUpgradeIsAnsweredAsSuch) {
  TestSocket socket(port_);
  socket.send("GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(socket.read_response(), HasSubstr("HTTP/1.1 426 Upgrade Required"));
  // Another version is no handshake that is spoken here.
  socket.send(
      "GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  EXPECT_THAT(socket.read_response(), HasSubstr("HTTP/1.1 426"));
}

TEST_F(WebSocketTest, AClientMustWaitForTheHandshake) {
  TestSocket socket(port_);
  socket.send(
      "GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
      S::frame(S::kText, "early"));
  EXPECT_THAT(socket.read_response(), HasSubstr("HTTP/1.1 400"));
}

TEST_F(WebSocketTest, PagesOfAnotherOriginCannotOpenOne) {
  S socket(port_, "/echo", "Origin: http://evil.example\r\n");
  EXPECT_THAT(socket.answer(), HasSubstr("HTTP/1.1 403"));
  S same(port_, "/echo", "Origin: http://localhost\r\n");
  EXPECT_THAT(same.answer(), HasSubstr("HTTP/1.1 101"));
}

TEST_F(WebSocketTest, AStoppingServerSaysSo) {
  std::optional<S> socket = open();
  socket->send(S::kText, "hello");
  EXPECT_EQ(socket->read().content, "hello");
  std::thread stopping([this] { server_->stop(10 * kSecondNs); });
  EXPECT_EQ(socket->read().close_code(), 1001);
  socket->send(S::kClose, "\x03\xe9");
  socket.reset();
  stopping.join();
  server_ = nullptr;
}

class SlowWebSocketTest : public WebSocketTest {
 protected:
  void SetUp() override {
    options_.write_time_ns = 300 * kMillisecondNs;
    WebSocketTest::SetUp();
  }
};

TEST_F(SlowWebSocketTest, AReaderThatTakesNothingIsCutOff) {
  S socket = open();
  socket.send(S::kText, "flood");
  while (metrics_.connections_closed.value() == 0) std::this_thread::yield();
  EXPECT_EQ(metrics_.connections_closed.value(), 1u);
}

TEST_F(WebSocketTest, ClientsThatVanishLeaveNothing) {
  for (int i = 0; i < 20; ++i) {
    S socket = open();
    socket.send(S::kText, i % 2 == 0 ? "hello" : "flood");
  }
  while (metrics_.connections_closed.value() < 20) std::this_thread::yield();
}

}  // namespace
}  // namespace firn
