// bench: a load generator for receivers.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "cli/command.h"
#include "client/grpc_client.h"
#include "client/http_client.h"
#include "env/env.h"
#include "env/remove_tree.h"
#include "server/config.h"
#include "server/grpc_server.h"
#include "server/http_server.h"
#include "server/server.h"
#include "wire/otlp_load.h"
#include "wire/series_cache.h"

namespace firn {

namespace {

constexpr uint64_t kLoadsPerConnection = 4;

struct BenchOptions {
  std::string signal = "logs";
  std::string transport = "grpc";
  uint32_t records = 1000;
  uint32_t connections = 8;
  double seconds = 5;
  std::string memory = "4GiB";
  std::string directory = "firn-bench-data";
  std::string to;
};

struct Target {
  OtlpSignal signal = OtlpSignal::kLogs;
  bool grpc = true;
  std::string address;
};

struct Measured {
  double records_per_second = 0, p50_ms = 0, p99_ms = 0;
  uint64_t refused = 0;  // told to come back later
};

// What is sent, and where to.
struct SignalNames {
  std::string_view option;
  OtlpSignal signal;
  const char *http_path, *grpc_method;
};
constexpr std::array<SignalNames, 3> kSignals = {{
    {"logs", OtlpSignal::kLogs, "/v1/logs",
     "/opentelemetry.proto.collector.logs.v1.LogsService/Export"},
    {"traces", OtlpSignal::kTraces, "/v1/traces",
     "/opentelemetry.proto.collector.trace.v1.TraceService/Export"},
    {"metrics", OtlpSignal::kMetrics, "/v1/metrics",
     "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
}};

const SignalNames& names_of(OtlpSignal signal) { return kSignals[static_cast<size_t>(signal)]; }

OtlpSignal signal_named(std::string_view option) {
  const auto* found = std::find_if(kSignals.begin(), kSignals.end(), [&](const SignalNames& names) {
    return names.option == option;
  });
  FIRN_CHECK(found != kSignals.end());  // the command line allows no other
  return found->signal;
}

// One connection that sends request after request, each when the one before was answered.
class Sender {
 public:
  Sender(const BenchOptions& options, Target target, uint32_t number) : target_(std::move(target)) {
    for (uint64_t i = 0; i < kLoadsPerConnection; ++i) {
      loads_.push_back(make_otlp_load(target_.signal, options.records, posix_env()->now(),
                                      number * kLoadsPerConnection + i));
    }
  }

  Status run(TimeNs end) {
    if (target_.grpc) {
      grpc_ = std::make_unique<GrpcClient>(target_.address);
    } else {
      FIRN_ASSIGN(http_, HttpClient::create(target_.address));
    }
    for (uint64_t turn = 0; posix_env()->monotonic() < end; ++turn) {
      OtlpLoad& load = loads_[turn % loads_.size()];
      load.renew(turn);
      const TimeNs begin = posix_env()->monotonic();
      FIRN_ASSIGN(const bool taken, send(load));
      if (taken) {
        latencies_.push_back(posix_env()->monotonic() - begin);
      } else {
        ++refused_;
      }
    }
    return Status();
  }
  const std::vector<DurationNs>& latencies() const { return latencies_; }
  uint64_t refused() const { return refused_; }

 private:
  // False when it may be sent again later.
  Result<bool> send(const OtlpLoad& load) {
    if (target_.grpc) {
      const GrpcClientResponse answer =
          grpc_->call({.method = names_of(target_.signal).grpc_method, .body = load.body});
      if (answer.code == 0) return true;
      if (answer.code == otlp_rpc_code(StatusCode::kUnavailable) && !answer.details.empty()) {
        return false;
      }
      return unavailable(
          fmt::format("{} answered {}: {}", target_.address, answer.code, answer.message));
    }
    FIRN_ASSIGN(const HttpClientResponse answer,
                http_->send({.method = "POST",
                             .target = names_of(target_.signal).http_path,
                             .headers = {{"Content-Type", "application/x-protobuf"}},
                             .body = load.body}));
    if (answer.status == 200) return true;
    if (answer.status == 503 || answer.status == 429) return false;
    return unavailable(fmt::format("{} answered {}", target_.address, answer.status));
  }

  const Target target_;
  std::vector<OtlpLoad> loads_;
  std::unique_ptr<GrpcClient> grpc_;
  std::unique_ptr<HttpClient> http_;
  std::vector<DurationNs> latencies_;
  uint64_t refused_ = 0;
};

Result<Measured> measure(const BenchOptions& options, const Target& target) {
  std::vector<Sender> senders;
  senders.reserve(options.connections);
  for (uint32_t i = 0; i < options.connections; ++i) senders.emplace_back(options, target, i);
  const TimeNs begin = posix_env()->monotonic();
  const TimeNs end = begin + static_cast<DurationNs>(options.seconds * 1e9);
  std::vector<Status> ended(senders.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < senders.size(); ++i) {
    threads.emplace_back([&, i] { ended[i] = senders[i].run(end); });
  }
  for (std::thread& thread : threads) thread.join();
  const auto elapsed = static_cast<double>(posix_env()->monotonic() - begin);
  Measured measured;
  std::vector<DurationNs> latencies;
  for (size_t i = 0; i < senders.size(); ++i) {
    FIRN_TRY(ended[i]);
    measured.refused += senders[i].refused();
    latencies.insert(latencies.end(), senders[i].latencies().begin(), senders[i].latencies().end());
  }
  if (latencies.empty()) return unavailable(target.address + " took no request");
  std::sort(latencies.begin(), latencies.end());
  measured.records_per_second =
      static_cast<double>(latencies.size() * options.records) * 1e9 / elapsed;
  measured.p50_ms = static_cast<double>(latencies[latencies.size() / 2]) / 1e6;
  measured.p99_ms = static_cast<double>(latencies[latencies.size() * 99 / 100]) / 1e6;
  return measured;
}

// --- Receivers ------------------------------------------------------------------------------

// What any receiver has to do at least: takes requests, decodes them and throws the rows away.
class Discarder {
 public:
  static Result<std::unique_ptr<Discarder>> start(bool grpc, OtlpSignal signal) {
    auto made = std::unique_ptr<Discarder>(new Discarder(signal));
    FIRN_ASSIGN(const ListenAddress address, parse_listen_address("127.0.0.1:0"));
    if (grpc) {
      FIRN_ASSIGN(made->grpc_,
                  GrpcServer::start(
                      posix_env(), address, GrpcOptions{},
                      [discarder = made.get()](const GrpcCall& call, const GrpcResponder& respond) {
                        GrpcAnswer answer;
                        answer.body = discarder->take(call.body);
                        respond(std::move(answer));
                      }));
      made->address_ = made->grpc_->address().to_string();
      return made;
    }
    made->http_ = std::make_unique<HttpServer>(posix_env(), HttpOptions{}, &made->metrics_);
    FIRN_ASSIGN(const ListenAddress bound, made->http_->listen(address, &made->router_));
    made->address_ = bound.to_string();
    made->http_->start();
    return made;
  }
  ~Discarder() {
    if (http_ != nullptr) http_->stop(0);
  }
  const std::string& address() const { return address_; }

 private:
  explicit Discarder(OtlpSignal signal)
      : signal_(signal),
        router_({{{HttpMethod::kPost, names_of(signal).http_path,
                   [this](const HttpRequestPtr& request, const Responder& respond) {
                     HttpResponse response;
                     response.content_type = "application/x-protobuf";
                     response.body = take(request->body);
                     respond(std::move(response));
                   }}}},
                &metrics_) {}

  std::string take(const std::string& body) {
    DecodeDefaults defaults;
    defaults.now = posix_env()->now();
    defaults.series_cache = &series_cache_;
    defaults.make_id = [this] { return make_uuid7(1, 2, made_.fetch_add(1)); };
    const auto records = decode_otlp(signal_, body, OtlpEncoding::kProtobuf, defaults);
    return encode_otlp_response(signal_, records.ok() ? records->rejected : 1, "",
                                OtlpEncoding::kProtobuf);
  }

  const OtlpSignal signal_;
  std::atomic<uint64_t> made_{0};
  SeriesCache series_cache_{64 * kMiB};
  ServerMetrics metrics_;
  Router router_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<GrpcServer> grpc_;
  std::string address_;
};

// A server as `firn serve` starts it, on free ports.
Result<std::unique_ptr<Server>> start_server(const BenchOptions& options) {
  ConfigSources sources;
  sources.flags = {{"data_dir", options.directory},
                   {"listen", "127.0.0.1:0"},
                   {"otlp.grpc", "127.0.0.1:0"},
                   {"otlp.http", "off"},
                   {"memory", options.memory}};
  FIRN_ASSIGN(const LoadedConfig loaded, load_config(posix_env(), sources));
  FIRN_ASSIGN(auto server, Server::start(posix_env(), loaded.config));
  FIRN_TRY(server->wait_ready());
  return server;
}

// --- The command ----------------------------------------------------------------------------

void print_row(const std::string& receiver, const Measured& measured, const Measured* discarder) {
  std::string ratio;
  if (discarder != nullptr) {
    ratio = fmt::format("{:.2f}", measured.records_per_second / discarder->records_per_second);
  }
  print(fmt::format("{:<28} {:>11.0f} {:>8.2f} / {:<8.2f} {:>6}\n", receiver,
                    measured.records_per_second, measured.p50_ms, measured.p99_ms, ratio));
  if (measured.refused > 0) {
    std::fprintf(stderr, "%llu requests were told to come back later\n",
                 static_cast<unsigned long long>(measured.refused));
  }
}

Status bench_otlp(const BenchOptions& options) {
  Target target;
  target.signal = signal_named(options.signal);
  target.grpc = options.transport == "grpc";
  print(fmt::format("{} over {}, {} records a request, {} connections, {} s\n", options.signal,
                    options.transport, options.records, options.connections, options.seconds));
  print(fmt::format("{:<28} {:>11} {:>19} {:>6}\n", "receiver", "records/s", "p50 / p99 ms",
                    "ratio"));
  Measured discarded;
  {
    FIRN_ASSIGN(const auto discarder, Discarder::start(target.grpc, target.signal));
    target.address = discarder->address();
    FIRN_ASSIGN(discarded, measure(options, target));
    print_row("decodes, throws away", discarded, nullptr);
  }
  if (!options.to.empty()) {
    target.address = options.to;
    FIRN_ASSIGN(const Measured measured, measure(options, target));
    print_row(options.to, measured, &discarded);
    return Status();
  }
  FIRN_ASSIGN(const bool exists, posix_env()->exists(options.directory));
  if (exists) {
    return conflict("the directory " + options.directory +
                    " exists; name another with --directory, it is removed afterwards");
  }
  Status status;
  {
    FIRN_ASSIGN(const auto server, start_server(options));
    target.address = target.grpc ? *server->grpc_address() : server->addresses()[0];
    const Result<Measured> measured = measure(options, target);
    status = measured.status();
    if (measured.ok()) print_row("firn, synced before answers", *measured, &discarded);
    server->stop();
  }
  const Status removed = remove_tree(posix_env(), options.directory);
  return status.ok() ? removed : status;
}

}  // namespace

void add_bench_command(CLI::App* app, Action* chosen) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* bench = app->add_subcommand("bench", "measure a receiver with load of our own");
  bench->require_subcommand(1);
  CLI::App* otlp = bench->add_subcommand(
      "otlp", "OTLP export requests, beside a receiver that only decodes and throws away");
  otlp->add_option("--signal", options->signal, "what is sent")
      ->check(CLI::IsMember({"logs", "traces", "metrics"}))
      ->capture_default_str();
  otlp->add_option("--transport", options->transport, "how")
      ->check(CLI::IsMember({"grpc", "http"}))
      ->capture_default_str();
  otlp->add_option("--records", options->records, "records a request")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  otlp->add_option("--connections", options->connections, "each sends one request at a time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  otlp->add_option("--seconds", options->seconds, "for how long")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  otlp->add_option("--to", options->to,
                   "HOST:PORT of a receiver that runs; else a server is started for the time");
  otlp->add_option("--directory", options->directory, "its data directory, removed afterwards")
      ->capture_default_str();
  otlp->add_option("--memory", options->memory, "its memory setting")->capture_default_str();
  otlp->callback(
      [options, chosen] { *chosen = [options] { return report(bench_otlp(*options)); }; });
}

}  // namespace firn
