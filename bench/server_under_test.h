#pragma once

#include <memory>
#include <string>

#include "bench/peers.h"
#include "env/posix_memory.h"
#include "server/server.h"

namespace firn::bench {

// A server in this process, ready, with its data in `directory`: the API and EventoDB's protocol
// without tokens, nothing else.
inline std::unique_ptr<Server> start_server(const std::string& directory, Env* env = posix_env()) {
  bound_allocator();  // as the program does
  ServerConfig config;
  config.store = default_store_options(directory);
  config.listen = "127.0.0.1:0";
  config.eventodb.test_mode = true;  // no token
  config.otlp_http.text = config.otlp_grpc.text = "off";
  Result<std::unique_ptr<Server>> server = Server::start(env, config);
  must(server.status());
  must((*server)->wait_ready());
  return std::move(*server);
}

}  // namespace firn::bench
