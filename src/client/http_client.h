#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/size.h"
#include "base/status.h"
#include "base/time.h"

namespace firn {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpClientOptions {
  DurationNs connect_time_ns = 5 * kSecondNs;
  // Longest silence while a request is sent or its answer is awaited.
  DurationNs silence_ns = 60 * kSecondNs;
  uint64_t response_bytes_max = 256 * kMiB;  // of an answer that is taken whole
};

struct HttpClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, already percent-encoded
  HttpHeaders headers{};     // beside Host, User-Agent and Content-Length
  std::string_view body{};
};

struct HttpClientResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;
  // The first header of that name, in any case; empty when there is none.
  std::string_view header(std::string_view name) const;
};

// A blocking HTTP/1.1 client with one connection, opened with the first request and kept as long as
// the server keeps it. Thread rule: one thread.
//
// Failures: kUnavailable when nothing could be sent (no server, refused, connection time), so
// another try is safe; kOutcomeUnknown when the connection broke after the request was sent, at
// least in part; kDeadlineExceeded after too long a silence; kTooLarge for response_bytes_max;
// kInvalidArgument for an address that is none. The next request opens a new connection.
class HttpClient {
 public:
  // `server` is "HOST:PORT" or "http://HOST:PORT"; nothing is sent yet.
  static Result<std::unique_ptr<HttpClient>> create(std::string_view server,
                                                    const HttpClientOptions& options = {});
  ~HttpClient();

  // Sends the request and returns the whole answer, whatever its status.
  Result<HttpClientResponse> send(const HttpClientRequest& request);

  // Sends the request and hands over the lines of the answer's body as they come, without their
  // line breaks, until it ends or `on_line` returns false, which closes the connection. An answer
  // whose status is not 2xx is returned whole instead, without a call of `on_line`; otherwise
  // `body` is empty in what is returned. A line longer than response_bytes_max is kTooLarge.
  Result<HttpClientResponse> stream(const HttpClientRequest& request,
                                    const std::function<bool(std::string_view)>& on_line);

  // "127.0.0.1:7311"
  const std::string& address() const;

 private:
  struct Parts;
  explicit HttpClient(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firn
