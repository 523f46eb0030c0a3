// What a program that embeds Firn gets: durable appends through the library, flush to SQLite, move
// to Parquet, restart, and SQL beside DuckDB alone on the same files. Appends are compared with the
// bare log in the same run; bench_wal compares that with RocksDB and SQLite.
//
// usage: bench_library [--seconds S] [--events N] [--directory D] [--cell PRODUCERSxBATCH]
//
// --cell measures appends of this shape only, five times.

#include <firn/database.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/duckdb_alone.h"
#include "env/env.h"
#include "wal/segment_wal.h"

namespace {

using firn::posix_env;
using firn::TimeNs;

struct Settings {
  double seconds = 2;
  size_t events = 1'000'000;
  size_t cell_producers = 0, cell_batch = 0;  // 0: all of them
  std::string directory = (std::filesystem::temp_directory_path() / "firn_bench_library").string();
};

void must(const firn::Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "bench_library: {}\n", status.to_string());
  std::exit(1);
}

double seconds_since(TimeNs begin) {
  return static_cast<double>(posix_env()->monotonic() - begin) / 1e9;
}

// Events of about 200 bytes as a service would log them: 20 types, 12 sources, 10,000 streams, JSON
// with a random trace id, numbers and a short message.
class Events {
 public:
  explicit Events(size_t count) {
    texts_.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      const uint64_t a = posix_env()->random_u64(), b = posix_env()->random_u64();
      texts_.push_back({fmt::format("order-{}", a % 10'000),
                        fmt::format(R"({{"trace":"{:016x}{:016x}","path":"/api/v1/orders/{}",)"
                                    R"("status":{},"bytes":{},"ms":{}.{},"user":"user-{}"}})",
                                    a, b, a % 5000, b % 7 == 0 ? 500 : 200, b % 65536, a % 90,
                                    b % 10, a % 3000)});
    }
    static const std::vector<std::string> kTypes = numbered("http.request.", 20);
    static const std::vector<std::string> kSources = numbered("service-", 12);
    for (size_t i = 0; i < count; ++i) {
      firn::Event event;
      event.type = kTypes[i % kTypes.size()];
      event.source = kSources[(i / 7) % kSources.size()];
      event.severity = static_cast<uint8_t>(i % 11 == 0 ? 17 : 9);
      event.stream = texts_[i].first;
      event.data = texts_[i].second;
      events_.push_back(event);
    }
  }
  // The texts, and 40 bytes for id, time and what the log adds per event of a large batch.
  size_t encoded_bytes() const {
    size_t sum = 0;
    for (const firn::Event& event : events_) {
      sum += event.type.size() + event.source.size() + event.stream.size() + event.data.size() + 40;
    }
    return sum / events_.size();
  }
  std::span<const firn::Event> slice(size_t at, size_t count) const {
    return std::span(events_).subspan(at % (events_.size() - count + 1), count);
  }

 private:
  static std::vector<std::string> numbered(const std::string& prefix, int count) {
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i) texts.push_back(prefix + std::to_string(i));
    return texts;
  }
  std::vector<std::pair<std::string, std::string>> texts_;
  std::vector<firn::Event> events_;
};

// Calls `append` from many threads for a while; events per second.
double run_producers(size_t producers, size_t batch, double seconds,
                     const std::function<void(size_t)>& append) {
  const TimeNs begin = posix_env()->monotonic();
  std::atomic<uint64_t> batches{0};
  std::vector<std::thread> threads;
  for (size_t p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      for (size_t i = p * 1000; seconds_since(begin) < seconds; i += batch) {
        append(i);
        batches.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(batches.load() * batch) / seconds_since(begin);
}

// Many appends on their way at once, from two threads that never wait for a single one.
double run_pipelined(firn::Database* database, const Events& events, size_t batch, double seconds) {
  constexpr uint64_t kWindowEvents = 64'000;
  std::atomic<uint64_t> durable{0}, sent{0};
  const TimeNs begin = posix_env()->monotonic();
  std::vector<std::thread> threads;
  for (size_t p = 0; p < 2; ++p) {
    threads.emplace_back([&, p] {
      for (size_t i = p * 5000; seconds_since(begin) < seconds; i += batch) {
        while (sent.load() - durable.load() > kWindowEvents) std::this_thread::yield();
        sent.fetch_add(batch);
        database->append_async("default", events.slice(i, batch), firn::Ack::kFsync,
                               [&durable, batch](const firn::Result<firn::Appended>& result) {
                                 if (result.status().code() != firn::StatusCode::kUnavailable) {
                                   must(result.status());
                                 }
                                 durable.fetch_add(batch);
                               });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (durable.load() < sent.load()) std::this_thread::yield();
  return static_cast<double>(durable.load()) / seconds_since(begin);
}

// Bytes for records of a log, too many for the processor's caches, where no record of a store is.
class Payloads {
 public:
  Payloads() : bytes_(kBytes, 0) {
    for (size_t i = 0; i + 8 <= kBytes; i += 8) {
      const uint64_t number = i * 0x9e3779b97f4a7c15u;
      std::memcpy(&bytes_[i], &number, sizeof(number));
    }
  }
  firn::ByteView next(size_t size) {
    return firn::ByteView(bytes_).substr(turn_.fetch_add(1) % (kBytes / size) * size, size);
  }

 private:
  static constexpr size_t kBytes = size_t{256} << 20;
  std::string bytes_;
  std::atomic<size_t> turn_{0};
};

// The log alone with records of the same size, many producers waiting for theirs. It keeps them
// all, as the store's log does meanwhile: nothing was flushed, so nothing may go.
double run_bare_log(const std::string& directory, size_t producers, size_t batch,
                    size_t event_bytes, double seconds) {
  firn::WalOptions options;
  options.directory = directory;
  options.disk_reserve_bytes = 0;
  must(posix_env()->create_directories(directory));
  auto log = firn::open_segment_wal(posix_env(), options);
  must(log.status());
  must((*log)->replay(
      {}, [](firn::Lsn, firn::ByteView) { return firn::Status(); }, nullptr));
  static Payloads payloads;
  std::mutex append_mutex;
  const double rate = run_producers(producers, batch, seconds, [&](size_t) {
    std::mutex mutex;
    std::condition_variable changed;
    bool durable = false;
    firn::WalAppend append;
    append.parts = {payloads.next(batch * event_bytes)};
    append.on_durable = [&](const firn::Status& status, firn::Lsn) {
      must(status);
      const std::lock_guard lock(mutex);
      durable = true;
      changed.notify_one();
    };
    {
      const std::lock_guard lock(append_mutex);
      (*log)->append(std::move(append));
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return durable; });
  });
  log->reset();
  std::filesystem::remove_all(directory);
  return rate;
}

std::unique_ptr<firn::Database> open_database(const std::string& directory) {
  firn::DatabaseOptions options;
  options.directory = directory;
  options.memory_bytes_max = uint64_t{6} << 30;
  auto database = firn::Database::open(options);
  must(database.status());
  return std::move(*database);
}

void bench_cell(const Settings& settings, const Events& events, size_t producers, size_t batch) {
  const std::string directory = settings.directory + "/append";
  double library = 0;
  {
    const auto database = open_database(directory);
    library = run_producers(producers, batch, settings.seconds, [&](size_t i) {
      const auto result = database->append("default", events.slice(i, batch));
      if (result.status().code() != firn::StatusCode::kUnavailable) must(result.status());
    });
  }
  std::filesystem::remove_all(directory);
  const double bare = run_bare_log(settings.directory + "/log", producers, batch,
                                   events.encoded_bytes(), settings.seconds);
  fmt::print("{:>9} {:>6} {:>12.0f} {:>12.0f} {:>7.2f}\n", producers, batch, library, bare,
             library / bare);
  std::fflush(stdout);
}

void bench_appends(const Settings& settings, const Events& events) {
  fmt::print("durable appends of events of {} bytes, {:.0f} s a cell: events/s\n",
             events.encoded_bytes(), settings.seconds);
  fmt::print("{:>9} {:>6} {:>12} {:>12} {:>7}\n", "producers", "batch", "library", "bare log",
             "ratio");
  if (settings.cell_batch != 0) {
    for (int i = 0; i < 5; ++i) {
      bench_cell(settings, events, settings.cell_producers, settings.cell_batch);
    }
    return;
  }
  for (const size_t producers : {1, 8, 64}) {
    for (const size_t batch : {1, 10, 100, 1000}) bench_cell(settings, events, producers, batch);
  }
  for (const size_t batch : {1, 10, 100, 1000}) {
    const auto database = open_database(settings.directory + "/append");
    fmt::print("{:>9} {:>6} {:>12.0f}\n", "pipelined", batch,
               run_pipelined(database.get(), events, batch, settings.seconds));
    std::fflush(stdout);
  }
  std::filesystem::remove_all(settings.directory + "/append");
}

uint64_t directory_bytes(const std::string& directory) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

constexpr const char* kStatements[] = {
    "SELECT count(*) FROM {}",
    "SELECT type, count(*), max(time) FROM {} GROUP BY type",
    "SELECT source, severity, count(*) FROM {} WHERE severity >= 17 GROUP BY ALL",
    "SELECT count(*) FROM {} WHERE data LIKE '%orders/77\"%'",
};

// Of works that take turns, because machines change their speed: as often as fills a fifth of a
// second, but seven times at least.
std::vector<double> median_seconds(const std::vector<std::function<void()>>& works) {
  std::vector<std::vector<double>> times(works.size());
  const TimeNs first = posix_env()->monotonic();
  while (times[0].size() < 7 || seconds_since(first) < 0.2) {
    for (size_t i = 0; i < works.size(); ++i) {
      const TimeNs begin = posix_env()->monotonic();
      works[i]();
      times[i].push_back(seconds_since(begin));
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& of_one : times) {
    std::sort(of_one.begin(), of_one.end());
    medians.push_back(of_one[of_one.size() / 2]);
  }
  return medians;
}

std::function<void()> library_query(firn::Database* database, const std::string& sql) {
  return [database, sql] { must(database->sql("default", sql).status()); };
}

void report_statements(firn::Database* database, const char* tier) {
  for (const char* statement : kStatements) {
    const std::string sql = fmt::format(fmt::runtime(statement), "events");
    fmt::print("  {:<7} {:>8.1f} ms  {}\n", tier,
               median_seconds({library_query(database, sql)})[0] * 1e3, statement);
  }
}

void bench_tiers(const Settings& settings, const Events& events) {
  const std::string directory = settings.directory + "/tiers";
  const auto report = [&](const char* what, double seconds, uint64_t bytes) {
    fmt::print("{:<28} {:>8.2f} s {:>12.0f} events/s", what, seconds,
               static_cast<double>(settings.events) / seconds);
    if (bytes > 0) {
      fmt::print(" {:>8.1f} bytes/event",
                 static_cast<double>(bytes) / static_cast<double>(settings.events));
    }
    fmt::print("\n");
  };
  auto database = open_database(directory);
  for (size_t i = 0; i < settings.events; i += 1000) {
    must(database->append("default", events.slice(i, 1000)).status());
  }
  const TimeNs restart = posix_env()->monotonic();
  database.reset();
  database = open_database(directory);
  report("restart with all in the log", seconds_since(restart), 0);
  report_statements(database.get(), "memory");
  TimeNs begin = posix_env()->monotonic();
  must(database->flush("default"));
  report("flush to SQLite blocks", seconds_since(begin), directory_bytes(directory + "/warm"));
  report_statements(database.get(), "sqlite");
  begin = posix_env()->monotonic();
  must(database->move_to_cold("default"));
  report("move to Parquet, verified", seconds_since(begin), directory_bytes(directory + "/cold"));
  const std::string files = "read_parquet('" + directory + "/cold/**/*.parquet')";
  for (const char* statement : kStatements) {
    const std::string sql = fmt::format(fmt::runtime(statement), "events");
    const std::string alone = fmt::format(fmt::runtime(statement), files);
    firn::bench::DuckDbAlone duckdb;
    const std::vector<double> seconds =
        median_seconds({library_query(database.get(), sql), [&] { duckdb.run(alone); }});
    const double own = seconds[0], peer = seconds[1];
    fmt::print("  parquet {:>8.1f} ms, DuckDB alone {:>8.1f} ms, ratio {:>5.2f}  {}\n", own * 1e3,
               peer * 1e3, own / peer, statement);
  }
  begin = posix_env()->monotonic();
  database.reset();
  database = open_database(directory);
  fmt::print("restart with all in Parquet {:>8.3f} s\n", seconds_since(begin));
}

Settings read_settings(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--seconds") settings.seconds = std::strtod(argv[i + 1], nullptr);
    if (name == "--events") settings.events = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--cell") {
      const std::string cell = argv[i + 1];
      settings.cell_producers = std::strtoull(cell.c_str(), nullptr, 10);
      settings.cell_batch = std::strtoull(cell.c_str() + cell.find('x') + 1, nullptr, 10);
    }
    if (name == "--directory")
      settings.directory = std::string(argv[i + 1]) + "/firn_bench_library";
  }
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = read_settings(argc, argv);
  std::filesystem::remove_all(settings.directory);
  const Events events(100'000);
  bench_appends(settings, events);
  if (settings.cell_batch == 0) bench_tiers(settings, events);
  std::filesystem::remove_all(settings.directory);
  return 0;
}
