#include "cli/place.h"

#include "cli/json_rows.h"
#include "env/env.h"

namespace firn {

namespace {

Result<std::unique_ptr<Server>> serve_directory(const PlaceOptions& options) {
  ConfigSources sources;
  sources.file = options.config;
  sources.flags = {{"data_dir", options.data_dir},
                   {"listen", "127.0.0.1:0"},
                   {"otlp.grpc", "off"},
                   {"otlp.http", "off"}};
  FIRN_ASSIGN(const LoadedConfig loaded, load_config(posix_env(), sources));
  FIRN_ASSIGN(std::unique_ptr<Server> server, Server::start(posix_env(), loaded.config));
  FIRN_TRY(server->wait_ready());
  return server;
}

// The last line of an export that failed in the middle says why.
Status failure_of(std::string_view line) {
  constexpr std::string_view kError = "{\"error\":";
  if (!line.starts_with(kError)) return Status();
  const Result<std::string> error = json_member(line, "error");
  const Result<std::string> message = error.ok() ? json_member(*error, "message") : error;
  return io_error("the export ended early: " + (message.ok() ? *message : std::string(line)));
}

}  // namespace

void add_place_options(CLI::App* command, PlaceOptions* options) {
  add_common_options(command, &options->common, false);
  command->add_option("--url", options->common.server, "the same as --server");
  command->add_option("--data-dir", options->data_dir,
                      "a data directory instead of a server; no server may use it");
  command->add_option("--config,-c", options->config,
                      "configuration file of the data directory, as of firn serve");
  command
      ->add_option("--token", options->token,
                   "token of EventoDB's protocol; chooses the namespace. Better in the environment")
      ->envname("EVENTODB_TOKEN");
}

Result<std::unique_ptr<Place>> Place::open(const PlaceOptions& options) {
  std::unique_ptr<Place> place(new Place());
  place->name_space_ = options.common.name_space;
  std::string address = options.common.server;
  if (!options.data_dir.empty()) {
    FIRN_ASSIGN(place->server_, serve_directory(options));
    address = place->server_->addresses()[0];
  }
  FIRN_ASSIGN(place->connection_, Connection::open(address));
  // A directory of our own needs no token.
  place->has_token_ = !options.token.empty() && place->server_ == nullptr;
  if (place->has_token_) place->connection_->use_token(options.token);
  return place;
}

std::string Place::messages_path(const std::string& action) const {
  if (has_token_) return "/" + action;
  return namespace_path(name_space_) + "/messages:" + action;
}

Status Place::export_lines(const std::string& query,
                           const std::function<Status(std::string_view)>& on_line) {
  Status status;
  FIRN_TRY(connection_->stream(messages_path("export") + query, [&](std::string_view line) {
    if (line.empty()) return true;  // sent while there was nothing else to send
    status = failure_of(line);
    if (status.ok()) status = on_line(line);
    return status.ok();
  }));
  return status;
}

}  // namespace firn
