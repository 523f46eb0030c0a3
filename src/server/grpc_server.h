#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "base/time.h"
#include "server/http_server.h"

// The only door to gRPC. Its headers are slow to compile: only grpc_server.cc includes them.

namespace firn {

// A unary call. The body is one message, as it was sent; it may be gzip.
struct GrpcCall {
  std::string method;  // "/package.Service/Method"
  std::string body;
  std::string firn_namespace;  // metadata "firn-namespace"; empty when absent
  std::string firn_ack;        // metadata "firn-ack"; empty when absent
};

// `code` is a google.rpc.Code; with 0 the body is the response message, otherwise `message` says
// why not and `details` is a serialised google.rpc.Status, or empty.
struct GrpcAnswer {
  int code = 0;
  std::string message, details, body;
  std::vector<std::pair<std::string, std::string>> metadata{};  // names in lower case
};
// To be called exactly once, from any thread; not calling it leaves the client waiting until the
// server stops. May outlive the server, and does nothing then.
using GrpcResponder = std::function<void(GrpcAnswer)>;
// Called on the server's threads: must be quick or hand the work on.
using GrpcHandler = std::function<void(GrpcCall, const GrpcResponder&)>;

struct GrpcServerParts;

struct GrpcOptions {
  uint32_t threads = 2;
  uint64_t message_bytes = kLimits.request_bytes;  // of one request
  uint64_t request_memory_bytes = 256 * kMiB;      // requests being received, all together
  uint64_t streams = kLimits.http2_streams;        // calls at a time on one connection
};

// Serves unary calls of any method without knowing their types: messages are bytes in and out,
// which is several times as fast as generated code. grpc.health.v1.Health/Check and server
// reflection (grpc.reflection.v1 and v1alpha, a stream of questions) are answered here. Thread
// rule: any thread; stop() once, not from a handler.
class GrpcServer {
 public:
  // Listens on the address and begins to answer. kConflict when it is taken.
  // `env` must outlive the server.
  static Result<std::unique_ptr<GrpcServer>> start(Env* env, const ListenAddress& address,
                                                   const GrpcOptions& options, GrpcHandler handler);
  ~GrpcServer();  // stops
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // With the port that the system chose.
  const ListenAddress& address() const { return address_; }
  // Accepts nothing more, waits for answers for up to `grace`, then answers UNAVAILABLE for them.
  void stop(DurationNs grace);

 private:
  GrpcServer(std::unique_ptr<GrpcServerParts> parts, ListenAddress address);

  std::unique_ptr<GrpcServerParts> parts_;
  const ListenAddress address_;
};

}  // namespace firn
