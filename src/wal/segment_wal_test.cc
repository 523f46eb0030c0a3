#include "wal/segment_wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/size.h"
#include "env/test_directory.h"
#include "wal/test_log.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SegmentWal, ReadsBackWhatWasAppended) {
  TestLog log;
  log.open();
  EXPECT_THAT(log.seen, IsEmpty());
  log.put({"snow", "", std::string(5000, 'x')});
  log.put({"ice"});
  EXPECT_EQ(log.acked().size(), 4u);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("snow", "", std::string(5000, 'x'), "ice"));
}

TEST(SegmentWal, GivesReplayTheLsnsOfTheAppends) {
  TestLog log;
  log.open();
  log.put({"a", "b"});
  log.put({std::string(3900, 'c'), "d"});
  log.open();
  ASSERT_EQ(log.seen_lsns.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(log.seen_lsns[i], log.appended[i]->lsn) << i;
}

TEST(SegmentWal, ReplaysFromAnLsnOn) {
  TestLog log;
  log.open();
  log.put({"a", "b", std::string(3900, 'c'), "d"});
  log.open(log.appended[1]->lsn);
  EXPECT_THAT(log.seen, ElementsAre("b", std::string(3900, 'c'), "d"));
  log.open(log.appended[3]->lsn);
  EXPECT_THAT(log.seen, ElementsAre("d"));
}

TEST(SegmentWal, GathersWhatIsWaitingIntoOneSync) {
  TestLog log;
  log.options.segment_bytes = 64 * kKiB;
  log.open();
  log.put({"first"});
  const uint64_t before = log->stats().syncs;
  for (size_t i = 0; i < 100; ++i) log.append(numbered(i));
  log.run();
  EXPECT_EQ(log->stats().syncs - before, 1u);
  EXPECT_EQ(log->stats().records, 101u);
  EXPECT_EQ(log.acked().size(), 101u);
}

TEST(SegmentWal, LimitsAGroupButNotARecord) {
  TestLog log;
  log.options.segment_bytes = 64 * kKiB;
  log.options.group_bytes_max = 1000;
  log.open();
  for (size_t i = 0; i < 10; ++i) log.append(numbered(i, 300));  // three to a group
  log.append(numbered(10, 5000));
  log.run();
  EXPECT_EQ(log->stats().syncs, 5u);
  EXPECT_EQ(log.acked().size(), 11u);
}

TEST(SegmentWal, CompletesInAppendOrderAfterTheWrite) {
  TestLog log;
  log.open();
  Strings calls;
  for (const char* name : {"a", "b"}) {
    WalAppend append;
    append.parts = {name};
    append.on_written = [&, name](Lsn) { calls.push_back(std::string("written ") + name); };
    append.on_durable = [&, name](const Status& status, Lsn) {
      calls.push_back(std::string(status.ok() ? "durable " : "failed ") + name);
    };
    log->append(std::move(append));
  }
  log.run();
  EXPECT_THAT(calls, ElementsAre("written a", "written b", "durable a", "durable b"));
}

TEST(SegmentWal, CompletesABarrierBehindEarlierAppends) {
  TestLog log;
  log.open();
  log.append("a");
  log.barrier();
  log.append("b");
  log.run();
  EXPECT_THAT(log.completions, ElementsAre("a", "(barrier)", "b"));
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a", "b"));
}

TEST(SegmentWal, CompletesABarrierWithoutIoWhenNothingIsPending) {
  TestLog log;
  log.open();
  const uint64_t calls = log.sim.io_count();
  log.barrier();
  log.run();
  EXPECT_TRUE(log.last().completed && log.last().status.ok());
  EXPECT_EQ(log.sim.io_count(), calls);
}

TEST(SegmentWal, CountsPendingBytesUntilDurable) {
  TestLog log;
  log.open();
  EXPECT_EQ(log->pending_bytes(), 0u);
  log.append(std::string(1000, 'x'));
  EXPECT_GE(log->pending_bytes(), 1000u);
  log.run();
  EXPECT_EQ(log->pending_bytes(), 0u);
}

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

TEST(SegmentWal, GivesALargeRecordASegmentOfItsSize) {
  TestLog log;
  log.open();
  const std::string large(100'000, 'L');
  log.put({"a", large, "b"});
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a", large, "b"));
}

TEST(SegmentWal, RefusesOnlyTheRecordThatIsTooLarge) {
  TestLog log;
  log.open();
  log.put({"a", std::string(wal::kPayloadBytesMax + 1, 'x'), "b"});
  EXPECT_EQ(log.appended[1]->status.code(), StatusCode::kTooLarge);
  EXPECT_THAT(log.acked(), ElementsAre("a", "b"));
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
  const size_t files = log.sim.all_files().size();
  Strings expected = {numbered(11, 1000)};
  for (size_t i = 12; i < 18; ++i) {
    expected.push_back(numbered(i, 900));
    log.put({expected.back()});
  }
  EXPECT_EQ(log.sim.all_files().size(), files);
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
  EXPECT_EQ(log.files(".spare").size(), 2u);
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

TEST(SegmentWal, DropsPendingAppendsWithoutACallWhenDestroyed) {
  TestLog log;
  log.open();
  log.append("a");
  log.close();
  EXPECT_FALSE(log.last().completed);
  log.open();
  EXPECT_THAT(log.seen, IsEmpty());
}

TEST(SegmentWal, StopsTheReplayWhenTheVisitorFails) {
  TestLog log;
  log.open();
  log.put({"a", "b"});
  log.close();
  auto reader = open_segment_wal(&log.sim, log.options);
  ASSERT_TRUE(reader.ok());
  int visits = 0;
  const Status status = (*reader)->replay(
      {},
      [&](Lsn, ByteView) {
        ++visits;
        return unavailable("stop here");
      },
      nullptr);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(visits, 1);
}

TEST(SegmentWal, ReportsProgressUpToTheTotal) {
  TestLog log;
  log.open();
  for (size_t i = 0; i < 20; ++i) log.put({numbered(i, 1000)});
  log.close();
  auto reader = open_segment_wal(&log.sim, log.options);
  ASSERT_TRUE(reader.ok());
  uint64_t last = 0;
  uint64_t whole = 0;
  const Status status = (*reader)->replay(
      {}, [](Lsn, ByteView) { return Status(); },
      [&](uint64_t done, uint64_t total) {
        EXPECT_GE(done, last);
        last = done;
        whole = total;
      });
  ASSERT_TRUE(status.ok());
  EXPECT_GT(whole, 20'000u);
  EXPECT_EQ(last, whole);
}

TEST(SegmentWal, RefusesImpossibleOptions) {
  SimEnv sim(1);
  WalOptions options;
  options.directory = kLogDirectory;
  options.segment_bytes = 4096;
  EXPECT_EQ(open_segment_wal(&sim, options).status().code(), StatusCode::kInvalidArgument);
  options.segment_bytes = 2 * kGiB;
  EXPECT_EQ(open_segment_wal(&sim, options).status().code(), StatusCode::kInvalidArgument);
  options = WalOptions{};
  options.directory = kLogDirectory;
  options.group_bytes_max = 0;
  EXPECT_EQ(open_segment_wal(&sim, options).status().code(), StatusCode::kInvalidArgument);
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

// --- Failures --------------------------------------------------------------------------------

TEST(SegmentWalFailure, AFailedSyncFencesTheLog) {
  TestLog log;
  log.faults.on_failed_sync([&](const std::string& path) { log.sim.forget_unsynced(path); });
  log.open();
  log.put({"before"});
  log.faults.fail_matching(IoKind::kSync, "", 1, io_error("injected"));
  log.put({"a", "b"});
  const uint64_t calls = log.sim.io_count();
  log.put({"later"});
  log.barrier();
  log.run();
  for (size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(log.appended[i]->status.code(), StatusCode::kOutcomeUnknown) << i;
  }
  EXPECT_THAT(std::string(log.last().status.message()), HasSubstr("restart firn"));
  EXPECT_TRUE(log->stats().fenced);
  EXPECT_EQ(log->pending_bytes(), 0u);
  log.sim.run_for(10 * kSecondNs);
  log.close();
  EXPECT_EQ(log.sim.io_count(), calls) << "nothing is written any more";
}

TEST(SegmentWalFailure, WhatRecoveryShowedAfterAFailedSyncStays) {
  TestLog log;
  log.faults.on_failed_sync([&](const std::string& path) { log.sim.forget_unsynced(path); });
  log.open();
  log.put({"before"});
  log.faults.fail_matching(IoKind::kSync, "", 1, io_error("injected"));
  log.put({"unknown"});
  // The process restarts, the machine does not: the page cache shows what the disk does not hold.
  log.open();
  ASSERT_THAT(log.seen, ElementsAre("before", "unknown"));
  log.put({"after"});
  log.power_cut(CrashMode::kLoseAll);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("before", "unknown", "after"));
}

TEST(SegmentWalFailure, AFailedWriteFencesTheLog) {
  TestLog log;
  log.open();
  log.put({"before"});
  log.faults.fail_matching(IoKind::kWrite, "", 1, no_space("injected"));
  log.put({"a"});
  log.put({"later"});
  EXPECT_EQ(log.appended[1]->status.code(), StatusCode::kOutcomeUnknown);
  EXPECT_EQ(log.appended[2]->status.code(), StatusCode::kOutcomeUnknown);
  log.open();
  EXPECT_EQ(log.seen.front(), "before");
}

TEST(SegmentWalFailure, AFailedNewSegmentFencesTheLog) {
  for (const IoKind kind : {IoKind::kOpen, IoKind::kAllocate, IoKind::kRename,
                            IoKind::kSyncDirectory, IoKind::kFreeSpace}) {
    TestLog log;
    log.open();
    log.put({numbered(0, 3900)});
    log.faults.fail_matching(kind, "", 1, io_error("injected"));
    log.put({numbered(1, 1000)});
    EXPECT_EQ(log.last().status.code(), StatusCode::kOutcomeUnknown) << io_kind_name(kind);
    EXPECT_TRUE(log->stats().fenced) << io_kind_name(kind);
    log.open();
    EXPECT_THAT(log.seen, ElementsAre(numbered(0, 3900))) << io_kind_name(kind);
  }
}

TEST(SegmentWalFailure, AFailedReadIsNotAnEnd) {
  TestLog log;
  log.open();
  log.put({"a"});
  log.close();
  log.faults.fail_matching(IoKind::kRead, "", 1, io_error("injected"));
  EXPECT_EQ(log.try_open().code(), StatusCode::kIoError);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a"));
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

// --- The operating system, with real threads --------------------------------------------------

TEST(SegmentWalThreads, AppendsWhileOthersTrimAndAsk) {
  const TestDirectory directory;
  WalOptions options;
  options.directory = directory.path();
  options.segment_bytes = 64 * kKiB;
  options.disk_reserve_bytes = 0;
  constexpr size_t kAppends = 5000;
  std::atomic<size_t> durable{0};
  std::atomic<uint64_t> last_segment{0};
  {
    auto opened = open_segment_wal(posix_env(), options);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    Wal* log = opened->get();
    ASSERT_TRUE(log->replay(
                       {}, [](Lsn, ByteView) { return Status(); }, nullptr)
                    .ok());
    std::thread trimmer([&] {
      while (durable.load() < kAppends) {
        EXPECT_TRUE(log->trim({last_segment.load(), 0}).ok());
        EXPECT_LE(log->begin().segment, log->stats().durable.segment);
      }
    });
    for (size_t i = 0; i < kAppends; ++i) {
      auto payload = std::make_shared<std::string>(numbered(i % 1000, 300));
      WalAppend append;
      append.parts = {*payload};
      append.owner = payload;
      append.on_durable = [&](const Status& status, Lsn lsn) {
        EXPECT_TRUE(status.ok());
        EXPECT_GE(lsn.segment, last_segment.load());
        last_segment.store(lsn.segment);
        durable.fetch_add(1);
      };
      log->append(std::move(append));
    }
    trimmer.join();
    EXPECT_EQ(log->pending_bytes(), 0u);
  }
  auto reopened = open_segment_wal(posix_env(), options);
  ASSERT_TRUE(reopened.ok());
  std::string newest;
  const Status status = (*reopened)->replay(
      {},
      [&](Lsn, ByteView payload) {
        newest = payload;
        return Status();
      },
      nullptr);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(newest, numbered((kAppends - 1) % 1000, 300));
}

}  // namespace
}  // namespace firn
