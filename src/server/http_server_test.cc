#include "server/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "client/http_client.h"
#include "server/test_faces.h"
#include "server/test_socket.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Sends "tick" as often as it is asked, or never again once quiet.
class TickStream final : public BodyStream {
 public:
  explicit TickStream(int pieces, bool quiet_at_end) : left_(pieces), quiet_(quiet_at_end) {}
  void next(Piece piece) override {
    if (left_ == 0 && quiet_) return;
    piece(left_-- > 0 ? "tick\n" : "");
  }
  std::string_view heartbeat() const override { return ":beat\n"; }

 private:
  int left_;
  const bool quiet_;
};

// Reads a body while it arrives and tells its size at the end, or why it has none.
class SizeStream final : public BodyStream {
 public:
  explicit SizeStream(std::shared_ptr<BodySource> body) : body_(std::move(body)) {}
  void next(Piece piece) override {
    if (std::exchange(told_, true)) return piece("");
    read(body_, std::make_shared<size_t>(0), piece);
  }
  std::string_view heartbeat() const override { return ":beat\n"; }

 private:
  static void read(const std::shared_ptr<BodySource>& body, const std::shared_ptr<size_t>& size,
                   const Piece& piece) {
    body->next([body, size, piece](const Result<std::string>& bytes) {
      if (bytes.ok() && !bytes->empty()) {
        *size += bytes->size();
        return read(body, size, piece);
      }
      piece(bytes.ok() ? "size " + std::to_string(*size) + "\n" : bytes.status().to_string());
    });
  }

  const std::shared_ptr<BodySource> body_;
  bool told_ = false;
};

// A server with small handlers, on a port that the system chose.
class HttpServerTest : public ::testing::Test {
 protected:
  using Handler = HttpHandler;

  void on(HttpMethod method, const std::string& path, Handler handler) {
    face_.push_back({method, path, std::move(handler)});
  }

  void start() {
    on(HttpMethod::kPost, "/echo", [](const HttpRequestPtr& request, const Responder& respond) {
      respond(json_response(request->body));
    });
    on(HttpMethod::kGet, "/hello", [](const HttpRequestPtr& request, const Responder& respond) {
      respond(json_response("hello " + request->query));
    });
    on(HttpMethod::kGet, "/big", [](const HttpRequestPtr&, const Responder& respond) {
      respond(json_response(std::string(20 * kMiB, 'b')));
    });
    on(HttpMethod::kGet, "/ticks", [](const HttpRequestPtr&, const Responder& respond) {
      HttpResponse response;
      response.stream = std::make_unique<TickStream>(3, false);
      respond(std::move(response));
    });
    on(HttpMethod::kGet, "/quiet", [](const HttpRequestPtr&, const Responder& respond) {
      HttpResponse response;
      response.stream = std::make_unique<TickStream>(1, true);
      respond(std::move(response));
    });
    on(HttpMethod::kPost, "/size", [](const HttpRequestPtr& request, const Responder& respond) {
      if (request->query == "refuse") return respond(json_error(401, "unauthorized", "no"));
      HttpResponse response;
      response.stream = std::make_unique<SizeStream>(request->body_source);
      respond(std::move(response));
    });
    face_.back().streams_body = true;
    on(HttpMethod::kGet, "/never", [this](const HttpRequestPtr& request, const Responder& respond) {
      MutexLock lock(&mutex_);
      waiting_.emplace_back(request, respond);
    });
    router_ = std::make_unique<Router>(std::vector<Face>{face_}, &metrics_);
    server_ = std::make_unique<HttpServer>(posix_env(), options_, &metrics_);
    const auto address = server_->listen(*parse_listen_address("127.0.0.1:0"), router_.get());
    ASSERT_TRUE(address.ok()) << address.status().to_string();
    port_ = address->port;
    server_->start();
  }

  void TearDown() override {
    if (server_ != nullptr) server_->stop(0);
    {
      MutexLock lock(&mutex_);
      waiting_.clear();
    }
    server_.reset();
  }

  TestSocket connect() { return TestSocket(port_); }
  // What one request on a connection of its own is answered with, whole.
  std::string raw(const std::string& request) {
    TestSocket socket = connect();
    socket.send(request);
    return socket.read_all();
  }
  static std::string get_request(const std::string& path, const std::string& more = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
  }
  static std::string close_request(const std::string& path, const std::string& more = "") {
    return get_request(path, "Connection: close\r\n" + more);
  }

  HttpOptions options_;
  Face face_;
  ServerMetrics metrics_;
  Mutex mutex_;
  std::vector<std::pair<HttpRequestPtr, Responder>> waiting_ GUARDED_BY(mutex_);
  std::unique_ptr<Router> router_;
  std::unique_ptr<HttpServer> server_;
  uint16_t port_ = 0;
};

TEST_F(HttpServerTest, KeepsTheConnection) {
  start();
  TestSocket socket = connect();
  for (int i = 0; i < 3; ++i) {
    socket.send(get_request("/hello?n=" + std::to_string(i)));
    const std::string answer = socket.read_response();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 9\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\nhello n=" + std::to_string(i))) << answer;
  }
  EXPECT_EQ(metrics_.connections_opened.value(), 1u);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  TestSocket socket = connect();
  socket.send(get_request("/hello?1") + get_request("/hello?2") + close_request("/hello?3"));
  const std::string answers = socket.read_all();
  const size_t first = answers.find("hello 1"), second = answers.find("hello 2"),
               third = answers.find("hello 3");
  ASSERT_NE(third, std::string::npos) << answers;
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

TEST_F(HttpServerTest, ReadsBodiesOfAnyShape) {
  start();
  TestSocket socket = connect();
  const std::string post = "POST /echo HTTP/1.1\r\nHost: localhost\r\n";
  socket.send(post + "Content-Length: 5\r\n\r\nhe");
  socket.send("llo");
  EXPECT_THAT(socket.read_response(), HasSubstr("\r\n\r\nhello"));
  socket.send(post + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
  socket.send("2;x=y\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n");
  EXPECT_THAT(socket.read_response(), HasSubstr("\r\n\r\nhello"));
  socket.send(post + "Content-Length: 0\r\n\r\n");
  EXPECT_THAT(socket.read_response(), HasSubstr("Content-Length: 0\r\n\r\n"));
}

TEST_F(HttpServerTest, ALargeBodyArrivesWhole) {
  start();
  const std::string body(15 * kMiB, 'z');
  auto client = HttpClient::create("127.0.0.1:" + std::to_string(port_));
  const auto response = (*client)->send({.method = "POST", .target = "/echo", .body = body});
  ASSERT_TRUE(response.ok()) << response.status().to_string();
  EXPECT_TRUE(response->body == body);
}

TEST_F(HttpServerTest, TellsTheClientToContinueWhenTheBodyIsAwaited) {
  start();
  TestSocket socket = connect();
  socket.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: "
      "2\r\n\r\n");
  EXPECT_EQ(socket.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.send("ok");
  EXPECT_THAT(socket.read_response(), HasSubstr("\r\n\r\nok"));
}

TEST_F(HttpServerTest, AStreamedBodyMayBeLongerThanAnyLimit) {
  options_.body_bytes = kMiB;
  options_.request_memory_bytes = kMiB;
  start();
  TestSocket socket = connect();
  const std::string mebibyte(kMiB, 'x');
  socket.send("POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
              std::to_string(100 * kMiB) + "\r\n\r\n");
  EXPECT_THAT(socket.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));  // before the body
  for (int i = 0; i < 100; ++i) socket.send(mebibyte);
  EXPECT_THAT(socket.read_until("size 104857600\n"), HasSubstr("size 104857600\n"));
}

TEST_F(HttpServerTest, AStreamedBodyMayBeChunkedOrEmpty) {
  start();
  EXPECT_THAT(raw("POST /size HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
              HasSubstr("size 5\n"));
  EXPECT_THAT(raw("POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
              HasSubstr("size 0\n"));
  EXPECT_THAT(
      raw("POST /size HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
      HasSubstr("malformed HTTP"));
}

TEST_F(HttpServerTest, AStreamedBodyIsAskedForUnlessItIsRefused) {
  start();
  TestSocket socket = connect();
  const std::string rest =
      " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  socket.send("POST /size" + rest);
  EXPECT_EQ(socket.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.send("abc");
  EXPECT_THAT(socket.read_all(), HasSubstr("size 3\n"));
  const std::string refused = raw("POST /size?refuse" + rest);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(refused, HasSubstr("Connection: close"));
}

TEST_F(HttpServerTest, AStreamedBodyThatStopsIsAFailure) {
  options_.body_time_ns = 200 * kMillisecondNs;
  start();
  EXPECT_THAT(raw("POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc"),
              HasSubstr("(body_time)"));
}

TEST_F(HttpServerTest, StopDoesNotWaitForAStreamedBody) {
  start();
  TestSocket socket = connect();
  socket.send("POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_THAT(socket.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  const TimeNs began = posix_env()->monotonic();
  server_->stop(5 * kSecondNs);
  EXPECT_LT(posix_env()->monotonic() - began, 2 * kSecondNs);
}

TEST_F(HttpServerTest, HeadHasTheHeadersOfGet) {
  start();
  TestSocket socket = connect();
  socket.send("HEAD /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string answer = socket.read_all();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 6\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, Http10ClosesUnlessAsked) {
  start();
  EXPECT_THAT(raw("GET /hello HTTP/1.0\r\n\r\n"), HasSubstr("Connection: close\r\n"));
  TestSocket socket = connect();
  socket.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(socket.read_response(), HasSubstr("Connection: keep-alive\r\n"));
}

TEST_F(HttpServerTest, UnknownRoutesAndMethods) {
  start();
  EXPECT_THAT(raw(close_request("/nothing")), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  const std::string answer = raw(close_request("/echo"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nAllow: POST\r\n"));
}

TEST_F(HttpServerTest, MalformedRequestsAre400AndTheEnd) {
  start();
  EXPECT_THAT(raw("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(raw("GET /hello HTTP/1.1\r\n\r\n"), HasSubstr("Host header"));
  EXPECT_THAT(raw("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), HasSubstr("Host header"));
  EXPECT_THAT(raw("GET /hello HTTP/3.0\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 505"));
  // Two lengths are how requests are smuggled past a proxy.
  EXPECT_THAT(raw("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, LongHeadersAre431) {
  start();
  const std::string answer =
      raw(close_request("/hello", "X: " + std::string(20'000, 'x') + "\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(answer, HasSubstr("header_bytes"));
}

TEST_F(HttpServerTest, ALargeBodyIs413EvenWhileItIsSent) {
  options_.body_bytes = 100'000;
  start();
  TestSocket socket = connect();
  socket.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n");
  socket.send(std::string(1'000'000, 'x'));
  const std::string answer = socket.read_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer, HasSubstr("request_wire_bytes"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

TEST_F(HttpServerTest, ALargeChunkedBodyIs413) {
  options_.body_bytes = 100'000;
  start();
  TestSocket socket = connect();
  socket.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20; ++i) socket.send("2710\r\n" + std::string(10'000, 'x') + "\r\n");
  EXPECT_THAT(socket.read_all(), StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, BodiesOfAllConnectionsShareABudget) {
  options_.request_memory_bytes = 1 * kMiB;
  start();
  TestSocket first = connect();
  first.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
      "Content-Length: 900000\r\n\r\n");
  first.read_until("\r\n\r\n");  // its share is counted by now
  TestSocket second = connect();
  second.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n");
  second.send(std::string(900'000, 'x'));
  const std::string answer = second.read_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("request_memory"));
  // Small ones still pass, and the budget comes back.
  EXPECT_THAT(raw(close_request("/hello")), StartsWith("HTTP/1.1 200"));
  first.send(std::string(900'000, 'x'));
  EXPECT_THAT(first.read_response(), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, SlowHeadersAre408) {
  options_.header_time_ns = 200 * kMillisecondNs;
  start();
  TestSocket socket = connect();
  socket.send("GET /hello HTTP/1.1\r\nHost: loc");
  EXPECT_THAT(socket.read_all(), StartsWith("HTTP/1.1 408"));
}

TEST_F(HttpServerTest, SlowBodiesAre408) {
  options_.body_time_ns = 200 * kMillisecondNs;
  start();
  TestSocket socket = connect();
  socket.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhe");
  EXPECT_THAT(socket.read_all(), StartsWith("HTTP/1.1 408"));
}

TEST_F(HttpServerTest, IdleConnectionsAreClosedSilently) {
  options_.idle_time_ns = 200 * kMillisecondNs;
  options_.header_time_ns = 200 * kMillisecondNs;
  start();
  TestSocket fresh = connect();
  EXPECT_EQ(fresh.read_all(), "");
  TestSocket used = connect();
  used.send(get_request("/hello"));
  EXPECT_THAT(used.read_all(), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AClientThatReadsNothingIsCut) {
  options_.write_time_ns = 300 * kMillisecondNs;
  start();
  TestSocket socket = connect();
  socket.send(get_request("/big"));
  const TimeNs began = posix_env()->monotonic();
  while (metrics_.connections_closed.value() == 0 &&
         posix_env()->monotonic() - began < 10 * kSecondNs) {
    std::this_thread::yield();
  }
  EXPECT_EQ(metrics_.connections_closed.value(), 1u);
}

TEST_F(HttpServerTest, ConnectionsBeyondTheLimitAreClosed) {
  options_.connections = 2;
  start();
  TestSocket first = connect(), second = connect();
  first.send(get_request("/hello"));
  second.send(get_request("/hello"));
  first.read_response();
  second.read_response();
  TestSocket third = connect();
  EXPECT_EQ(third.read_all(), "");
  EXPECT_EQ(metrics_.connections_refused.value(), 1u);
}

TEST_F(HttpServerTest, StreamsInPieces) {
  start();
  auto client = HttpClient::create("127.0.0.1:" + std::to_string(port_));
  std::vector<std::string> lines;
  const auto response = (*client)->stream({.target = "/ticks"}, [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  ASSERT_TRUE(response.ok()) << response.status().to_string();
  EXPECT_THAT(lines, ::testing::ElementsAre("tick", "tick", "tick"));
  EXPECT_EQ(response->header("transfer-encoding"), "chunked");
  // The connection is good for another request.
  EXPECT_EQ((*client)->send({.target = "/hello"})->body, "hello ");
  EXPECT_EQ(metrics_.connections_opened.value(), 1u);
}

TEST_F(HttpServerTest, AQuietStreamBeats) {
  options_.heartbeat_ns = 50 * kMillisecondNs;
  start();
  TestSocket socket = connect();
  socket.send(get_request("/quiet"));
  EXPECT_THAT(socket.read_until(":beat\n"), HasSubstr("tick\n"));
  EXPECT_THAT(socket.read_until(":beat\n"), HasSubstr(":beat\n"));
}

TEST_F(HttpServerTest, AClientThatLeavesCancelsItsRequest) {
  start();
  auto socket = std::make_unique<TestSocket>(connect());
  socket->send(get_request("/never"));
  HttpRequestPtr request;
  while (request == nullptr) {
    MutexLock lock(&mutex_);
    if (!waiting_.empty()) request = waiting_[0].first;
  }
  Awaited<bool> cancelled;
  request->cancellation.on_cancel([&] { cancelled.set(true); });
  socket.reset();
  EXPECT_EQ(cancelled.get(), true);
}

TEST_F(HttpServerTest, AForgottenAnswerIs503) {
  start();
  TestSocket socket = connect();
  socket.send(get_request("/never"));
  bool there = false;
  while (!there) {
    MutexLock lock(&mutex_);
    there = !waiting_.empty();
    waiting_.clear();
  }
  EXPECT_THAT(socket.read_response(), StartsWith("HTTP/1.1 503"));
}

TEST_F(HttpServerTest, PagesOfAnotherOriginAreRefused) {
  start();
  EXPECT_THAT(raw(close_request("/hello", "Origin: http://evil.example\r\n")),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(raw(close_request("/hello", "Origin: null\r\n")), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(raw(close_request("/hello", "Origin: http://localhost\r\n")),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, NamesThatPointToTheLoopbackAreRefused) {
  start();
  EXPECT_THAT(raw("GET /hello HTTP/1.1\r\nHost: evil.example:7311\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 403"));
  for (const char* host : {"127.0.0.1:7311", "LOCALHOST", "[::1]:7311"}) {
    EXPECT_THAT(
        raw(std::string("GET /hello HTTP/1.1\r\nHost: ") + host + "\r\nConnection: close\r\n\r\n"),
        StartsWith("HTTP/1.1 200"))
        << host;
  }
}

TEST_F(HttpServerTest, StopIsQuickAndFinishesWhatIsBeingAnswered) {
  start();
  TestSocket idle = connect(), tail = connect(), busy = connect();
  tail.send(get_request("/quiet"));
  tail.read_until("tick\n");
  busy.send(get_request("/never"));
  Responder respond([](const HttpResponse&) {});
  while (true) {
    MutexLock lock(&mutex_);
    if (waiting_.empty()) continue;
    respond = waiting_[0].second;
    break;
  }
  const TimeNs began = posix_env()->monotonic();
  std::thread stopper([this] { server_->stop(5 * kSecondNs); });
  EXPECT_EQ(idle.read_all(), "");
  tail.read_all();
  respond(json_response("late"));
  EXPECT_THAT(busy.read_all(), HasSubstr("\r\n\r\nlate"));
  stopper.join();
  EXPECT_LT(posix_env()->monotonic() - began, 2 * kSecondNs);
}

TEST_F(HttpServerTest, StopDoesNotWaitForeverForAnAnswer) {
  start();
  TestSocket busy = connect();
  busy.send(get_request("/never"));
  const TimeNs began = posix_env()->monotonic();
  while (metrics_.connections_opened.value() == 0) std::this_thread::yield();
  server_->stop(100 * kMillisecondNs);
  EXPECT_LT(posix_env()->monotonic() - began, 2 * kSecondNs);
  EXPECT_EQ(busy.read_all(), "");
}

TEST_F(HttpServerTest, ATakenAddressIsAConflict) {
  start();
  HttpServer second(posix_env(), options_, &metrics_);
  const auto address =
      second.listen(*parse_listen_address("127.0.0.1:" + std::to_string(port_)), router_.get());
  EXPECT_EQ(address.status().code(), StatusCode::kConflict);
}

TEST(ListenAddress, Reads) {
  EXPECT_EQ(parse_listen_address("localhost:80")->to_string(), "127.0.0.1:80");
  EXPECT_EQ(parse_listen_address("[::1]:80")->to_string(), "[::1]:80");
  EXPECT_TRUE(parse_listen_address("127.1.2.3:80")->is_loopback);
  EXPECT_FALSE(parse_listen_address("0.0.0.0:80")->is_loopback);
  EXPECT_FALSE(parse_listen_address("example.com:80").ok());
  EXPECT_FALSE(parse_listen_address("127.0.0.1").ok());
}

TEST(HttpClientTest, NamesWhatIsWrong) {
  EXPECT_EQ(HttpClient::create("nowhere").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(HttpClient::create("http://h:1/path").status().code(), StatusCode::kInvalidArgument);
  auto client = HttpClient::create("http://127.0.0.1:1/");
  ASSERT_TRUE(client.ok());
  EXPECT_EQ((*client)->send({}).status().code(), StatusCode::kUnavailable);
}

TEST_F(HttpServerTest, TheClientFindsAClosedConnectionInTime) {
  options_.idle_time_ns = 100 * kMillisecondNs;
  start();
  auto client = HttpClient::create("127.0.0.1:" + std::to_string(port_));
  ASSERT_EQ((*client)->send({.method = "POST", .target = "/echo", .body = "1"})->body, "1");
  while (metrics_.connections_closed.value() == 0) std::this_thread::yield();
  ASSERT_EQ((*client)->send({.method = "POST", .target = "/echo", .body = "2"})->body, "2");
}

TEST_F(HttpServerTest, TheClientLimitsSilenceAndSize) {
  start();
  HttpClientOptions options;
  options.silence_ns = 200 * kMillisecondNs;
  options.response_bytes_max = 1000;
  auto client = HttpClient::create("127.0.0.1:" + std::to_string(port_), options);
  EXPECT_EQ((*client)->send({.target = "/never"}).status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ((*client)->send({.target = "/big"}).status().code(), StatusCode::kTooLarge);
}

}  // namespace
}  // namespace firn
