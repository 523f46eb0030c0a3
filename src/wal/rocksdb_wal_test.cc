// What only the RocksDB log does: damage that RocksDB alone would take for an end, memory that is
// written to tables, marks. The contract of the interface is in wal_conformance_test.cc.

#include "wal/rocksdb_wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "base/size.h"
#include "env/test_directory.h"
#include "wal/rocksdb_marks.h"
#include "wal/test_log.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RocksdbWalTest : public testing::Test {
 protected:
  // Groups of one to three records.
  void write_groups(size_t groups, size_t record_bytes) {
    for (size_t group = 0; group < groups; ++group) {
      group_begin_ = written.size();
      for (size_t i = 0; i <= group % 3; ++i) {
        written.push_back(numbered(written.size(), record_bytes));
        log.append(written.back());
      }
      log.run();
    }
  }
  void close() {
    log.close();
    required = written.size();
    image_ = log.sim.snapshot();
  }
  // Everything is on the disk, but nothing names the last group.
  void crash() {
    log.power_cut(CrashMode::kKeepAll);
    required = group_begin_;
    image_ = log.sim.snapshot();
  }
  void restore() {
    log.close();
    log.sim.restore(image_);
  }
  // Opens the damaged log and checks what it says; returns whether it named a corruption.
  bool check_named_or_exact(const std::string& what) {
    const bool found = log.verify_finds_damage();
    const Status status = log.try_open();
    EXPECT_TRUE(is_prefix(log.seen, written)) << what;
    if (status.ok()) {
      EXPECT_GE(log.seen.size(), required) << what << ": lost silently";
      EXPECT_FALSE(found) << what << ": verify says damaged, replay says fine";
      return false;
    }
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << what << ": " << status.to_string();
    EXPECT_THAT(std::string(status.message()), HasSubstr(kLogDirectory)) << what;
    EXPECT_TRUE(found) << what << ": replay says " << status.to_string() << ", verify does not";
    return true;
  }
  // Flips one bit in every `step`th byte of the files; returns how often it was named.
  size_t flip_bits(std::string_view name_part, uint64_t step) {
    size_t named = 0;
    for (const std::string& path : log.sim.all_files()) {
      if (path.find(name_part) == std::string::npos) continue;
      const uint64_t bytes = log.sim.raw_content(path).size();
      for (uint64_t byte = 0; byte < bytes && !HasFailure(); byte += step) {
        log.sim.flip_bit(path, byte * 8 + byte % 8);
        named += check_named_or_exact(path + " byte " + std::to_string(byte)) ? 1 : 0;
        restore();
      }
    }
    return named;
  }
  void remove(const std::string& suffix) {
    for (const std::string& path : log.files(suffix)) ASSERT_TRUE(log.sim.remove(path).ok());
    ASSERT_TRUE(log.sim.sync_directory(kLogDirectory).ok());
  }

  TestLog log{1, WalType::kRocksdb};
  Strings written;
  size_t required = 0;

 private:
  size_t group_begin_ = 0;
  std::shared_ptr<const SimSnapshot> image_;
};

// --- Damage ------------------------------------------------------------------------------------

TEST_F(RocksdbWalTest, BitsOfAClosedLog) {
  log.options.segment_bytes = 64 * kKiB;
  log.open();
  write_groups(12, 100);
  close();
  EXPECT_GT(flip_bits(".log", 3), 100u);
}

TEST_F(RocksdbWalTest, BitsOfACrashedLog) {
  log.options.segment_bytes = 64 * kKiB;
  log.open();
  write_groups(12, 100);
  crash();
  EXPECT_GT(flip_bits(".log", 5), 100u);
}

TEST_F(RocksdbWalTest, BitsOfGroupsThatCrossBlocks) {
  log.open();
  write_groups(12, 9000);
  close();
  EXPECT_GT(flip_bits(".log", 1999), 50u);
}

TEST_F(RocksdbWalTest, BitsOfEveryOtherFileAfterARecovery) {
  log.open();
  write_groups(12, 900);
  log.power_cut(CrashMode::kKeepAll);
  log.open();
  write_groups(1, 900);
  close();
  EXPECT_GT(flip_bits(".sst", 127), 20u);
  EXPECT_GT(flip_bits("MANIFEST", 17), 20u);
  flip_bits("CURRENT", 3);
  flip_bits("IDENTITY", 3);
  EXPECT_EQ(flip_bits("OPTIONS", 1009), 0u);
}

TEST_F(RocksdbWalTest, ABadRecordBeforeAGoodGroupIsCorruptionWithItsPlace) {
  log.options.segment_bytes = 64 * kKiB;
  log.open();
  log.put({"a"});
  log.put({"the second record"});
  log.put({"c"});
  log.power_cut(CrashMode::kLoseAll);
  const std::string file = log.files(".log").front();
  const uint64_t at = log.sim.raw_content(file).find("the second record");
  log.sim.flip_bit(file, at * 8);
  const Status status = log.try_open();
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(std::string(status.message()), HasSubstr(file));
  EXPECT_THAT(std::string(status.message()), HasSubstr("records 2 to 2"));
  EXPECT_THAT(log.seen, ElementsAre("a"));
  const std::vector<WalDamage> damage = log.verify();
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage[0].file, file);
  EXPECT_LT(damage[0].offset, at);
  EXPECT_GT(damage[0].offset + 200, at);
  log.sim.flip_bit(file, at * 8);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a", "the second record", "c")) << "nothing was changed";
}

TEST_F(RocksdbWalTest, ABadRecordInTheLastGroupIsATail) {
  log.options.segment_bytes = 64 * kKiB;
  log.open();
  log.put({"a"});
  log.put({"b", "torn"});
  log.power_cut(CrashMode::kLoseAll);
  const std::string file = log.files(".log").front();
  log.sim.flip_bit(file, log.sim.raw_content(file).find("torn") * 8);
  const std::vector<WalDamage> damage = log.verify();
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_FALSE(damage[0].acknowledged);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a"));
  log.put({"c"});
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a", "c"));
}

TEST_F(RocksdbWalTest, AnIdleSecondProvesTheLastGroup) {
  log.open();
  log.put({"the only record"});
  const uint64_t calls = log.sim.io_count();
  log.sim.run_for(2 * kSecondNs);
  EXPECT_EQ(log.sim.io_count(), calls + 2);  // one write, one sync
  log.sim.run_for(20 * kSecondNs);
  EXPECT_EQ(log.sim.io_count(), calls + 2);
  log.power_cut(CrashMode::kLoseAll);
  const std::string file = log.files(".log").front();
  log.sim.flip_bit(file, log.sim.raw_content(file).find("the only record") * 8);
  EXPECT_EQ(log.try_open().code(), StatusCode::kCorruption);
}

TEST_F(RocksdbWalTest, TheEndCutAtEveryByte) {
  log.options.segment_bytes = 64 * kKiB;
  log.open();
  log.put({"a"});
  log.power_cut(CrashMode::kKeepAll);
  log.open();
  log.put({"b"});
  const std::string file = log.files(".log").back();
  const uint64_t begin = log.sim.raw_content(file).size();
  log.put({numbered(0, 300)});
  crash();
  const std::string whole = log.sim.raw_content(file);
  for (const char filler : {'-', '\0', '\x7f'}) {
    for (uint64_t end = begin; end < whole.size(); end += 5) {
      std::string cut = whole.substr(0, end);
      if (filler != '-') cut.resize(whole.size(), filler);
      log.sim.set_raw_content(file, cut);
      ASSERT_TRUE(log.try_open().ok()) << end;
      ASSERT_THAT(log.seen, ElementsAre("a", "b")) << end;
      restore();
    }
  }
}

TEST_F(RocksdbWalTest, MissingFilesAreNamed) {
  log.open();
  write_groups(6, 900);
  log.power_cut(CrashMode::kKeepAll);
  log.open();
  close();
  for (const char* const suffix : {".sst", "CURRENT", "MANIFEST-000012"}) {
    if (log.files(suffix).empty()) continue;
    remove(suffix);
    EXPECT_TRUE(check_named_or_exact(suffix));
    restore();
  }
  for (const std::string& path : log.files(".sst")) {
    ASSERT_TRUE(log.sim.remove(path).ok());
    EXPECT_TRUE(check_named_or_exact(path));
    restore();
  }
}

// What docs/formats/wal-rocksdb.md says of the weak place.
TEST_F(RocksdbWalTest, ATornManifestIsAcceptedUnlessItsEndLooksLikeARecord) {
  log.open();
  write_groups(3, 900);
  log.power_cut(CrashMode::kLoseAll);
  required = written.size();
  std::string file;
  for (const std::string& path : log.sim.all_files()) {
    if (path.find("MANIFEST") != std::string::npos) file = path;
  }
  const std::string whole = log.sim.raw_content(file);
  // A header with a believable length, and content that is not its own.
  log.sim.set_raw_content(file, whole + std::string("crc.\x0a\0\x01", 7) + std::string(20, '.'));
  EXPECT_TRUE(check_named_or_exact("garbage"));
  log.sim.set_raw_content(file, whole + std::string(60, '\0'));
  EXPECT_FALSE(check_named_or_exact("zeros"));
}

TEST_F(RocksdbWalTest, ALostLogBehindAnIntactOneIsFoundByTheCallersLsn) {
  log.open();
  log.put({"a"});
  const Lsn last = log.last().lsn;
  close();
  remove(".log");
  // Nothing in the directory proves that there was one.
  EXPECT_EQ(log.try_open({last.segment, last.offset + 1}).code(), StatusCode::kCorruption);
}

// --- Life --------------------------------------------------------------------------------------

TEST_F(RocksdbWalTest, AnInterruptedFirstStartIsStartedAgain) {
  for (uint64_t call = 1; call < 70; ++call) {
    TestLog fresh(1, WalType::kRocksdb);
    fresh.sim.crash_at(call);
    (void)fresh.try_open();
    fresh.power_cut(CrashMode::kRandom, call);
    fresh.open();
    fresh.put({"a"});
    fresh.open();
    ASSERT_THAT(fresh.seen, ElementsAre("a")) << call;
  }
}

TEST_F(RocksdbWalTest, AnotherProcessIsToldToWait) {
  log.open();
  log.put({"a"});
  auto second = open_rocksdb_wal(&log.sim, log.options);
  ASSERT_TRUE(second.ok());
  const Status status = (*second)->replay(
      {}, [](Lsn, ByteView) { return Status(); }, nullptr);
  EXPECT_EQ(status.code(), StatusCode::kConflict) << status.to_string();
}

TEST_F(RocksdbWalTest, AFailedTrimFencesTheLog) {
  log.open();
  for (size_t i = 0; i < 12; ++i) log.put({numbered(i, 1000)});
  log.faults.fail_matching(IoKind::kSync, "MANIFEST", 1, io_error("injected"));
  EXPECT_EQ(log->trim(log.last().lsn).code(), StatusCode::kIoError);
  log.put({"later"});
  EXPECT_EQ(log.last().status.code(), StatusCode::kOutcomeUnknown);
  const Strings acked = log.acked();
  log.open();
  EXPECT_EQ(log.seen.back(), acked.back());
}

// More than fits into memory, on the operating system: tables are written and the log's files
// removed in the background meanwhile.
TEST_F(RocksdbWalTest, KeepsMoreThanItsMemoryHolds) {
  const TestDirectory directory;
  WalOptions options;
  options.directory = directory.path();
  options.type = WalType::kRocksdb;
  options.segment_bytes = 16 * kMiB;
  options.disk_reserve_bytes = 0;
  constexpr size_t kRecords = 80;
  std::minstd_rand random(1);
  std::string filler(4 * kMiB, '\0');
  for (char& byte : filler) byte = static_cast<char>(random());
  {
    auto opened = open_wal(posix_env(), options);
    ASSERT_TRUE(opened.ok());
    Wal* wal = opened->get();
    ASSERT_TRUE(wal->replay(
                       {}, [](Lsn, ByteView) { return Status(); }, nullptr)
                    .ok());
    std::mutex mutex;
    std::condition_variable done;
    size_t durable = 0;
    for (size_t i = 0; i < kRecords; ++i) {
      auto number = std::make_shared<std::string>(numbered(i));
      WalAppend append;
      append.parts = {*number, filler};
      append.owner = number;
      append.on_durable = [&](const Status& status, Lsn) {
        EXPECT_TRUE(status.ok()) << status.to_string();
        const std::lock_guard lock(mutex);
        ++durable;
        done.notify_one();
      };
      wal->append(std::move(append));
      if (i % 8 != 7) continue;
      std::unique_lock lock(mutex);
      done.wait(lock, [&] { return durable == i + 1; });
    }
    EXPECT_GE(wal->stats().segments, 20u);
  }
  uint64_t log_bytes = 0;
  const auto entries = posix_env()->list_directory(options.directory);
  ASSERT_TRUE(entries.ok());
  for (const DirectoryEntry& entry : *entries) {
    if (entry.name.ends_with(".log")) log_bytes += entry.size_bytes;
  }
  EXPECT_LT(log_bytes, 300 * kMiB) << "bounded by what memory holds";
  auto reopened = open_wal(posix_env(), options);
  ASSERT_TRUE(reopened.ok());
  size_t count = 0;
  const Status status = (*reopened)->replay(
      {},
      [&](Lsn, ByteView payload) {
        EXPECT_EQ(payload.substr(0, 4), numbered(count++));
        EXPECT_TRUE(payload.substr(4) == filler);
        return Status();
      },
      nullptr);
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(count, kRecords);
}

// --- Marks -------------------------------------------------------------------------------------

TEST(RocksdbMarks, AreFoundWhereverTheyLie) {
  SimEnv sim(1);
  ASSERT_TRUE(sim.create_directories("/log").ok());
  const std::string id = "0123456789abcdef";
  const std::string mark = wal::encode_mark(id, 77);
  constexpr size_t kBlock = 32 * 1024;
  // A mark begins so many bytes before the end of the first block, and goes on behind the header of
  // the next one.
  for (size_t before = 1; before < mark.size(); ++before) {
    std::string content(kBlock - before, '.');
    content += mark.substr(0, before) + "HEADERS" + mark.substr(before) + "...";
    sim.set_raw_content("/log/000001.log", content);
    const auto marks = wal::find_marks(&sim, "/log", id);
    ASSERT_TRUE(marks.ok());
    ASSERT_EQ(marks->size(), 1u) << before;
    EXPECT_EQ(marks->front().next_number, 77u);
    EXPECT_EQ(marks->front().offset, kBlock - before);
  }
}

TEST(RocksdbMarks, AreThoseOfThisLogAndIntact) {
  SimEnv sim(1);
  ASSERT_TRUE(sim.create_directories("/log").ok());
  const std::string id = "0123456789abcdef";
  std::string damaged = wal::encode_mark(id, 9);
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  sim.set_raw_content("/log/000001.log", "HEADERS" + wal::encode_mark(id, 3) + damaged +
                                             wal::encode_mark("another log......", 5) + id);
  sim.set_raw_content("/log/000002.sst", "HEADERS" + wal::encode_mark(id, 8));
  const auto marks = wal::find_marks(&sim, "/log", id);
  ASSERT_TRUE(marks.ok());
  ASSERT_EQ(marks->size(), 1u);
  EXPECT_EQ(marks->front().next_number, 3u);
  EXPECT_EQ(marks->front().file, "/log/000001.log");
}

TEST(RocksdbMarks, AreFoundInLargeFiles) {
  SimEnv sim(1);
  ASSERT_TRUE(sim.create_directories("/log").ok());
  const std::string id = "0123456789abcdef";
  const std::string mark = wal::encode_mark(id, 12);
  constexpr size_t kRead = 1024 * 1024;
  for (size_t offset = kRead - 40; offset < kRead + 10; ++offset) {
    std::string content(2 * kRead + 1000, '.');
    // Only where the mark is in one piece; the other cases are above.
    if (offset < kRead + 7 && offset + mark.size() > kRead) continue;
    content.replace(offset, mark.size(), mark);
    sim.set_raw_content("/log/000001.log", content);
    const auto marks = wal::find_marks(&sim, "/log", id);
    ASSERT_TRUE(marks.ok());
    ASSERT_EQ(marks->size(), 1u) << offset;
    EXPECT_EQ(marks->front().offset, offset);
  }
}

}  // namespace
}  // namespace firn
