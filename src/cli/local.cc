// The commands that work on a data directory or the configuration, without a server: serve, verify,
// restore, config.

#include <algorithm>
#include <charconv>
#include <map>

#include "base/limits.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/version.h"
#include "env/env.h"
#include "server/config.h"
#include "server/server.h"
#include "store/restore.h"

namespace firn {

namespace {

struct LocalOptions {
  ConfigSources sources;
  std::string output = "table";
  // restore
  std::string from;
  bool rebuilds = false;
  std::vector<std::string> names;  // "3=shop"
};

// Every setting is a flag of the same name.
void add_setting_options(CLI::App* command, const std::shared_ptr<LocalOptions>& options) {
  command->add_option("--config,-c", options->sources.file, "configuration file (YAML or JSON)");
  for (const SettingInfo& setting : config_settings()) {
    if (setting.name == "unsafe_open") {
      command
          ->add_flag_callback(
              setting.flag,
              [options] { options->sources.flags.emplace_back("unsafe_open", "true"); },
              setting.help)
          ->group("Settings");
      continue;
    }
    // --wal.segment-size can be written --wal-segment-size too.
    std::string flags = setting.flag;
    std::string dashed = setting.flag;
    std::replace(dashed.begin(), dashed.end(), '.', '-');
    if (dashed != flags) flags += "," + dashed;
    command
        ->add_option_function<std::string>(
            flags,
            [options, name = setting.name](const std::string& value) {
              options->sources.flags.emplace_back(name, value);
            },
            setting.help)
        ->group("Settings");
  }
}

int usage_error(const Status& status) {
  (void)report(status);
  return kExitUsage;
}

int run_serve(const LocalOptions& options) {
  const Result<LoadedConfig> loaded = load_config(posix_env(), options.sources);
  if (!loaded.ok()) return usage_error(loaded.status());
  const ServerConfig& config = loaded->config;
  Result<std::unique_ptr<Server>> server = Server::start(posix_env(), config);
  if (!server.ok()) return report(server.status());
  (*server)->stop_on_signals();
  std::string text = version_text() + ", data in " + config.store.data_dir + "\n";
  for (const std::string& address : (*server)->addresses()) {
    text += "listening on http://" + address + "\n";
  }
  if (const auto grpc = (*server)->grpc_address(); grpc.has_value()) {
    text += "listening for OTLP over gRPC on " + *grpc + "\n";
  }
  print(text);
  const Status ended = (*server)->wait();
  (*server)->stop();
  (void)report(ended);
  return (*server)->exit_code();
}

int exit_code_of(const Status& failure) {
  (void)report(failure);
  return failure.code() == StatusCode::kCorruption ? kExitDamaged : kExitFailed;
}

// "3=shop": a name for the namespace with this id.
Result<std::map<NamespaceId, std::string>> parse_names(const std::vector<std::string>& items) {
  std::map<NamespaceId, std::string> names;
  for (const std::string& item : items) {
    NamespaceId id = 0;
    const char* const end = item.data() + item.size();
    const auto [at, error] = std::from_chars(item.data(), end, id);
    if (error != std::errc() || at + 1 >= end || *at != '=' || id == 0) {
      return invalid_argument("--namespace is '" + item + "'; it must be an id and a name: 3=shop");
    }
    names[id] = std::string(at + 1, end);
  }
  return names;
}

int run_restore(const LocalOptions& options) {
  const Result<LoadedConfig> loaded = load_config(posix_env(), options.sources);
  if (!loaded.ok()) return usage_error(loaded.status());
  const auto names = parse_names(options.names);
  if (!names.ok()) return usage_error(names.status());
  Progress progress(options.rebuilds ? "chunk" : "row");
  const auto show = [&](uint64_t done, uint64_t total) { progress.show_count(done, total); };
  const StoreOptions& store = loaded->config.store;
  const Result<BackupReport> restored =
      options.rebuilds ? rebuild_manifest(posix_env(), store, *names, show)
                       : restore_backup(posix_env(), store, options.from, show);
  if (!restored.ok()) return exit_code_of(restored.status());
  std::fprintf(stderr, "%s has %llu chunks with %llu rows now; start it with firn serve\n",
               store.data_dir.c_str(), static_cast<unsigned long long>(restored->chunks),
               static_cast<unsigned long long>(restored->rows));
  return kExitOk;
}

int run_verify(const LocalOptions& options) {
  const Result<LoadedConfig> loaded = load_config(posix_env(), options.sources);
  if (!loaded.ok()) return usage_error(loaded.status());
  StoreOptions store_options = loaded->config.store;
  store_options.read_only = true;
  const Result<std::unique_ptr<Store>> store = Store::open(posix_env(), store_options);
  if (!store.ok()) return exit_code_of(store.status());
  VerifyReport found;
  {
    Progress progress("chunk");
    found =
        (*store)->verify([&](uint64_t done, uint64_t total) { progress.show_count(done, total); });
  }
  TableWriter writer(*parse_output_format(options.output),
                     {{"file", OutputKind::kText}, {"damage", OutputKind::kText}});
  for (const VerifyFinding& finding : found.findings) {
    writer.add_row({finding.file, std::string(finding.status.message())});
  }
  writer.finish();
  if (!found.findings.empty() || options.output != "table") print(writer.take());
  std::fprintf(
      stderr, "read %llu chunks with %llu rows and the log: %s\n",
      static_cast<unsigned long long>(found.chunks), static_cast<unsigned long long>(found.rows),
      found.findings.empty() ? "everything is sound"
                             : (std::to_string(found.findings.size()) + " damaged").c_str());
  return found.findings.empty() ? kExitOk : kExitDamaged;
}

int run_config(const LocalOptions& options) {
  const Result<LoadedConfig> loaded = load_config(posix_env(), options.sources);
  if (!loaded.ok()) return usage_error(loaded.status());
  TableWriter writer(*parse_output_format(options.output), {{"name", OutputKind::kText},
                                                            {"value", OutputKind::kText},
                                                            {"origin", OutputKind::kText},
                                                            {"source", OutputKind::kText}});
  for (const ConfigEntry& entry : loaded->entries) {
    std::string source = entry.source;
    if (entry.name == "wal.sync") {
      const std::string probed = describe_wal_sync(posix_env(), loaded->config);
      if (!probed.empty()) source += (source.empty() ? "" : "; ") + probed;
    }
    writer.add_row({entry.name, entry.value, std::string(config_origin_name(entry.origin)),
                    source.empty() ? std::nullopt : std::optional(source)});
  }
  writer.finish();
  return print(writer.take()) ? kExitOk : kExitFailed;
}

void add_output_option(CLI::App* command, const std::shared_ptr<LocalOptions>& options) {
  command->add_option("--output,-o", options->output, "form of the answer")
      ->check(CLI::IsMember({"table", "json", "csv", "ndjson"}))
      ->capture_default_str();
}

}  // namespace

void add_serve_command(CLI::App* app, Action* chosen) {
  const auto options = std::make_shared<LocalOptions>();
  CLI::App* command = app->add_subcommand("serve", "start the server");
  add_setting_options(command, options);
  command->callback([options, chosen] { *chosen = [options] { return run_serve(*options); }; });
}

void add_verify_command(CLI::App* app, Action* chosen) {
  const auto options = std::make_shared<LocalOptions>();
  CLI::App* command = app->add_subcommand(
      "verify", "read everything in a data directory and report damage; no server may use it");
  add_setting_options(command, options);
  add_output_option(command, options);
  command->callback([options, chosen] { *chosen = [options] { return run_verify(*options); }; });
}

void add_restore_command(CLI::App* app, Action* chosen) {
  const auto options = std::make_shared<LocalOptions>();
  CLI::App* command = app->add_subcommand(
      "restore", "make a data directory of a backup, with every chunk in the last tier");
  add_setting_options(command, options);
  CLI::Option_group* how = command->add_option_group("what of");
  how->add_option("--from", options->from, "a backup: a name under 'exports' of the configuration");
  how->add_flag("--rebuild", options->rebuilds,
                "what the tiers of the configuration hold, when the manifest is lost");
  how->require_option(1);
  command->add_option("--namespace", options->names,
                      "with --rebuild, a namespace's id and the name it shall have: 3=shop");
  command->callback([options, chosen] { *chosen = [options] { return run_restore(*options); }; });
}

void add_config_command(CLI::App* app, Action* chosen) {
  const auto options = std::make_shared<LocalOptions>();
  CLI::App* command =
      app->add_subcommand("config", "print the effective settings and where each comes from");
  add_setting_options(command, options);
  add_output_option(command, options);
  command->callback([options, chosen] { *chosen = [options] { return run_config(*options); }; });
}

}  // namespace firn
