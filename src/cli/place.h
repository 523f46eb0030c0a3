#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "server/server.h"

namespace firn {

// Where the events are that a command reads or writes: behind a running server, or in a data
// directory that none uses.
struct PlaceOptions {
  CommonOptions common;
  std::string data_dir;  // empty: the server
  std::string config;    // the configuration of the data directory, as of `firn serve`
  std::string token;     // of EventoDB's protocol; empty: through the API
};

// Adds --server (also --url), --namespace, --data-dir, --config and --token.
void add_place_options(CLI::App* command, PlaceOptions* options);

// An open place. For a data directory it is a server of our own, on a loopback port and without
// OTLP, for as long as it lives: what a command does is the same either way. Thread rule: one
// thread.
class Place {
 public:
  // kConflict when another process uses the data directory.
  static Result<std::unique_ptr<Place>> open(const PlaceOptions& options);

  Connection* connection() { return connection_.get(); }
  // The path that takes or gives messages as EventoDB's lines: "import" or "export".
  std::string messages_path(const std::string& action) const;
  // Calls `on_line` with each message as EventoDB's line, until it fails. `query` is empty, or
  // begins with '?'. An export that ends early is a failure.
  Status export_lines(const std::string& query,
                      const std::function<Status(std::string_view)>& on_line);

 private:
  Place() = default;

  std::string name_space_;
  bool has_token_ = false;
  std::unique_ptr<Server> server_;  // goes after the connection
  std::unique_ptr<Connection> connection_;
};

}  // namespace firn
