// Single events over HTTP: connections that each write one event, wait for its acknowledgement and
// write the next, against the real server in this process. Beside it RocksDB and SQLite as
// libraries, with one thread a connection and synced writes. Client, server and peers share the
// machine's cores.
//
// usage: bench_http [--seconds S] [--connections N] [--directory D] [--face events|streams]
//                   [--batch N] [--sync-delay-ms MS]
//
// `streams` writes by EventoDB's stream.write, each connection to a stream of its own. `--batch`
// puts that many events into each request. `--sync-delay-ms` makes every sync of the server take
// that much longer, like a slow disk; then there are no peers.

#include <boost/asio.hpp>
#include <string_view>
#include <thread>

#include "bench/peers.h"
#include "bench/server_under_test.h"
#include "env/fault_env.h"

namespace {

using firn::DurationNs;
using firn::TimeNs;
using firn::bench::fail;
using firn::bench::Rate;
namespace asio = boost::asio;
using asio::ip::tcp;

struct Settings {
  DurationNs run_ns = 5 * firn::kSecondNs;
  size_t connections = 64;
  std::string directory;
  bool streams = false;
  size_t batch = 1;  // events of a request
  DurationNs sync_delay_ns = 0;
};

// A connection that keeps one request under way. One thread drives all of them.
class Client {
 public:
  Client(asio::io_context* context, const tcp::endpoint& server, std::string request, TimeNs end)
      : socket_(*context), request_(std::move(request)), end_(end) {
    socket_.connect(server);
    socket_.set_option(tcp::no_delay(true));
  }
  void start() {
    began_ = firn::posix_env()->monotonic();
    asio::async_write(socket_, asio::buffer(request_), [this](auto error, size_t) {
      if (error) fail(error.message());
      read();
    });
  }
  const std::vector<DurationNs>& latencies() const { return latencies_; }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [this](auto error, size_t bytes) {
      if (error) fail(error.message());
      answer_.append(buffer_.data(), bytes);
      // The answer's body is one line of JSON.
      if (!answer_.ends_with("}\n")) return read();
      if (!answer_.starts_with("HTTP/1.1 200")) fail(answer_);
      answer_.clear();
      const TimeNs now = firn::posix_env()->monotonic();
      latencies_.push_back(now - began_);
      if (now < end_) start();
    });
  }

  tcp::socket socket_;
  const std::string request_;
  const TimeNs end_;
  TimeNs began_ = 0;
  std::array<char, 4096> buffer_{};
  std::string answer_;
  std::vector<DurationNs> latencies_;
};

// A message of about kEventBytes bytes as JSON.
std::string make_stream_request(size_t connection) {
  std::string body =
      fmt::format(R"(["stream.write","cart-{}",{{"type":"ItemAdded","data":{{"order":{},"note":")",
                  connection, 100'000 + connection);
  body.append(firn::bench::kEventBytes - std::min(firn::bench::kEventBytes, body.size() + 3), 'x');
  body += "\"}}]";
  return fmt::format("POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}",
                     body.size(), body);
}

// An event of about kEventBytes bytes as JSON.
std::string make_event(size_t connection) {
  std::string event = fmt::format(
      R"({{"type":"order.placed","source":"shop-{}","severity":9,"data":{{"order":{},"note":")",
      connection % 12, 100'000 + connection);
  event.append(firn::bench::kEventBytes - std::min(firn::bench::kEventBytes, event.size() + 3),
               'x');
  return event + "\"}}";
}

std::string make_request(size_t connection, size_t batch) {
  const std::string event = make_event(connection);
  std::string body = event;
  if (batch > 1) {
    body = "[" + event;
    for (size_t i = 1; i < batch; ++i) body += "," + event;
    body += "]";
  }
  return fmt::format(
      "POST /api/v1/namespaces/default/events HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      body.size(), body);
}

Rate run_clients(uint16_t port, const Settings& settings) {
  asio::io_context context(1);
  const tcp::endpoint server(asio::ip::address_v4::loopback(), port);
  const TimeNs begin = firn::posix_env()->monotonic();
  std::vector<std::unique_ptr<Client>> clients;
  clients.reserve(settings.connections);
  for (size_t i = 0; i < settings.connections; ++i) {
    clients.push_back(std::make_unique<Client>(
        &context, server,
        settings.streams ? make_stream_request(i) : make_request(i, settings.batch),
        begin + settings.run_ns));
  }
  for (const auto& client : clients) client->start();
  context.run();
  std::vector<std::vector<DurationNs>> latencies;
  latencies.reserve(clients.size());
  for (const auto& client : clients) latencies.push_back(client->latencies());
  return firn::bench::summarize(latencies, settings.batch, firn::posix_env()->monotonic() - begin);
}

Settings read_settings(int argc, char** argv) {
  Settings settings;
  settings.directory = (std::filesystem::temp_directory_path() / "firn_bench_http").string();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--seconds") {
      settings.run_ns = static_cast<DurationNs>(std::strtod(value.c_str(), nullptr) * 1e9);
    } else if (option == "--connections") {
      settings.connections = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--directory") {
      settings.directory = value + "/firn_bench_http";
    } else if (option == "--face") {
      settings.streams = value == "streams";
    } else if (option == "--batch") {
      settings.batch = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--sync-delay-ms") {
      settings.sync_delay_ns = std::strtoll(value.c_str(), nullptr, 10) * firn::kMillisecondNs;
    } else {
      fail(
          "usage: bench_http [--seconds S] [--connections N] [--directory D] [--face "
          "events|streams] [--batch N] [--sync-delay-ms MS]");
    }
  }
  return settings;
}

void print_row(const std::string& what, const Rate& rate, const Rate& firn_rate) {
  fmt::print("{:<28} {:>10} {:>8.2f} {:>8.2f} {:>7.1f}x\n", what,
             firn::bench::rate_text(rate.events_per_second), rate.p50_ms, rate.p99_ms,
             firn_rate.events_per_second / rate.events_per_second);
  std::fflush(stdout);
}

// Its data is in settings.directory, which should be in memory: the disk's own stalls are added.
void run_on_slow_disk(const Settings& settings) {
  firn::FaultEnv disk(firn::posix_env());
  disk.before_sync([&](const std::string&) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(settings.sync_delay_ns));
  });
  const auto server = firn::bench::start_server(settings.directory + "/firn", &disk);
  Settings first = settings;  // the log's first append also waits for its first segment
  first.connections = 1;
  first.run_ns = 0;
  run_clients(server->port(), first);
  const Rate rate = run_clients(server->port(), settings);
  fmt::print(
      "syncs {} ms slower, {} connections of {} events: {} events/s, p50 {:.1f} p99 {:.1f} ms\n",
      settings.sync_delay_ns / firn::kMillisecondNs, settings.connections, settings.batch,
      firn::bench::rate_text(rate.events_per_second), rate.p50_ms, rate.p99_ms);
}

void run(const Settings& settings) {
  auto server = firn::bench::start_server(settings.directory + "/firn");
  const Rate own = run_clients(server->port(), settings);
  server.reset();
  firn::bench::RocksLog rocks(settings.directory + "/rocksdb");
  const Rate b = rocks.blocking(settings.connections, 1, 1, settings.run_ns);
  firn::bench::SqliteLog lite(settings.directory + "/sqlite");
  const Rate c = lite.blocking(settings.connections, 1, settings.run_ns);
  fmt::print("Single events of {} bytes, each synced before its answer, {} at a time\n",
             firn::bench::kEventBytes, settings.connections);
  fmt::print("{:<28} {:>10} {:>8} {:>8} {:>8}\n", "", "events/s", "p50 ms", "p99 ms", "firn is");
  print_row(settings.streams ? "firn, stream.write" : "firn over HTTP", own, own);
  print_row("RocksDB, in process", b, own);
  print_row("SQLite FULL, in process", c, own);
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = read_settings(argc, argv);
  std::filesystem::remove_all(settings.directory);
  std::filesystem::create_directories(settings.directory);
  settings.sync_delay_ns > 0 ? run_on_slow_disk(settings) : run(settings);
  std::filesystem::remove_all(settings.directory);
  return 0;
}
