#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "server/memory_budget.h"

// Requests and answers as plain values: what faces work with. Nothing here knows sockets.

namespace firn {

enum class HttpMethod : uint8_t { kGet, kHead, kPost, kPut, kDelete, kOther };
std::string_view http_method_name(HttpMethod method);
// Every method that a route can have; a route for GET answers HEAD, too.
inline constexpr HttpMethod kRouteMethods[] = {
    HttpMethod::kGet, HttpMethod::kPost, HttpMethod::kPut, HttpMethod::kDelete, HttpMethod::kOther};

// Tells whoever works on a request that nobody waits for the answer any more: the client is gone or
// the server stops. Thread rule: any thread.
class Cancellation {
 public:
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  void cancel() EXCLUDES(mutex_);
  // Calls `function` once, from the thread that cancels or, when it happened already, right here.
  // A later call replaces the function; null removes it. Afterwards the one before is not running
  // and will not be called.
  void on_cancel(std::function<void()> function) EXCLUDES(mutex_);

 private:
  std::atomic<bool> cancelled_{false};
  Mutex mutex_;
  std::function<void()> function_ GUARDED_BY(mutex_);
};

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

// A body that is read while it arrives, of any size, for routes that ask for it
// (Route::streams_body). Thread rule: any thread, one call of next() at a time.
class BodySource {
 public:
  // The next bytes, at most some 256 KiB; none: the body has ended. A failure when it is malformed,
  // does not go on in time, or when nobody reads it any more: the client is gone, the server stops,
  // the answer was complete. Nothing follows either.
  using Piece = std::function<void(Result<std::string>)>;

  virtual ~BodySource() = default;
  // Calls `piece` exactly once, mostly from the connection's thread, so it must be quick. Nothing
  // is read from the client before it is asked for here.
  virtual void next(Piece piece) = 0;
};

// One request. Built by the connection, then shared with the handler; only `cancellation` is used
// from several threads.
struct HttpRequest {
  HttpMethod method = HttpMethod::kGet;  // HEAD comes to handlers as kGet
  std::string path;                      // decoded segment by segment by the router, raw here
  std::string query;                     // raw, behind the '?'
  // Header fields that something looks at; empty when absent.
  std::string authorization, host, origin, content_type, content_encoding, accept, last_event_id,
      firn_namespace, firn_ack;
  bool wants_web_socket = false;  // a handshake of WebSocket that may be answered by `messages`
  std::string body;
  MemoryBudget::Share unpacked_memory;      // what `body` takes when it came packed
  std::shared_ptr<BodySource> body_source;  // instead of `body` where the route asks for it
  std::vector<std::string> path_arguments;  // of the route's {placeholders}, decoded
  Cancellation cancellation;
};
using HttpRequestPtr = std::shared_ptr<HttpRequest>;

// A body that is produced while it is sent. Thread rule: one call of next() at a time; cancel()
// from any thread. Destroyed when the connection is done with it, perhaps while a next() is
// outstanding.
class BodyStream {
 public:
  // The next piece; an empty one ends the body.
  using Piece = std::function<void(std::string)>;

  virtual ~BodyStream() = default;
  // Calls `piece` exactly once, from any thread, unless the stream is destroyed first.
  virtual void next(Piece piece) = 0;
  // What is sent when next() takes longer than the heartbeat interval.
  virtual std::string_view heartbeat() const = 0;
};

// Why a connection of messages is closed: RFC 6455, section 7.4. The text has at most 123 bytes.
struct CloseReason {
  uint16_t code = 0;  // 0: it is not
  std::string text{};
};

// What is sent to a WebSocket: text messages, and then perhaps its end.
struct MessagePiece {
  std::vector<std::string> messages{};
  CloseReason close{};
};

// Messages both ways, over WebSocket (docs/websocket.md). Thread rule: one call of next() at a
// time; receive() beside it, from the connection's thread. Destroyed when the connection is done
// with it, perhaps while a next() is outstanding.
class MessageStream {
 public:
  using Deliver = std::function<void(MessagePiece)>;

  virtual ~MessageStream() = default;
  // The next messages, together no more than the memory of one connection. Calls `deliver` exactly
  // once, from any thread, unless the stream is destroyed first.
  virtual void next(Deliver deliver) = 0;
  // A text of the client, whole and valid UTF-8. Must be quick.
  virtual void receive(std::string_view text) = 0;
};

struct HttpResponse {
  int status = 200;
  std::string_view content_type = "application/json";  // always a literal
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::vector<std::string> more{};  // behind `body`, so that large answers need not be in one piece
  MemoryBudget::Share memory{};     // what the above takes, until it is sent
  std::unique_ptr<BodyStream> stream{};  // instead of `body` when set
  // Instead of everything else when set, for a request that wants it; `status` is 101.
  std::unique_ptr<MessageStream> messages{};
};

std::string_view http_reason(int status);
// The HTTP status for a failure of the API.
int http_status_of(StatusCode code);
// {"error":{"code":"...","message":"..."}}
HttpResponse json_error(int http_status, std::string_view code, std::string_view message);
// The same by status, with Retry-After where trying again may help. REQUIRES: !status.ok().
HttpResponse json_error(const Status& status);
HttpResponse json_response(std::string body);

// Gives the answer of one request. Copies share the one answer: the first call counts, and when all
// copies are gone without a call the answer is 503. Thread rule: any thread.
class Responder {
 public:
  using Deliver = std::function<void(HttpResponse)>;
  // `deliver` is called exactly once.
  explicit Responder(Deliver deliver);
  void operator()(HttpResponse response) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Percent decoding; '+' is a blank when `plus_is_blank`. Nothing when an escape is broken.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank);
// "a=1&b=x%20y" in order. kInvalidArgument for broken escapes.
Result<QueryParameters> parse_query(std::string_view query);
// "application/json" of "Application/JSON; charset=utf-8".
std::string media_type(std::string_view content_type);
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace firn
