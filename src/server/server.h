#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "server/config.h"

namespace firn {

// A running server: listeners, faces, and the store behind them.
//
// Thread rule: any thread, except that only one destroys it. stop() may be called while others are
// in wait() or wait_ready().
class Server {
 public:
  // Opens the addresses and begins to answer; the store is opened in the background, and until then
  // everything but /livez, /readyz, /health and /metrics is answered 503. kInvalidArgument for a
  // configuration that cannot be applied, kConflict when an address is taken. `env` must outlive
  // the server.
  static Result<std::unique_ptr<Server>> start(Env* env, const ServerConfig& config);
  // Stops.
  ~Server();

  // Where it listens for HTTP, with the ports that the system chose: first the API, then OTLP if
  // there is one. "127.0.0.1:7311"
  std::vector<std::string> addresses() const;
  // Where it listens for OTLP over gRPC; nothing when it does not.
  std::optional<std::string> grpc_address() const;
  // The port of the API.
  uint16_t port() const;

  // Waits until the store is open. What opening it failed with, kConflict for a data directory in
  // use; kCancelled when the server was stopped before.
  Status wait_ready();
  // Waits until somebody calls stop(), a termination signal comes (see stop_on_signals()), or the
  // store cannot be opened, which is what is returned then; ok otherwise. Does not stop the server.
  Status wait();
  // From now on SIGTERM and SIGINT end wait(), once.
  void stop_on_signals();
  // Stops accepting, answers what is being answered for up to 50 ms, cancels the rest and closes
  // the store. Returns when all threads have ended; further calls do nothing.
  void stop();
  // After stop(), the exit code of the process: 0, or 4 when the log had failed, or 1 when the
  // store could not be opened.
  int exit_code() const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firn
