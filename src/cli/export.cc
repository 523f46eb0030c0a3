#include "cli/line_sink.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "env/env.h"

namespace firn {

namespace {

struct ExportTask {
  PlaceOptions place;
  std::string categories, since, until;
  bool packed = false;
  std::string output = "-";
};

std::string export_query(const ExportTask& task) {
  std::string query;
  for (const auto& [name, value] :
       {std::pair("categories", &task.categories), std::pair("since", &task.since),
        std::pair("until", &task.until)}) {
    if (value->empty()) continue;
    query += (query.empty() ? "?" : "&") + std::string(name) + "=" + url_encode(*value);
  }
  return query;
}

Status export_messages(Place* place, const ExportTask& task, uint64_t* messages) {
  FIRN_ASSIGN(const auto sink, LineSink::open(posix_env(), task.output, task.packed));
  Progress progress(task.output == "-" ? "export" : task.output);
  const Status exported =
      place->export_lines(export_query(task), [&](std::string_view line) -> Status {
        FIRN_TRY(sink->add(line));
        progress.show(sink->bytes_written(), 0, ++*messages);
        return Status();
      });
  FIRN_TRY(exported);
  return sink->finish();
}

int run_export(const ExportTask& task) {
  auto place = Place::open(task.place);
  if (!place.ok()) return report(place.status());
  uint64_t messages = 0;
  const Status status = export_messages(place->get(), task, &messages);
  if (status.ok()) {
    std::fprintf(stderr, "%llu messages exported\n", static_cast<unsigned long long>(messages));
  }
  return report(status, *(*place)->connection());
}

}  // namespace

void add_export_command(CLI::App* app, Action* chosen) {
  const auto task = std::make_shared<ExportTask>();
  CLI::App* command =
      app->add_subcommand("export", "write the messages of a namespace as EventoDB's lines");
  add_place_options(command, &task->place);
  command->add_option("--categories", task->categories, "only these, with commas between");
  command->add_option("--since", task->since, "only messages at or after this time or day");
  command->add_option("--until", task->until, "only messages before it");
  command->add_flag("--gzip", task->packed, "pack what is written");
  command->add_option("--output,-o", task->output, "a file, or - for standard output")
      ->capture_default_str();
  command->callback([task, chosen] { *chosen = [task] { return run_export(*task); }; });
}

}  // namespace firn
