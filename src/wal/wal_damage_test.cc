// Damages every byte of small logs. What is read must be an exact prefix of what was written; it
// may be short of what had been synced only together with a named corruption.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "wal/test_log.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kFirst = wal::kSegmentHeaderBytes;

class WalDamageTest : public testing::Test {
 protected:
  // Groups of one to three records over several segments.
  void write_groups(size_t groups, size_t record_bytes) {
    log.open();
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
  // Puts the undamaged disk back.
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
    const bool named = status.code() == StatusCode::kCorruption;
    EXPECT_TRUE(named) << what << ": " << status.to_string();
    EXPECT_THAT(std::string(status.message()), HasSubstr(kLogDirectory)) << what;
    EXPECT_TRUE(found) << what << ": replay says " << status.to_string() << ", verify does not";
    return true;
  }

  // The log must open, without the records that the cut took, and go on.
  void check_opens(const std::string& what, size_t records) {
    const Status status = log.try_open();
    ASSERT_TRUE(status.ok()) << what << ": " << status.to_string();
    EXPECT_EQ(log.seen, Strings(written.begin(), written.begin() + static_cast<ptrdiff_t>(records)))
        << what;
    log.put({"next"});
    EXPECT_TRUE(log.last().status.ok()) << what;
    log.open();
    ASSERT_EQ(log.seen.size(), records + 1) << what;
    EXPECT_EQ(log.seen.back(), "next") << what;
  }
  // How many records end before the offset, in a log of one segment.
  size_t records_before(uint64_t offset) const {
    size_t count = 0;
    for (size_t i = 0; i < written.size() && end_of(i) <= offset; ++i) ++count;
    return count;
  }
  uint64_t end_of(size_t i) const {
    return log.appended[i]->lsn.offset + wal::kRecordHeaderBytes + written[i].size();
  }
  uint64_t end_of_records() const { return end_of(written.size() - 1); }

  void flip_every_bit() {
    size_t named = 0;
    for (const std::string& path : log.files(".wal")) {
      const uint64_t bytes = log.sim.raw_content(path).size();
      for (uint64_t byte = 0; byte < bytes; ++byte) {
        // All bits where something is, one bit in the rest of the file.
        const bool dense = log.sim.raw_content(path)[byte] != 0 || byte % 64 == 0;
        for (uint64_t bit = dense ? 0 : byte % 8; bit < 8; bit += dense ? 1 : 8) {
          log.sim.flip_bit(path, byte * 8 + bit);
          named += check_named_or_exact(path + " bit " + std::to_string(byte * 8 + bit)) ? 1 : 0;
          if (HasFailure()) return;
          restore();
        }
      }
    }
    EXPECT_GT(named, 1000u);
  }

  TestLog log;
  Strings written;
  size_t required = 0;

 private:
  size_t group_begin_ = 0;
  std::shared_ptr<const SimSnapshot> image_;
};

TEST_F(WalDamageTest, AnUndamagedLogIsClean) {
  write_groups(12, 400);
  close();
  EXPECT_THAT(log.verify(), IsEmpty());
  EXPECT_FALSE(check_named_or_exact("undamaged"));
  EXPECT_EQ(log.seen, written);
}

TEST_F(WalDamageTest, EveryBitOfAClosedLog) {
  write_groups(5, 40);
  close();
  flip_every_bit();
}

TEST_F(WalDamageTest, EveryBitOfACrashedLog) {
  write_groups(5, 40);
  crash();
  flip_every_bit();
}

TEST_F(WalDamageTest, EveryBitOfSegmentsWithSuccessors) {
  write_groups(6, 600);
  close();
  ASSERT_EQ(log.files(".wal").size(), 2u);
  flip_every_bit();
}

TEST_F(WalDamageTest, EveryBitAfterARecovery) {
  write_groups(4, 40);
  crash();
  log.open();
  required = written.size();
  log.put({"behind"});
  written.push_back("behind");
  close();
  flip_every_bit();
}

TEST_F(WalDamageTest, ABadRecordBeforeAGoodGroupIsCorruption) {
  write_groups(3, 40);
  crash();
  log.sim.flip_bit(segment(1), 8 * (kFirst + wal::kRecordHeaderBytes));
  const Status status = log.try_open();
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(std::string(status.message()), HasSubstr(segment(1) + ": offset 4096"));
  EXPECT_THAT(log.seen, IsEmpty());
}

TEST_F(WalDamageTest, ABadRecordInTheLastGroupIsATail) {
  write_groups(3, 40);  // the last group has three records
  crash();
  const Lsn first_of_group = log.appended[3]->lsn;
  log.sim.flip_bit(segment(1), 8 * (first_of_group.offset + wal::kRecordHeaderBytes));
  const auto damage = log.verify();
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_FALSE(damage[0].acknowledged);
  EXPECT_EQ(damage[0].offset, first_of_group.offset);
  check_opens("tail", 3);
}

TEST_F(WalDamageTest, TheCallersLsnProvesALostEnd) {
  write_groups(3, 40);
  crash();
  const Lsn known = log.appended[5]->lsn;
  log.sim.flip_bit(segment(1), 8 * (log.appended[3]->lsn.offset + wal::kRecordHeaderBytes));
  EXPECT_EQ(log.try_open(known).code(), StatusCode::kCorruption);
}

TEST_F(WalDamageTest, VerifyListsEachDamagedPlace) {
  write_groups(9, 40);
  close();
  for (const size_t i : {2, 5, 9}) {
    log.sim.flip_bit(segment(1), 8 * (log.appended[i]->lsn.offset + wal::kRecordHeaderBytes));
  }
  const auto damage = log.verify();
  ASSERT_EQ(damage.size(), 3u);
  EXPECT_EQ(damage[0].offset, log.appended[2]->lsn.offset);
  EXPECT_EQ(damage[1].offset, log.appended[5]->lsn.offset);
  EXPECT_EQ(damage[2].offset, log.appended[9]->lsn.offset);
  EXPECT_TRUE(damage[0].acknowledged);
}

TEST_F(WalDamageTest, TheEndCutAtEveryByte) {
  write_groups(6, 100);
  crash();
  const std::string content = log.content(1);
  for (uint64_t cut = kFirst; cut <= end_of_records(); ++cut) {
    log.set_content(1, ByteView(content).substr(0, cut));
    check_opens("cut at " + std::to_string(cut), records_before(cut));
    if (HasFailure()) return;
    restore();
  }
}

// 65,536 openings, the figure that guarantees.md names.
TEST_F(WalDamageTest, ALongEndCutAtEveryByte) {
  log.options.segment_bytes = uint64_t{128} << 10;
  write_groups(15, 2200);
  crash();
  const std::string content = log.content(1);
  ASSERT_GT(end_of_records(), kFirst + 65'536);
  for (uint64_t cut = kFirst; cut <= end_of_records(); ++cut) {
    log.set_content(1, ByteView(content).substr(0, cut));
    check_opens("cut at " + std::to_string(cut), records_before(cut));
    if (HasFailure()) return;
    restore();
  }
}

TEST_F(WalDamageTest, TheEndFilledWithZerosFromEveryByte) {
  write_groups(6, 100);
  crash();
  const std::string content = log.content(1);
  for (uint64_t cut = kFirst; cut <= end_of_records(); ++cut) {
    std::string filled = content;
    std::fill(filled.begin() + static_cast<ptrdiff_t>(cut), filled.end(), '\0');
    log.set_content(1, filled);
    const Status status = log.try_open();
    ASSERT_TRUE(status.ok()) << cut << ": " << status.to_string();
    ASSERT_TRUE(is_prefix(log.seen, written)) << cut;
    // A record may end in zeros of its own.
    ASSERT_GE(log.seen.size(), records_before(cut)) << cut;
    restore();
  }
}

TEST_F(WalDamageTest, TheEndFilledWithGarbageFromEveryByte) {
  write_groups(6, 100);
  crash();
  std::mt19937_64 random(7);
  const std::string content = log.content(1);
  for (uint64_t cut = kFirst; cut < end_of_records(); ++cut) {
    std::string filled = content;
    for (size_t i = cut; i < filled.size(); ++i) filled[i] = static_cast<char>(random());
    log.set_content(1, filled);
    const Status status = log.try_open();
    ASSERT_TRUE(status.ok()) << cut << ": " << status.to_string();
    ASSERT_TRUE(is_prefix(log.seen, written)) << cut;
    ASSERT_GE(log.seen.size(), records_before(cut)) << cut;
    restore();
  }
}

TEST_F(WalDamageTest, SwappedBlocks) {
  log.options.segment_bytes = 24 * 1024;
  write_groups(20, 1000);
  close();
  struct Block {
    std::string path;
    size_t offset;
  };
  std::vector<Block> blocks;
  for (const std::string& path : log.files(".wal")) {
    const size_t bytes = log.sim.raw_content(path).size();
    for (size_t at = 0; at < bytes; at += 4096) blocks.push_back({path, at});
  }
  size_t named = 0;
  for (size_t a = 0; a < blocks.size(); ++a) {
    for (size_t b = a + 1; b < blocks.size(); ++b) {
      std::string first = log.sim.raw_content(blocks[a].path).substr(blocks[a].offset, 4096);
      std::string second = log.sim.raw_content(blocks[b].path).substr(blocks[b].offset, 4096);
      for (const auto& [block, bytes] : {std::pair{blocks[a], second}, {blocks[b], first}}) {
        std::string whole = log.sim.raw_content(block.path);
        whole.replace(block.offset, 4096, bytes);
        log.sim.set_raw_content(block.path, whole);
      }
      const bool differ = first != second;
      const bool was_named =
          check_named_or_exact(std::to_string(a) + " and " + std::to_string(b) + " swapped");
      named += was_named && differ ? 1 : 0;
      if (HasFailure()) return;
      restore();
    }
  }
  EXPECT_GT(named, 50u);
}

TEST_F(WalDamageTest, ARecordPastedFromAnotherPlace) {
  write_groups(9, 40);
  close();
  const uint64_t size = wal::record_bytes(40);
  for (size_t from = 0; from < written.size(); ++from) {
    for (size_t to = 0; to < written.size(); ++to) {
      if (from == to) continue;
      std::string content = log.content(1);
      content.replace(log.appended[to]->lsn.offset, size, content, log.appended[from]->lsn.offset,
                      size);
      log.set_content(1, content);
      EXPECT_TRUE(check_named_or_exact("pasted"));
      if (HasFailure()) return;
      restore();
    }
  }
}

TEST_F(WalDamageTest, AWellMadeRecordThatIsNotPartOfTheChain) {
  write_groups(6, 40);
  close();
  const auto header = wal::decode_segment_header(log.content(1));
  ASSERT_TRUE(header.ok());
  const uint64_t offset = log.appended[4]->lsn.offset;
  const std::string payload(40, 'z');
  wal::RecordHeader record;
  record.payload_crc = crc32c(payload);
  record.payload_bytes = 40;
  record.synced = static_cast<uint32_t>(log.appended[3]->lsn.offset);  // the group's begin
  record.previous_crc = 1234;
  std::string content = log.content(1);
  wal::encode_record_header(wal::segment_seed(header->log_id, 1), offset, &record,
                            content.data() + offset);
  content.replace(offset + wal::kRecordHeaderBytes, payload.size(), payload);
  log.set_content(1, content);
  EXPECT_TRUE(check_named_or_exact("another record"));
  EXPECT_EQ(log.seen.size(), 4u);
}

TEST_F(WalDamageTest, AnOlderCopyOfASegmentWithSuccessors) {
  write_groups(1, 600);
  const std::string old = log.content(1);
  for (size_t i = 0; i < 8; ++i) {
    written.push_back(numbered(written.size(), 900));
    log.put({written.back()});
  }
  close();
  log.set_content(1, old);
  EXPECT_TRUE(check_named_or_exact("older copy"));
  EXPECT_THAT(log.seen, ElementsAre(written[0]));
}

TEST_F(WalDamageTest, ASegmentUnderAnothersName) {
  write_groups(9, 600);
  close();
  ASSERT_GE(log.files(".wal").size(), 3u);
  log.set_content(2, log.content(1));
  EXPECT_TRUE(check_named_or_exact("segment 1 as segment 2"));
}

TEST_F(WalDamageTest, ASegmentOfAnotherLog) {
  write_groups(9, 600);
  close();
  TestLog other(99);
  other.open();
  for (size_t i = 0; i < 9; ++i) other.put({numbered(i, 1500)});
  other.close();
  log.set_content(2, other.content(2));
  const Status status = log.try_open();
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another log"));
  EXPECT_TRUE(is_prefix(log.seen, written));
}

TEST_F(WalDamageTest, AMissingSegment) {
  write_groups(12, 600);
  close();
  const Strings files = log.files(".wal");
  ASSERT_GE(files.size(), 4u);
  // Any but the first: without it the rest could be a trimmed log.
  for (size_t i = 1; i < files.size(); ++i) {
    ASSERT_TRUE(log.sim.remove(files[i]).ok());
    EXPECT_TRUE(check_named_or_exact(files[i] + " removed"));
    EXPECT_THAT(std::string(log.try_open().message()), HasSubstr(files[i]));
    const auto damage = log.verify();
    EXPECT_TRUE(std::any_of(damage.begin(), damage.end(),
                            [&](const WalDamage& one) { return one.file == files[i]; }));
    restore();
  }
}

TEST_F(WalDamageTest, AMissingFirstSegment) {
  write_groups(9, 600);
  close();
  const Lsn first = log.appended[0]->lsn;
  ASSERT_TRUE(log.sim.remove(segment(1)).ok());
  const Status status = log.try_open(first);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(std::string(status.message()), HasSubstr(segment(1)));
}

TEST_F(WalDamageTest, AMissingLog) {
  write_groups(9, 600);
  close();
  const Lsn last = log.last().lsn;
  for (const std::string& path : log.files(".wal")) ASSERT_TRUE(log.sim.remove(path).ok());
  EXPECT_EQ(log.try_open(last).code(), StatusCode::kCorruption);
}

TEST_F(WalDamageTest, DamageBelowTheAskedLsnDoesNotMatter) {
  write_groups(12, 600);
  close();
  log.sim.flip_bit(segment(1), 8 * (kFirst + 40));
  EXPECT_TRUE(log.try_open(log.last().lsn).ok());
  EXPECT_THAT(log.seen, ElementsAre(written.back()));
}

TEST_F(WalDamageTest, ANewerVersionIsRefusedByName) {
  write_groups(1, 40);
  close();
  std::string content = log.content(1);
  store_le<uint32_t>(content.data() + 8, wal::kVersion + 1);
  store_le<uint32_t>(content.data() + 68, crc32c(0, content.data(), 68));
  log.set_content(1, content);
  EXPECT_EQ(log.try_open().code(), StatusCode::kUnsupported);
}

TEST_F(WalDamageTest, NothingIsChangedWhenDamageIsFound) {
  write_groups(9, 600);
  close();
  log.sim.flip_bit(segment(2), 8 * (kFirst + 40));
  const uint64_t calls = log.sim.io_count();
  EXPECT_EQ(log.try_open().code(), StatusCode::kCorruption);
  log.close();
  EXPECT_LE(log.sim.io_count(), calls + 1) << "only create_directories has a number";
}

}  // namespace
}  // namespace firn
