#include "server/http_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <utility>

namespace firn {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr size_t kReadBytes = 16 * 1024;
constexpr size_t kReadBodyBytes = 256 * 1024;
constexpr DurationNs kNoticeGoneAfter = kSecondNs;
// How much and how long a refused client may go on sending before it is cut.
constexpr uint64_t kDrainBytes = 64 * kMiB;
constexpr DurationNs kDrainTime = 2 * kSecondNs;

HttpMethod method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return HttpMethod::kGet;
    case http::verb::head:
      return HttpMethod::kHead;
    case http::verb::post:
      return HttpMethod::kPost;
    case http::verb::put:
      return HttpMethod::kPut;
    case http::verb::delete_:
      return HttpMethod::kDelete;
    default:
      return HttpMethod::kOther;
  }
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// "http://host:1/path" as a target means "/path".
std::string_view origin_form(std::string_view target) {
  if (target.starts_with('/')) return target;
  const size_t authority = target.find("://");
  if (authority == std::string_view::npos) return target;
  const size_t path = target.find('/', authority + 3);
  return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}

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

// What went wrong with a request before it was whole.
struct ReadFailure {
  int http_status = 400;
  std::string_view code = "invalid_argument";
  std::string message;
};

class RequestReader {
 public:
  enum class Outcome : uint8_t { kNeedMore, kDone, kFailed };

  void begin(const HttpOptions& options) {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<uint32_t>(options.header_bytes));
    parser_->body_limit(options.body_bytes);
    options_ = &options;
    head_taken_ = false;
    expects_continue_ = false;
    failure_ = ReadFailure();
  }

  asio::mutable_buffer space() {
    const bool body = parser_->is_header_done();
    return buffer_.prepare(body ? kReadBodyBytes : kReadBytes);
  }
  void received(size_t bytes) { buffer_.commit(bytes); }
  bool has_input() const { return buffer_.size() > 0; }
  bool header_done() const { return parser_->is_header_done(); }
  // Since begin().
  bool got_some() const { return parser_->got_some() || has_input(); }

  // Reads what has been received.
  Outcome parse(HttpRequest* request) {
    while (buffer_.size() > 0 && !parser_->is_done()) {
      error_code error;
      const size_t used = parser_->put(buffer_.data(), error);
      buffer_.consume(used);
      if (parser_->is_header_done() && !head_taken_ && !take_head(request)) {
        return Outcome::kFailed;
      }
      if (error == http::error::need_more) break;
      if (error) return fail(error);
      if (used == 0) break;
    }
    if (!parser_->is_done()) return Outcome::kNeedMore;
    request->body = std::move(parser_->get().body());
    return Outcome::kDone;
  }

  // True once, when the client waits to be told that it may send the body.
  bool wants_continue() { return std::exchange(expects_continue_, false) && !has_input(); }
  // What the body takes, or will.
  uint64_t body_bytes() const {
    if (!parser_->is_header_done()) return 0;
    const uint64_t now = parser_->get().body().size();
    const auto announced = parser_->content_length();
    return announced.has_value() ? std::max<uint64_t>(now, *announced) : now;
  }
  bool keep_alive() const { return parser_->get().keep_alive(); }
  bool http_1_1() const { return parser_->get().version() >= 11; }
  const ReadFailure& failure() const { return failure_; }

 private:
  bool take_head(HttpRequest* request) {
    head_taken_ = true;
    const auto& head = parser_->get();
    request->method = method_of(head.method());
    const std::string_view target = origin_form(view(head.target()));
    const size_t question = std::min(target.find('?'), target.size());
    request->path = target.substr(0, question);
    if (question < target.size()) request->query = target.substr(question + 1);
    size_t hosts = 0;
    for (const auto& field : head) {
      if (field.name() == http::field::host) ++hosts;
      take_field(field.name(), view(field.name_string()), view(field.value()), request);
    }
    if (hosts == 1 || (hosts == 0 && head.version() < 11)) return true;
    failure_.message = "the request must have exactly one Host header";
    return false;
  }

  void take_field(http::field name, std::string_view name_text, std::string_view value,
                  HttpRequest* request) {
    switch (name) {
      case http::field::host:
        request->host = value;
        return;
      case http::field::origin:
        request->origin = value;
        return;
      case http::field::authorization:
        request->authorization = value;
        return;
      case http::field::content_type:
        request->content_type = value;
        return;
      case http::field::content_encoding:
        request->content_encoding = value;
        return;
      case http::field::accept:
        request->accept = value;
        return;
      case http::field::expect:
        expects_continue_ = equals_ignoring_case(value, "100-continue");
        return;
      case http::field::unknown:
        if (equals_ignoring_case(name_text, "Last-Event-ID")) request->last_event_id = value;
        if (equals_ignoring_case(name_text, "Firn-Namespace")) request->firn_namespace = value;
        return;
      default:
        return;
    }
  }

  Outcome fail(const error_code& error) {
    if (error == http::error::header_limit) {
      failure_ = {431, "too_large",
                  "the headers are longer than " + std::to_string(options_->header_bytes) +
                      " bytes, the limit header_bytes"};
    } else if (error == http::error::body_limit) {
      failure_ = {413, "too_large",
                  "the body is longer than " + std::to_string(options_->body_bytes) +
                      " bytes, the limit request_wire_bytes"};
    } else if (error == http::error::bad_version) {
      failure_ = {505, "unsupported", "only HTTP/1.0 and HTTP/1.1 are spoken here"};
    } else {
      failure_.message = "malformed HTTP: " + error.message();
    }
    return Outcome::kFailed;
  }

  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  const HttpOptions* options_ = nullptr;
  bool head_taken_ = false;
  bool expects_continue_ = false;
  ReadFailure failure_;
};

template <typename T>
void Mailbox<T>::put(T value) {
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    value_ = std::move(value);
    wake = waiting_;
  }
  if (wake) asio::post(*context_, [self = this->shared_from_this()] { self->wake_.cancel(); });
}

template <typename T>
std::optional<T> Mailbox<T>::take() {
  MutexLock lock(&mutex_);
  return std::exchange(value_, std::nullopt);
}

template <typename T>
asio::awaitable<void> Mailbox<T>::wait(DurationNs time_max) {
  {
    MutexLock lock(&mutex_);
    if (value_.has_value()) co_return;
    waiting_ = true;
  }
  // A put() from here on posts to this thread, so its cancel() comes after the wait has begun.
  wake_.expires_after(std::chrono::nanoseconds(time_max));
  co_await wake_.async_wait(kToken);
  MutexLock lock(&mutex_);
  waiting_ = false;
}

HttpConnection::HttpConnection(IoThread* thread, asio::ip::tcp::socket socket, const Router* router,
                               bool check_host)
    : thread_(thread),
      shared_(thread->shared),
      socket_(std::move(socket)),
      router_(router),
      check_host_(check_host),
      reader_(std::make_unique<RequestReader>()),
      answer_mailbox_(std::make_shared<Mailbox<HttpResponse>>(&thread->context)),
      piece_mailbox_(std::make_shared<Mailbox<std::string>>(&thread->context)) {
  thread_->connections.insert(this);
  shared_->metrics->connections_opened.add();
}

HttpConnection::~HttpConnection() {
  charge_body(0);
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
    if (stopping_) keep_alive_ = false;
    const bool written = co_await write_response(std::move(response));
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
  reader_->begin(shared_->options);
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
        charged_bytes_ > kReadBytes) {
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
  http_1_1_ = !early_answer_.has_value() ? reader_->http_1_1() : true;
  unread_input_ = early_answer_.has_value();
  keep_alive_ = !early_answer_.has_value() && reader_->keep_alive();
  head_only_ = request_->method == HttpMethod::kHead;
  if (head_only_) request_->method = HttpMethod::kGet;
  co_return true;
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
  while (!response.has_value()) {
    co_await answer_mailbox_->wait(kHourNs);
    response = answer_mailbox_->take();
  }
  route->count(response->status, shared_->env->monotonic() - phase_began_);
  charge_body(0);
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
  std::string thrown_away(kReadBodyBytes, '\0');
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
      piece_mailbox_->poke();
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
  piece_mailbox_->poke();
}

void HttpConnection::kill() {
  gone_ = true;
  if (request_ != nullptr) request_->cancellation.cancel();
  error_code ignored;
  socket_.close(ignored);
  piece_mailbox_->poke();
}

}  // namespace firn
