#pragma once

// For the tests of this room: a log on a simulated machine, spoken to in few words.

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "env/fault_env.h"
#include "env/sim_env.h"
#include "wal/format.h"
#include "wal/open_wal.h"
#include "wal/segment_files.h"
#include "wal/segment_wal.h"

namespace firn {

using Strings = std::vector<std::string>;

inline const std::string kLogDirectory = "/log";

inline std::string segment(uint64_t id) { return wal::segment_path(kLogDirectory, id); }

class TestLog {
 public:
  struct Appended {
    std::string payload;
    bool completed = false;
    Status status;
    Lsn lsn;
  };

  explicit TestLog(uint64_t seed = 1, WalType type = WalType::kSegment) : sim(seed), faults(&sim) {
    options.directory = kLogDirectory;
    options.type = type;
    options.segment_bytes = wal::kSegmentBytesMin;
    options.disk_reserve_bytes = 0;
  }

  // --- Life of the process -------------------------------------------------------------------
  Status try_open(Lsn from = {}) {
    close();
    seen.clear();
    seen_lsns.clear();
    FIRN_ASSIGN(log_, open_wal(&faults, options));
    Status status = log_->replay(
        from,
        [this](Lsn lsn, ByteView payload) -> Status {
          seen.emplace_back(payload);
          seen_lsns.push_back(lsn);
          return {};
        },
        nullptr);
    if (!status.ok()) log_.reset();
    return status;
  }
  void open(Lsn from = {}) {
    const Status status = try_open(from);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void close() { log_.reset(); }
  bool is_open() const { return log_ != nullptr; }
  Wal* operator->() { return log_.get(); }
  // Power goes while the process runs.
  void power_cut(CrashMode mode, uint64_t seed = 1) {
    sim.cut_power();
    close();
    sim.crash(mode, seed);
  }

  // --- Appends -------------------------------------------------------------------------------
  void append(std::string payload) {
    auto record = std::make_shared<Appended>();
    record->payload = std::move(payload);
    appended.push_back(record);
    WalAppend append;
    // Two parts, so that every record shows whether they are put together rightly.
    const ByteView bytes = record->payload;
    append.parts = {bytes.substr(0, bytes.size() / 2), bytes.substr(bytes.size() / 2)};
    append.owner = record;
    append.on_durable = on_durable(record.get());
    log_->append(std::move(append));
  }
  void barrier() {
    auto record = std::make_shared<Appended>();
    record->payload = "(barrier)";
    appended.push_back(record);
    WalAppend append;
    append.owner = record;
    append.on_durable = on_durable(record.get());
    log_->append(std::move(append));
  }
  void run() { sim.run_until_idle(); }
  // One group.
  void put(const Strings& payloads) {
    for (const std::string& payload : payloads) append(payload);
    run();
  }

  // What was acknowledged, in append order.
  Strings acked() const {
    Strings payloads;
    for (const auto& record : appended) {
      if (record->completed && record->status.ok()) payloads.push_back(record->payload);
    }
    return payloads;
  }
  const Appended& last() const { return *appended.back(); }

  // --- Files ---------------------------------------------------------------------------------
  Strings files(std::string_view suffix) const {
    Strings found;
    for (const std::string& path : sim.all_files()) {
      if (path.ends_with(suffix)) found.push_back(path);
    }
    return found;
  }
  std::string content(uint64_t id) const { return sim.raw_content(segment(id)); }
  void set_content(uint64_t id, ByteView bytes) { sim.set_raw_content(segment(id), bytes); }
  std::vector<WalDamage> verify() {
    auto damage = verify_wal(&sim, kLogDirectory);
    EXPECT_TRUE(damage.ok()) << damage.status().to_string();
    return damage.ok() ? *damage : std::vector<WalDamage>{};
  }
  // Whether bytes that had been synced are damaged.
  bool verify_finds_damage() {
    for (const WalDamage& damage : verify()) {
      if (damage.acknowledged) return true;
    }
    return false;
  }

  SimEnv sim;
  FaultEnv faults;
  WalOptions options;
  Strings seen;  // by the last replay
  std::vector<Lsn> seen_lsns;
  std::vector<std::shared_ptr<Appended>> appended;
  Strings completions;  // payloads in the order of their on_durable

 private:
  std::function<void(const Status&, Lsn)> on_durable(Appended* record) {
    return [this, record](const Status& status, Lsn lsn) {
      EXPECT_FALSE(record->completed) << "completed twice: " << record->payload;
      record->completed = true;
      record->status = status;
      record->lsn = lsn;
      completions.push_back(record->payload);
    };
  }

  std::unique_ptr<Wal> log_;
};

// "r007", followed by filler up to `bytes`: whole records are told from mixed ones.
inline std::string numbered(size_t number, size_t bytes = 0) {
  std::string payload = "r" + std::to_string(1000 + number).substr(1);
  while (payload.size() < bytes) {
    payload.push_back(static_cast<char>('a' + (number * 7 + payload.size()) % 26));
  }
  return payload;
}

inline bool is_prefix(const Strings& prefix, const Strings& whole) {
  return prefix.size() <= whole.size() && std::equal(prefix.begin(), prefix.end(), whole.begin());
}

}  // namespace firn
