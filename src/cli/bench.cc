// bench: load generators for receivers.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench_measure.h"
#include "cli/command.h"
#include "client/grpc_client.h"
#include "client/http_client.h"
#include "env/env.h"
#include "server/grpc_server.h"
#include "wire/otlp_load.h"
#include "wire/remote_write.h"
#include "wire/remote_write_load.h"
#include "wire/series_cache.h"
#include "wire/snappy_block.h"

namespace firn {

namespace {

constexpr uint64_t kLoadsPerConnection = 4;
constexpr uint64_t kDiscarderCacheBytes = 256 * kMiB;

// What a store remembers of series, without one.
class RememberedSeries {
 public:
  DecodeDefaults defaults() {
    DecodeDefaults defaults;
    defaults.now = posix_env()->now();
    defaults.series_cache = &cache_;
    defaults.knowledge = {&known_, kNamespace, kDayNs};
    return defaults;
  }
  void learn(const std::vector<DecodedSamples>& parts) {
    for (const DecodedSamples& part : parts) {
      if (part.definitions == nullptr) continue;
      const StringColumn series = part.definitions->strings(ColumnId::kSeries);
      const TimeNs interval = interval_start(part.samples->time_min(), kDayNs);
      std::vector<SeriesDefinition> defined;
      for (uint32_t row = 0; row < part.definitions->rows(); ++row) {
        defined.emplace_back(interval, Id::parse(series[row]).value_or(Id()));
      }
      known_.add(kNamespace, defined, part.known_epoch);
    }
  }

 private:
  static constexpr NamespaceId kNamespace = 1;
  SeriesCache cache_{kDiscarderCacheBytes, 1};
  KnownSeries known_{kDiscarderCacheBytes};
};

// --- OTLP -------------------------------------------------------------------------------------

struct OtlpBenchOptions : BenchOptions {
  std::string signal = "logs";
  std::string transport = "grpc";
};

struct Target {
  OtlpSignal signal = OtlpSignal::kLogs;
  bool grpc = true;
  std::string address;
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

class OtlpSender final : public BenchSender {
 public:
  OtlpSender(uint32_t records, Target target, uint32_t number) : target_(std::move(target)) {
    for (uint64_t i = 0; i < kLoadsPerConnection; ++i) {
      loads_.push_back(make_otlp_load(target_.signal, records, posix_env()->now(),
                                      number * kLoadsPerConnection + i));
    }
  }

  Status connect() override {
    if (target_.grpc) {
      grpc_ = std::make_unique<GrpcClient>(target_.address);
    } else {
      FIRN_ASSIGN(http_, HttpClient::create(target_.address));
    }
    return Status();
  }
  void prepare(uint64_t turn) override {
    load_ = &loads_[turn % loads_.size()];
    load_->renew(turn);
  }
  Result<bool> send() override {
    if (target_.grpc) {
      const GrpcClientResponse answer =
          grpc_->call({.method = names_of(target_.signal).grpc_method, .body = load_->body});
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
                             .body = load_->body}));
    if (answer.status == 200) return true;
    if (answer.status == 503 || answer.status == 429) return false;
    return unavailable(fmt::format("{} answered {}", target_.address, answer.status));
  }

 private:
  const Target target_;
  std::vector<OtlpLoad> loads_;
  OtlpLoad* load_ = nullptr;  // what is sent next
  std::unique_ptr<GrpcClient> grpc_;
  std::unique_ptr<HttpClient> http_;
};

// What any receiver has to do at least: takes requests, decodes them and throws the rows away.
class OtlpDiscarder {
 public:
  static Result<std::unique_ptr<OtlpDiscarder>> start(bool grpc, OtlpSignal signal) {
    auto made = std::unique_ptr<OtlpDiscarder>(new OtlpDiscarder(signal));
    if (!grpc) {
      FIRN_ASSIGN(made->http_,
                  HttpDiscarder::start(names_of(signal).http_path,
                                       [discarder = made.get()](const std::string& body) {
                                         HttpResponse response;
                                         response.content_type = "application/x-protobuf";
                                         response.body = discarder->take(body);
                                         return response;
                                       }));
      return made;
    }
    FIRN_ASSIGN(const ListenAddress address, parse_listen_address("127.0.0.1:0"));
    FIRN_ASSIGN(made->grpc_,
                GrpcServer::start(
                    posix_env(), address, GrpcOptions{},
                    [discarder = made.get()](const GrpcCall& call, const GrpcResponder& respond) {
                      GrpcAnswer answer;
                      answer.body = discarder->take(call.body);
                      respond(std::move(answer));
                    }));
    return made;
  }
  std::string address() const {
    return http_ != nullptr ? http_->address() : grpc_->address().to_string();
  }

 private:
  explicit OtlpDiscarder(OtlpSignal signal) : signal_(signal) {}

  std::string take(const std::string& body) {
    DecodeDefaults defaults = series_.defaults();
    defaults.make_id = [this] { return make_uuid7(1, 2, made_.fetch_add(1)); };
    const auto records = decode_otlp(signal_, body, OtlpEncoding::kProtobuf, defaults);
    if (records.ok()) series_.learn(records->samples);
    return encode_otlp_response(signal_, records.ok() ? records->rejected : 1, "",
                                OtlpEncoding::kProtobuf);
  }

  const OtlpSignal signal_;
  std::atomic<uint64_t> made_{0};
  RememberedSeries series_;
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<HttpDiscarder> http_;
};

Status bench_otlp(const OtlpBenchOptions& options) {
  Target target;
  target.signal = signal_named(options.signal);
  target.grpc = options.transport == "grpc";
  const auto run = [&](const std::string& address) {
    target.address = address;
    return measure(options, [&](uint32_t number) {
      return std::make_unique<OtlpSender>(options.records, target, number);
    });
  };
  print(fmt::format("{} over {}, {} records a request, {} connections, {} s\n", options.signal,
                    options.transport, options.records, options.connections, options.seconds));
  print_bench_head();
  Measured discarded;
  {
    FIRN_ASSIGN(const auto discarder, OtlpDiscarder::start(target.grpc, target.signal));
    FIRN_ASSIGN(discarded, run(discarder->address()));
    print_bench_row("decodes, throws away", discarded, nullptr);
  }
  if (!options.to.empty()) {
    FIRN_ASSIGN(const Measured measured, run(options.to));
    print_bench_row(options.to, measured, &discarded);
    return Status();
  }
  return with_bench_server(options, [&](Server* server) -> Status {
    FIRN_ASSIGN(const Measured measured,
                run(target.grpc ? *server->grpc_address() : server->addresses()[0]));
    print_bench_row("firn, synced before answers", measured, &discarded);
    return Status();
  });
}

// --- Remote write -----------------------------------------------------------------------------

constexpr const char* kWritePath = "/api/v1/write";

// Packs its requests before the time is taken, and sends them over and over: packing costs the
// sender more than taking in costs the receiver.
class RemoteWriteSender final : public BenchSender {
 public:
  RemoteWriteSender(uint32_t records, std::string address, uint32_t number)
      : address_(std::move(address)) {
    constexpr uint64_t kTurns = 8;
    const TimeNs first = posix_env()->now() - kHourNs;
    for (uint64_t i = 0; i < kLoadsPerConnection; ++i) {
      RemoteWriteLoad load =
          make_remote_write_load(records, first, number * kLoadsPerConnection + i);
      for (uint64_t turn = 0; turn < kTurns; ++turn) {
        load.renew(turn);
        bodies_.push_back(pack_snappy(load.body));
      }
    }
  }

  // The receiver has seen each series once when the time begins.
  Status connect() override {
    FIRN_ASSIGN(http_, HttpClient::create(address_));
    for (uint64_t turn = 0; turn < kLoadsPerConnection; ++turn) {
      prepare(turn);
      FIRN_ASSIGN(const bool taken, send());
      if (!taken) return unavailable(address_ + " takes nothing now");
    }
    return Status();
  }
  // All loads of a turn, then those of the next.
  void prepare(uint64_t turn) override {
    const uint64_t turns = bodies_.size() / kLoadsPerConnection;
    const uint64_t load = turn % kLoadsPerConnection;
    body_ = &bodies_[load * turns + turn / kLoadsPerConnection % turns];
  }
  Result<bool> send() override {
    FIRN_ASSIGN(const HttpClientResponse answer,
                http_->send({.method = "POST",
                             .target = kWritePath,
                             .headers = {{"Content-Type", "application/x-protobuf"},
                                         {"Content-Encoding", "snappy"},
                                         {"X-Prometheus-Remote-Write-Version", "0.1.0"}},
                             .body = *body_}));
    if (answer.status == 200 || answer.status == 204) return true;
    if (answer.status == 503 || answer.status == 429) return false;
    return unavailable(fmt::format("{} answered {}: {}", address_, answer.status, answer.body));
  }

 private:
  const std::string address_;
  std::vector<std::string> bodies_;  // the turns of the first load, those of the second...
  const std::string* body_ = nullptr;
  std::unique_ptr<HttpClient> http_;
};

HttpResponse discard_remote_write(RememberedSeries* series, const std::string& body) {
  const DecodeDefaults defaults = series->defaults();
  const auto unpacked =
      unpack_snappy(body, defaults.limits.request_bytes, defaults.limits.decompression_ratio,
                    [](uint64_t) { return true; });
  HttpResponse response;
  response.status = 400;
  if (!unpacked.ok()) return response;
  const auto records = decode_remote_write(*unpacked, RemoteWriteVersion::k1, defaults);
  if (!records.ok()) return response;
  series->learn(records->parts);
  response.status = 204;
  return response;
}

Status bench_remote_write(const BenchOptions& options) {
  const auto run = [&](const std::string& address) {
    return measure(options, [&](uint32_t number) {
      return std::make_unique<RemoteWriteSender>(options.records, address, number);
    });
  };
  print(fmt::format("remote write, {} samples a request, {} connections, {} s\n", options.records,
                    options.connections, options.seconds));
  print_bench_head();
  Measured discarded;
  {
    RememberedSeries series;
    FIRN_ASSIGN(const auto discarder,
                HttpDiscarder::start(kWritePath, [&series](const std::string& body) {
                  return discard_remote_write(&series, body);
                }));
    FIRN_ASSIGN(discarded, run(discarder->address()));
    print_bench_row("decodes, throws away", discarded, nullptr);
  }
  if (!options.to.empty()) {
    FIRN_ASSIGN(const Measured measured, run(options.to));
    print_bench_row(options.to, measured, &discarded);
    return Status();
  }
  return with_bench_server(options, [&](Server* server) -> Status {
    FIRN_ASSIGN(const Measured measured, run(server->addresses()[0]));
    print_bench_row("firn, synced before answers", measured, &discarded);
    return Status();
  });
}

}  // namespace

void add_bench_command(CLI::App* app, Action* chosen) {
  CLI::App* bench = app->add_subcommand("bench", "measure a receiver with load of our own");
  bench->require_subcommand(1);
  auto otlp_options = std::make_shared<OtlpBenchOptions>();
  CLI::App* otlp = bench->add_subcommand(
      "otlp", "OTLP export requests, beside a receiver that only decodes and throws away");
  otlp->add_option("--signal", otlp_options->signal, "what is sent")
      ->check(CLI::IsMember({"logs", "traces", "metrics"}))
      ->capture_default_str();
  otlp->add_option("--transport", otlp_options->transport, "how")
      ->check(CLI::IsMember({"grpc", "http"}))
      ->capture_default_str();
  add_bench_options(otlp, otlp_options.get());
  otlp->callback([otlp_options, chosen] {
    *chosen = [otlp_options] { return report(bench_otlp(*otlp_options)); };
  });

  auto write_options = std::make_shared<BenchOptions>();
  write_options->records = 10'000;
  CLI::App* remote_write = bench->add_subcommand(
      "remote-write",
      "Prometheus' remote write, beside a receiver that only decodes and throws away");
  add_bench_options(remote_write, write_options.get());
  remote_write->callback([write_options, chosen] {
    *chosen = [write_options] { return report(bench_remote_write(*write_options)); };
  });
}

}  // namespace firn
