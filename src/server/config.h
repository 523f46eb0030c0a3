#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "env/env.h"
#include "server/http_server.h"
#include "store/options.h"

namespace firn {

// An address that may be left out.
struct OptionalAddress {
  std::string text;        // "off" for none
  bool is_default = true;  // when it is taken, only warn
  bool is_off() const { return text == "off"; }
};

// The eventodb face (docs/eventodb.md).
struct EventodbConfig {
  std::string token;       // of the namespace "default"; empty: what it had before
  bool drop_in = false;    // the process is in EventoDB's place: only this face and health
  bool test_mode = false;  // tokens are not compared
  // Where a token can be shown to whoever starts the process: when "default" has none, one is made
  // and given here once, after it was stored. Null: none is made. Never the log.
  std::function<void(const std::string& token)> show_token{};
};

// Everything that can be set about a server (docs/operating.md). A default-constructed one is what
// `firn serve` runs without any configuration.
struct ServerConfig {
  ServerConfig();

  std::string listen = "127.0.0.1:7311";
  std::string also_listen;  // a second address for the same; when it cannot be opened, only warn
  OptionalAddress otlp_grpc{"127.0.0.1:4317"};
  OptionalAddress otlp_http{"127.0.0.1:4318"};
  std::string otlp_namespace = "default";
  EventodbConfig eventodb;
  bool unsafe_open = false;  // allow addresses that other machines can reach
  uint32_t query_threads = 4;
  // Of the whole process. What is not set otherwise follows from it: see apply_memory().
  uint64_t memory_bytes = 4 * kGiB;
  HttpOptions http;
  Limits limits = kLimits;
  StoreOptions store;
};

// Where a value came from. The later ones win.
enum class ConfigOrigin : uint8_t { kDefault, kFile, kEnvironment, kFlag };
// "default", "file", "environment", "flag"
std::string_view config_origin_name(ConfigOrigin origin);

// One setting as it is in effect, for `firn config`.
struct ConfigEntry {
  std::string name;   // "wal.segment_size"
  std::string value;  // text that can be given back, but for passwords
  ConfigOrigin origin = ConfigOrigin::kDefault;
  std::string source;  // the file, or the name of the environment variable; else empty
  std::string help;
};

struct LoadedConfig {
  ServerConfig config;
  std::vector<ConfigEntry> entries;  // every setting, in the order of the documentation
};

struct ConfigSources {
  // Names and values as given on the command line, '-' or '_' in names alike.
  std::vector<std::pair<std::string, std::string>> flags;
  // The file to read; FIRN_CONFIG names one when this is empty.
  std::string file;
};

// What can be set, for command lines: names with '-' instead of '_', and what they mean.
struct SettingInfo {
  std::string name;                  // "wal.segment_size"
  std::string flag;                  // "--wal.segment-size"
  std::string environment_variable;  // "FIRN_WAL_SEGMENT_SIZE"
  std::string help;
};
std::vector<SettingInfo> config_settings();

// Reads all sources: flags over environment over file over defaults. kInvalidArgument naming the
// setting, where it stands and what it must be; for an unknown name the nearest known one.
// kNotFound when the file does not exist. The combination is checked too: addresses, tiers,
// budgets.
Result<LoadedConfig> load_config(Env* env, const ConfigSources& sources);

// The budgets that follow from config->memory_bytes, except those for which `is_set` says true:
// max_memory 1/4, query_memory 3/16, request_memory 1/8 of it. The rest is for what has no budget:
// the program, moving chunks, caches, what the allocator keeps (docs/operating.md, Memory).
void apply_memory(const std::function<bool(std::string_view setting)>& is_set,
                  ServerConfig* config);

// What wal.sync: auto means in the data directory of this configuration, by a probe of its disk:
// "direct: 0.13 ms a sync, buffered 0.17 ms". Empty when wal.sync is not auto, when there is no log
// yet, and when the probe fails.
std::string describe_wal_sync(Env* env, const ServerConfig& config);

// What cannot be applied. load_config() has done it; for configurations built in other ways.
Status validate_config(const ServerConfig& config);

// A list of tiers as YAML or JSON text. kInvalidArgument naming the tier and the member.
Result<std::vector<TierConfig>> parse_tiers(std::string_view text);
// The list as one line of JSON, which is YAML too; without passwords.
std::string format_tiers(const std::vector<TierConfig>& tiers);
// The same for destinations of exports: what says where a parquet tier would keep its files.
Result<std::vector<TierConfig>> parse_exports(std::string_view text);
std::string format_exports(const std::vector<TierConfig>& exports);

// A YAML or JSON file as settings in the order they stand, nested names joined with dots;
// "tiers" comes as JSON text. kInvalidArgument with the line.
Result<std::vector<std::pair<std::string, std::string>>> parse_config_file(std::string_view text);

// The one of `known` with the fewest differing letters; nothing when all are far away.
std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& known);

}  // namespace firn
