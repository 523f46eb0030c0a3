#include <optional>

#include "cli/command.h"
#include "cli/connection.h"
#include "cli/json_rows.h"
#include "wire/json_text.h"

namespace firn {

namespace {

// A command is answered when all of its work is done, with nothing on the way until then.
constexpr DurationNs kCommandSilence = 7 * kDayNs;

// One request, its answer printed as rows.
int call_and_print(const CommonOptions& common, const std::string& method, const std::string& path,
                   const std::string& body, const char* member,
                   const std::vector<OutputColumn>& columns) {
  HttpClientOptions client;
  if (method != "GET") client.silence_ns = kCommandSilence;
  auto connection = Connection::open(common.server, client);
  if (!connection.ok()) return report(connection.status());
  const Result<std::string> answer =
      (*connection)->call(method, path, body, body.empty() ? "" : "application/json");
  if (!answer.ok()) return report(answer.status(), **connection);
  return report(print_objects(*answer, member, columns, *parse_output_format(common.output)));
}

struct ChunkOptions {
  CommonOptions common;
  std::vector<std::string> names;
  std::string older_than;
  std::string tier;
  std::string to;
  std::string duration;  // "for"
  bool all = false;
  bool dry_run = false;
};

int list_chunks(const CommonOptions& common) {
  return call_and_print(common, "GET", namespace_path(common.name_space) + "/chunks", "", "chunks",
                        {{"name", OutputKind::kText},
                         {"tier", OutputKind::kText},
                         {"state", OutputKind::kText},
                         {"rows", OutputKind::kNumber},
                         {"bytes", OutputKind::kNumber},
                         {"ratio", OutputKind::kNumber},
                         {"time_min", OutputKind::kText},
                         {"time_max", OutputKind::kText}});
}

std::string command_body(const ChunkOptions& options) {
  std::string body;
  JsonObjectWriter object(&body);
  if (!options.names.empty()) {
    object.member("names");
    for (size_t i = 0; i < options.names.size(); ++i) {
      body += i == 0 ? "[" : ",";
      append_json_string(options.names[i], &body);
    }
    body += "]";
  }
  for (const auto& [name, text] :
       {std::pair("older_than", &options.older_than), std::pair("tier", &options.tier),
        std::pair("to", &options.to), std::pair("for", &options.duration)}) {
    if (!text->empty()) object.text(name, *text);
  }
  if (options.all) object.boolean("all", true);
  if (options.dry_run) object.boolean("dry_run", true);
  object.close();
  return body;
}

int change_chunks(const ChunkOptions& options, const std::string& action) {
  const std::string body = command_body(options);
  return call_and_print(options.common, "POST",
                        namespace_path(options.common.name_space) + "/chunks:" + action, body,
                        "chunks",
                        {{"chunk", OutputKind::kText},
                         {"from", OutputKind::kText},
                         {"to", OutputKind::kText},
                         {"into", OutputKind::kText},
                         {"rows", OutputKind::kNumber},
                         {"error", OutputKind::kText}});
}

int list_namespaces(const CommonOptions& common) {
  return call_and_print(common, "GET", "/api/v1/namespaces", "", "namespaces",
                        {{"name", OutputKind::kText},
                         {"last_position", OutputKind::kNumber},
                         {"retention", OutputKind::kText},
                         {"series_limit", OutputKind::kNumber}});
}

struct NamespaceOptions {
  CommonOptions common;
  std::string name;
  std::string retention;
  std::optional<uint64_t> series_limit;
};

int change_namespace(const NamespaceOptions& options, const std::string& method) {
  auto connection = Connection::open(options.common.server);
  if (!connection.ok()) return report(connection.status());
  std::string body;
  if (method == "PUT") {
    JsonObjectWriter object(&body);
    if (!options.retention.empty()) object.text("retention", options.retention);
    if (options.series_limit == 0) {
      object.raw("series_limit", "null");
    } else if (options.series_limit) {
      object.unsigned_integer("series_limit", *options.series_limit);
    }
    object.close();
  }
  const Result<std::string> answer = (*connection)
                                         ->call(method, namespace_path(options.name), body,
                                                body.empty() ? "" : "application/json");
  return report(answer.status(), **connection);
}

int back_up(const CommonOptions& common, const std::string& destination) {
  std::string body;
  JsonObjectWriter object(&body);
  object.text("to", destination);
  object.close();
  HttpClientOptions client;
  client.silence_ns = kCommandSilence;
  auto connection = Connection::open(common.server, client);
  if (!connection.ok()) return report(connection.status());
  const Result<std::string> answer =
      (*connection)->call("POST", "/api/v1/backup", body, "application/json");
  if (!answer.ok()) return report(answer.status(), **connection);
  return report(print_objects("{\"backups\":[" + *answer + "]}", "backups",
                              {{"chunks", OutputKind::kNumber},
                               {"rows", OutputKind::kNumber},
                               {"copied_chunks", OutputKind::kNumber},
                               {"copied_rows", OutputKind::kNumber}},
                              *parse_output_format(common.output)));
}

int confirm_clock(const CommonOptions& common) {
  auto connection = Connection::open(common.server);
  if (!connection.ok()) return report(connection.status());
  const Result<std::string> answer = (*connection)->call("POST", "/api/v1/clock:confirm", "", "");
  return report(answer.status(), **connection);
}

}  // namespace

void add_chunks_command(CLI::App* app, Action* chosen) {
  const auto list = std::make_shared<CommonOptions>();
  CLI::App* command = app->add_subcommand(
      "chunks", "list chunks, or flush, compress, move, rehydrate, export or drop them");
  command->require_subcommand(0, 1);
  add_common_options(command, list.get(), true);
  command->callback([command, list, chosen] {
    if (command->get_subcommands().empty()) *chosen = [list] { return list_chunks(*list); };
  });
  for (const auto& [name, help] :
       {std::pair("flush", "bring chunks from memory to the next tier"),
        std::pair("compress", "write chunks into the smallest form of their tier"),
        std::pair("move", "bring chunks from their tier to the next one"),
        std::pair("rehydrate", "bring chunks up to a tier above"),
        std::pair("export", "copy chunks as Parquet to a destination of the configuration"),
        std::pair("drop", "remove chunks for good")}) {
    const auto options = std::make_shared<ChunkOptions>();
    CLI::App* change = command->add_subcommand(name, help);
    add_common_options(change, &options->common, true);
    change->add_option("names", options->names, "only these chunks (default: all that can)");
    change->add_option("--older-than", options->older_than, "only chunks that ended so long ago");
    change->add_option("--tier", options->tier, "only chunks in this tier");
    change->add_flag("--dry-run", options->dry_run, "only say what would be done");
    if (std::string_view(name) == "rehydrate") {
      change->add_option("--to", options->to, "the tier (default: the next one above)");
      change->add_option("--for", options->duration,
                         "until they go down again (default: until they are moved)");
    }
    if (std::string_view(name) == "export") {
      change->add_option("--to", options->to, "the destination")->required();
    }
    if (std::string_view(name) == "drop") {
      change->add_flag("--all", options->all, "really every chunk of the namespace");
    }
    change->callback([options, chosen, action = std::string(name)] {
      *chosen = [options, action] { return change_chunks(*options, action); };
    });
  }
}

void add_tiers_command(CLI::App* app, Action* chosen) {
  const auto common = std::make_shared<CommonOptions>();
  CLI::App* command = app->add_subcommand("tiers", "list tiers with what they hold");
  add_common_options(command, common.get(), true);
  command->callback([common, chosen] {
    *chosen = [common] {
      return call_and_print(*common, "GET", "/api/v1/tiers", "", "tiers",
                            {{"name", OutputKind::kText},
                             {"backend", OutputKind::kText},
                             {"keep", OutputKind::kText},
                             {"chunks", OutputKind::kNumber},
                             {"rows", OutputKind::kNumber},
                             {"bytes", OutputKind::kNumber}});
    };
  });
}

void add_backup_command(CLI::App* app, Action* chosen) {
  const auto common = std::make_shared<CommonOptions>();
  const auto destination = std::make_shared<std::string>();
  CLI::App* command = app->add_subcommand(
      "backup", "copy everything acknowledged so far to a destination of the configuration");
  add_common_options(command, common.get(), true);
  command->add_option("--to", *destination, "a name under 'exports' of the server's configuration")
      ->required();
  command->callback([=] { *chosen = [=] { return back_up(*common, *destination); }; });
}

void add_confirm_clock_command(CLI::App* app, Action* chosen) {
  const auto common = std::make_shared<CommonOptions>();
  CLI::App* command =
      app->add_subcommand("confirm-clock", "say that the wall clock is right after it jumped");
  add_common_options(command, common.get(), false);
  command->callback([common, chosen] { *chosen = [common] { return confirm_clock(*common); }; });
}

void add_namespace_command(CLI::App* app, Action* chosen) {
  const auto options = std::make_shared<NamespaceOptions>();
  CLI::App* command = app->add_subcommand("namespace", "list, create or delete namespaces");
  command->require_subcommand(1);
  CLI::App* list = command->add_subcommand("list", "all namespaces");
  add_common_options(list, &options->common, true);
  list->callback([=] { *chosen = [=] { return list_namespaces(options->common); }; });
  for (const auto& [verb, method, help] :
       {std::tuple("put", "PUT", "create a namespace, or change its retention or limit"),
        std::tuple("delete", "DELETE", "delete a namespace with everything in it")}) {
    CLI::App* change = command->add_subcommand(verb, help);
    add_common_options(change, &options->common, false);
    change->add_option("name", options->name, "name of the namespace")->required();
    if (std::string_view(verb) == "put") {
      change->add_option("--retention", options->retention, "how long events stay (30d, forever)");
      change->add_option("--series-limit", options->series_limit,
                         "how many series of metrics it may define in a day; 0: as configured");
    }
    change->callback([=, method_name = std::string(method)] {
      *chosen = [=] { return change_namespace(*options, method_name); };
    });
  }
}

}  // namespace firn
