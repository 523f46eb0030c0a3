#include "client/http_client.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>
#include <optional>

namespace firn {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr size_t kPieceBytes = 64 * 1024;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct HttpClient::Parts {
  using Parser = http::response_parser<http::buffer_body>;

  std::string host, port;
  std::string address;
  HttpClientOptions options;
  asio::io_context context;
  std::optional<beast::tcp_stream> stream;
  beast::flat_buffer buffer;

  // Runs what was started on `context` to its end; `stream` has a time limit.
  void run() {
    context.restart();
    context.run();
  }
  void close() {
    stream.reset();
    buffer.clear();
  }
  Status connect();
  bool is_stale();
  // Ok, or what became of a request that was sent in part or whole.
  Status lost(const error_code& error, const char* doing) {
    close();
    if (error == beast::error::timeout) {
      return deadline_exceeded(address + " was silent for " + format_duration(options.silence_ns) +
                               " " + doing);
    }
    return outcome_unknown("lost the connection to " + address + " " + doing + ": " +
                           error.message());
  }
  Status write(const HttpClientRequest& request);
  Status read_head(Parser* parser, const std::string& method);
  Result<size_t> read_piece(Parser* parser, char* piece, size_t size);
  Result<HttpClientResponse> exchange(const HttpClientRequest& request,
                                      const std::function<Status(std::string_view)>& on_piece,
                                      bool* wants_more);
};

// The server may have closed an idle connection; then a new one is opened before anything is sent.
bool HttpClient::Parts::is_stale() {
  if (!stream.has_value() || buffer.size() > 0) return true;
  char byte = 0;
  error_code error;
  auto& socket = stream->socket();
  socket.non_blocking(true, error);
  socket.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, error);
  return error != asio::error::would_block && error != asio::error::try_again;
}

Status HttpClient::Parts::connect() {
  close();
  asio::ip::tcp::resolver resolver(context);
  error_code error;
  const auto endpoints = resolver.resolve(host, port, error);
  if (error) return unavailable("cannot find " + host + ": " + error.message());
  stream.emplace(context);
  stream->expires_after(std::chrono::nanoseconds(options.connect_time_ns));
  stream->async_connect(endpoints,
                        [&error](const error_code& result, const auto&) { error = result; });
  run();
  if (error) {
    close();
    return unavailable("cannot reach " + address + ": " + error.message());
  }
  stream->socket().set_option(asio::ip::tcp::no_delay(true), error);
  return Status();
}

Status HttpClient::Parts::write(const HttpClientRequest& request) {
  http::request<http::span_body<const char>> message;
  message.method_string(request.method);
  message.target(request.target);
  message.version(11);
  message.set(http::field::host, address);
  message.set(http::field::user_agent, "firn");
  for (const auto& [name, value] : request.headers) message.insert(name, value);
  message.body() = {request.body.data(), request.body.size()};
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    message.content_length(request.body.size());
  }
  http::request_serializer<http::span_body<const char>> serializer(message);
  error_code error;
  stream->expires_after(std::chrono::nanoseconds(options.silence_ns));
  http::async_write(*stream, serializer,
                    [&error](const error_code& result, size_t) { error = result; });
  run();
  // A server that refuses a large body answers and stops reading: its answer is worth reading.
  if (!error || error == asio::error::broken_pipe || error == asio::error::connection_reset) {
    return Status();
  }
  return lost(error, "while sending");
}

Status HttpClient::Parts::read_head(Parser* parser, const std::string& method) {
  parser->body_limit(boost::none);
  parser->skip(method == "HEAD");
  error_code error;
  stream->expires_after(std::chrono::nanoseconds(options.silence_ns));
  http::async_read_header(*stream, buffer, *parser,
                          [&error](const error_code& result, size_t) { error = result; });
  run();
  return error ? lost(error, "while waiting for the answer") : Status();
}

// The next bytes of the body, as soon as there are any; 0 at its end.
Result<size_t> HttpClient::Parts::read_piece(Parser* parser, char* piece, size_t size) {
  while (!parser->is_done()) {
    parser->get().body().data = piece;
    parser->get().body().size = size;
    parser->get().body().more = true;
    error_code error;
    stream->expires_after(std::chrono::nanoseconds(options.silence_ns));
    http::async_read_some(*stream, buffer, *parser,
                          [&error](const error_code& result, size_t) { error = result; });
    run();
    if (error && error != http::error::need_buffer) return lost(error, "while reading the answer");
    const size_t got = size - parser->get().body().size;
    if (got > 0) return got;
  }
  return size_t{0};
}

Result<HttpClientResponse> HttpClient::Parts::exchange(
    const HttpClientRequest& request, const std::function<Status(std::string_view)>& on_piece,
    bool* wants_more) {
  if (is_stale()) FIRN_TRY(connect());
  FIRN_TRY(write(request));
  Parser parser;
  FIRN_TRY(read_head(&parser, request.method));
  HttpClientResponse response;
  response.status = static_cast<int>(parser.get().result_int());
  for (const auto& field : parser.get()) {
    response.headers.emplace_back(view(field.name_string()), view(field.value()));
  }
  const bool streamed = on_piece != nullptr && response.status / 100 == 2;
  std::string piece(kPieceBytes, '\0');
  while (true) {
    FIRN_ASSIGN(const size_t got, read_piece(&parser, piece.data(), piece.size()));
    if (got == 0) break;
    if (streamed) {
      const Status taken = on_piece(std::string_view(piece.data(), got));
      if (!taken.ok() || !*wants_more) {
        close();
        FIRN_TRY(taken);
        return response;
      }
      continue;
    }
    response.body.append(piece.data(), got);
    if (response.body.size() > options.response_bytes_max) {
      close();
      return too_large("the answer of " + address + " is longer than " +
                       format_size(options.response_bytes_max));
    }
  }
  if (!parser.get().keep_alive()) close();
  return response;
}

std::string_view HttpClientResponse::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (beast::iequals(beast::string_view(known), beast::string_view(name.data(), name.size()))) {
      return value;
    }
  }
  return {};
}

HttpClient::HttpClient(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::create(std::string_view server,
                                                       const HttpClientOptions& options) {
  const Status malformed = invalid_argument("'" + std::string(server) +
                                            "' is no server address; write HOST:PORT or "
                                            "http://HOST:PORT");
  std::string_view rest = server;
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return malformed;
  auto parts = std::make_unique<Parts>();
  parts->address = rest;
  parts->host = rest.substr(0, colon);
  parts->port = rest.substr(colon + 1);
  if (parts->host.starts_with('[') && parts->host.ends_with(']')) {
    parts->host = parts->host.substr(1, parts->host.size() - 2);
  }
  const bool digits = std::all_of(parts->port.begin(), parts->port.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || parts->port.empty() || parts->port.size() > 5 ||
      parts->host.find('/') != std::string::npos) {
    return malformed;
  }
  parts->options = options;
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(parts)));
}

Result<HttpClientResponse> HttpClient::send(const HttpClientRequest& request) {
  bool wants_more = true;
  return parts_->exchange(request, nullptr, &wants_more);
}

Result<HttpClientResponse> HttpClient::stream(
    const HttpClientRequest& request, const std::function<bool(std::string_view)>& on_line) {
  bool wants_more = true;
  std::string line;
  const auto on_piece = [&](std::string_view piece) -> Status {
    while (wants_more) {
      const size_t end = piece.find('\n');
      line.append(piece.substr(0, end));
      if (line.size() > parts_->options.response_bytes_max) {
        return too_large("a line of the answer is longer than " +
                         format_size(parts_->options.response_bytes_max));
      }
      if (end == std::string_view::npos) return Status();
      if (line.ends_with('\r')) line.pop_back();
      wants_more = on_line(line);
      line.clear();
      piece.remove_prefix(end + 1);
    }
    return Status();
  };
  Result<HttpClientResponse> response = parts_->exchange(request, on_piece, &wants_more);
  if (response.ok() && wants_more && !line.empty()) on_line(line);
  return response;
}

const std::string& HttpClient::address() const { return parts_->address; }

}  // namespace firn
