#include "cli/csv_messages.h"
#include "cli/message_sender.h"
#include "cli/migration.h"
#include "cli/postgres_messages.h"
#include "cli/progress.h"
#include "env/env.h"

namespace firn {

namespace {

struct MigrateTask {
  PlaceOptions place;
  std::string from_postgres, from_csv, to_postgres, to_csv;
  std::string schema = "message_store";
};

int run_migrate(const MigrateTask& task) {
  auto place = Place::open(task.place);
  if (!place.ok()) return report(place.status());
  Migrated migrated;
  Status status;
  if (!task.from_postgres.empty()) {
    status = migrate_from_postgres(task.from_postgres, task.schema, place->get(), &migrated);
  } else if (!task.from_csv.empty()) {
    status = migrate_from_csv(task.from_csv, place->get(), &migrated);
  } else if (!task.to_postgres.empty()) {
    status = migrate_to_postgres(place->get(), task.to_postgres, task.schema, &migrated);
  } else {
    status = migrate_to_csv(place->get(), task.to_csv, &migrated);
  }
  std::fprintf(stderr, "%llu messages migrated, %llu were there\n",
               static_cast<unsigned long long>(migrated.messages),
               static_cast<unsigned long long>(migrated.skipped));
  return report(status, *(*place)->connection());
}

}  // namespace

Status migrate_from_postgres(const std::string& dsn, const std::string& schema, Place* place,
                             Migrated* migrated) {
  FIRN_ASSIGN(const auto source, PostgresMessages::open(dsn, schema));
  FIRN_ASSIGN(const uint64_t total, source->count());
  MessageSender sender(place, ImportMode::kResume);
  Progress progress(schema);
  uint64_t read = 0;
  Status status = source->read([&](std::string_view line) -> Status {
    FIRN_TRY(sender.add(line));
    progress.show(++read, total, sender.imported() + sender.skipped());
    return Status();
  });
  if (status.ok()) status = sender.finish();
  *migrated = {sender.imported(), sender.skipped()};
  return status;
}

Status migrate_from_csv(const std::string& path, Place* place, Migrated* migrated) {
  FIRN_ASSIGN(const auto source, LineSource::open(posix_env(), path));
  MessageSender sender(place, ImportMode::kResume);
  Progress progress(path);
  Status status = read_csv_messages(source.get(), [&](std::string_view line) -> Status {
    FIRN_TRY(sender.add(line));
    progress.show(source->bytes_read(), source->bytes_total(),
                  sender.imported() + sender.skipped());
    return Status();
  });
  if (status.ok()) status = sender.finish();
  *migrated = {sender.imported(), sender.skipped()};
  return status;
}

Status migrate_to_postgres(Place* place, const std::string& dsn, const std::string& schema,
                           Migrated* migrated) {
  FIRN_ASSIGN(const auto target, PostgresMessages::open(dsn, schema));
  Progress progress(schema);
  uint64_t bytes = 0;
  Status status = place->export_lines("", [&](std::string_view line) -> Status {
    FIRN_TRY(target->add(line));
    bytes += line.size();
    progress.show(bytes, 0, target->written() + target->skipped());
    return Status();
  });
  if (status.ok()) status = target->finish();
  *migrated = {target->written(), target->skipped()};
  return status;
}

Status migrate_to_csv(Place* place, const std::string& path, Migrated* migrated) {
  FIRN_ASSIGN(const auto sink, LineSink::open(posix_env(), path, path.ends_with(".gz")));
  CsvMessages messages(sink.get());
  Progress progress(path);
  FIRN_TRY(messages.begin());
  const Status exported = place->export_lines("", [&](std::string_view line) -> Status {
    FIRN_TRY(messages.add(line));
    progress.show(sink->bytes_written(), 0, ++migrated->messages);
    return Status();
  });
  FIRN_TRY(exported);
  return sink->finish();
}

void add_migrate_command(CLI::App* app, Action* chosen) {
  const auto task = std::make_shared<MigrateTask>();
  CLI::App* command = app->add_subcommand("migrate",
                                          "bring messages from Message DB, EventoDB on PostgreSQL "
                                          "or CSV to Firn, or from Firn to them; "
                                          "may be repeated");
  add_place_options(command, &task->place);
  CLI::Option_group* other = command->add_option_group("The other side (exactly one)");
  other->add_option("--from-postgres", task->from_postgres, "connection string of the source");
  other->add_option("--from-csv", task->from_csv, "a file with a heading, packed or not");
  other->add_option("--to-postgres", task->to_postgres, "connection string of the target");
  other->add_option("--to-csv", task->to_csv, "a file to write; packed when it ends in .gz");
  other->require_option(1);
  command->add_option("--schema", task->schema, "the schema with the table messages")
      ->capture_default_str();
  command->callback([task, chosen] { *chosen = [task] { return run_migrate(*task); }; });
}

}  // namespace firn
