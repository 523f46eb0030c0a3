// Reads of streams and categories by EventoDB's protocol, and how soon subscribers hear of a write:
// against the real server in this process, hot (in memory) and warm (in SQLite). Beside the reads
// SQLite as a library with an index over (stream, position). Clients and server share the cores.
//
// usage: bench_streams [--reads N] [--connections N] [--subscribers N] [--directory D]
//
// 20 categories of 100 streams with 100 messages each, written in turn, so that the messages of a
// stream lie far apart.

#include <boost/asio.hpp>
#include <charconv>
#include <random>
#include <string_view>
#include <thread>

#include "bench/peers.h"
#include "bench/server_under_test.h"

namespace {

using firn::DurationNs;
using firn::TimeNs;
using firn::bench::fail;
using firn::bench::Rate;
namespace asio = boost::asio;
using asio::ip::tcp;

constexpr size_t kCategories = 20, kStreams = 100, kMessages = 100;
constexpr size_t kPokes = 300;

struct Settings {
  size_t reads = 2000;
  size_t connections = 4;
  size_t subscribers = 100;
  std::string directory;
};

TimeNs now() { return firn::posix_env()->monotonic(); }

std::string stream_name(size_t category, size_t stream) {
  return fmt::format("cat{}-{}", category, stream);
}

std::string message(size_t number) {
  std::string text = fmt::format(R"({{"order":{},"note":")", number);
  text.append(firn::bench::kEventBytes - std::min(firn::bench::kEventBytes, text.size() + 2), 'x');
  return text + "\"}";
}

// A connection that makes one call after the other.
class Connection {
 public:
  explicit Connection(uint16_t port) : socket_(context_) {
    socket_.connect({asio::ip::address_v4::loopback(), port});
    socket_.set_option(tcp::no_delay(true));
  }
  // The body of the answer, which must be 200.
  std::string call(const std::string& body) {
    asio::write(socket_,
                asio::buffer(fmt::format(
                    "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}",
                    body.size(), body)));
    const size_t head = asio::read_until(socket_, asio::dynamic_buffer(buffer_), "\r\n\r\n");
    if (!buffer_.starts_with("HTTP/1.1 200")) fail(buffer_);
    const size_t bytes = head + content_length(std::string_view(buffer_).substr(0, head));
    if (buffer_.size() < bytes) {
      asio::read(socket_, asio::dynamic_buffer(buffer_),
                 asio::transfer_exactly(bytes - buffer_.size()));
    }
    std::string answer = buffer_.substr(head, bytes - head);
    buffer_.erase(0, bytes);
    return answer;
  }

 private:
  static size_t content_length(std::string_view head) {
    constexpr std::string_view kName = "Content-Length: ";
    const size_t at = head.find(kName);
    size_t length = 0;
    if (at == std::string_view::npos) fail("an answer without Content-Length");
    std::from_chars(head.data() + at + kName.size(), head.data() + head.size(), length);
    return length;
  }

  asio::io_context context_;
  tcp::socket socket_;
  std::string buffer_;
};

// `call(thread, number)` makes one read.
template <typename Call>
Rate run_reads(const Settings& settings, Call&& call) {
  std::vector<std::vector<DurationNs>> latencies(settings.connections);
  std::vector<std::thread> threads;
  const TimeNs begin = now();
  for (size_t t = 0; t < settings.connections; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < settings.reads / settings.connections; ++i) {
        const TimeNs before = now();
        call(t, i);
        latencies[t].push_back(now() - before);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return firn::bench::summarize(latencies, 1, now() - begin);
}

Rate run_rpc_reads(uint16_t port, const Settings& settings, bool categories) {
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::mt19937_64> randoms;
  for (size_t t = 0; t < settings.connections; ++t) {
    connections.push_back(std::make_unique<Connection>(port));
    randoms.emplace_back(t);
  }
  return run_reads(settings, [&](size_t t, size_t) {
    const size_t category = randoms[t]() % kCategories, stream = randoms[t]() % kStreams;
    const std::string answer = connections[t]->call(
        categories
            ? fmt::format(R"(["category.get","cat{}",{{"position":{},"batchSize":100}}])", category,
                          1 + randoms[t]() % (kCategories * kStreams * kMessages / 2))
            : fmt::format(R"(["stream.get","{}",{{"batchSize":100}}])",
                          stream_name(category, stream)));
    if (static_cast<size_t>(std::count(answer.begin(), answer.end(), '[')) != 101) {
      fail("not 100 messages: " + answer.substr(0, 300));
    }
  });
}

void write_messages(uint16_t port) {
  Connection connection(port);
  for (size_t number = 0; number < kMessages; ++number) {
    for (size_t category = 0; category < kCategories; ++category) {
      std::string body = "[\"stream.append\",[";
      for (size_t stream = 0; stream < kStreams; ++stream) {
        body += fmt::format(R"({}{{"stream":"{}","type":"ItemAdded","data":{}}})",
                            stream == 0 ? "" : ",", stream_name(category, stream), message(number));
      }
      connection.call(body + "]]");
    }
  }
}

// The same messages in a table of SQLite.
class SqliteMessages {
 public:
  explicit SqliteMessages(const std::string& path) : path_(path) {
    sqlite3* db = open();
    run(db,
        "PRAGMA journal_mode=WAL; CREATE TABLE messages(global INTEGER PRIMARY KEY, "
        "stream TEXT, category TEXT, position INTEGER, type TEXT, data TEXT);"
        "CREATE UNIQUE INDEX by_stream ON messages(stream, position);"
        "CREATE INDEX by_category ON messages(category, global); BEGIN");
    for (size_t number = 0; number < kMessages; ++number) {
      for (size_t category = 0; category < kCategories; ++category) {
        for (size_t stream = 0; stream < kStreams; ++stream) {
          run(db, fmt::format("INSERT INTO messages(stream, category, position, type, data) "
                              "VALUES('{}', 'cat{}', {}, 'ItemAdded', '{}')",
                              stream_name(category, stream), category, number, message(number)));
        }
      }
    }
    run(db, "COMMIT");
    sqlite3_close(db);
  }
  Rate read(const Settings& settings, bool categories) {
    std::vector<sqlite3*> connections(settings.connections);
    std::vector<sqlite3_stmt*> statements(settings.connections);
    std::vector<std::mt19937_64> randoms;
    for (size_t t = 0; t < settings.connections; ++t) {
      connections[t] = open();
      randoms.emplace_back(t);
      const char* sql = categories ? "SELECT * FROM messages WHERE category = ? AND global >= ? "
                                     "ORDER BY global LIMIT 100"
                                   : "SELECT * FROM messages WHERE stream = ? AND position >= ? "
                                     "ORDER BY position LIMIT 100";
      if (sqlite3_prepare_v2(connections[t], sql, -1, &statements[t], nullptr) != SQLITE_OK) {
        fail(sqlite3_errmsg(connections[t]));
      }
    }
    const Rate rate = run_reads(settings, [&](size_t t, size_t) {
      const size_t category = randoms[t]() % kCategories, stream = randoms[t]() % kStreams;
      const std::string name =
          categories ? fmt::format("cat{}", category) : stream_name(category, stream);
      const size_t from =
          categories ? 1 + randoms[t]() % (kCategories * kStreams * kMessages / 2) : 0;
      sqlite3_bind_text(statements[t], 1, name.data(), static_cast<int>(name.size()),
                        SQLITE_STATIC);
      sqlite3_bind_int64(statements[t], 2, static_cast<int64_t>(from));
      size_t rows = 0, bytes = 0;
      while (sqlite3_step(statements[t]) == SQLITE_ROW) {
        ++rows;
        for (int c = 0; c < 6; ++c) bytes += sqlite3_column_bytes(statements[t], c);
      }
      if (rows != 100 || bytes == 0) fail("SQLite did not find 100 messages");
      sqlite3_reset(statements[t]);
    });
    for (size_t t = 0; t < settings.connections; ++t) {
      sqlite3_finalize(statements[t]);
      sqlite3_close(connections[t]);
    }
    return rate;
  }

 private:
  sqlite3* open() {
    sqlite3* db = nullptr;
    if (sqlite3_open(path_.c_str(), &db) != SQLITE_OK) fail(sqlite3_errmsg(db));
    return db;
  }
  static void run(sqlite3* db, const std::string& sql) {
    if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      fail(sqlite3_errmsg(db));
    }
  }
  std::string path_;
};

// A subscriber to a category; notes when each poke came.
class Subscriber {
 public:
  Subscriber(asio::io_context* context, uint16_t port) : socket_(*context) {
    socket_.connect({asio::ip::address_v4::loopback(), port});
    asio::write(socket_, asio::buffer(std::string("GET /subscribe?category=poked HTTP/1.1\r\n"
                                                  "Host: localhost\r\n\r\n")));
    asio::read_until(socket_, asio::dynamic_buffer(text_), ": ready");
    text_.clear();
    read();
  }
  const std::vector<TimeNs>& arrived() const { return arrived_; }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [this](auto error, size_t bytes) {
      if (error) return;
      text_.append(buffer_.data(), bytes);
      constexpr std::string_view kPoke = "event: poke";
      for (size_t at = text_.find(kPoke); at != std::string::npos; at = text_.find(kPoke)) {
        arrived_.push_back(now());
        text_.erase(0, at + kPoke.size());
      }
      if (arrived_.size() < kPokes) read();
    });
  }

  tcp::socket socket_;
  std::string text_;
  std::array<char, 4096> buffer_{};
  std::vector<TimeNs> arrived_;
};

struct PokeRates {
  Rate each, last;
};

// From the moment a write is sent until each subscriber, and the last of them, has heard of it.
PokeRates run_pokes(uint16_t port, const Settings& settings) {
  asio::io_context context(1);
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  for (size_t i = 0; i < settings.subscribers; ++i) {
    subscribers.push_back(std::make_unique<Subscriber>(&context, port));
  }
  std::thread reader([&context] { context.run(); });
  Connection writer(port);
  std::vector<TimeNs> sent;
  const TimeNs begin = now();
  for (size_t i = 0; i < kPokes; ++i) {
    sent.push_back(now());
    writer.call(R"(["stream.write","poked-1",{"type":"T","data":{}}])");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  reader.join();
  std::vector<std::vector<DurationNs>> each(subscribers.size());
  std::vector<std::vector<DurationNs>> last(1, std::vector<DurationNs>(kPokes));
  for (size_t s = 0; s < subscribers.size(); ++s) {
    for (size_t i = 0; i < kPokes; ++i) {
      each[s].push_back(subscribers[s]->arrived()[i] - sent[i]);
      last[0][i] = std::max(last[0][i], each[s][i]);
    }
  }
  const DurationNs took = now() - begin;
  return {firn::bench::summarize(each, 1, took), firn::bench::summarize(last, 1, took)};
}

void print_row(const std::string& what, const Rate& rate) {
  fmt::print("{:<36} {:>10} {:>8.2f} {:>8.2f}\n", what,
             firn::bench::rate_text(rate.events_per_second), rate.p50_ms, rate.p99_ms);
  std::fflush(stdout);
}

void run(const Settings& settings) {
  const auto server = firn::bench::start_server(settings.directory + "/firn");
  const uint16_t port = server->port();
  write_messages(port);
  fmt::print("{} streams in {} categories, {} messages of {} bytes, {} connections\n",
             kCategories * kStreams, kCategories, kCategories * kStreams * kMessages,
             firn::bench::kEventBytes, settings.connections);
  fmt::print("{:<36} {:>10} {:>8} {:>8}\n", "", "per second", "p50 ms", "p99 ms");
  print_row("stream.get of 100, hot", run_rpc_reads(port, settings, false));
  print_row("category.get of 100, hot", run_rpc_reads(port, settings, true));
  Connection(port).call(R"(["chunks.flush"])");
  print_row("stream.get of 100, warm", run_rpc_reads(port, settings, false));
  print_row("category.get of 100, warm", run_rpc_reads(port, settings, true));
  SqliteMessages lite(settings.directory + "/lite.db");
  print_row("SQLite in process, stream", lite.read(settings, false));
  print_row("SQLite in process, category", lite.read(settings, true));
  const PokeRates pokes = run_pokes(port, settings);
  print_row(fmt::format("poke to {} subscribers", settings.subscribers), pokes.each);
  print_row("the same, until the last has it", pokes.last);
}

Settings read_settings(int argc, char** argv) {
  Settings settings;
  settings.directory = (std::filesystem::temp_directory_path() / "firn_bench_streams").string();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--reads") {
      settings.reads = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--connections") {
      settings.connections = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--subscribers") {
      settings.subscribers = std::strtoul(value.c_str(), nullptr, 10);
    } else if (option == "--directory") {
      settings.directory = value + "/firn_bench_streams";
    } else {
      fail("usage: bench_streams [--reads N] [--connections N] [--subscribers N] [--directory D]");
    }
  }
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = read_settings(argc, argv);
  std::filesystem::remove_all(settings.directory);
  std::filesystem::create_directories(settings.directory);
  run(settings);
  std::filesystem::remove_all(settings.directory);
  return 0;
}
