#include <unistd.h>

#include <algorithm>

#include "base/mutex.h"
#include "base/size.h"
#include "cli/command.h"
#include "cli/connection.h"
#include "cli/line_source.h"
#include "env/env.h"
#include "wire/import_lines.h"
#include "wire/json_events.h"

namespace firn {

namespace {

constexpr DurationNs kGiveUpNs = 2 * kMinuteNs;
constexpr std::chrono::milliseconds kRetry(500);

struct ImportTask {
  CommonOptions common;
  std::string format = "lines";
  std::string source;
  std::vector<std::string> files;
};

// A bar on standard error, when that is a terminal.
class Progress {
 public:
  explicit Progress(std::string name) : name_(std::move(name)), visible_(isatty(2) == 1) {}
  ~Progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  void show(const LineSource& source, uint64_t events) {
    if (!visible_) return;
    shown_ = true;
    constexpr int kWidth = 30;
    if (source.bytes_total() == 0) {
      std::fprintf(stderr, "\r\033[K%s: %s, %llu events", name_.c_str(),
                   format_size(source.bytes_read()).c_str(),
                   static_cast<unsigned long long>(events));
      return;
    }
    const double done =
        static_cast<double>(source.bytes_read()) / static_cast<double>(source.bytes_total());
    const int filled = static_cast<int>(done * kWidth);
    std::fprintf(stderr, "\r\033[K%s [%-*.*s] %3d %%, %llu events", name_.c_str(), kWidth, filled,
                 "##############################", static_cast<int>(done * 100),
                 static_cast<unsigned long long>(events));
  }

 private:
  std::string name_;
  bool visible_;
  bool shown_ = false;
};

// Sends batches, again and again while the server asks for it: the events carry ids, so a batch
// whose answer was lost is not stored twice.
class Sender {
 public:
  Sender(Env* env, const CommonOptions& options)
      : env_(env),
        server_(options.server),
        path_("/api/v1/namespaces/" + url_encode(options.name_space) + "/events") {}

  Status send(const RecordBatch& batch) {
    std::string body;
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      append_event_json(batch, row, &body);
      body.push_back('\n');
    }
    if (connection_ == nullptr) {
      FIRN_ASSIGN(connection_, Connection::open(server_));
    }
    const TimeNs begin = env_->monotonic();
    while (true) {
      Status status = connection_->call("POST", path_, body, "application/x-ndjson").status();
      const bool may_work_later = status.code() == StatusCode::kUnavailable ||
                                  status.code() == StatusCode::kNoSpace ||
                                  status.code() == StatusCode::kOutcomeUnknown;
      // Waiting for a server that was never there helps nobody.
      const bool give_up = !reached() || env_->monotonic() - begin > kGiveUpNs;
      if (!may_work_later || give_up) return status;
      wait();
    }
  }
  bool reached() const { return connection_ != nullptr && connection_->reached(); }

 private:
  void wait() {
    Mutex mutex;
    CondVar never;
    MutexLock lock(&mutex);
    (void)never.wait_for(&mutex, kRetry);
  }

  Env* env_;
  std::string server_;
  std::string path_;
  std::unique_ptr<Connection> connection_;
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
    progress.show(*source, importer.counts().lines);
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
  Sender sender(posix_env(), task.common);
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

}  // namespace

void add_import_command(CLI::App* app, Action* chosen) {
  const auto task = std::make_shared<ImportTask>();
  CLI::App* command = app->add_subcommand(
      "import", "turn log files into events; gzip is detected, and no line is ever dropped");
  add_common_options(command, &task->common, false);
  command->add_option("--format,-f", task->format, "what the lines are")
      ->check(CLI::IsMember({"ndjson", "lines", "apache", "syslog"}))
      ->capture_default_str();
  command->add_option("--source", task->source, "source of the events (default: the file's name)");
  command->add_option("files", task->files, "files, or - for standard input")->required();
  command->callback([task, chosen] { *chosen = [task] { return run_import(*task); }; });
}

}  // namespace firn
