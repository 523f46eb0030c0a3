// The `firn` binary: one subcommand per file of this room.

#include <csignal>

#include "cli/command.h"
#include "cli/version.h"
#include "env/posix_memory.h"

int main(int argc, char** argv) {
  firn::bound_allocator();
  CLI::App app(
      "Firn keeps everything that happens in time: durable before acknowledged, from memory to "
      "SQLite to Parquet, one query over all of it.",
      "firn");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "help of all commands");
  if (const auto code = firn::run_as_eventodb({argv + 1, argv + argc}); code.has_value()) {
    return *code;
  }
  firn::Action chosen;
  firn::add_serve_command(&app, &chosen);
  firn::add_import_command(&app, &chosen);
  firn::add_export_command(&app, &chosen);
  firn::add_migrate_command(&app, &chosen);
  firn::add_query_command(&app, &chosen);
  firn::add_sql_command(&app, &chosen);
  firn::add_tail_command(&app, &chosen);
  firn::add_chunks_command(&app, &chosen);
  firn::add_backup_command(&app, &chosen);
  firn::add_restore_command(&app, &chosen);
  firn::add_confirm_clock_command(&app, &chosen);
  firn::add_tiers_command(&app, &chosen);
  firn::add_namespace_command(&app, &chosen);
  firn::add_verify_command(&app, &chosen);
  firn::add_config_command(&app, &chosen);
  firn::add_bench_command(&app, &chosen);
  firn::add_collect_command(&app, &chosen);
  app.add_subcommand("version", "print the version")->callback([&chosen] {
    chosen = [] {
      firn::print(firn::version_text() + "\n");
      return static_cast<int>(firn::kExitOk);
    };
  });
  try {
    app.parse(firn::reversed_arguments({argv + 1, argv + argc}));
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? firn::kExitOk : firn::kExitUsage;
  }
  // A reader that went away (`| head`) ends the command through the failed write.
  std::signal(SIGPIPE, SIG_IGN);
  return chosen();
}
