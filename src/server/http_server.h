#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/status.h"
#include "env/env.h"
#include "server/metrics.h"
#include "server/router.h"

// The only door to sockets. No header of Asio or Beast is reached from here, because they are slow
// to compile.

namespace firn {

// "127.0.0.1:7311", "[::1]:7311", "localhost:7311". Port 0 lets the system choose.
struct ListenAddress {
  std::string host;  // numeric
  uint16_t port = 0;
  bool is_loopback = false;
  bool only_ipv6 = false;  // of an IPv6 address: leaves the port's IPv4 addresses to others
  std::string to_string() const;
};
// kInvalidArgument saying what an address looks like.
Result<ListenAddress> parse_listen_address(std::string_view text);

struct HttpOptions {
  uint32_t threads = 2;
  uint64_t connections = kLimits.connections;
  uint64_t header_bytes = kLimits.header_bytes;
  uint64_t body_bytes = kLimits.request_wire_bytes;
  uint64_t request_memory_bytes = 256 * kMiB;  // bodies being received, all together
  DurationNs header_time_ns = kLimits.header_time_ns;
  DurationNs body_time_ns = kLimits.body_time_ns;
  DurationNs idle_time_ns = 60 * kSecondNs;
  DurationNs write_time_ns = 30 * kSecondNs;
  DurationNs heartbeat_ns = 15 * kSecondNs;
};

// Listens, reads requests, hands them to routers and writes answers. A connection belongs to one
// thread for its life; handlers answer from wherever they like.
//
// Thread rule: listen() before start(); stop() once, from any thread but its own. What responders
// of unanswered requests refer to must be gone before this object is destroyed.
class HttpServer {
 public:
  // `env` and `metrics` must outlive the server.
  HttpServer(Env* env, const HttpOptions& options, ServerMetrics* metrics);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Opens an address for the routes of `router`, which must outlive the server. Returns the address
  // with the port that the system chose. kConflict when it is taken, kIoError otherwise.
  Result<ListenAddress> listen(const ListenAddress& address, const Router* router);
  void start();
  // Stops accepting, closes idle connections, ends streams, cancels what is being worked on, and
  // waits for answers for up to `grace`; then closes everything. Its threads have ended afterwards.
  void stop(DurationNs grace);
  // Calls `function` once, on a thread of this server, at the first SIGTERM or SIGINT. After
  // start().
  void on_termination(std::function<void()> function);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// Threads for work that may wait. Thread rule: any thread; not destroyed from its own.
class WorkPool {
 public:
  explicit WorkPool(uint32_t threads);
  ~WorkPool();
  // Runs `work` soon; after stop() drops it.
  void post(std::function<void()> work);
  // Drops what has not begun and waits for what has.
  void stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firn
