#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace firn {

struct GrpcClientRequest {
  std::string method;       // "/package.Service/Method"
  std::string_view body{};  // one message
  bool gzip = false;
  std::vector<std::pair<std::string, std::string>> metadata{};  // names in lower case
  DurationNs time_ns = 10 * kSecondNs;                          // until the answer must be there
};

struct GrpcClientResponse {
  int code = 0;  // a google.rpc.Code; 14 (UNAVAILABLE) also when nobody answers
  std::string message, details, body;
  std::vector<std::pair<std::string, std::string>> metadata;  // sent behind the body
};

// Unary calls with bytes in and out, over a connection of its own that is opened with the first
// one. Thread rule: any thread.
class GrpcClient {
 public:
  // `address` is "HOST:PORT"; nothing is sent yet.
  explicit GrpcClient(const std::string& address);
  ~GrpcClient();

  // Waits for the answer.
  GrpcClientResponse call(const GrpcClientRequest& request);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firn
