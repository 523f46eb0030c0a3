#include "cli/bench_measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "env/env.h"
#include "env/remove_tree.h"
#include "server/config.h"

namespace firn {

namespace {

// What one connection saw.
struct Seen {
  Status status;
  std::vector<DurationNs> latencies;
  uint64_t refused = 0;

  Status run(BenchSender* sender, TimeNs end) {
    for (uint64_t turn = 0; posix_env()->monotonic() < end; ++turn) {
      sender->prepare(turn);
      const TimeNs begin = posix_env()->monotonic();
      FIRN_ASSIGN(const bool taken, sender->send());
      if (taken) {
        latencies.push_back(posix_env()->monotonic() - begin);
      } else {
        ++refused;
      }
    }
    return Status();
  }
};

}  // namespace

void add_bench_options(CLI::App* command, BenchOptions* options) {
  command->add_option("--records", options->records, "records a request")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--connections", options->connections, "each sends one request at a time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--seconds", options->seconds, "for how long")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--to", options->to,
                      "HOST:PORT of a receiver that runs; else a server is started for the time");
  command->add_option("--directory", options->directory, "its data directory, removed afterwards")
      ->capture_default_str();
  command->add_option("--memory", options->memory, "its memory setting")->capture_default_str();
}

Result<Measured> measure(const BenchOptions& options,
                         const std::function<std::unique_ptr<BenchSender>(uint32_t)>& make) {
  std::vector<std::unique_ptr<BenchSender>> senders;
  for (uint32_t i = 0; i < options.connections; ++i) senders.push_back(make(i));
  std::vector<Seen> seen(senders.size());
  const auto at_once = [&](const std::function<Status(size_t)>& act) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < senders.size(); ++i) {
      threads.emplace_back([&, i] { seen[i].status = act(i); });
    }
    for (std::thread& thread : threads) thread.join();
  };
  at_once([&](size_t i) { return senders[i]->connect(); });
  for (const Seen& of_one : seen) FIRN_TRY(of_one.status);
  const TimeNs begin = posix_env()->monotonic();
  const TimeNs end = begin + static_cast<DurationNs>(options.seconds * 1e9);
  at_once([&](size_t i) { return seen[i].run(senders[i].get(), end); });
  const auto elapsed = static_cast<double>(posix_env()->monotonic() - begin);
  Measured measured;
  std::vector<DurationNs> latencies;
  for (const Seen& of_one : seen) {
    FIRN_TRY(of_one.status);
    measured.refused += of_one.refused;
    latencies.insert(latencies.end(), of_one.latencies.begin(), of_one.latencies.end());
  }
  if (latencies.empty()) return unavailable("the receiver took no request");
  std::sort(latencies.begin(), latencies.end());
  measured.records_per_second =
      static_cast<double>(latencies.size() * options.records) * 1e9 / elapsed;
  measured.p50_ms = static_cast<double>(latencies[latencies.size() / 2]) / 1e6;
  measured.p99_ms = static_cast<double>(latencies[latencies.size() * 99 / 100]) / 1e6;
  return measured;
}

void print_bench_head() {
  print(fmt::format("{:<28} {:>11} {:>19} {:>6}\n", "receiver", "records/s", "p50 / p99 ms",
                    "ratio"));
}

void print_bench_row(const std::string& receiver, const Measured& measured,
                     const Measured* beside) {
  std::string ratio;
  if (beside != nullptr) {
    ratio = fmt::format("{:.2f}", measured.records_per_second / beside->records_per_second);
  }
  print(fmt::format("{:<28} {:>11.0f} {:>8.2f} / {:<8.2f} {:>6}\n", receiver,
                    measured.records_per_second, measured.p50_ms, measured.p99_ms, ratio));
  if (measured.refused > 0) {
    std::fprintf(stderr, "%llu requests were told to come back later\n",
                 static_cast<unsigned long long>(measured.refused));
  }
}

HttpDiscarder::HttpDiscarder(std::string_view path,
                             std::function<HttpResponse(const std::string&)> take)
    : router_({{{HttpMethod::kPost, std::string(path),
                 [take = std::move(take)](const HttpRequestPtr& request, const Responder& respond) {
                   respond(take(request->body));
                 }}}},
              &metrics_) {}

Result<std::unique_ptr<HttpDiscarder>> HttpDiscarder::start(
    std::string_view path, std::function<HttpResponse(const std::string&)> take) {
  auto made = std::unique_ptr<HttpDiscarder>(new HttpDiscarder(path, std::move(take)));
  FIRN_ASSIGN(const ListenAddress address, parse_listen_address("127.0.0.1:0"));
  made->http_ = std::make_unique<HttpServer>(posix_env(), HttpOptions{}, &made->metrics_);
  FIRN_ASSIGN(const ListenAddress bound, made->http_->listen(address, &made->router_));
  made->address_ = bound.to_string();
  made->http_->start();
  return made;
}

Status with_bench_server(const BenchOptions& options, const std::function<Status(Server*)>& use) {
  FIRN_ASSIGN(const bool exists, posix_env()->exists(options.directory));
  if (exists) {
    return conflict("the directory " + options.directory +
                    " exists; name another with --directory, it is removed afterwards");
  }
  ConfigSources sources;
  sources.flags = {{"data_dir", options.directory},
                   {"listen", "127.0.0.1:0"},
                   {"otlp.grpc", "127.0.0.1:0"},
                   {"otlp.http", "off"},
                   {"memory", options.memory}};
  FIRN_ASSIGN(const LoadedConfig loaded, load_config(posix_env(), sources));
  Status status;
  {
    FIRN_ASSIGN(const auto server, Server::start(posix_env(), loaded.config));
    status = server->wait_ready();
    if (status.ok()) status = use(server.get());
    server->stop();
  }
  const Status removed = remove_tree(posix_env(), options.directory);
  return status.ok() ? removed : status;
}

}  // namespace firn
