#pragma once

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/connection.h"
#include "wire/output.h"

namespace firn {

// Exit codes of the program, also in docs/operating.md.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,       // the command did not do what was asked; the message says why
  kExitUsage = 2,        // the command line or the configuration is wrong
  kExitUnreachable = 3,  // no server answers at the address
  kExitFenced = 4,       // the server stopped after a write or sync of its log had failed
  kExitDamaged = 5,      // verify found damage
};

// Options that several commands share.
struct CommonOptions {
  std::string server = "127.0.0.1:7311";
  std::string name_space = "default";
  std::string output = "table";
};

// Adds --server and --namespace, and --output when the command prints rows.
void add_common_options(CLI::App* command, CommonOptions* options, bool prints_rows);

// Where the API has what belongs to a namespace: "/api/v1/namespaces/default".
std::string namespace_path(const std::string& name);

// What a subcommand runs when it was chosen; returns the exit code.
using Action = std::function<int()>;

// One per subcommand: declares it and stores its action in `*chosen` when it was given.
void add_serve_command(CLI::App* app, Action* chosen);
void add_import_command(CLI::App* app, Action* chosen);
void add_export_command(CLI::App* app, Action* chosen);
void add_migrate_command(CLI::App* app, Action* chosen);
void add_query_command(CLI::App* app, Action* chosen);
void add_sql_command(CLI::App* app, Action* chosen);
void add_tail_command(CLI::App* app, Action* chosen);
void add_chunks_command(CLI::App* app, Action* chosen);
void add_confirm_clock_command(CLI::App* app, Action* chosen);
void add_backup_command(CLI::App* app, Action* chosen);
void add_restore_command(CLI::App* app, Action* chosen);
void add_tiers_command(CLI::App* app, Action* chosen);
void add_namespace_command(CLI::App* app, Action* chosen);
void add_verify_command(CLI::App* app, Action* chosen);
void add_config_command(CLI::App* app, Action* chosen);
void add_bench_command(CLI::App* app, Action* chosen);
void add_collect_command(CLI::App* app, Action* chosen);

// Serves in EventoDB's place when the arguments begin with one of its flags, and gives the exit
// code; nothing for any other command line.
std::optional<int> run_as_eventodb(const std::vector<std::string>& arguments);

// The arguments as CLI11 takes them from a program: last first. EventoDB's export and import have
// long flags with one dash, too.
std::vector<std::string> reversed_arguments(std::vector<std::string> arguments);

// Prints "firn: <message>" to standard error unless the status is ok, and gives the exit code.
int report(const Status& status);
// The same for the outcome of talking to a server: kExitUnreachable when it never answered.
int report(const Status& status, const Connection& connection);

// Writes to standard output; false when nobody reads it any more.
bool print(std::string_view text);

}  // namespace firn
