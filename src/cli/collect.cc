// Readings of this machine, sent to a server as samples.

#include <algorithm>

#include "base/time.h"
#include "cli/batch_sender.h"
#include "cli/command.h"
#include "cli/connection.h"
#include "cli/host_reader.h"
#include "cli/retry.h"
#include "env/env.h"

namespace firn {

namespace {

constexpr DurationNs kIntervalMinNs = kSecondNs;
constexpr DurationNs kIntervalMaxNs = kDayNs;
// A server that hangs must not hold up many readings.
constexpr DurationNs kSilenceNs = 10 * kSecondNs;

struct CollectOptions {
  CommonOptions common;
  std::string interval = "10s";
  std::string host;  // empty: what the machine calls itself
  bool once = false, print = false;
};

std::string check_interval(const std::string& text) {
  const std::optional<DurationNs> interval = parse_duration(text);
  const bool fits =
      interval.has_value() && *interval >= kIntervalMinNs && *interval <= kIntervalMaxNs;
  return fits ? "" : "'" + text + "' is no interval; write one between 1s and 1d, like 10s";
}

// Takes a reading at each call.
class HostCollector {
 public:
  explicit HostCollector(Env* env)
      : env_(env),
        reader_(env, file_system_space, [](const Status& status) { (void)report(status); }) {}

  Status choose_host(const std::string& host) {
    host_ = host;
    if (!host_.empty()) return Status();
    FIRN_ASSIGN(host_, reader_.host_name());
    return Status();
  }

  // The body of metrics:batch.
  Result<std::string> batch() {
    const TimeNs time = env_->now();
    const HostSamples samples = reader_.read();
    if (samples.empty()) {
      return unsupported("there is nothing to read in /proc and /sys; is this Linux?");
    }
    return host_batch_json(host_, time, samples);
  }

 private:
  Env* const env_;
  HostReader reader_;
  std::string host_;
};

// Says what a person has to know about the sending, and not the same thing at each interval.
class SendingReport {
 public:
  void show(const Status& status, const BatchSender& sender) {
    if (sender.waiting() > 0) {
      if (!is_away_) {
        (void)report(status);
        std::fprintf(stderr, "firn: readings are kept in memory until it answers, at most %zu\n",
                     kWaitingBatchesMax);
        sent_before_ = sender.sent();
        dropped_before_ = sender.dropped();
      }
      is_away_ = true;
      return;
    }
    (void)report(status);
    if (!is_away_) return;
    is_away_ = false;
    std::fprintf(stderr, "firn: the server answers again: %llu readings sent, %llu given up\n",
                 static_cast<unsigned long long>(sender.sent() - sent_before_),
                 static_cast<unsigned long long>(sender.dropped() - dropped_before_));
  }

 private:
  bool is_away_ = false;
  uint64_t sent_before_ = 0, dropped_before_ = 0;
};

// Calls `step` at once and then at each interval, passing over those it was too slow for, until it
// gives an exit code.
int repeat(Env* env, DurationNs interval, const std::function<std::optional<int>()>& step) {
  TimeNs due = env->monotonic();
  while (true) {
    if (const std::optional<int> code = step(); code.has_value()) return *code;
    const TimeNs now = env->monotonic();
    due += interval * std::max<int64_t>(1, (now - due + interval - 1) / interval);
    for (TimeNs left = due - now; left > 0; left = due - env->monotonic()) pause_for(left);
  }
}

int print_readings(const CollectOptions& options, HostCollector* collector) {
  return repeat(posix_env(), *parse_duration(options.interval), [&]() -> std::optional<int> {
    const Result<std::string> batch = collector->batch();
    if (!batch.ok()) return report(batch.status());
    if (!print(*batch + "\n") || options.once) return kExitOk;
    return std::nullopt;
  });
}

int send_readings(const CollectOptions& options, HostCollector* collector) {
  HttpClientOptions client_options;
  client_options.silence_ns = kSilenceNs;
  const auto connection = Connection::open(options.common.server, client_options);
  if (!connection.ok()) return report(connection.status());
  const std::string path = namespace_path(options.common.name_space) + "/metrics:batch";
  BatchSender sender([&](std::string_view body) {
    return (*connection)->call("POST", path, body, "application/json").status();
  });
  SendingReport sending;
  return repeat(posix_env(), *parse_duration(options.interval), [&]() -> std::optional<int> {
    Result<std::string> batch = collector->batch();
    if (!batch.ok()) return report(batch.status());
    const Status status = sender.send(std::move(*batch));
    if (options.once) return report(status, **connection);
    // What is refused from the start (no such namespace, no Firn) would be refused for ever.
    const bool is_refused = !status.ok() && sender.waiting() == 0;
    if (is_refused && sender.sent() == 0) return report(status);
    sending.show(status, sender);
    return std::nullopt;
  });
}

int run_collect_host(const CollectOptions& options) {
  HostCollector collector(posix_env());
  const Status chosen = collector.choose_host(options.host);
  if (!chosen.ok()) return report(chosen.with_context("cannot tell the host; name it with --host"));
  return options.print ? print_readings(options, &collector) : send_readings(options, &collector);
}

}  // namespace

void add_collect_command(CLI::App* app, Action* chosen) {
  CLI::App* collect = app->add_subcommand("collect", "take readings and send them as samples");
  collect->require_subcommand(1);
  const auto options = std::make_shared<CollectOptions>();
  CLI::App* host = collect->add_subcommand(
      "host", "this machine: processors, memory, disks, networks, temperatures");
  add_common_options(host, &options->common, false);
  host->add_option("--interval", options->interval, "time between readings")
      ->check(check_interval, "DURATION")
      ->capture_default_str();
  host->add_option("--host", options->host, "the label host (default: the machine's name)");
  host->add_flag("--once", options->once, "one reading");
  host->add_flag("--print", options->print, "write the JSON to standard output, send nothing");
  host->callback([options, chosen] { *chosen = [options] { return run_collect_host(*options); }; });
}

}  // namespace firn
