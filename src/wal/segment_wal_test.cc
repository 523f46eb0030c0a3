// What only the segment log does; the contract of the interface is in wal_conformance_test.cc.

#include "wal/segment_wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "wal/test_log.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(SegmentWal, RollsOverSegments) {
  TestLog log;
  log.open();
  Strings expected;
  for (size_t i = 0; i < 50; ++i) {
    expected.push_back(numbered(i, 500));
    log.append(expected.back());
    if (i % 3 == 0) log.run();
  }
  log.run();
  EXPECT_GE(log->stats().segments, 7u);
  EXPECT_EQ(log.files(".wal").size(), log->stats().segments);
  log.open();
  EXPECT_EQ(log.seen, expected);
  EXPECT_THAT(log.verify(), IsEmpty());
}

TEST(SegmentWal, TrimsWholeSegmentsAndKeepsTheNewest) {
  TestLog log;
  log.options.recycled_segments_max = 0;
  log.open();
  for (size_t i = 0; i < 20; ++i) log.put({numbered(i, 1000)});
  const Lsn middle = log.appended[10]->lsn;
  ASSERT_TRUE(log->trim(middle).ok());
  EXPECT_EQ(log->begin().segment, middle.segment);
  EXPECT_EQ(log.files(".wal").front(), segment(middle.segment));
  log.open(middle);
  EXPECT_EQ(log.seen.front(), numbered(10, 1000));
  ASSERT_TRUE(log->trim({UINT64_MAX, 0}).ok());
  EXPECT_EQ(log.files(".wal").size(), 1u);
  log.put({"after"});
  log.open();
  EXPECT_EQ(log.seen.back(), "after");
}

TEST(SegmentWal, UsesTrimmedSegmentsAgainWithoutTheirContent) {
  TestLog log;
  log.options.recycled_segments_max = 2;
  log.open();
  for (size_t i = 0; i < 12; ++i) log.put({numbered(i, 1000)});
  ASSERT_TRUE(log->trim(log.last().lsn).ok());
  EXPECT_EQ(log.files(".spare").size(), 2u);
  Strings expected = {numbered(11, 1000)};
  for (size_t i = 12; i < 18; ++i) {
    expected.push_back(numbered(i, 900));
    log.put({expected.back()});
  }
  EXPECT_THAT(log.files(".spare"), IsEmpty());
  log.power_cut(CrashMode::kLoseAll);
  log.open(log.appended[11]->lsn);
  EXPECT_EQ(log.seen, expected);
}

TEST(SegmentWal, KeepsSparesOverARestart) {
  TestLog log;
  log.open();
  for (size_t i = 0; i < 12; ++i) log.put({numbered(i, 1000)});
  ASSERT_TRUE(log->trim(log.last().lsn).ok());
  log.open();
  EXPECT_EQ(log.files(".spare").size(), log.options.recycled_segments_max);
  log.options.segment_bytes *= 2;
  log.open();
  EXPECT_THAT(log.files(".spare"), IsEmpty()) << "of another size";
}

TEST(SegmentWal, GoesOnInTheSameSegmentAfterAClose) {
  TestLog log;
  log.open();
  log.put({"a"});
  for (int i = 0; i < 5; ++i) {
    log.open();
    log.put({"b"});
  }
  EXPECT_EQ(log.files(".wal").size(), 1u);
  log.power_cut(CrashMode::kLoseAll);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a", "b", "b", "b", "b", "b"));
}

TEST(SegmentWal, MakesNothingWhenOpenedWithoutAppend) {
  TestLog log;
  log.open();
  log.close();
  EXPECT_THAT(log.sim.all_files(), IsEmpty());
}

TEST(SegmentWal, BeginsANewSegmentAfterAPowerCut) {
  TestLog log;
  log.open();
  log.put({"a"});
  log.put({"b"});
  log.power_cut(CrashMode::kKeepAll);
  const std::string before = log.content(1);
  log.open();
  log.put({"c"});
  EXPECT_EQ(log.content(1), before);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a", "b", "c"));
}

TEST(SegmentWal, DoesNotCopyTheEndAgainAtEveryStart) {
  TestLog log;
  log.open();
  log.put({"a"});
  log.power_cut(CrashMode::kKeepAll);
  for (int i = 0; i < 5; ++i) log.open();
  EXPECT_EQ(log.files(".wal").size(), 2u);
  EXPECT_THAT(log.seen, ElementsAre("a"));
}

TEST(SegmentWal, NamesTheLastGroupWhenIdle) {
  TestLog log;
  log.open();
  log.put({"a"});
  const uint64_t calls = log.sim.io_count();
  log.sim.run_for(500 * kMillisecondNs);
  EXPECT_EQ(log.sim.io_count(), calls);
  log.sim.run_for(2 * kSecondNs);
  EXPECT_EQ(log.sim.io_count(), calls + 2);  // one write, one sync
  log.sim.run_for(20 * kSecondNs);
  EXPECT_EQ(log.sim.io_count(), calls + 2);
  // Now the only group is proven, so that damage to it is told from a torn write.
  log.power_cut(CrashMode::kLoseAll);
  log.sim.flip_bit(segment(1), 8 * (wal::kSegmentHeaderBytes + wal::kRecordHeaderBytes));
  EXPECT_EQ(log.try_open().code(), StatusCode::kCorruption);
}

TEST(SegmentWal, ANewSegmentCostsItsFirstGroupOneSyncOfAFile) {
  TestLog log;
  log.open();
  log.put({numbered(0, 3900)});
  const std::string payload = numbered(1, 1000);
  uint64_t syncs = 0;
  const uint64_t before = log.faults.io_count(IoKind::kSync);
  WalAppend append;
  append.parts = {payload};
  append.on_durable = [&](const Status&, Lsn) { syncs = log.faults.io_count(IoKind::kSync); };
  log->append(std::move(append));
  log.run();
  EXPECT_EQ(log->stats().segments, 2u);
  EXPECT_EQ(syncs, before + 1);
}

TEST(SegmentWal, UsesAgainWhatWasMadeAheadAfterAPowerCut) {
  TestLog log;
  log.open();
  log.put({numbered(0, 1000)});
  ASSERT_THAT(log.files(".new"), ElementsAre(wal::segment_path("/log", 2, ".new")));
  log.power_cut(CrashMode::kKeepAll);
  log.open();
  EXPECT_THAT(log.files(".new"), IsEmpty()) << "the last group was copied to it";
  EXPECT_THAT(log.files(".wal"), SizeIs(2));
  EXPECT_THAT(log.seen, ElementsAre(numbered(0, 1000)));
}

TEST(SegmentWal, KeepsAGroupInOneSegment) {
  TestLog log;
  log.options.segment_bytes = 64 * 1024;
  log.open();
  // 56 KiB of 60, so that the next two fit one by one only.
  for (size_t i = 0; i < 14; ++i) log.put({numbered(i, 4000)});
  log.append(numbered(14, 2500));
  log.append(numbered(15, 2500));
  log.run();
  EXPECT_EQ(log.appended[13]->lsn.segment, 1u);
  EXPECT_EQ(log.appended[14]->lsn.segment, 2u);
  EXPECT_EQ(log.appended[15]->lsn.segment, 2u);
}

TEST(SegmentWal, FillsTheSegmentWhenNoOtherCanBeMade) {
  TestLog log;
  log.options.segment_bytes = 64 * 1024;
  log.open();
  for (size_t i = 0; i < 14; ++i) log.put({numbered(i, 4000)});
  log.sim.set_capacity(1);
  log.append(numbered(14, 2500));
  log.append(numbered(15, 2500));
  log.run();
  EXPECT_TRUE(log.appended[14]->status.ok());
  EXPECT_EQ(log.appended[15]->status.code(), StatusCode::kNoSpace);
}

// --- Disk full -------------------------------------------------------------------------------

TEST(SegmentWalDiskFull, RefusesEverythingUntilResumed) {
  TestLog log;
  log.options.disk_reserve_bytes = 50'000;
  log.sim.set_capacity(50'000 + 20'000);  // room for two segments
  log.open();
  for (size_t i = 0; i < 6; ++i) log.put({numbered(i, 1000)});
  EXPECT_EQ(log.acked().size(), 6u);
  log.append(numbered(6, 1000));
  log.barrier();
  log.append("small");  // would fit, but its turn is behind a refused one
  log.run();
  EXPECT_EQ(log.acked().size(), 6u);
  for (size_t i = 6; i < 9; ++i) {
    EXPECT_EQ(log.appended[i]->status.code(), StatusCode::kNoSpace) << i;
  }
  EXPECT_TRUE(log->stats().disk_full);
  log.sim.set_capacity(1 << 20);
  log.put({"still refused"});
  EXPECT_EQ(log.last().status.code(), StatusCode::kNoSpace);
  log->resume();
  log.put({numbered(7, 1000)});
  EXPECT_TRUE(log.last().status.ok());
  EXPECT_FALSE(log->stats().disk_full);
  const Strings acked = log.acked();
  log.power_cut(CrashMode::kLoseAll);
  log.open();
  EXPECT_EQ(log.seen, acked);
}

TEST(SegmentWalDiskFull, IsFoundAgainAfterResumeWhileItLasts) {
  TestLog log;
  log.options.disk_reserve_bytes = 50'000;
  log.sim.set_capacity(50'000 + 9'000);
  log.open();
  log.put({numbered(0, 3900)});
  for (int i = 0; i < 3; ++i) {
    log.put({numbered(1, 1000)});
    EXPECT_EQ(log.last().status.code(), StatusCode::kNoSpace);
    log->resume();
  }
  EXPECT_FALSE(log->stats().fenced);
}

TEST(SegmentWalDiskFull, RefusesWhenTheAllocationFails) {
  TestLog log;
  log.sim.set_capacity(12'000);  // no reserve: only the allocation can tell
  log.open();
  log.put({numbered(0, 3900)});
  log.faults.fail_matching(IoKind::kAllocate, "", 1, no_space("injected"));
  log.sim.set_capacity(1 << 20);
  log.put({numbered(1, 1000)});
  EXPECT_EQ(log.last().status.code(), StatusCode::kNoSpace);
  EXPECT_FALSE(log->stats().fenced);
  EXPECT_THAT(log.files(".new"), IsEmpty());
  log->resume();
  log.put({"accepted"});
  EXPECT_TRUE(log.last().status.ok());
}

TEST(SegmentWalDiskFull, UsesASpareSegmentFirst) {
  TestLog log;
  log.open();
  for (size_t i = 0; i < 8; ++i) log.put({numbered(i, 1000)});
  ASSERT_TRUE(log->trim(log.last().lsn).ok());
  ASSERT_FALSE(log.files(".spare").empty());
  log.sim.set_capacity(1);
  for (size_t i = 8; i < 12; ++i) log.put({numbered(i, 1000)});
  EXPECT_EQ(log.acked().size(), 12u);
}

TEST(SegmentWalDiskFull, RecoveryMayUseTheReserve) {
  TestLog log;
  log.options.disk_reserve_bytes = 50'000;
  log.sim.set_capacity(50'000 + 9'000);
  log.open();
  log.put({"a"});
  log.power_cut(CrashMode::kLoseAll);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a"));
  log.put({std::string(5000, 'x')});
  EXPECT_EQ(log.last().status.code(), StatusCode::kNoSpace);
}

TEST(SegmentWalDiskFull, OpensWhenNothingIsFreeAtAll) {
  TestLog log;
  log.open();
  for (size_t i = 0; i < 5; ++i) log.put({numbered(i, 1000)});
  log.sim.set_capacity(1);
  for (int crash = 0; crash < 3; ++crash) {
    log.power_cut(CrashMode::kLoseAll);
    log.open();
    EXPECT_THAT(log.seen, SizeIs(5)) << crash;
    log.put({numbered(5, 1000)});
    EXPECT_EQ(log.last().status.code(), StatusCode::kNoSpace);
  }
  log.sim.set_capacity(1 << 20);
  log->resume();
  log.put({numbered(6, 1000)});
  EXPECT_TRUE(log.last().status.ok());
}

TEST(SegmentWalDiskFull, TheFileMadeAheadIsNotUsedForAppends) {
  TestLog log;
  log.open();
  log.put({numbered(0, 1000)});
  ASSERT_EQ(log.files(".new").size(), 1u);
  log.sim.set_capacity(1);
  for (size_t i = 1; i < 6; ++i) log.put({numbered(i, 1000)});
  EXPECT_EQ(log.last().status.code(), StatusCode::kNoSpace);
  EXPECT_EQ(log.files(".new").size(), 1u);
}

// --- Failures --------------------------------------------------------------------------------

TEST(SegmentWalFailure, AFailedNewSegmentFencesTheLog) {
  for (const IoKind kind : {IoKind::kOpen, IoKind::kAllocate, IoKind::kRename,
                            IoKind::kSyncDirectory, IoKind::kFreeSpace}) {
    TestLog log;
    log.options.recycled_segments_max = 0;  // no spare: the file is made when it is needed
    log.open();
    log.put({numbered(0, 3900)});
    log.faults.fail_matching(kind, "", 1, io_error("injected"));
    log.put({numbered(1, 1000)});
    EXPECT_EQ(log.last().status.code(), StatusCode::kOutcomeUnknown) << io_kind_name(kind);
    EXPECT_TRUE(log->stats().fenced) << io_kind_name(kind);
    log.open();
    // Behind a name that may not be durable the second one is found.
    const size_t found = kind == IoKind::kSyncDirectory ? 2 : 1;
    ASSERT_EQ(log.seen.size(), found) << io_kind_name(kind);
    EXPECT_EQ(log.seen.front(), numbered(0, 3900)) << io_kind_name(kind);
  }
}

TEST(SegmentWalFailure, AFailedEndRecordFencesTheNextAppend) {
  for (const IoKind kind : {IoKind::kWrite, IoKind::kSync}) {
    TestLog log;
    log.open();
    log.put({numbered(0, 3900)});
    log.faults.fail_matching(kind, wal::segment_path("/log", 1, ""), 1, io_error("injected"));
    log.put({numbered(1, 1000)});
    EXPECT_TRUE(log.last().status.ok()) << "nothing of it is in the segment that failed";
    log.put({numbered(2, 1000)});
    EXPECT_EQ(log.last().status.code(), StatusCode::kOutcomeUnknown) << io_kind_name(kind);
    log.open();
    EXPECT_EQ(log.seen.size(), 2u);
  }
}

TEST(SegmentWalFailure, AFailedTrimIsTriedAgain) {
  TestLog log;
  log.open();
  for (size_t i = 0; i < 12; ++i) log.put({numbered(i, 1000)});
  for (const IoKind kind : {IoKind::kRename, IoKind::kSyncDirectory}) {
    log.faults.fail_matching(kind, "", 1, io_error("injected"));
    EXPECT_EQ(log->trim(log.last().lsn).code(), StatusCode::kIoError);
  }
  ASSERT_TRUE(log->trim(log.last().lsn).ok());
  EXPECT_EQ(log.files(".wal").size(), 1u);
  log.open(log.last().lsn);
  EXPECT_THAT(log.seen, ElementsAre(numbered(11, 1000)));
}

}  // namespace
}  // namespace firn
