#include <unistd.h>

#include "cli/command.h"
#include "cli/connection.h"
#include "cli/json_rows.h"
#include "wire/json_text.h"

namespace firn {

namespace {

struct FilterOptions {
  CommonOptions common;
  // Query parameter and value, as they go into the URL.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::vector<std::string> attributes;
};

// Every filter is an option of the same name as the query parameter, with '-' for '_'.
void add_filter_options(CLI::App* command, const std::shared_ptr<FilterOptions>& options) {
  const auto add = [&](const std::string& flag, const std::string& parameter, const char* help) {
    command->add_option_function<std::vector<std::string>>(
        flag,
        [options, parameter](const std::vector<std::string>& values) {
          for (const std::string& value : values) {
            options->parameters.emplace_back(parameter, value);
          }
        },
        help);
  };
  add("--from", "from", "events at or after this time (2026-11-21T06:00:00Z, -1h)");
  add("--to", "to", "events before this time");
  add("--type", "type", "events of this type; repeat for any of several");
  add("--source", "source", "events of this source");
  add("--kind", "kind", "event, message, log, span or causal");
  add("--severity-min", "severity_min", "events at least this severe (1 to 24, 17 is error)");
  add("--stream", "stream", "events of this stream");
  add("--subject", "subject", "events of this subject");
  add("--correlation-id", "correlation_id", "events of this correlation");
  add("--trace-id", "trace_id", "events of this trace");
  add("--contains", "contains", "events whose data or metadata contain this text");
  command->add_option("--attr", options->attributes, "KEY=VALUE an attribute must have");
}

Result<std::string> filter_query(const FilterOptions& options) {
  std::string query;
  const auto add = [&](std::string_view name, std::string_view value) {
    query += query.empty() ? "?" : "&";
    query += url_encode(name) + "=" + url_encode(value);
  };
  for (const auto& [name, value] : options.parameters) add(name, value);
  for (const std::string& attribute : options.attributes) {
    const size_t equals = attribute.find('=');
    if (equals == std::string::npos) {
      return invalid_argument("--attr is '" + attribute + "'; expected KEY=VALUE");
    }
    add("attr." + attribute.substr(0, equals), attribute.substr(equals + 1));
  }
  return query;
}

int run_query(const FilterOptions& options) {
  const Result<std::string> query = filter_query(options);
  if (!query.ok()) return report(query.status());
  auto connection = Connection::open(options.common.server);
  if (!connection.ok()) return report(connection.status());
  const Result<std::string> page =
      (*connection)->call("GET", namespace_path(options.common.name_space) + "/events" + *query);
  if (!page.ok()) return report(page.status(), **connection);
  const Status printed = print_objects(*page, "events",
                                       {{"position", OutputKind::kNumber},
                                        {"time", OutputKind::kText},
                                        {"severity", OutputKind::kNumber},
                                        {"type", OutputKind::kText},
                                        {"source", OutputKind::kText},
                                        {"stream", OutputKind::kText},
                                        {"data", OutputKind::kJson}},
                                       *parse_output_format(options.common.output));
  if (!printed.ok()) return report(printed);
  const Result<std::string> next = json_member(*page, "next");
  if (next.ok() && !next->empty()) {
    std::fprintf(stderr, "there are more; go on with --cursor %s\n", next->c_str());
  }
  return kExitOk;
}

int run_tail(const FilterOptions& options) {
  const Result<std::string> query = filter_query(options);
  if (!query.ok()) return report(query.status());
  auto connection = Connection::open(options.common.server);
  if (!connection.ok()) return report(connection.status());
  const Status status =
      (*connection)
          ->stream(namespace_path(options.common.name_space) + "/events:tail" + *query,
                   [](std::string_view line) {
                     if (!line.starts_with("data: ")) return true;
                     return print(std::string(line.substr(6)) + "\n");
                   });
  return report(status, **connection);
}

// Forms of an SQL answer that the server writes and the command passes on.
bool is_binary(const std::string& output) { return output == "arrow" || output == "parquet"; }

struct SqlOptions {
  CommonOptions common;
  std::string query;
};

int run_sql_command(const SqlOptions& options) {
  const bool binary = is_binary(options.common.output);
  if (binary && isatty(1) == 1) {
    return report(invalid_argument(
        options.common.output + " is not for a terminal; send it to a file: firn sql ... > FILE"));
  }
  auto connection = Connection::open(options.common.server);
  if (!connection.ok()) return report(connection.status());
  std::string body = "{\"query\":";
  append_json_string(options.query, &body);
  if (binary) {
    body += ",\"format\":";
    append_json_string(options.common.output, &body);
  }
  body += "}";
  const Result<std::string> answer =
      (*connection)
          ->call("POST", namespace_path(options.common.name_space) + "/sql", body,
                 "application/json");
  if (!answer.ok()) return report(answer.status(), **connection);
  if (binary) {
    return report(print(*answer) ? Status() : cancelled("standard output was closed"));
  }
  return report(print_sql_answer(*answer, *parse_output_format(options.common.output)));
}

}  // namespace

void add_query_command(CLI::App* app, Action* chosen) {
  const auto options = std::make_shared<FilterOptions>();
  CLI::App* command = app->add_subcommand("query", "find events by filters");
  add_common_options(command, &options->common, true);
  add_filter_options(command, options);
  for (const auto& [flag, parameter, help] :
       {std::tuple("--order", "order", "position, -position, time or -time"),
        std::tuple("--limit", "limit", "at most so many (100)"),
        std::tuple("--cursor", "cursor", "go on where a page ended")}) {
    command->add_option_function<std::string>(
        flag,
        [options, name = std::string(parameter)](const std::string& value) {
          options->parameters.emplace_back(name, value);
        },
        help);
  }
  command->callback([options, chosen] { *chosen = [options] { return run_query(*options); }; });
}

void add_tail_command(CLI::App* app, Action* chosen) {
  const auto options = std::make_shared<FilterOptions>();
  CLI::App* command = app->add_subcommand("tail", "follow new events, one JSON object per line");
  add_common_options(command, &options->common, false);
  add_filter_options(command, options);
  command->add_option_function<std::string>(
      "--after",
      [options](const std::string& value) { options->parameters.emplace_back("after", value); },
      "begin behind this position instead of now");
  command->callback([options, chosen] { *chosen = [options] { return run_tail(*options); }; });
}

void add_sql_command(CLI::App* app, Action* chosen) {
  const auto options = std::make_shared<SqlOptions>();
  CLI::App* command =
      app->add_subcommand("sql", "run SQL over the tables events, chunks and tiers");
  add_common_options(command, &options->common, false);
  command->add_option("--output,-o,--format", options->common.output, "form of the answer")
      ->check(CLI::IsMember({"table", "json", "csv", "ndjson", "arrow", "parquet"}))
      ->capture_default_str();
  command->add_option("query", options->query, "the statement")->required();
  command->callback(
      [options, chosen] { *chosen = [options] { return run_sql_command(*options); }; });
}

}  // namespace firn
