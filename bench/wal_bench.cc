// Durable appends per second through SegmentWal, beside RocksDB with synced writes and SQLite with
// synchronous=FULL on the same disk in the same run; then through RocksdbWal beside RocksDB alone.
// Every number counts acknowledged events only.
//
// usage: bench_wal [--seconds S] [--directory D] [--sync auto|buffered|direct] [--quick]

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/peers.h"
#include "env/env.h"
#include "wal/open_wal.h"
#include "wal/sync_probe.h"

namespace {

using firn::DurationNs;
using firn::TimeNs;
using firn::bench::fail;
using firn::bench::kEventBytes;
using firn::bench::must;
using firn::bench::Rate;
using firn::bench::rate_text;
using firn::bench::RocksLog;
using firn::bench::run_producers;
using firn::bench::SqliteLog;

constexpr size_t kPipelinedAppends = 16384;
constexpr uint64_t kPipelinedBytes = 64 << 20;
constexpr uint64_t kTrimBytes = 32 << 20;

struct Settings {
  DurationNs run_ns = firn::kSecondNs;
  std::string directory;
  firn::WalSync sync = firn::WalSync::kAuto;
  bool quick = false;
};

class FirnLog {
 public:
  FirnLog(const std::string& directory, firn::WalType type, firn::WalSync sync)
      : directory_(directory), type_(type), sync_(sync) {
    open();
  }

  // As a store whose data went on to the next tier would: segments are recycled all the time.
  void trim() { must(wal_->trim(wal_->stats().durable)); }
  firn::WalStats stats() const { return wal_->stats(); }

  Rate blocking(size_t producers, size_t batch, DurationNs run_ns) {
    const std::string payload(batch * kEventBytes, 'e');
    const firn::WalStats before = stats();
    std::atomic<uint64_t> appends{0};
    const uint64_t trim_every = std::max<uint64_t>(1, kTrimBytes / payload.size());
    Rate rate = run_producers(producers, batch, run_ns, [&](size_t) {
      std::mutex mutex;
      std::condition_variable done;
      bool durable = false;
      firn::WalAppend append;
      append.parts = {payload};
      append.on_durable = [&](const firn::Status& status, firn::Lsn) {
        must(status);
        const std::lock_guard lock(mutex);
        durable = true;
        done.notify_one();
      };
      {
        const std::lock_guard lock(append_mutex_);
        wal_->append(std::move(append));
      }
      {
        std::unique_lock lock(mutex);
        done.wait(lock, [&] { return durable; });
      }
      if (appends.fetch_add(1) % trim_every == 0) {
        const std::lock_guard lock(append_mutex_);
        trim();
      }
    });
    fill_group(before, batch, &rate);
    return rate;
  }

  // One producer that never waits for a single append, only for room in the window.
  Rate pipelining(size_t batch, DurationNs run_ns, bool recycle = true) {
    firn::Env* env = firn::posix_env();
    const std::string payload(batch * kEventBytes, 'e');
    const firn::WalStats before = stats();
    const TimeNs begin = env->monotonic();
    std::atomic<uint64_t> durable{0};
    uint64_t sent = 0;
    uint64_t trimmed = 0;
    for (bool more = true; more;) {
      for (int i = 0; i < 64; ++i) {
        firn::WalAppend append;
        append.parts = {payload};
        append.on_durable = [&durable](const firn::Status& status, firn::Lsn) {
          must(status);
          durable.fetch_add(1, std::memory_order_release);
        };
        wal_->append(std::move(append));
        ++sent;
      }
      const auto full = [&] {
        return sent - durable.load(std::memory_order_acquire) >= kPipelinedAppends ||
               wal_->pending_bytes() >= kPipelinedBytes;
      };
      while (full()) std::this_thread::yield();
      if (sent * payload.size() - trimmed >= kTrimBytes) {
        trimmed = sent * payload.size();
        if (recycle) trim();
      }
      more = env->monotonic() - begin < run_ns;
    }
    while (durable.load(std::memory_order_acquire) < sent) std::this_thread::yield();
    const auto elapsed = static_cast<double>(env->monotonic() - begin);
    Rate rate;
    rate.events_per_second = static_cast<double>(sent * batch) * 1e9 / elapsed;
    fill_group(before, batch, &rate);
    return rate;
  }

  // A restart: everything that was not trimmed is read again.
  void replay() {
    firn::Env* env = firn::posix_env();
    wal_.reset();
    const TimeNs begin = env->monotonic();
    open();
    const auto elapsed = static_cast<double>(env->monotonic() - begin) / 1e9;
    const auto bytes = static_cast<double>(replayed_bytes_);
    fmt::print("replay of {:.0f} MiB in {} records: {:.2f} s, {:.2f} GB/s\n", bytes / (1 << 20),
               replayed_records_, elapsed, bytes / elapsed / 1e9);
  }

 private:
  void open() {
    firn::WalOptions options;
    options.directory = directory_;
    options.type = type_;
    options.sync = sync_;
    options.disk_reserve_bytes = 0;
    auto opened = firn::open_wal(firn::posix_env(), options);
    must(opened.status());
    wal_ = std::move(*opened);
    const auto visit = [this](firn::Lsn, firn::ByteView payload) {
      replayed_bytes_ += payload.size();
      ++replayed_records_;
      return firn::Status();
    };
    must(wal_->replay({}, visit, nullptr));
  }

  void fill_group(const firn::WalStats& before, size_t batch, Rate* rate) const {
    const firn::WalStats after = stats();
    rate->events_per_sync = static_cast<double>((after.records - before.records) * batch) /
                            static_cast<double>(std::max<uint64_t>(1, after.syncs - before.syncs));
  }

  std::string directory_;
  firn::WalType type_;
  firn::WalSync sync_;
  std::unique_ptr<firn::Wal> wal_;
  std::mutex append_mutex_;
  uint64_t replayed_bytes_ = 0;
  uint64_t replayed_records_ = 0;
};

void print_header() {
  fmt::print("{:>12} {:>6} | {:>9} {:>8} {:>8} {:>9} | {:>9} {:>7} | {:>9} {:>7}\n", "producers",
             "batch", "firn ev/s", "p50 ms", "p99 ms", "ev/sync", "rocksdb", "ratio", "sqlite",
             "ratio");
}

void print_row(const std::string& producers, size_t batch, const Rate& own, const Rate* rocks,
               const Rate* lite) {
  const auto peer = [&](const Rate* rate) {
    if (rate == nullptr) return fmt::format("{:>9} {:>7}", "-", "-");
    return fmt::format("{:>9} {:>6.1f}x", rate_text(rate->events_per_second),
                       own.events_per_second / rate->events_per_second);
  };
  const bool waits = own.p50_ms > 0;
  fmt::print("{:>12} {:>6} | {:>9} {:>8} {:>8} {:>9.0f} | {} | {}\n", producers, batch,
             rate_text(own.events_per_second), waits ? fmt::format("{:.2f}", own.p50_ms) : "-",
             waits ? fmt::format("{:.2f}", own.p99_ms) : "-", own.events_per_sync, peer(rocks),
             peer(lite));
  std::fflush(stdout);
}

Settings read_settings(int argc, char** argv) {
  Settings settings;
  settings.directory = (std::filesystem::temp_directory_path() / "firn_bench_wal").string();
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--seconds" && i + 1 < argc) {
      settings.run_ns = static_cast<DurationNs>(std::strtod(argv[++i], nullptr) * 1e9);
    } else if (argument == "--directory" && i + 1 < argc) {
      settings.directory = std::string(argv[++i]) + "/firn_bench_wal";
    } else if (argument == "--sync" && i + 1 < argc && firn::parse_wal_sync(argv[i + 1])) {
      settings.sync = *firn::parse_wal_sync(argv[++i]);
    } else if (argument == "--quick") {
      settings.quick = true;
    } else {
      fail(
          "usage: bench_wal [--seconds S] [--directory D] [--sync auto|buffered|direct] [--quick]");
    }
  }
  return settings;
}

void run_segment(const Settings& settings, const std::vector<size_t>& batches,
                 const std::vector<size_t>& producers) {
  FirnLog own(settings.directory + "/firn", firn::WalType::kSegment, settings.sync);
  RocksLog rocks(settings.directory + "/rocksdb");
  SqliteLog lite(settings.directory + "/sqlite");
  // The first segments are new files; later ones are recycled, as in a store that has run a while.
  own.pipelining(100, settings.run_ns / 2);
  own.trim();

  fmt::print("Durable appends of events of {} bytes, {:.1f} s per cell, in {}, {} writes\n",
             kEventBytes, static_cast<double>(settings.run_ns) / 1e9, settings.directory,
             firn::wal_sync_name(own.stats().sync));
  print_header();
  for (const size_t count : producers) {
    for (const size_t batch : batches) {
      const Rate a = own.blocking(count, batch, settings.run_ns);
      const Rate b = rocks.blocking(count, batch, batch, settings.run_ns);
      const Rate c = lite.blocking(count, batch, settings.run_ns);
      print_row(std::to_string(count), batch, a, &b, &c);
    }
  }
  for (const size_t batch : batches) {
    print_row("1 pipelining", batch, own.pipelining(batch, settings.run_ns), nullptr, nullptr);
  }
  // Nothing is trimmed: every segment is a new file.
  for (const size_t batch : batches) {
    print_row("1, new files", batch, own.pipelining(batch, settings.run_ns, false), nullptr,
              nullptr);
  }
  own.replay();
}

// The same RocksDB twice, each batch one value: what the log around it costs. A ratio above 1 says
// that the log is faster.
void run_on_rocksdb(const Settings& settings, const std::vector<size_t>& batches,
                    const std::vector<size_t>& producers) {
  FirnLog own(settings.directory + "/firn_rocksdb", firn::WalType::kRocksdb, settings.sync);
  RocksLog rocks(settings.directory + "/rocksdb_values");
  fmt::print("The log of wal.type rocksdb, and RocksDB alone with one value a batch\n");
  print_header();
  for (const size_t count : producers) {
    for (const size_t batch : batches) {
      const Rate a = own.blocking(count, batch, settings.run_ns);
      const Rate b = rocks.blocking(count, batch, 1, settings.run_ns);
      print_row(std::to_string(count), batch, a, &b, nullptr);
    }
  }
  for (const size_t batch : batches) {
    print_row("1 pipelining", batch, own.pipelining(batch, settings.run_ns), nullptr, nullptr);
  }
  own.replay();
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = read_settings(argc, argv);
  std::filesystem::remove_all(settings.directory);
  std::filesystem::create_directories(settings.directory);
  const std::vector<size_t> batches =
      settings.quick ? std::vector<size_t>{1, 100} : std::vector<size_t>{1, 10, 100, 1000};
  const std::vector<size_t> producers =
      settings.quick ? std::vector<size_t>{1, 8} : std::vector<size_t>{1, 8, 64};
  run_segment(settings, batches, producers);
  run_on_rocksdb(settings, batches, producers);
  std::filesystem::remove_all(settings.directory);
  return 0;
}
