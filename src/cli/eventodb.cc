#include <algorithm>
#include <charconv>
#include <map>

#include "base/limits.h"
#include "cli/command.h"
#include "cli/version.h"
#include "env/env.h"
#include "env/remove_tree.h"
#include "server/server.h"

// The process in EventoDB's place: its flags and environment, no subcommand (docs/eventodb.md).

namespace firn {

namespace {

struct Flag {
  std::string_view name;
  const char* variable;
  bool is_switch = false;
};

constexpr Flag kFlags[] = {
    {"port", "EVENTODB_PORT"},           {"db-url", "EVENTODB_DB_URL"},
    {"data-dir", "EVENTODB_DATA_DIR"},   {"db-type", "EVENTODB_DB_TYPE"},
    {"token", "EVENTODB_TOKEN"},         {"test-mode", "EVENTODB_TEST_MODE", true},
    {"log-level", "EVENTODB_LOG_LEVEL"}, {"log-format", "EVENTODB_LOG_FORMAT"},
};

using Settings = std::map<std::string, std::string, std::less<>>;

// The flag of "-name", "--name", "-name=value"; null for anything else.
const Flag* find_flag(std::string_view argument) {
  if (!argument.starts_with('-')) return nullptr;
  argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
  const std::string_view name = argument.substr(0, argument.find('='));
  for (const Flag& flag : kFlags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

Result<Settings> read_settings(Env* env, const std::vector<std::string>& arguments) {
  Settings settings;
  for (const Flag& flag : kFlags) {
    const auto value = env->environment_variable(flag.variable);
    if (value.has_value() && !value->empty()) settings[std::string(flag.name)] = *value;
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Flag* flag = find_flag(arguments[i]);
    if (flag == nullptr) return invalid_argument("unknown argument '" + arguments[i] + "'");
    std::string& value = settings[std::string(flag->name)];
    const size_t equals = arguments[i].find('=');
    if (equals != std::string::npos) {
      value = arguments[i].substr(equals + 1);
    } else if (flag->is_switch) {
      value = "true";
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      return invalid_argument("the flag '" + arguments[i] + "' needs a value");
    }
  }
  return settings;
}

std::string setting(const Settings& settings, std::string_view name) {
  const auto found = settings.find(name);
  return found == settings.end() ? "" : found->second;
}

// As Go's flags read it.
Result<bool> switch_setting(const Settings& settings, std::string_view name) {
  const std::string text = setting(settings, name);
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"", "0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return invalid_argument("--" + std::string(name) + " is '" + text +
                          "'; it must be true or false");
}

// Where the data is; empty: in a temporary directory.
Result<std::string> choose_directory(const Settings& settings, bool test_mode) {
  const std::string url = setting(settings, "db-url");
  const std::string directory = setting(settings, "data-dir");
  if (url.empty()) {
    if (test_mode) return std::string();
    return invalid_argument("--db-url is missing: sqlite://NAME with --data-dir, or pebble:///DIR");
  }
  if (url == "sqlite://:memory:" || url == "pebble://memory") return std::string();
  constexpr std::string_view kPebble = "pebble://";
  if (url.starts_with(kPebble) && url.size() > kPebble.size()) return url.substr(kPebble.size());
  if (url.starts_with("sqlite://")) {
    if (!directory.empty()) return directory;
    return invalid_argument("--data-dir is missing: where the data of " + url + " is kept");
  }
  return invalid_argument(
      "--db-url " + url +
      " is not supported: give sqlite://NAME with --data-dir, or pebble:///DIR");
}

Result<ServerConfig> make_config(const Settings& settings) {
  ServerConfig config;
  uint16_t port = 8080;
  const std::string text = setting(settings, "port");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size())) {
    return invalid_argument("--port is '" + text + "'; it must be a number up to 65535");
  }
  config.eventodb.drop_in = true;
  config.eventodb.token = setting(settings, "token");
  FIRN_ASSIGN(config.eventodb.test_mode, switch_setting(settings, "test-mode"));
  if (!config.eventodb.test_mode) {
    config.eventodb.show_token = [](const std::string& token) {
      print("the token of namespace default, shown this once: " + token + "\n");
    };
  }
  // Whoever needs no token must be on this machine.
  if (config.eventodb.test_mode) {
    config.listen = "127.0.0.1:" + std::to_string(port);
    if (port != 0) config.also_listen = "[::1]:" + std::to_string(port);
  } else {
    config.listen = "0.0.0.0:" + std::to_string(port);
    if (port != 0) config.also_listen = "[::]:" + std::to_string(port);
    config.unsafe_open = true;  // every route but health asks for a token
  }
  config.otlp_grpc = config.otlp_http = {"off", false};
  FIRN_ASSIGN(const std::string directory, choose_directory(settings, config.eventodb.test_mode));
  config.store = default_store_options(directory);
  return config;
}

// In memory where the machine has such a place.
Result<std::string> make_temporary_directory(Env* env) {
  std::string parent = "/tmp";
  for (const char* candidate : {"/dev/shm", "/tmp"}) {
    const Result<bool> exists = env->exists(candidate);
    if (!exists.ok() || !*exists) continue;
    parent = candidate;
    break;
  }
  const std::string path = join_path(parent, "firn-" + std::to_string(env->random_u64()));
  FIRN_TRY(env->create_directories(path));
  return path;
}

int serve(Env* env, ServerConfig config) {
  std::string temporary;
  if (config.store.data_dir.empty()) {
    Result<std::string> made = make_temporary_directory(env);
    if (!made.ok()) return report(made.status());
    temporary = std::move(*made);
    config.store = default_store_options(temporary);
    config.store.wal_sync = WalSync::kBuffered;  // nothing to probe for so short a life
  }
  int exit_code = kExitFailed;
  Result<std::unique_ptr<Server>> server = Server::start(env, config);
  if (server.ok()) {
    (*server)->stop_on_signals();
    print(version_text() + ", in EventoDB's place, listening on http://" +
          (*server)->addresses()[0] + "\n");
    const Status ended = (*server)->wait();
    (*server)->stop();
    (void)report(ended);
    exit_code = (*server)->exit_code();
  } else {
    (void)report(server.status());
  }
  if (!temporary.empty()) (void)remove_tree(env, temporary);
  return exit_code;
}

}  // namespace

std::optional<int> run_as_eventodb(const std::vector<std::string>& arguments) {
  std::vector<std::string> flags = arguments;
  if (!flags.empty() && flags[0] == "serve") {
    // A command of ours, too; one of its flags has the same name.
    const bool is_meant = std::any_of(flags.begin() + 1, flags.end(), [](const std::string& text) {
      const Flag* flag = find_flag(text);
      return flag != nullptr && flag->name != "data-dir";
    });
    if (!is_meant) return std::nullopt;
    flags.erase(flags.begin());
  }
  if (flags.empty() || find_flag(flags[0]) == nullptr) return std::nullopt;
  Env* env = posix_env();
  const Result<Settings> settings = read_settings(env, flags);
  Status status = settings.status();
  if (status.ok()) {
    Result<ServerConfig> config = make_config(*settings);
    if (config.ok()) return serve(env, std::move(*config));
    status = config.status();
  }
  (void)report(status);
  return kExitUsage;
}

}  // namespace firn
