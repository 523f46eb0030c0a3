#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "server/http_server.h"
#include "server/http_types.h"
#include "server/mailbox.h"
#include "server/router.h"

namespace firn {

class HttpConnection;

// What all connections of a server share. Thread rule: any thread.
struct HttpShared {
  Env* env = nullptr;
  HttpOptions options;
  ServerMetrics* metrics = nullptr;
  std::atomic<uint64_t> body_bytes{0};  // of requests being received or answered
  std::atomic<uint64_t> connections{0};
};

// One thread of the server and its connections. Everything but `context` belongs to that thread.
struct IoThread {
  explicit IoThread(HttpShared* http) : shared(http), sweep_timer(context) {}

  HttpShared* const shared;
  std::set<HttpConnection*> connections;
  std::string date;          // the value of the Date header
  int64_t date_second = -1;  // that it is for
  bool stopping = false;
  // Coroutines live in the context, so it goes first; what is above must still be there.
  boost::asio::io_context context{1};
  boost::asio::steady_timer sweep_timer;
  std::thread thread;
};

// What a connection reads requests with; knows Beast.
class RequestReader;

// One connection: reads a request, has it answered, writes the answer, again and again. Thread
// rule: its IoThread only.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // `check_host`: refuse host names that are not the loopback's.
  HttpConnection(IoThread* thread, boost::asio::ip::tcp::socket socket, const Router* router,
                 bool check_host);
  ~HttpConnection();

  boost::asio::awaitable<void> run();

  // Called now and then: closes or answers when a time limit has passed, and notices clients that
  // went away while they were waiting.
  void sweep(TimeNs now);
  // Ends as soon as the answer being worked on is written; at once when there is none.
  void begin_stop();
  void kill();

 private:
  // What the time limit is for.
  enum class Phase : uint8_t { kIdle, kHeader, kBody, kAnswer, kStream, kWrite };

  void set_phase(Phase phase, DurationNs time_max);
  boost::asio::awaitable<bool> read_request();
  boost::asio::awaitable<HttpResponse> answer();
  // For routes that read the body while they answer: from its head to the end of the answer.
  class StreamedBody;
  void begin_body();
  void end_body();
  boost::asio::awaitable<void> feed_body();
  boost::asio::awaitable<Status> receive_body();
  std::optional<HttpResponse> refuse_foreign() const;
  boost::asio::awaitable<bool> write_response(HttpResponse response);
  boost::asio::awaitable<bool> write_stream(std::unique_ptr<BodyStream> stream);
  // The rest of the connection, once it is one of messages (web_socket.cc).
  struct WebSocket;
  boost::asio::awaitable<void> serve_web_socket(std::unique_ptr<MessageStream> messages);
  boost::asio::awaitable<void> read_messages(std::shared_ptr<WebSocket> socket);
  boost::asio::awaitable<CloseReason> write_messages(WebSocket* socket);
  // Whoever waits for a piece or messages looks again.
  void poke_streams();
  boost::asio::awaitable<bool> write_all(std::string_view head, std::string_view body);
  boost::asio::awaitable<void> close_gently();
  void write_head(const HttpResponse& response, bool chunked, std::string* out) const;
  bool client_is_gone();
  void charge_body(uint64_t bytes);

  IoThread* const thread_;
  HttpShared* const shared_;
  boost::asio::ip::tcp::socket socket_;
  const Router* const router_;
  const bool check_host_;
  std::unique_ptr<RequestReader> reader_;
  std::shared_ptr<Mailbox<HttpResponse>> answer_mailbox_;
  std::shared_ptr<Mailbox<std::string>> piece_mailbox_;
  std::shared_ptr<Mailbox<MessagePiece>> message_mailbox_;  // null before there is a WebSocket

  HttpRequestPtr request_;
  std::shared_ptr<StreamedBody> body_;        // when the route reads it while it arrives
  std::optional<HttpResponse> early_answer_;  // instead of asking the router
  bool head_only_ = false;
  bool http_1_1_ = true;
  bool keep_alive_ = true;
  bool unread_input_ = false;  // the client may still be sending what nobody will read
  bool stopping_ = false;
  bool timed_out_ = false;
  bool gone_ = false;
  Phase phase_ = Phase::kIdle;
  TimeNs phase_began_ = 0;
  TimeNs deadline_ = 0;
  uint64_t charged_bytes_ = 0;
  std::string write_buffer_;
};

}  // namespace firn
