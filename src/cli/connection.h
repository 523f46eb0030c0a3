#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "client/http_client.h"

namespace firn {

// Percent-encodes what has a meaning in a URL's path or query.
std::string url_encode(std::string_view text);

// A server as the commands see it: requests that answer JSON, and errors as the server words them.
// Thread rule: one thread.
class Connection {
 public:
  // `server` is "http://HOST:PORT" or "HOST:PORT". Connects with the first request.
  static Result<std::unique_ptr<Connection>> open(const std::string& server,
                                                  const HttpClientOptions& options = {});

  // The body of a 2xx answer. Otherwise the Status the server reported, kUnavailable when it cannot
  // be reached (the message says how to start one), or kOutcomeUnknown when it went away meanwhile.
  Result<std::string> call(const std::string& method, const std::string& path,
                           std::string_view body = {}, std::string_view content_type = {});
  // The lines of a streaming answer until it ends or `on_line` returns false.
  Status stream(const std::string& path, const std::function<bool(std::string_view)>& on_line);
  // The same of an answer to a body.
  Status post_and_stream(const std::string& path, std::string_view body,
                         const std::function<bool(std::string_view)>& on_line);
  // Sends it with every request from now on.
  void use_token(const std::string& token) { authorization_ = "Bearer " + token; }
  // Whether the server ever answered.
  bool reached() const { return reached_; }

 private:
  explicit Connection(std::unique_ptr<HttpClient> client);
  Status explain(const Status& status) const;
  Status stream_answer(HttpClientRequest request,
                       const std::function<bool(std::string_view)>& on_line);

  std::unique_ptr<HttpClient> client_;
  bool reached_ = false;
  std::string authorization_;
};

}  // namespace firn
