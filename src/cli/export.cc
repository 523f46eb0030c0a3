#include "cli/json_rows.h"
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

std::string export_path(const Place& place, const ExportTask& task) {
  std::string path = place.messages_path("export");
  char separator = '?';
  for (const auto& [name, value] : {std::pair("categories", &task.categories),
                                    std::pair("since", &task.since),
                                    std::pair("until", &task.until)}) {
    if (value->empty()) continue;
    path += separator + std::string(name) + "=" + url_encode(*value);
    separator = '&';
  }
  return path;
}

// The last line of an export that failed in the middle says why.
Status failure_of(std::string_view line) {
  constexpr std::string_view kError = "{\"error\":";
  if (!line.starts_with(kError)) return Status();
  const Result<std::string> error = json_member(line, "error");
  const Result<std::string> message = error.ok() ? json_member(*error, "message") : error;
  return io_error("the export ended early: " + (message.ok() ? *message : std::string(line)));
}

Status export_messages(Place* place, const ExportTask& task, uint64_t* messages) {
  FIRN_ASSIGN(const auto sink, LineSink::open(posix_env(), task.output, task.packed));
  Progress progress(task.output == "-" ? "export" : task.output);
  Status status;
  FIRN_TRY(place->connection()->stream(export_path(*place, task), [&](std::string_view line) {
    if (line.empty()) return true;  // sent while there was nothing else to send
    status = failure_of(line);
    if (status.ok()) status = sink->add(line);
    if (!status.ok()) return false;
    ++*messages;
    progress.show(sink->bytes_written(), 0, *messages);
    return true;
  }));
  FIRN_TRY(status);
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
