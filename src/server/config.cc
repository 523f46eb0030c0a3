#include "server/config.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/size.h"
#include "base/time.h"
#include "server/event_parameters.h"
#include "wal/open_wal.h"
#include "wal/sync_probe.h"

namespace firn {

namespace {

constexpr uint64_t kConfigFileBytes = 1 * kMiB;
// Below it, an append of the largest size would find no room.
constexpr uint64_t kMemoryMin = 256 * kMiB;
// The settings that follow from `memory`.
constexpr const char* kMaxMemory = "max_memory";
constexpr const char* kQueryMemory = "query_memory";
constexpr const char* kRequestMemory = "request_memory";

// A setting: how its text changes a configuration, and how it is shown.
struct Setting {
  std::string name;
  std::string help;
  // Not ok: what the text must be; for a list, what is wrong with it.
  std::function<Status(const std::string& text, ServerConfig*)> set;
  std::function<std::string(const ServerConfig&)> show;
  bool is_list = false;
};

// Sizes and durations must read back as the same value.
std::string exact_size(uint64_t bytes) {
  constexpr std::pair<uint64_t, const char*> kUnits[] = {
      {kGiB, "GiB"}, {kMiB, "MiB"}, {kKiB, "KiB"}};
  for (const auto& [unit, name] : kUnits) {
    if (bytes != 0 && bytes % unit == 0) return std::to_string(bytes / unit) + name;
  }
  return std::to_string(bytes);
}

template <typename Select>
Setting text_setting(const char* name, const char* help, Select select) {
  return {name, help,
          [select](const std::string& text, ServerConfig* config) {
            if (text.empty()) return invalid_argument("a text that is not empty");
            *select(config) = text;
            return Status();
          },
          [select](const ServerConfig& config) { return *select(&config); }};
}

template <typename Select>
Setting size_setting(const char* name, const char* help, uint64_t least, Select select) {
  return {name, help,
          [select, least](const std::string& text, ServerConfig* config) {
            const auto size = parse_size(text);
            if (!size.has_value() || *size < least) {
              return invalid_argument("a size such as 64MiB, at least " + exact_size(least));
            }
            *select(config) = *size;
            return Status();
          },
          [select](const ServerConfig& config) { return exact_size(*select(&config)); }};
}

template <typename Select>
Setting duration_setting(const char* name, const char* help, Select select) {
  return {name, help,
          [select](const std::string& text, ServerConfig* config) {
            const auto duration = parse_duration(text);
            if (!duration.has_value() || *duration <= 0 || *duration == INT64_MAX) {
              return invalid_argument("a duration such as 30s");
            }
            *select(config) = *duration;
            return Status();
          },
          [select](const ServerConfig& config) { return format_duration(*select(&config)); }};
}

template <typename Select>
Setting number_setting(const char* name, const char* help, uint64_t least, uint64_t most,
                       Select select) {
  return {name, help,
          [select, least, most](const std::string& text, ServerConfig* config) {
            const auto number = parse_unsigned(text);
            if (!number.has_value() || *number < least || *number > most) {
              return invalid_argument("a number from " + std::to_string(least) + " to " +
                                      std::to_string(most));
            }
            using Number = std::remove_pointer_t<decltype(select(config))>;
            *select(config) = static_cast<Number>(*number);
            return Status();
          },
          [select](const ServerConfig& config) { return std::to_string(*select(&config)); }};
}

Setting unsafe_open_setting() {
  return {"unsafe_open",
          "allow addresses that other machines can reach, although nobody has to log in",
          [](const std::string& text, ServerConfig* config) {
            if (text != "true" && text != "false") return invalid_argument("true or false");
            config->unsafe_open = text == "true";
            return Status();
          },
          [](const ServerConfig& config) { return config.unsafe_open ? "true" : "false"; }};
}

// Shown as stars, which stand for "as it is" when they are given back.
Setting secret_setting(const char* name, const char* help, std::string EventodbConfig::*secret) {
  constexpr std::string_view kHidden = "***";
  return {name, help,
          [secret, kHidden](const std::string& text, ServerConfig* config) {
            if (text != kHidden) config->eventodb.*secret = text;
            return Status();
          },
          [secret, kHidden](const ServerConfig& config) {
            return std::string((config.eventodb.*secret).empty() ? "" : kHidden);
          }};
}

Setting optional_address_setting(std::string name, std::string help,
                                 OptionalAddress ServerConfig::*address) {
  return {std::move(name), std::move(help),
          [address](const std::string& text, ServerConfig* config) {
            config->*address = {text, false};
            return Status();
          },
          [address](const ServerConfig& config) { return (config.*address).text; }};
}

Setting tiers_setting() {
  return {"tiers", "the tiers, from fresh to old",
          [](const std::string& text, ServerConfig* config) {
            FIRN_ASSIGN(config->store.tiers, parse_tiers(text));
            return Status();
          },
          [](const ServerConfig& config) { return format_tiers(config.store.tiers); }, true};
}

Setting exports_setting() {
  return {"exports", "where chunks may be exported to: a list of names with url or directory",
          [](const std::string& text, ServerConfig* config) {
            FIRN_ASSIGN(config->store.exports, parse_exports(text));
            return Status();
          },
          [](const ServerConfig& config) { return format_exports(config.store.exports); }, true};
}

Setting wal_sync_setting() {
  return {
      "wal.sync", "how the segment log writes: auto (the faster one), buffered or direct",
      [](const std::string& text, ServerConfig* config) {
        const auto sync = parse_wal_sync(text);
        if (!sync.has_value()) return invalid_argument("auto, buffered or direct");
        config->store.wal_sync = *sync;
        return Status();
      },
      [](const ServerConfig& config) { return std::string(wal_sync_name(config.store.wal_sync)); }};
}

Setting wal_type_setting() {
  return {
      "wal.type", "which log: segment or rocksdb; fixed when the directory is created",
      [](const std::string& text, ServerConfig* config) {
        const auto type = parse_wal_type(text);
        if (!type.has_value()) return invalid_argument("segment or rocksdb");
        config->store.wal_type = *type;
        return Status();
      },
      [](const ServerConfig& config) { return std::string(wal_type_name(config.store.wal_type)); }};
}

std::vector<Setting> store_settings() {
  return {
      size_setting(kMaxMemory, "rows in memory and on their way to the log; above it appends wait",
                   0, [](auto* c) { return &c->store.memory_bytes_max; }),
      number_setting("series_limit",
                     "series a namespace may have in one chunk interval; 0: 5000000, or one for "
                     "each 100 bytes of max_memory",
                     0, UINT64_MAX, [](auto* c) { return &c->store.series_limit; }),
      duration_setting("chunk_interval", "width of a chunk; fixed when the directory is created",
                       [](auto* c) { return &c->store.chunk_interval_ns; }),
      wal_type_setting(),
      wal_sync_setting(),
      size_setting("wal.segment_size", "size of a file of the log", 0,
                   [](auto* c) { return &c->store.wal_segment_bytes; }),
      size_setting("wal.group_size", "most bytes in one write of the log", kKiB,
                   [](auto* c) { return &c->store.wal_group_bytes; }),
      size_setting("disk_reserve", "free space below which appends are refused", 0,
                   [](auto* c) { return &c->store.disk_reserve_bytes; }),
      duration_setting("mover_interval", "how often chunks that are due are looked for",
                       [](auto* c) { return &c->store.mover_interval_ns; }),
      size_setting("drop_oldest_below_free",
                   "free space below which the oldest chunk on the disk is dropped; 0 for never", 0,
                   [](auto* c) { return &c->store.drop_oldest_below_free_bytes; }),
      tiers_setting(),
      exports_setting(),
  };
}

std::vector<Setting> make_settings() {
  std::vector<Setting> settings = {
      text_setting("data_dir", "the directory of the store",
                   [](auto* c) { return &c->store.data_dir; }),
      text_setting("listen", "address of the API", [](auto* c) { return &c->listen; }),
      optional_address_setting("otlp.grpc", "the address for OTLP over gRPC; off for none",
                               &ServerConfig::otlp_grpc),
      optional_address_setting("otlp.http",
                               "a second address for OTLP over HTTP only; off for none",
                               &ServerConfig::otlp_http),
      text_setting("otlp.namespace", "where OTLP data goes that names no namespace",
                   [](auto* c) { return &c->otlp_namespace; }),
      secret_setting("eventodb.token",
                     "the token of namespace default at /rpc; empty for the one it has",
                     &EventodbConfig::token),
      unsafe_open_setting(),
      size_setting("memory", "of the whole process; the other budgets follow from it", kMemoryMin,
                   [](auto* c) { return &c->memory_bytes; }),
      number_setting("io_threads", "threads that read requests and write answers", 1, 64,
                     [](auto* c) { return &c->http.threads; }),
      number_setting("query_threads", "queries at the same time", 1, 256,
                     [](auto* c) { return &c->query_threads; }),
      duration_setting("query_time", "longest time of a query",
                       [](auto* c) { return &c->limits.query_time_ns; }),
      size_setting(kQueryMemory, "SQL statements, pages and their answers, all together", 16 * kMiB,
                   [](auto* c) { return &c->limits.query_memory_bytes; }),
      size_setting(kRequestMemory, "bodies being received, all connections together", kMiB,
                   [](auto* c) { return &c->http.request_memory_bytes; }),
      number_setting("connections", "open connections", 1, 1'000'000,
                     [](auto* c) { return &c->http.connections; }),
      duration_setting("header_time", "time to send the headers of a request",
                       [](auto* c) { return &c->http.header_time_ns; }),
      duration_setting("body_time", "time to send the body of a request",
                       [](auto* c) { return &c->http.body_time_ns; }),
      duration_setting("idle_time", "a connection without a request is closed",
                       [](auto* c) { return &c->http.idle_time_ns; }),
      duration_setting("write_time", "a client that takes nothing for so long is cut off",
                       [](auto* c) { return &c->http.write_time_ns; }),
      duration_setting("heartbeat", "comments in a quiet tail",
                       [](auto* c) { return &c->http.heartbeat_ns; }),
  };
  for (Setting& setting : store_settings()) settings.push_back(std::move(setting));
  return settings;
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = make_settings();
  return all;
}

std::string environment_name(const std::string& setting) {
  std::string name = "FIRN_";
  for (const char c : setting) {
    name.push_back(c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
  }
  return name;
}

std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

Result<const Setting*> find_setting(const std::string& name, const std::string& where) {
  std::vector<std::string> known;
  for (const Setting& setting : settings()) {
    if (setting.name == name) return &setting;
    known.push_back(setting.name);
  }
  const auto nearest = nearest_name(name, known);
  return invalid_argument(where + ": there is no setting '" + name + "'" +
                          (nearest.has_value() ? "; did you mean '" + *nearest + "'?" : ""));
}

// Collects the values of the sources, later ones over earlier ones.
class ConfigBuilder {
 public:
  Status set(const std::string& name, const std::string& value, ConfigOrigin origin,
             const std::string& source, const std::string& where) {
    FIRN_ASSIGN(const Setting* setting, find_setting(name, where));
    const Status applied = setting->set(value, &config_);
    if (!applied.ok()) {
      // A list is long, and may hold a password.
      const std::string value_is = setting->is_list ? ": " : " is '" + value + "'; it must be ";
      return invalid_argument(where + ": " + name + value_is + std::string(applied.message()));
    }
    origins_[name] = {origin, source};
    return Status();
  }

  LoadedConfig finish() {
    LoadedConfig loaded;
    apply_memory([this](std::string_view name) { return origins_.count(std::string(name)) > 0; },
                 &config_);
    for (const Setting& setting : settings()) {
      ConfigEntry entry;
      entry.name = setting.name;
      entry.value = setting.show(config_);
      entry.help = setting.help;
      if (const auto found = origins_.find(setting.name); found != origins_.end()) {
        entry.origin = found->second.first;
        entry.source = found->second.second;
      }
      loaded.entries.push_back(std::move(entry));
    }
    loaded.config = std::move(config_);
    return loaded;
  }

 private:
  ServerConfig config_;
  std::map<std::string, std::pair<ConfigOrigin, std::string>> origins_;
};

Status read_config_file(Env* env, const std::string& path, ConfigBuilder* builder) {
  if (path.ends_with(".toml")) {
    return invalid_argument("the configuration file " + path +
                            " is TOML; Firn reads YAML and JSON");
  }
  Result<std::string> text = read_file(env, path, kConfigFileBytes);
  FIRN_TRY(text.status().with_context("cannot read the configuration file " + path));
  auto values = parse_config_file(*text);
  FIRN_TRY(values.status().with_context(path));
  for (const auto& [name, value] : *values) {
    FIRN_TRY(builder->set(name, value, ConfigOrigin::kFile, path, path));
  }
  return Status();
}

Status check_address(const std::string& name, const std::string& text, bool unsafe_open) {
  const Result<ListenAddress> address = parse_listen_address(text);
  FIRN_TRY(address.status().with_context(name));
  if (address->is_loopback || unsafe_open) return Status();
  return invalid_argument(
      name + " is " + text +
      ", which other machines can reach, and nobody has to log in: everyone who reaches it could "
      "read and delete everything. Listen on 127.0.0.1 behind a proxy that checks who asks, or say "
      "--unsafe-open");
}

}  // namespace

ServerConfig::ServerConfig() : store(default_store_options("firn-data")) {
  apply_memory([](std::string_view) { return false; }, this);
}

void apply_memory(const std::function<bool(std::string_view)>& is_set, ServerConfig* config) {
  const uint64_t memory = config->memory_bytes;
  if (!is_set(kMaxMemory)) config->store.memory_bytes_max = memory / 4;
  if (!is_set(kQueryMemory)) config->limits.query_memory_bytes = memory / 16 * 3;
  if (!is_set(kRequestMemory)) config->http.request_memory_bytes = memory / 8;
}

std::string_view config_origin_name(ConfigOrigin origin) {
  switch (origin) {
    case ConfigOrigin::kDefault:
      return "default";
    case ConfigOrigin::kFile:
      return "file";
    case ConfigOrigin::kEnvironment:
      return "environment";
    case ConfigOrigin::kFlag:
      break;
  }
  return "flag";
}

std::vector<SettingInfo> config_settings() {
  std::vector<SettingInfo> infos;
  for (const Setting& setting : settings()) {
    std::string flag = "--" + setting.name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    infos.push_back({setting.name, flag, environment_name(setting.name), setting.help});
  }
  return infos;
}

Result<LoadedConfig> load_config(Env* env, const ConfigSources& sources) {
  ConfigBuilder builder;
  std::string file = sources.file;
  if (file.empty()) file = env->environment_variable("FIRN_CONFIG").value_or("");
  if (!file.empty()) FIRN_TRY(read_config_file(env, file, &builder));
  for (const Setting& setting : settings()) {
    const std::string variable = environment_name(setting.name);
    const auto value = env->environment_variable(variable);
    if (!value.has_value()) continue;
    FIRN_TRY(builder.set(setting.name, *value, ConfigOrigin::kEnvironment, variable,
                         "environment variable " + variable));
  }
  for (const auto& [name, value] : sources.flags) {
    FIRN_TRY(builder.set(with_underscores(name), value, ConfigOrigin::kFlag, "", "--" + name));
  }
  LoadedConfig loaded = builder.finish();
  FIRN_TRY(validate_config(loaded.config));
  return loaded;
}

Status validate_config(const ServerConfig& config) {
  FIRN_TRY(check_address("listen", config.listen, config.unsafe_open));
  if (!config.otlp_grpc.is_off()) {
    FIRN_TRY(check_address("otlp.grpc", config.otlp_grpc.text, config.unsafe_open));
  }
  if (!config.otlp_http.is_off()) {
    FIRN_TRY(check_address("otlp.http", config.otlp_http.text, config.unsafe_open));
  }
  return validate_options(config.store);
}

std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& known) {
  std::optional<std::string> nearest;
  size_t nearest_distance = name.size() / 2 + 1;  // farther is no likeness
  for (const std::string& candidate : known) {
    // Edit distance, one row of the table at a time.
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= name.size(); ++i) {
      size_t diagonal = std::exchange(row[0], i);
      for (size_t j = 1; j < row.size(); ++j) {
        const size_t changed = diagonal + (name[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() >= nearest_distance) continue;
    nearest_distance = row.back();
    nearest = candidate;
  }
  return nearest;
}

std::string describe_wal_sync(Env* env, const ServerConfig& config) {
  const std::string directory = join_path(config.store.data_dir, "wal");
  const bool is_auto =
      config.store.wal_sync == WalSync::kAuto && config.store.wal_type == WalType::kSegment;
  if (!is_auto) return "";
  const Result<bool> exists = env->exists(directory);
  if (!exists.ok() || !*exists) return "";
  const Result<SyncProbe> probe = probe_sync(env, directory);
  return probe.ok() ? probe->to_string() : "";
}

}  // namespace firn
