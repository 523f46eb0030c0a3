#include <algorithm>

#include "base/size.h"
#include "cli/command.h"
#include "cli/connection.h"
#include "cli/line_source.h"
#include "cli/message_sender.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "cli/retry.h"
#include "env/env.h"
#include "server/eventodb_token.h"
#include "wire/import_lines.h"
#include "wire/json_events.h"

namespace firn {

namespace {

constexpr DurationNs kGiveUpNs = 2 * kMinuteNs;
constexpr DurationNs kRetryNs = 500 * kMillisecondNs;

constexpr const char* kEventodbFormat = "eventodb";

struct ImportTask {
  PlaceOptions place;
  std::string format = "lines";
  std::string source;
  bool force = false, resume = false, yes = false, packed = false;  // of EventoDB's lines
  std::vector<std::string> files;
};

// Sends batches, again and again while the server asks for it: the events carry ids, so a batch
// whose answer was lost is not stored twice.
class Sender {
 public:
  Sender(Env* env, const PlaceOptions& options)
      : env_(env),
        options_(options),
        path_(namespace_path(options.common.name_space) + "/events") {}

  Status send(const RecordBatch& batch) {
    std::string body;
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      append_event_json(batch, row, &body);
      body.push_back('\n');
    }
    if (place_ == nullptr) {
      FIRN_ASSIGN(place_, Place::open(options_));
    }
    const TimeNs begin = env_->monotonic();
    while (true) {
      Status status =
          place_->connection()->call("POST", path_, body, "application/x-ndjson").status();
      // Waiting for a server that was never there helps nobody.
      const bool give_up = !reached() || env_->monotonic() - begin > kGiveUpNs;
      if (!may_work_later(status) || give_up) return status;
      pause_for(kRetryNs);
    }
  }
  bool reached() const { return place_ != nullptr && place_->connection()->reached(); }

 private:
  Env* env_;
  const PlaceOptions options_;
  std::string path_;
  std::unique_ptr<Place> place_;  // opened with the first batch
};

std::string base_name(const std::string& path) {
  return path == "-" ? "stdin" : path.substr(path.rfind('/') + 1);
}

Status import_file(const ImportTask& task, const std::string& path, Sender* sender,
                   ImportCounts* counts) {
  Env* env = posix_env();
  FIRN_ASSIGN(const auto source, LineSource::open(env, path));
  ImportOptions options;
  options.now = env->now();
  options.source = task.source.empty() ? base_name(path) : task.source;
  options.make_id = [env] {
    return make_uuid7(static_cast<uint64_t>(env->now() / kMillisecondNs), env->random_u64(),
                      env->random_u64());
  };
  LineImporter importer(*parse_import_format(task.format), options);
  Progress progress(base_name(path));
  const auto flush = [&]() -> Status {
    const DecodedEvents events = importer.take_batch();
    if (events.batch != nullptr) FIRN_TRY(sender->send(*events.batch));
    progress.show(source->bytes_read(), source->bytes_total(), importer.counts().lines);
    return Status();
  };
  Status status = source->for_each_line([&](std::string_view line) -> Status {
    importer.add_line(line);
    return importer.batch_ready() ? flush() : Status();
  });
  // What was read before a damaged place is kept.
  const Status last = flush();
  *counts = importer.counts();
  return status.ok() ? last : status;
}

int run_import(const ImportTask& task) {
  Sender sender(posix_env(), task.place);
  ImportCounts total;
  int exit_code = kExitOk;
  for (const std::string& path : task.files) {
    ImportCounts counts;
    const Status status = import_file(task, path, &sender, &counts);
    if (!status.ok() && !sender.reached()) {
      const int code = report(status);
      return status.code() == StatusCode::kUnavailable ? kExitUnreachable : code;
    }
    std::fprintf(stderr, "%s: %llu events, %llu of them kept as plain text\n", path.c_str(),
                 static_cast<unsigned long long>(counts.lines),
                 static_cast<unsigned long long>(counts.unparsed));
    total.lines += counts.lines;
    total.unparsed += counts.unparsed;
    if (!status.ok()) exit_code = report(status.with_context(path));
  }
  if (task.files.size() > 1) {
    std::fprintf(stderr, "total: %llu events, %llu of them kept as plain text\n",
                 static_cast<unsigned long long>(total.lines),
                 static_cast<unsigned long long>(total.unparsed));
  }
  return exit_code;
}

Status import_messages(const std::string& path, MessageSender* sender) {
  FIRN_ASSIGN(const auto source, LineSource::open(posix_env(), path));
  Progress progress(base_name(path));
  Status status = source->for_each_line([&](std::string_view line) -> Status {
    FIRN_TRY(sender->add(line));
    progress.show(source->bytes_read(), source->bytes_total(),
                  sender->imported() + sender->skipped());
    return Status();
  });
  // What was read before a damaged place is kept.
  const Status last = sender->finish();
  return status.ok() ? last : status;
}

bool is_agreed(const ImportTask& task) {
  if (!task.force || task.yes) return true;
  // A token chooses the namespace, whatever else is said.
  const Result<std::string> of_token = namespace_of_token(task.place.token);
  const std::string name = of_token.ok() ? *of_token : task.place.common.name_space;
  std::fprintf(stderr, "This removes everything in namespace '%s' first. Go on? [y/N] ",
               name.c_str());
  const int answer = std::getchar();
  return answer == 'y' || answer == 'Y';
}

int run_import_messages(const ImportTask& task) {
  const bool reads_stdin = std::find(task.files.begin(), task.files.end(), "-") != task.files.end();
  if (task.force && !task.yes && reads_stdin) {
    return report(invalid_argument(
        "standard input cannot bring messages and the answer whether to remove what is there; "
        "add --yes"));
  }
  if (!is_agreed(task)) return report(cancelled("nothing was changed"));
  auto place = Place::open(task.place);
  if (!place.ok()) return report(place.status());
  const ImportMode mode = task.force    ? ImportMode::kForce
                          : task.resume ? ImportMode::kResume
                                        : ImportMode::kPlain;
  MessageSender sender(place->get(), mode);
  Status status;
  for (const std::string& path : task.files) {
    status = import_messages(path, &sender);
    if (status.ok()) continue;
    status = status.with_context(path);
    break;
  }
  const bool resumed = sender.skipped() > 0;
  std::fprintf(stderr, "%llu messages imported%s\n",
               static_cast<unsigned long long>(sender.imported()),
               resumed ? (", " + std::to_string(sender.skipped()) + " were there").c_str() : "");
  return report(status, *(*place)->connection());
}

}  // namespace

void add_import_command(CLI::App* app, Action* chosen) {
  const auto task = std::make_shared<ImportTask>();
  CLI::App* command = app->add_subcommand(
      "import",
      "turn log files into events, or bring messages of EventoDB's exports in; gzip is detected");
  add_place_options(command, &task->place);
  CLI::Option* format =
      command->add_option("--format,-f", task->format, "what the lines are")
          ->check(CLI::IsMember({"ndjson", "lines", "apache", "syslog", kEventodbFormat}))
          ->capture_default_str();
  command->add_option("--source", task->source, "source of the events (default: the file's name)");
  command->add_flag("--force", task->force, "eventodb: empty the namespace first");
  command->add_flag("--resume", task->resume, "eventodb: pass over messages that are there")
      ->excludes("--force");
  command->add_flag("--yes", task->yes, "eventodb: do not ask before emptying");
  CLI::Option* input =
      command->add_option("--input", task->files, "eventodb: the same as naming the file");
  // As EventoDB's command has it; gzip is detected anyway.
  command->add_flag("--gzip", task->packed, "eventodb: the file is packed");
  command->add_option("files", task->files, "files, or - for standard input");
  command->callback([=] {
    const bool as_eventodb = task->force || task->resume || task->packed || input->count() > 0;
    if (format->count() == 0 && as_eventodb) task->format = kEventodbFormat;
    const bool is_eventodb = task->format == kEventodbFormat;
    if (task->files.empty() && is_eventodb) task->files = {"-"};
    if (task->files.empty()) throw CLI::RequiredError("files");
    *chosen = [task, is_eventodb] {
      return is_eventodb ? run_import_messages(*task) : run_import(*task);
    };
  });
}

}  // namespace firn
