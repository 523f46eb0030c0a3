#pragma once

// What the benchmarks are compared with: synced writes of RocksDB and of SQLite, on the same disk
// in the same run.

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "env/env.h"

namespace firn::bench {

constexpr size_t kEventBytes = 200;

[[noreturn]] inline void fail(const std::string& what) {
  fmt::print(stderr, "bench: {}\n", what);
  std::exit(1);
}

inline void must(const Status& status) {
  if (!status.ok()) fail(status.to_string());
}

struct Rate {
  double events_per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double events_per_sync = 0;
};

// Of the latencies of each producer, each of a batch.
inline Rate summarize(const std::vector<std::vector<DurationNs>>& latencies, size_t batch,
                      DurationNs elapsed_ns) {
  std::vector<DurationNs> all;
  for (const auto& one : latencies) all.insert(all.end(), one.begin(), one.end());
  if (all.empty()) fail("nothing was measured");
  std::sort(all.begin(), all.end());
  Rate rate;
  rate.events_per_second =
      static_cast<double>(all.size() * batch) * 1e9 / static_cast<double>(elapsed_ns);
  rate.p50_ms = static_cast<double>(all[all.size() / 2]) / 1e6;
  rate.p99_ms = static_cast<double>(all[all.size() * 99 / 100]) / 1e6;
  return rate;
}

// One durable append of a batch; returns when it is durable.
using AppendBatch = std::function<void(size_t producer)>;

inline Rate run_producers(size_t producers, size_t batch, DurationNs run_ns,
                          const AppendBatch& append) {
  Env* env = posix_env();
  const TimeNs begin = env->monotonic();
  std::vector<std::vector<DurationNs>> latencies(producers);
  std::vector<std::thread> threads;
  for (size_t p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      TimeNs before = env->monotonic();
      while (before - begin < run_ns) {
        append(p);
        const TimeNs after = env->monotonic();
        latencies[p].push_back(after - before);
        before = after;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return summarize(latencies, batch, env->monotonic() - begin);
}

class RocksLog {
 public:
  explicit RocksLog(const std::string& directory) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.recycle_log_file_num = 2;
    options.compression = rocksdb::kNoCompression;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, directory, &db);
    if (!status.ok()) fail(status.ToString());
    db_.reset(db);
  }

  // Each batch in one call, as one value or as `values` of them.
  Rate blocking(size_t producers, size_t batch, size_t values, DurationNs run_ns) {
    const std::string value(batch / values * kEventBytes, 'e');
    return run_producers(producers, batch, run_ns, [&](size_t) {
      rocksdb::WriteBatch writes;
      for (size_t i = 0; i < values; ++i) {
        const uint64_t key = __builtin_bswap64(next_key_.fetch_add(1));
        writes.Put(rocksdb::Slice(reinterpret_cast<const char*>(&key), sizeof(key)), value);
      }
      rocksdb::WriteOptions options;
      options.sync = true;
      const rocksdb::Status status = db_->Write(options, &writes);
      if (!status.ok()) fail(status.ToString());
    });
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  std::atomic<uint64_t> next_key_{0};
};

class SqliteLog {
 public:
  explicit SqliteLog(const std::string& directory) {
    std::filesystem::create_directories(directory);
    check(sqlite3_open((directory + "/log.db").c_str(), &db_));
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE events(position INTEGER PRIMARY KEY, payload BLOB)");
    check(sqlite3_prepare_v2(db_, "INSERT INTO events(payload) VALUES(?)", -1, &insert_, nullptr));
  }
  ~SqliteLog() {
    sqlite3_finalize(insert_);
    sqlite3_close(db_);
  }

  Rate blocking(size_t producers, size_t batch, DurationNs run_ns) {
    const std::string event(kEventBytes, 'e');
    return run_producers(producers, batch, run_ns, [&](size_t) {
      const std::lock_guard lock(mutex_);
      run("BEGIN");
      for (size_t i = 0; i < batch; ++i) {
        check(sqlite3_bind_blob(insert_, 1, event.data(), static_cast<int>(event.size()),
                                SQLITE_STATIC));
        if (sqlite3_step(insert_) != SQLITE_DONE) fail(sqlite3_errmsg(db_));
        check(sqlite3_reset(insert_));
      }
      run("COMMIT");
    });
  }

 private:
  void check(int code) {
    if (code != SQLITE_OK) fail(sqlite3_errmsg(db_));
  }
  void run(const char* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  std::mutex mutex_;
};

inline std::string rate_text(double rate) {
  if (rate >= 1e6) return fmt::format("{:.2f} M", rate / 1e6);
  return fmt::format("{:.1f} k", rate / 1e3);
}

}  // namespace firn::bench
