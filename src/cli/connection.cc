#include "cli/connection.h"

#include "cli/json_rows.h"

namespace firn {

namespace {

StatusCode code_of(const std::string& name) {
  for (int i = 1; i <= static_cast<int>(StatusCode::kInternal); ++i) {
    const auto code = static_cast<StatusCode>(i);
    if (status_code_name(code) == name) return code;
  }
  return StatusCode::kInternal;
}

// {"error":{"code":"...","message":"..."}} as a Status.
Status error_of(const HttpClientResponse& response) {
  const Result<std::string> error = json_member(response.body, "error");
  if (error.ok() && !error->empty()) {
    const Result<std::string> code = json_member(*error, "code");
    const Result<std::string> message = json_member(*error, "message");
    if (code.ok() && message.ok()) return {code_of(*code), *message};
  }
  return internal_error("the server answered with HTTP status " + std::to_string(response.status) +
                        "; is it Firn?");
}

}  // namespace

std::string url_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    encoded.push_back('%');
    encoded.push_back(kHex[byte >> 4]);
    encoded.push_back(kHex[byte & 15]);
  }
  return encoded;
}

Connection::Connection(std::unique_ptr<HttpClient> client) : client_(std::move(client)) {}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& server,
                                                     const HttpClientOptions& options) {
  FIRN_ASSIGN(std::unique_ptr<HttpClient> client, HttpClient::create(server, options));
  std::unique_ptr<Connection> connection(new Connection(std::move(client)));
  return connection;
}

Status Connection::explain(const Status& status) const {
  if (status.code() != StatusCode::kUnavailable) return status;
  return unavailable(std::string(status.message()) + ". Is a server running? Start one with " +
                     "firn serve, or name another with --server");
}

Result<std::string> Connection::call(const std::string& method, const std::string& path,
                                     std::string_view body, std::string_view content_type) {
  HttpClientRequest request;
  request.method = method;
  request.target = path;
  request.body = body;
  if (!content_type.empty()) request.headers.emplace_back("Content-Type", content_type);
  if (!authorization_.empty()) request.headers.emplace_back("Authorization", authorization_);
  Result<HttpClientResponse> response = client_->send(request);
  reached_ = reached_ || response.ok();
  if (!response.ok()) return explain(response.status());
  if (response->status / 100 != 2) return error_of(*response);
  return std::move(response->body);
}

Status Connection::stream(const std::string& path,
                          const std::function<bool(std::string_view)>& on_line) {
  HttpClientRequest request;
  request.target = path;
  return stream_answer(std::move(request), on_line);
}

Status Connection::post_and_stream(const std::string& path, std::string_view body,
                                   const std::function<bool(std::string_view)>& on_line) {
  HttpClientRequest request;
  request.method = "POST";
  request.target = path;
  request.body = body;
  return stream_answer(std::move(request), on_line);
}

Status Connection::stream_answer(HttpClientRequest request,
                                 const std::function<bool(std::string_view)>& on_line) {
  if (!authorization_.empty()) request.headers.emplace_back("Authorization", authorization_);
  const Result<HttpClientResponse> response = client_->stream(request, on_line);
  reached_ = reached_ || response.ok();
  if (!response.ok()) return explain(response.status());
  return response->status / 100 == 2 ? Status() : error_of(*response);
}

}  // namespace firn
