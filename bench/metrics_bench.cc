// Samples over HTTP, synced before they are acknowledged: connections that each send a request,
// wait for its answer and send the next, against the real server in this process. Client and server
// share the machine's cores. Beside each door the same requests decoded by one thread, without
// server and log.
//
// usage: bench_metrics [--seconds S] [--connections N] [--samples N] [--series N] [--directory D]

#include <boost/asio.hpp>
#include <filesystem>
#include <string_view>

#include "bench/peers.h"
#include "bench/server_under_test.h"
#include "wire/line_protocol.h"
#include "wire/samples_json.h"

namespace {

using firn::DurationNs;
using firn::TimeNs;
using firn::bench::fail;
namespace asio = boost::asio;
using asio::ip::tcp;

struct Settings {
  DurationNs run_ns = 5 * firn::kSecondNs;
  size_t connections = 4;
  size_t samples = 10'000;  // of a request
  size_t series = 1'000;
  std::string directory;
};

// A way to send samples.
struct Door {
  std::string name, path;
  // The body of a request whose first sample is the one with this number.
  std::string (*make_body)(const Settings& settings, size_t first, int64_t now_ms);
  uint64_t (*decode)(std::string_view body, const firn::DecodeDefaults& defaults);
};

// Every sample of a series is a second after the one before it, ending about now.
int64_t time_of(const Settings& settings, size_t sample, int64_t now_ms) {
  constexpr int64_t kHourMs = 3'600'000;
  return now_ms - kHourMs + static_cast<int64_t>(sample / settings.series) % 3600 * 1000;
}

std::string json_body(const Settings& settings, size_t first, int64_t now_ms) {
  std::string body = R"({"samples":[)";
  for (size_t i = first; i < first + settings.samples; ++i) {
    const size_t series = i % settings.series;
    if (i > first) body.push_back(',');
    body += fmt::format(
        R"({{"server_id":"10.0.{}.{}:51243","timestamp":{},"metric_type":"cpu_usage_avg","value":{:.2f}}})",
        series / 256, series % 256, time_of(settings, i, now_ms),
        static_cast<double>(i * 7919 % 10'000) / 100);
  }
  return body + "]}";
}

uint64_t decode_json(std::string_view body, const firn::DecodeDefaults& defaults) {
  const auto decoded = firn::decode_samples_json(body, defaults);
  firn::bench::must(decoded.status());
  return decoded->samples->rows();
}

std::string line_body(const Settings& settings, size_t first, int64_t now_ms) {
  std::string body;
  for (size_t i = first; i < first + settings.samples; ++i) {
    const size_t series = i % settings.series;
    body +=
        fmt::format("cpu,host=10.0.{}.{},region=eu usage={:.2f} {}\n", series / 256, series % 256,
                    static_cast<double>(i * 7919 % 10'000) / 100, time_of(settings, i, now_ms));
  }
  return body;
}

uint64_t decode_lines(std::string_view body, const firn::DecodeDefaults& defaults) {
  uint64_t bad_line = 0;
  const auto parts = firn::decode_line_protocol(body, firn::kMillisecondNs, defaults, &bad_line);
  firn::bench::must(parts.status());
  uint64_t rows = 0;
  for (const auto& part : *parts) rows += part.samples->rows();
  return rows;
}

const std::vector<Door>& doors() {
  static const std::vector<Door> all = {
      {"JSON", "/api/v1/namespaces/default/metrics:batch", json_body, decode_json},
      {"line protocol", "/write?precision=ms", line_body, decode_lines},
  };
  return all;
}

// A connection that sends its requests round and round. One thread drives all of them.
class Client {
 public:
  Client(asio::io_context* context, const tcp::endpoint& server, std::vector<std::string> requests,
         TimeNs end)
      : socket_(*context), requests_(std::move(requests)), end_(end) {
    socket_.connect(server);
    socket_.set_option(tcp::no_delay(true));
  }
  void start() {
    asio::async_write(socket_, asio::buffer(requests_[done_ % requests_.size()]),
                      [this](auto error, size_t) {
                        if (error) fail(error.message());
                        read();
                      });
  }
  size_t done() const { return done_; }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [this](auto error, size_t bytes) {
      if (error) fail(error.message());
      const std::string_view answer(buffer_.data(), bytes);
      if (!answer.starts_with("HTTP/1.1 20")) fail(std::string(answer));
      ++done_;
      if (firn::posix_env()->monotonic() < end_) start();
    });
  }

  tcp::socket socket_;
  const std::vector<std::string> requests_;
  const TimeNs end_;
  std::array<char, 4096> buffer_{};
  size_t done_ = 0;
};

// Requests of a connection: the same series, later and later.
std::vector<std::string> make_requests(const Settings& settings, const Door& door, size_t client) {
  constexpr size_t kRequests = 8;
  const int64_t now_ms = firn::posix_env()->now() / firn::kMillisecondNs;
  std::vector<std::string> requests;
  for (size_t i = 0; i < kRequests; ++i) {
    const std::string body =
        door.make_body(settings, (client * kRequests + i) * settings.samples, now_ms);
    requests.push_back(
        fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}",
                    door.path, body.size(), body));
  }
  return requests;
}

double samples_a_second(const Settings& settings, const Door& door) {
  auto server = firn::bench::start_server(settings.directory + "/firn");
  asio::io_context context(1);
  const tcp::endpoint address(asio::ip::address_v4::loopback(), server->port());
  std::vector<std::vector<std::string>> requests;
  for (size_t i = 0; i < settings.connections; ++i) {
    requests.push_back(make_requests(settings, door, i));
  }
  const TimeNs begin = firn::posix_env()->monotonic();
  std::vector<std::unique_ptr<Client>> clients;
  for (auto& one : requests) {
    clients.push_back(
        std::make_unique<Client>(&context, address, std::move(one), begin + settings.run_ns));
  }
  for (const auto& client : clients) client->start();
  context.run();
  const DurationNs took = firn::posix_env()->monotonic() - begin;
  size_t done = 0;
  for (const auto& client : clients) done += client->done();
  return static_cast<double>(done * settings.samples) * 1e9 / static_cast<double>(took);
}

double decoded_a_second(const Settings& settings, const Door& door) {
  const TimeNs now = firn::posix_env()->now();
  const std::string body = door.make_body(settings, 0, now / firn::kMillisecondNs);
  firn::SeriesCache cache(16 * firn::kMiB, 1);
  firn::DecodeDefaults defaults;
  defaults.now = now;
  defaults.series_cache = &cache;
  const TimeNs begin = firn::posix_env()->monotonic();
  uint64_t rows = 0;
  while (firn::posix_env()->monotonic() < begin + firn::kSecondNs) {
    rows += door.decode(body, defaults);
  }
  return static_cast<double>(rows) * 1e9 /
         static_cast<double>(firn::posix_env()->monotonic() - begin);
}

Settings read_settings(int argc, char** argv) {
  Settings settings;
  settings.directory = (std::filesystem::temp_directory_path() / "firn_bench_metrics").string();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--seconds") {
      settings.run_ns = static_cast<DurationNs>(std::strtod(value.c_str(), nullptr) * 1e9);
    } else if (option == "--connections") {
      settings.connections = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--samples") {
      settings.samples = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--series") {
      settings.series = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--directory") {
      settings.directory = value + "/firn_bench_metrics";
    } else {
      fail(
          "usage: bench_metrics [--seconds S] [--connections N] [--samples N] [--series N] "
          "[--directory D]");
    }
  }
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = read_settings(argc, argv);
  fmt::print("{} samples a request, {} series, {} connections, each request synced\n",
             settings.samples, settings.series, settings.connections);
  fmt::print("{:<16} {:>12} {:>22}\n", "", "samples/s", "decoded/s, one thread");
  for (const Door& door : doors()) {
    std::filesystem::remove_all(settings.directory);
    std::filesystem::create_directories(settings.directory);
    const double decoded = decoded_a_second(settings, door);
    fmt::print("{:<16} {:>12} {:>22}\n", door.name,
               firn::bench::rate_text(samples_a_second(settings, door)),
               firn::bench::rate_text(decoded));
    std::fflush(stdout);
  }
  std::filesystem::remove_all(settings.directory);
  return 0;
}
