// Cuts the power at every call of a scripted life of a log, and of the recoveries after it. Nothing
// acknowledged is lost, records are whole and in order, what a recovery showed stays.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "wal/test_log.h"

namespace firn {
namespace {

// A log and what its user knows of it. Records are numbered from 0 in the order of their appends,
// over restarts; a record that was lost for good gives its number to the next one.
class Life {
 public:
  explicit Life(WalType type) : log(1, type) {
    log.options.recycled_segments_max = 1;
    log.options.group_bytes_max = 3000;
  }

  // The script: appends alone and in groups, rolls, a record larger than a segment, trims with
  // recycling, an idle time, a clean restart. Stops when the power is gone.
  void run_script() {
    if (!open()) return;
    append_groups(4, 300);
    append(9000);
    log.run();
    append_groups(4, 700);
    trim_to(written_.size() - 3);
    append_groups(5, 700);
    log.sim.run_for(3 * kSecondNs);
    append_groups(2, 100);
    log.close();
    if (!open()) return;
    append_groups(3, 900);
    trim_to(written_.size() - 2);
    append_groups(4, 900);
    log.close();
  }

  // Opens the log as a store would, from its manifest's LSN. False when that failed.
  bool open() {
    note_completions();
    open_status = log.try_open(needed_);
    if (!open_status.ok()) return false;
    check_seen();
    // What was not there is gone for good; what was there counts as acknowledged from now on.
    written_.resize(needed_number_ + log.seen.size());
    lsns_.resize(written_.size());
    for (size_t i = 0; i < log.seen.size(); ++i) lsns_[needed_number_ + i] = log.seen_lsns[i];
    acked_ = written_.size();
    return true;
  }

  void append_groups(size_t groups, size_t bytes) {
    for (size_t group = 0; group < groups; ++group) {
      for (size_t i = 0; i <= group % 3; ++i) append(bytes);
      log.run();
    }
  }

  void append(size_t bytes) {
    if (!log.is_open()) return;
    written_.push_back(numbered(written_.size(), bytes));
    lsns_.emplace_back();
    log.append(written_.back());
  }

  // The manifest moves on, then the log is trimmed. Refused when not all are acknowledged.
  void trim_to(size_t number) {
    note_completions();
    if (acked_ <= number || log.sim.has_crashed()) return;
    needed_ = *lsns_[number];
    needed_number_ = number;
    (void)log->trim(needed_);
  }

  // Takes over what on_durable said since the last open.
  void note_completions() {
    for (; noted_ < log.appended.size(); ++noted_) {
      const TestLog::Appended& record = *log.appended[noted_];
      if (!record.completed || !record.status.ok()) continue;
      const size_t number = number_of(record.payload);
      ASSERT_EQ(number, acked_) << "acknowledged out of order";
      lsns_[number] = record.lsn;
      acked_ = number + 1;
    }
  }

  void check_seen() const {
    const Strings expected(written_.begin() + static_cast<ptrdiff_t>(needed_number_),
                           written_.end());
    EXPECT_TRUE(is_prefix(log.seen, expected));
    EXPECT_GE(needed_number_ + log.seen.size(), acked_) << "acknowledged records are lost";
    EXPECT_TRUE(std::is_sorted(log.seen_lsns.begin(), log.seen_lsns.end()));
  }

  // RocksDB takes garbage behind the synced end of its manifest for damage; it cannot know better.
  // Nothing is lost by that, and it is named (docs/formats/wal-rocksdb.md).
  bool is_torn_manifest() const {
    return log.options.type == WalType::kRocksdb && open_status.code() == StatusCode::kCorruption &&
           open_status.message().find("/MANIFEST-") != std::string_view::npos;
  }

  TestLog log;
  Status open_status;

 private:
  static size_t number_of(const std::string& payload) { return std::stoul(payload.substr(1, 3)); }

  Strings written_;  // from record 0 on
  std::vector<std::optional<Lsn>> lsns_;
  size_t acked_ = 0;  // all records before this are acknowledged
  size_t noted_ = 0;  // of log.appended
  Lsn needed_;        // the manifest: nothing before is needed
  size_t needed_number_ = 0;
};

struct Crash {
  CrashMode mode;
  uint64_t seed;
};
const std::vector<Crash> kCrashes = {{CrashMode::kLoseAll, 0}, {CrashMode::kKeepAll, 0},
                                     {CrashMode::kRandom, 1},  {CrashMode::kRandom, 2},
                                     {CrashMode::kRandom, 3},  {CrashMode::kRandom, 4}};

std::string describe(uint64_t call, const Crash& crash) {
  return "call " + std::to_string(call) + ", mode " + std::to_string(static_cast<int>(crash.mode)) +
         ", seed " + std::to_string(crash.seed);
}

uint64_t calls_of_script(WalType type) {
  Life life(type);
  life.run_script();
  EXPECT_TRUE(life.open_status.ok()) << life.open_status.to_string();
  return life.log.sim.io_count();
}

// Runs the script until the power goes at the call, and boots after the crash.
void crash_script(Life* life, uint64_t call, const Crash& crash) {
  life->log.sim.crash_at(call);
  life->run_script();
  life->log.power_cut(crash.mode, crash.seed + call * 16);
}

// Every call of the segment log. RocksDB makes three times the calls for the same script, and a
// start takes it a hundred times as long: a part of them, other ones for each purpose.
// FIRN_WAL_CRASH_STEP=1 takes all.
uint64_t step_of(WalType type) {
  if (type == WalType::kSegment) return 1;
  const auto step = posix_env()->environment_variable("FIRN_WAL_CRASH_STEP");
  return step.has_value() ? std::stoull(*step) : 7;
}

class WalCrash : public testing::TestWithParam<WalType> {};
class WalFault : public testing::TestWithParam<WalType> {};

TEST_P(WalCrash, TheScriptItselfRunsThrough) {
  Life life(GetParam());
  life.run_script();
  ASSERT_TRUE(life.open()) << life.open_status.to_string();
  EXPECT_GT(life.log->begin().segment, 3u) << "it trims";
  EXPECT_FALSE(life.log.verify_finds_damage());
}

TEST_P(WalCrash, AtEveryCall) {
  const uint64_t calls = calls_of_script(GetParam());
  ASSERT_GT(calls, 100u);
  uint64_t call = 1;
  for (size_t i = 0; call <= calls; ++i, call += step_of(GetParam())) {
    for (size_t c = 0; c < kCrashes.size(); ++c) {
      // One way of crashing at each call is enough where only a part of the calls is taken.
      if (step_of(GetParam()) > 1 && c != i % kCrashes.size()) continue;
      const Crash& crash = kCrashes[c];
      SCOPED_TRACE(describe(call, crash));
      Life life(GetParam());
      crash_script(&life, call, crash);
      if (!life.open() && crash.mode == CrashMode::kRandom && life.is_torn_manifest()) continue;
      ASSERT_TRUE(life.open_status.ok()) << life.open_status.to_string();
      // Life goes on, and what recovery showed survives the worst crash.
      life.append_groups(3, 500);
      life.log.power_cut(CrashMode::kLoseAll);
      ASSERT_TRUE(life.open()) << life.open_status.to_string();
      ASSERT_FALSE(life.log.verify_finds_damage());
      ASSERT_FALSE(testing::Test::HasFailure());
    }
  }
}

// A crash at every call of the recovery, three deep, ends where an undisturbed recovery ends.
TEST_P(WalCrash, AtEveryCallOfTheRecovery) {
  const uint64_t calls = calls_of_script(GetParam());
  const uint64_t step = step_of(GetParam());
  uint64_t recoveries = 0;
  for (uint64_t call = 1 + step / 2; call <= calls; call += step * step) {
    const Crash crash = kCrashes[1 + call % (kCrashes.size() - 1)];
    SCOPED_TRACE(describe(call, crash));
    Life life(GetParam());
    crash_script(&life, call, crash);
    const auto image = life.log.sim.snapshot();
    if (!life.open() && life.is_torn_manifest()) continue;
    ASSERT_TRUE(life.open_status.ok()) << life.open_status.to_string();
    const Strings undisturbed = life.log.seen;
    for (uint64_t at = 1;; at += step) {
      life.log.close();
      life.log.sim.restore(image);
      bool reached = false;
      for (uint64_t depth = 0; depth < 3; ++depth) {
        life.log.sim.crash_at(life.log.sim.io_count() + at + depth);
        const bool opened = life.open();
        reached = reached || life.log.sim.has_crashed();
        if (!opened && !life.is_torn_manifest()) {
          EXPECT_EQ(life.open_status.code(), StatusCode::kIoError);
        }
        life.log.power_cut(CrashMode::kRandom, at * 4 + depth);
      }
      if (!life.open() && life.is_torn_manifest()) continue;
      ASSERT_TRUE(life.open_status.ok()) << life.open_status.to_string();
      ASSERT_EQ(life.log.seen, undisturbed) << "recovery cut at its call " << at;
      ++recoveries;
      if (!reached) break;
    }
  }
  EXPECT_GT(recoveries, calls / (step * step));
}

// A killed process loses no page cache, but what it had not synced is lost by a later power cut.
TEST_P(WalCrash, AKilledProcessThenAPowerCut) {
  const uint64_t calls = calls_of_script(GetParam());
  const uint64_t step = step_of(GetParam());
  for (uint64_t call = 1 + step / 3; call <= calls; call += step) {
    SCOPED_TRACE(call);
    Life life(GetParam());
    life.log.sim.crash_at(call);
    life.run_script();
    life.log.close();
    life.log.sim.restore(life.log.sim.snapshot());  // a boot with everything pending still pending
    ASSERT_TRUE(life.open()) << life.open_status.to_string();
    life.log.power_cut(CrashMode::kLoseAll);
    ASSERT_TRUE(life.open()) << life.open_status.to_string();
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

// After a close the same segment is continued. When that is interrupted, whole records of the lost
// group may lie behind the end; the same records, appended again, must not bring them back.
TEST(SegmentWalCrash, RemainsOfALostGroupNeverJoinTheChain) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    TestLog log(1);
    log.options.segment_bytes = 32 * 1024;
    log.open();
    log.put({"x"});
    log.open();
    // Power goes while the group is synced, or before that while the segment is made ready for it.
    log.sim.crash_at(log.sim.io_count() + (seed % 2 == 0 ? 2 : 4));
    log.put({numbered(0, 600), numbered(1, 600)});
    log.power_cut(CrashMode::kRandom, seed);
    log.open();
    Strings expected = log.seen;
    if (log.seen.size() == 1) {
      expected.push_back(numbered(0, 600));
      log.put({expected.back()});
    }
    log.power_cut(CrashMode::kLoseAll);
    log.open();
    ASSERT_EQ(log.seen, expected);
  }
}

// Every call fails once, then every call from it on; the machine survives, or loses its power too.
void fail_every_call(WalType type, const Status& error, bool for_ever, CrashMode mode) {
  for (uint64_t call = 1;; call += step_of(type)) {
    SCOPED_TRACE("call " + std::to_string(call) + (for_ever ? " and later: " : ": ") +
                 error.to_string());
    Life life(type);
    TestLog& log = life.log;
    log.faults.on_failed_sync([&](const std::string& path) { log.sim.forget_unsynced(path); });
    log.faults.write_prefix(true);
    if (for_ever) {
      log.faults.fail_from(call, error);
    } else {
      log.faults.fail_once(call, error);
    }
    life.run_script();
    const bool done = log.faults.faults_injected() == 0;
    log.close();
    log.faults.heal();
    ASSERT_TRUE(life.open()) << life.open_status.to_string();
    life.append_groups(2, 500);
    log.power_cut(mode, call);
    if (life.open() || mode != CrashMode::kRandom || !life.is_torn_manifest()) {
      ASSERT_TRUE(life.open_status.ok()) << life.open_status.to_string();
      ASSERT_FALSE(log.verify_finds_damage());
    }
    ASSERT_FALSE(testing::Test::HasFailure());
    if (done) break;
  }
}

TEST_P(WalFault, EveryCallFailsOnce) {
  fail_every_call(GetParam(), io_error("injected"), false, CrashMode::kLoseAll);
  fail_every_call(GetParam(), io_error("injected"), false, CrashMode::kRandom);
}
TEST_P(WalFault, EveryCallFailsForEver) {
  fail_every_call(GetParam(), io_error("injected"), true, CrashMode::kLoseAll);
}
TEST_P(WalFault, TheDiskIsFullOnceAtEveryCall) {
  fail_every_call(GetParam(), no_space("injected"), false, CrashMode::kLoseAll);
}
TEST_P(WalFault, TheDiskIsFullForEverFromEveryCall) {
  fail_every_call(GetParam(), no_space("injected"), true, CrashMode::kRandom);
}

std::string type_name(const testing::TestParamInfo<WalType>& test) {
  return std::string(wal_type_name(test.param));
}
INSTANTIATE_TEST_SUITE_P(Logs, WalCrash, testing::Values(WalType::kSegment, WalType::kRocksdb),
                         type_name);
INSTANTIATE_TEST_SUITE_P(Logs, WalFault, testing::Values(WalType::kSegment, WalType::kRocksdb),
                         type_name);

}  // namespace
}  // namespace firn
