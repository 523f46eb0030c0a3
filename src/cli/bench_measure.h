#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "cli/command.h"
#include "server/http_server.h"
#include "server/router.h"
#include "server/server.h"

// What the load generators of `firn bench` share. For the command line only.
namespace firn {

struct BenchOptions {
  uint32_t records = 1000;  // a request
  uint32_t connections = 8;
  double seconds = 5;
  std::string memory = "4GiB";
  std::string directory = "firn-bench-data";
  std::string to;
};

// The options that every generator has.
void add_bench_options(CLI::App* command, BenchOptions* options);

// One connection that sends request after request, each when the one before was answered. Thread
// rule: one thread at a time.
class BenchSender {
 public:
  virtual ~BenchSender() = default;
  // Not measured, and before anything is: also sends what the receiver should know by then.
  virtual Status connect() = 0;
  // Not measured: makes ready what send() sends next.
  virtual void prepare(uint64_t turn) = 0;
  // False when it may be sent again later.
  virtual Result<bool> send() = 0;
};

struct Measured {
  double records_per_second = 0, p50_ms = 0, p99_ms = 0;
  uint64_t refused = 0;  // told to come back later
};

// Sends for the time with all connections at once; `make` makes that of a number.
Result<Measured> measure(const BenchOptions& options,
                         const std::function<std::unique_ptr<BenchSender>(uint32_t)>& make);

void print_bench_head();
// `beside`: what the ratio is to; null: nothing.
void print_bench_row(const std::string& receiver, const Measured& measured, const Measured* beside);

// Takes the bodies of requests over HTTP, on a free port.
class HttpDiscarder {
 public:
  static Result<std::unique_ptr<HttpDiscarder>> start(
      std::string_view path, std::function<HttpResponse(const std::string&)> take);
  ~HttpDiscarder() { http_->stop(0); }
  const std::string& address() const { return address_; }

 private:
  HttpDiscarder(std::string_view path, std::function<HttpResponse(const std::string&)> take);

  ServerMetrics metrics_;
  Router router_;
  std::unique_ptr<HttpServer> http_;
  std::string address_;
};

// Runs `use` with a server as `firn serve` starts it, on free ports, whose data directory is
// removed afterwards. kConflict when the directory exists.
Status with_bench_server(const BenchOptions& options, const std::function<Status(Server*)>& use);

}  // namespace firn
