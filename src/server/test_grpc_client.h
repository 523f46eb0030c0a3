#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/time.h"

namespace firn {

// A gRPC client for tests: unary calls with bytes, by gRPC's own library. Never part of the
// product.
class TestGrpcClient {
 public:
  struct Answer {
    int code = 0;
    std::string message, details, body;
  };

  explicit TestGrpcClient(uint16_t port);
  ~TestGrpcClient();

  // Waits for the answer. Any thread.
  Answer call(const std::string& method, const std::string& body, bool gzip = false,
              const std::string& firn_namespace = "", DurationNs timeout = 10 * kSecondNs);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firn
