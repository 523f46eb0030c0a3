#include "server/http_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <utility>

#include "server/http_request_reader.h"

namespace firn {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr DurationNs kNoticeGoneAfter = kSecondNs;
// How much and how long a refused client may go on sending before it is cut.
constexpr uint64_t kDrainBytes = 64 * kMiB;
constexpr DurationNs kDrainTime = 2 * kSecondNs;

std::string_view host_without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

// Whether the Host of a request to a loopback address can only mean this machine.
bool is_local_name(std::string_view host) {
  std::string name(host_without_port(host));
  if (equals_ignoring_case(name, "localhost")) return true;
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  error_code error;
  asio::ip::make_address(name, error);
  return !error;
}

}  // namespace

// The body of a request that is read while it is answered: the handler asks from any thread, the
// connection's coroutine reads and delivers.
class HttpConnection::StreamedBody final : public BodySource {
 public:
  explicit StreamedBody(std::function<void()> wake) : wake_(std::move(wake)) {}

  void next(Piece piece) override EXCLUDES(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (!closed_) piece_ = std::exchange(piece, nullptr);
    }
    if (piece) return piece(cancelled("the rest of the body is not read"));
    wake_();
  }
  bool is_wanted() const EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return piece_ != nullptr;
  }
  void deliver(Result<std::string> content) EXCLUDES(mutex_) {
    Piece piece;
    {
      MutexLock lock(&mutex_);
      closed_ = closed_ || !content.ok();
      piece = std::exchange(piece_, nullptr);
    }
    if (piece) piece(std::move(content));
  }
  // Nothing is delivered any more.
  void close() { deliver(cancelled("the request is over")); }

 private:
  const std::function<void()> wake_;
  mutable Mutex mutex_;
  Piece piece_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

HttpConnection::HttpConnection(IoThread* thread, asio::ip::tcp::socket socket, const Router* router,
                               bool check_host)
    : thread_(thread),
      shared_(thread->shared),
      socket_(std::move(socket)),
      router_(router),
      check_host_(check_host),
      reader_(std::make_unique<RequestReader>(&shared_->options, router)),
      answer_mailbox_(std::make_shared<Mailbox<HttpResponse>>(&thread->context)),
      piece_mailbox_(std::make_shared<Mailbox<std::string>>(&thread->context)) {
  thread_->connections.insert(this);
  shared_->metrics->connections_opened.add();
}

HttpConnection::~HttpConnection() {
  end_body();
  thread_->connections.erase(this);
  boost::system::error_code ignored;
  socket_.close(ignored);  // who reads the counter finds it closed
  shared_->metrics->connections_closed.add();
  shared_->connections.fetch_sub(1);
}

void HttpConnection::set_phase(Phase phase, DurationNs time_max) {
  phase_ = phase;
  phase_began_ = shared_->env->monotonic();
  deadline_ = time_max == INT64_MAX ? INT64_MAX : phase_began_ + time_max;
}

void HttpConnection::charge_body(uint64_t bytes) {
  if (bytes == charged_bytes_) return;
  shared_->body_bytes.fetch_add(bytes - charged_bytes_);  // wraps around as it should
  charged_bytes_ = bytes;
}

asio::awaitable<void> HttpConnection::run() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  set_phase(Phase::kIdle, shared_->options.header_time_ns);
  while (keep_alive_ && !gone_) {
    if (stopping_ && !reader_->has_input()) break;
    const bool whole = co_await read_request();
    if (!whole) break;
    HttpResponse response = co_await answer();
    if (gone_) break;
    if (response.messages != nullptr) {
      FIRN_CHECK(request_->wants_web_socket);
      if (!reader_->has_input()) {
        co_await serve_web_socket(std::move(response.messages));
        co_return;
      }
      keep_alive_ = false;
      response = router_->error(*request_, 400, "invalid_argument",
                                "a client of WebSocket must wait for the answer to its handshake");
    }
    if (stopping_) keep_alive_ = false;
    const bool written = co_await write_response(std::move(response));
    end_body();
    if (!written) co_return;
    set_phase(Phase::kIdle, shared_->options.idle_time_ns);
  }
  if (!gone_) co_await close_gently();
}

// False when the connection is over without anything to say. What cannot be read as a request
// leaves an early answer.
asio::awaitable<bool> HttpConnection::read_request() {
  request_ = std::make_shared<HttpRequest>();
  early_answer_.reset();
  timed_out_ = false;
  reader_->begin();
  auto outcome = RequestReader::Outcome::kNeedMore;
  if (reader_->has_input()) outcome = reader_->parse(request_.get());
  while (outcome == RequestReader::Outcome::kNeedMore) {
    if (reader_->header_done() && phase_ != Phase::kBody) {
      set_phase(Phase::kBody, shared_->options.body_time_ns);
    } else if (reader_->got_some() && phase_ == Phase::kIdle) {
      set_phase(Phase::kHeader, shared_->options.header_time_ns);
    }
    charge_body(reader_->body_bytes());
    if (shared_->body_bytes.load(std::memory_order_relaxed) >
            shared_->options.request_memory_bytes &&
        charged_bytes_ > RequestReader::kReadBytes) {
      shared_->metrics->bodies_refused.add();
      early_answer_ = router_->error(*request_, 503, "unavailable",
                                     "too many bodies are being received (request_memory); try "
                                     "again later");
      break;
    }
    if (reader_->header_done() && reader_->wants_continue()) {
      const bool told = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n", "");
      if (!told) co_return false;
      set_phase(Phase::kBody, shared_->options.body_time_ns);
    }
    const auto [error, bytes] = co_await socket_.async_read_some(reader_->space(), kToken);
    if (error && timed_out_ && !gone_ && reader_->got_some()) {
      early_answer_ = router_->error(*request_, 408, "deadline_exceeded",
                                     "the request did not arrive in time (header_time, body_time)");
      break;
    }
    if (error) {
      gone_ = error != asio::error::eof || reader_->got_some();
      co_return false;
    }
    shared_->metrics->received_bytes.add(bytes);
    reader_->received(bytes);
    outcome = reader_->parse(request_.get());
  }
  if (outcome == RequestReader::Outcome::kFailed) {
    const ReadFailure& failure = reader_->failure();
    early_answer_ = router_->error(*request_, failure.http_status, failure.code, failure.message);
  }
  const bool streams = outcome == RequestReader::Outcome::kStreams;
  if (streams) begin_body();
  http_1_1_ = !early_answer_.has_value() ? reader_->http_1_1() : true;
  unread_input_ = early_answer_.has_value() || streams;
  // Whether a streamed body will be read to its end is not known when the answer begins.
  keep_alive_ = !unread_input_ && reader_->keep_alive();
  head_only_ = request_->method == HttpMethod::kHead;
  if (head_only_) request_->method = HttpMethod::kGet;
  co_return true;
}

void HttpConnection::begin_body() {
  body_ = std::make_shared<StreamedBody>(
      [context = &thread_->context, answer = answer_mailbox_, piece = piece_mailbox_] {
        asio::post(*context, [answer, piece] {
          answer->poke();
          piece->poke();
        });
      });
  request_->body_source = body_;
  charge_body(RequestReader::kReadBodyBytes);
}

void HttpConnection::end_body() {
  if (body_ != nullptr) body_->close();
  body_ = nullptr;
  charge_body(0);
}

// Reads the next piece of the body for the handler, which waits for it.
asio::awaitable<void> HttpConnection::feed_body() {
  const Phase before = phase_;
  std::string piece;
  Status status;
  auto outcome = reader_->parse_piece(&piece);
  while (outcome == RequestReader::Outcome::kNeedMore && piece.empty()) {
    status = co_await receive_body();
    if (!status.ok()) break;
    outcome = reader_->parse_piece(&piece);
  }
  if (outcome == RequestReader::Outcome::kFailed) {
    status = invalid_argument(reader_->failure().message);
  }
  if (outcome == RequestReader::Outcome::kDone) unread_input_ = false;
  set_phase(before, INT64_MAX);
  if (status.ok()) {
    body_->deliver(std::move(piece));
  } else {
    body_->deliver(std::move(status));
  }
}

asio::awaitable<Status> HttpConnection::receive_body() {
  if (reader_->wants_continue()) {
    const bool told = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n", "");
    if (!told) co_return cancelled("the client is gone");
  }
  timed_out_ = false;
  set_phase(Phase::kBody, shared_->options.body_time_ns);
  const auto [error, bytes] = co_await socket_.async_read_some(reader_->space(), kToken);
  if (!error) {
    shared_->metrics->received_bytes.add(bytes);
    reader_->received(bytes);
    co_return Status();
  }
  if (timed_out_ && !gone_) {
    co_return deadline_exceeded("the body did not go on in time (body_time)");
  }
  if (stopping_ && !gone_) co_return cancelled("the server is stopping");
  gone_ = true;
  request_->cancellation.cancel();
  co_return cancelled("the client is gone");
}

// What a web page of somebody else could have made the browser send.
std::optional<HttpResponse> HttpConnection::refuse_foreign() const {
  const std::string& origin = request_->origin;
  if (!origin.empty()) {
    const size_t scheme = origin.find("://");
    const bool same =
        scheme != std::string::npos &&
        equals_ignoring_case(std::string_view(origin).substr(scheme + 3), request_->host);
    if (!same) {
      return router_->error(*request_, 403, "forbidden",
                            "requests from pages of another origin are refused: " + origin);
    }
  }
  if (!check_host_ || request_->host.empty() || is_local_name(request_->host)) {
    return std::nullopt;
  }
  return router_->error(
      *request_, 403, "forbidden",
      "this address is for this machine only; use localhost instead of " + request_->host);
}

asio::awaitable<HttpResponse> HttpConnection::answer() {
  if (!early_answer_.has_value()) early_answer_ = refuse_foreign();
  set_phase(Phase::kAnswer, INT64_MAX);
  RouteMetrics* route = router_->no_route();
  if (early_answer_.has_value()) {
    answer_mailbox_->put(std::move(*early_answer_));
  } else {
    route = router_->handle(request_, Responder([mailbox = answer_mailbox_](HttpResponse response) {
                              mailbox->put(std::move(response));
                            }));
  }
  std::optional<HttpResponse> response = answer_mailbox_->take();
  const TimeNs began = phase_began_;
  while (!response.has_value()) {
    if (body_ != nullptr && body_->is_wanted()) {
      co_await feed_body();
    } else {
      co_await answer_mailbox_->wait(kHourNs);
    }
    response = answer_mailbox_->take();
  }
  route->count(response->status, shared_->env->monotonic() - began);
  if (body_ == nullptr) charge_body(0);
  co_return std::move(*response);
}

void HttpConnection::write_head(const HttpResponse& response, bool chunked,
                                std::string* out) const {
  out->append("HTTP/1.1 ");
  out->append(std::to_string(response.status));
  out->push_back(' ');
  out->append(http_reason(response.status));
  out->append("\r\nDate: ");
  out->append(thread_->date);
  if (response.status != 204) {
    out->append("\r\nContent-Type: ");
    out->append(response.content_type);
    if (chunked) {
      out->append("\r\nTransfer-Encoding: chunked");
    } else if (response.stream == nullptr) {
      out->append("\r\nContent-Length: ");
      uint64_t bytes = response.body.size();
      for (const std::string& piece : response.more) bytes += piece.size();
      out->append(std::to_string(bytes));
    }
  }
  for (const auto& [name, value] : response.headers) {
    out->append("\r\n");
    out->append(name);
    out->append(": ");
    for (const char c : value) out->push_back(static_cast<uint8_t>(c) < 0x20 ? ' ' : c);
  }
  if (!keep_alive_) {
    out->append("\r\nConnection: close");
  } else if (!http_1_1_) {
    out->append("\r\nConnection: keep-alive");
  }
  out->append("\r\n\r\n");
}

// False when the connection is over.
asio::awaitable<bool> HttpConnection::write_response(HttpResponse response) {
  const bool chunked = response.stream != nullptr && http_1_1_;
  if (response.stream != nullptr && !http_1_1_) keep_alive_ = false;
  write_buffer_.clear();
  write_head(response, chunked, &write_buffer_);
  std::string_view body = head_only_ ? std::string_view() : std::string_view(response.body);
  constexpr size_t kCopyBytes = 4096;  // below it a copy is cheaper than a second buffer
  if (body.size() <= kCopyBytes) {
    write_buffer_.append(body);
    body = {};
  }
  // The answer that has begun cannot say it any more.
  if (body_ != nullptr && response.stream != nullptr && reader_->wants_continue()) {
    write_buffer_.insert(0, "HTTP/1.1 100 Continue\r\n\r\n");
  }
  bool written = co_await write_all(write_buffer_, body);
  if (!written || head_only_) co_return written;
  for (std::string& piece : response.more) {
    written = co_await write_all(piece, "");
    if (!written) co_return false;
    const uint64_t bytes = piece.size();
    std::string().swap(piece);
    response.memory.resize(response.memory.bytes() - std::min(response.memory.bytes(), bytes));
  }
  if (response.stream == nullptr) co_return true;
  const bool streamed = co_await write_stream(std::move(response.stream));
  co_return streamed;
}

asio::awaitable<bool> HttpConnection::write_stream(std::unique_ptr<BodyStream> stream) {
  while (!stopping_ && !gone_) {
    set_phase(Phase::kStream, INT64_MAX);
    stream->next([mailbox = piece_mailbox_](std::string piece) { mailbox->put(std::move(piece)); });
    std::optional<std::string> piece = piece_mailbox_->take();
    while (!piece.has_value()) {
      if (body_ != nullptr && body_->is_wanted()) {
        co_await feed_body();
        if (stopping_ || gone_) co_return false;
        piece = piece_mailbox_->take();
        continue;
      }
      const TimeNs began = shared_->env->monotonic();
      co_await piece_mailbox_->wait(shared_->options.heartbeat_ns);
      if (stopping_ || gone_) co_return false;
      piece = piece_mailbox_->take();
      if (piece.has_value()) break;
      if (shared_->env->monotonic() - began < shared_->options.heartbeat_ns) continue;
      // Nothing to say for a while: a comment keeps the connection and shows that it lives.
      write_buffer_.assign(stream->heartbeat());
      if (http_1_1_) {
        char size[16];
        const auto end = std::to_chars(size, size + sizeof(size), write_buffer_.size(), 16);
        write_buffer_.insert(0, std::string(size, end.ptr) + "\r\n");
        write_buffer_ += "\r\n";
      }
      const bool alive = co_await write_all(write_buffer_, "");
      if (!alive) co_return false;
      set_phase(Phase::kStream, INT64_MAX);
    }
    const bool last = piece->empty();
    write_buffer_.clear();
    if (http_1_1_) {
      char size[16];
      const auto end = std::to_chars(size, size + sizeof(size), piece->size(), 16);
      write_buffer_.append(size, end.ptr);
      write_buffer_ += "\r\n";
      *piece += "\r\n";
    }
    if (last && !http_1_1_) co_return true;
    const bool written = co_await write_all(write_buffer_, *piece);
    if (!written || last) co_return written;
  }
  co_return false;
}

// One system call when the socket takes everything, as it nearly always does.
asio::awaitable<bool> HttpConnection::write_all(std::string_view head, std::string_view body) {
  set_phase(Phase::kWrite, shared_->options.write_time_ns);
  const auto advance = [&head, &body](size_t bytes) {
    const size_t of_head = std::min(bytes, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(bytes - of_head);
  };
  const auto buffers = [&head, &body] {
    return std::array<asio::const_buffer, 2>{asio::buffer(head.data(), head.size()),
                                             asio::buffer(body.data(), body.size())};
  };
  error_code error;
  size_t sent = socket_.write_some(buffers(), error);
  shared_->metrics->sent_bytes.add(sent);
  advance(sent);
  if (error && error != asio::error::would_block && error != asio::error::try_again) {
    gone_ = true;
    co_return false;
  }
  while (!head.empty() || !body.empty()) {
    const auto parts = buffers();
    const auto [write_error, bytes] = co_await socket_.async_write_some(parts, kToken);
    shared_->metrics->sent_bytes.add(bytes);
    if (write_error) {
      gone_ = true;
      co_return false;
    }
    advance(bytes);
    set_phase(Phase::kWrite, shared_->options.write_time_ns);
  }
  co_return true;
}

// Closing with unread input would make the system reset the connection, and the client could lose
// the answer that explains why. So the client is told that nothing more comes, and what it still
// sends is thrown away for a while.
asio::awaitable<void> HttpConnection::close_gently() {
  error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (!unread_input_ || error) co_return;
  set_phase(Phase::kIdle, kDrainTime);
  timed_out_ = false;
  std::string thrown_away(RequestReader::kReadBodyBytes, '\0');
  uint64_t total = 0;
  while (total < kDrainBytes && !stopping_ && !timed_out_) {
    const auto [read_error, bytes] =
        co_await socket_.async_read_some(asio::buffer(thrown_away), kToken);
    if (read_error) co_return;
    total += bytes;
  }
}

bool HttpConnection::client_is_gone() {
  char byte = 0;
  error_code error;
  socket_.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, error);
  return error && error != asio::error::would_block && error != asio::error::try_again;
}

void HttpConnection::sweep(TimeNs now) {
  if (phase_ == Phase::kAnswer || phase_ == Phase::kStream) {
    if (now - phase_began_ < kNoticeGoneAfter || !client_is_gone()) return;
    if (!std::exchange(gone_, true)) {
      request_->cancellation.cancel();
      poke_streams();
    }
    return;
  }
  if (now < deadline_) return;
  if (phase_ == Phase::kWrite) return kill();
  timed_out_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void HttpConnection::begin_stop() {
  stopping_ = true;
  if (phase_ == Phase::kIdle) return kill();
  if (request_ != nullptr) request_->cancellation.cancel();
  poke_streams();
  if (body_ == nullptr || phase_ != Phase::kBody) return;
  error_code ignored;
  socket_.cancel(ignored);  // ends feed_body()
}

void HttpConnection::kill() {
  gone_ = true;
  if (request_ != nullptr) request_->cancellation.cancel();
  error_code ignored;
  socket_.close(ignored);
  poke_streams();
}

void HttpConnection::poke_streams() {
  piece_mailbox_->poke();
  if (message_mailbox_ != nullptr) message_mailbox_->poke();
}

}  // namespace firn
