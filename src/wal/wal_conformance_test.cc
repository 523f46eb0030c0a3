// The contract of wal.h, kept by every log, and again with a restart after each step.

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

enum class Restart : uint8_t { kNever, kAfterAClose, kAfterAPowerCut };

struct Configuration {
  WalType type;
  Restart restart;
};

std::string configuration_name(const testing::TestParamInfo<Configuration>& info) {
  const char* const restarts[] = {"", "Restarted", "PoweredOff"};
  return std::string(wal_type_name(info.param.type)) +
         restarts[static_cast<size_t>(info.param.restart)];
}

class WalConformance : public testing::TestWithParam<Configuration> {
 protected:
  // One group, and the restart that the configuration asks for.
  void put(const Strings& payloads) {
    log.put(payloads);
    restart();
  }
  void restart() {
    if (GetParam().restart == Restart::kNever) return;
    if (GetParam().restart == Restart::kAfterAPowerCut) log.power_cut(CrashMode::kLoseAll);
    log.open(needed);
    const Strings acked = log.acked();
    ASSERT_LE(log.seen.size(), acked.size());
    EXPECT_EQ(log.seen,
              Strings(acked.end() - static_cast<ptrdiff_t>(log.seen.size()), acked.end()));
    if (needed == Lsn{}) {
      EXPECT_EQ(log.seen.size(), acked.size());
    }
  }
  bool restarts() const { return GetParam().restart != Restart::kNever; }

  TestLog log{1, GetParam().type};
  Lsn needed;  // what the manifest would say
};

TEST_P(WalConformance, ReadsBackWhatWasAppended) {
  log.open();
  EXPECT_THAT(log.seen, IsEmpty());
  put({"snow", "", std::string(5000, 'x')});
  put({"ice"});
  EXPECT_EQ(log.acked().size(), 4u);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("snow", "", std::string(5000, 'x'), "ice"));
}

TEST_P(WalConformance, SaysWhenAnAppendWaitsBehindTheGroupBeingWritten) {
  log.open();
  log.put({"a"});
  EXPECT_FALSE(log->next_group_begun());
  std::vector<bool> begun;
  log.faults.before_sync([&](const std::string&) {
    if (!begun.empty()) return;
    begun.push_back(log->next_group_begun());
    log.append("c");
    begun.push_back(log->next_group_begun());
  });
  log.append("b");
  EXPECT_FALSE(log->next_group_begun()) << "nothing is being written";
  log.run();
  EXPECT_THAT(begun, ElementsAre(false, true));
  EXPECT_FALSE(log->next_group_begun());
  EXPECT_THAT(log.acked(), ElementsAre("a", "b", "c"));
  log.faults.before_sync(nullptr);
}

TEST_P(WalConformance, SaysWhenAnAppendWaitsBehindTheMarkOfAnIdleLog) {
  log.open();
  log.put({"a"});
  std::vector<bool> begun;
  log.faults.before_sync([&](const std::string&) {
    if (!begun.empty()) return;
    begun.push_back(log->next_group_begun());
    log.append("b");
    begun.push_back(log->next_group_begun());
  });
  log.sim.run_for(2 * kSecondNs);
  EXPECT_THAT(begun, ElementsAre(false, true));
  EXPECT_FALSE(log->next_group_begun());
  EXPECT_THAT(log.acked(), ElementsAre("a", "b"));
  log.faults.before_sync(nullptr);
}

TEST_P(WalConformance, GivesReplayTheLsnsOfTheAppends) {
  log.open();
  put({"a", "b"});
  put({std::string(3900, 'c'), "d"});
  log.open();
  ASSERT_EQ(log.seen_lsns.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    if (GetParam().restart != Restart::kAfterAPowerCut) {
      EXPECT_EQ(log.seen_lsns[i], log.appended[i]->lsn) << i;
    }
    if (i > 0) {
      EXPECT_LT(log.seen_lsns[i - 1], log.seen_lsns[i]);
    }
  }
}

TEST_P(WalConformance, ReplaysFromAnLsnOn) {
  log.open();
  put({"a", "b", std::string(3900, 'c'), "d"});
  log.open();
  const std::vector<Lsn> lsns = log.seen_lsns;
  log.open(lsns[1]);
  EXPECT_THAT(log.seen, ElementsAre("b", std::string(3900, 'c'), "d"));
  log.open(lsns[3]);
  EXPECT_THAT(log.seen, ElementsAre("d"));
}

TEST_P(WalConformance, TheCallersLsnProvesALostEnd) {
  log.open();
  put({"a"});
  log.open();
  const Lsn last = log.seen_lsns.back();
  EXPECT_EQ(log.try_open({last.segment, last.offset + 100'000}).code(), StatusCode::kCorruption);
  EXPECT_EQ(log.try_open({last.segment + 1, 0}).code(), StatusCode::kCorruption);
  log.open(last);
  EXPECT_THAT(log.seen, ElementsAre("a"));
}

TEST_P(WalConformance, AnEmptyLogHasNothingAndTakesRecords) {
  log.open();
  const Lsn begin = log->begin();
  restart();
  log.open(begin);
  EXPECT_THAT(log.seen, IsEmpty());
  EXPECT_THAT(log.verify(), IsEmpty());
  put({"a"});
  EXPECT_TRUE(log.last().status.ok());
  EXPECT_EQ(log.try_open({7, 0}).code(), StatusCode::kCorruption);
}

TEST_P(WalConformance, GathersWhatIsWaitingIntoOneSync) {
  log.options.segment_bytes = 64 * kKiB;
  log.open();
  put({"first"});
  const WalStats before = log->stats();
  for (size_t i = 0; i < 100; ++i) log.append(numbered(i));
  log.run();
  EXPECT_EQ(log->stats().syncs - before.syncs, 1u);
  EXPECT_EQ(log->stats().records - before.records, 100u);
  EXPECT_EQ(log.acked().size(), 101u);
  restart();
}

TEST_P(WalConformance, LimitsAGroupButNotARecord) {
  log.options.segment_bytes = 64 * kKiB;
  log.options.group_bytes_max = 1000;
  log.open();
  for (size_t i = 0; i < 10; ++i) log.append(numbered(i, 300));  // three to a group
  log.append(numbered(10, 5000));
  log.run();
  EXPECT_EQ(log->stats().syncs, 5u);
  EXPECT_EQ(log.acked().size(), 11u);
  restart();
}

TEST_P(WalConformance, CompletesInAppendOrderAfterTheWrite) {
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

TEST_P(WalConformance, CompletesABarrierBehindEarlierAppends) {
  log.open();
  log.append("a");
  log.barrier();
  log.append("b");
  log.run();
  EXPECT_THAT(log.completions, ElementsAre("a", "(barrier)", "b"));
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a", "b"));
}

TEST_P(WalConformance, CompletesABarrierWithoutIoWhenNothingIsPending) {
  log.open();
  put({"a"});
  const uint64_t calls = log.sim.io_count();
  log.barrier();
  log.run();
  EXPECT_TRUE(log.last().completed && log.last().status.ok());
  EXPECT_EQ(log.sim.io_count(), calls);
}

TEST_P(WalConformance, CountsPendingBytesUntilDurable) {
  log.open();
  EXPECT_EQ(log->pending_bytes(), 0u);
  log.append(std::string(1000, 'x'));
  EXPECT_GE(log->pending_bytes(), 1000u);
  log.run();
  EXPECT_EQ(log->pending_bytes(), 0u);
}

TEST_P(WalConformance, ReadsOverManySegments) {
  log.open();
  Strings expected;
  for (size_t i = 0; i < 50; ++i) {
    expected.push_back(numbered(i, 500));
    log.append(expected.back());
    if (i % 5 == 0) {
      log.run();
      restart();
    }
  }
  log.run();
  EXPECT_GE(log->stats().segments, restarts() ? 3u : 4u);
  EXPECT_GT(log->stats().segment_bytes, 25'000u);
  log.open();
  EXPECT_EQ(log.seen, expected);
  EXPECT_THAT(log.verify(), IsEmpty());
}

TEST_P(WalConformance, TakesARecordLargerThanASegment) {
  log.open();
  const std::string large(100'000, 'L');
  put({"a", large, "b"});
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a", large, "b"));
}

TEST_P(WalConformance, RefusesOnlyTheRecordThatIsTooLarge) {
  log.open();
  log.put({"a", std::string(wal::kPayloadBytesMax + 1, 'x'), "b"});
  EXPECT_EQ(log.appended[1]->status.code(), StatusCode::kTooLarge);
  EXPECT_THAT(log.acked(), ElementsAre("a", "b"));
  restart();
}

TEST_P(WalConformance, TrimsWholeSegmentsAndKeepsTheNewest) {
  log.open();
  for (size_t i = 0; i < 20; ++i) put({numbered(i, 1000)});
  log.open();
  const Lsn middle = log.seen_lsns[10];
  ASSERT_TRUE(log->trim(middle).ok());
  EXPECT_EQ(log->begin().segment, middle.segment);
  EXPECT_LE(log->begin(), middle);
  needed = middle;
  restart();
  EXPECT_EQ(log->begin().segment, middle.segment);
  log.open(middle);
  EXPECT_EQ(log.seen.front(), numbered(10, 1000));
  log.open();
  EXPECT_LT(log.seen.size(), 20u) << "what was trimmed does not come back";
  EXPECT_EQ(log->begin(), log.seen_lsns.front());
  EXPECT_EQ(log.try_open({middle.segment - 1, 0}).code(), StatusCode::kCorruption);
}

TEST_P(WalConformance, LsnsGoOnAfterEverythingWasTrimmed) {
  log.open();
  for (size_t i = 0; i < 12; ++i) put({numbered(i, 1000)});
  log.open(needed);
  Lsn last = log.seen_lsns.back();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(log->trim({UINT64_MAX, 0}).ok());
    needed = log->begin();
    restart();
    log.open(needed);
    put({"after"});
    EXPECT_GT(log.last().lsn, last);
    last = log.last().lsn;
  }
}

TEST_P(WalConformance, DropsPendingAppendsWithoutACallWhenDestroyed) {
  log.open();
  log.append("a");
  log.close();
  EXPECT_FALSE(log.last().completed);
  log.open();
  EXPECT_THAT(log.seen, IsEmpty());
}

TEST_P(WalConformance, StopsTheReplayWhenTheVisitorFails) {
  log.open();
  put({"a", "b"});
  log.close();
  auto reader = open_wal(&log.sim, log.options);
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

TEST_P(WalConformance, ReportsProgressUpToTheTotal) {
  log.open();
  for (size_t i = 0; i < 20; ++i) put({numbered(i, 1000)});
  log.close();
  auto reader = open_wal(&log.sim, log.options);
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

TEST_P(WalConformance, RefusesImpossibleOptions) {
  log.options.segment_bytes = 4096;
  EXPECT_EQ(log.try_open().code(), StatusCode::kInvalidArgument);
  log.options.segment_bytes = 2 * kGiB;
  EXPECT_EQ(log.try_open().code(), StatusCode::kInvalidArgument);
  log.options.segment_bytes = 1 * kMiB;
  log.options.group_bytes_max = 0;
  EXPECT_EQ(log.try_open().code(), StatusCode::kInvalidArgument);
}

// --- Disk full -------------------------------------------------------------------------------

TEST_P(WalConformance, AFullDiskRefusesEverythingUntilResumed) {
  log.options.disk_reserve_bytes = 200'000;
  log.open();
  put({numbered(0, 1000)});
  log.sim.set_capacity(100'000);
  size_t count = 1;
  do {
    log.put({numbered(count++, 1000)});
  } while (log.last().status.ok() && count < 20);
  const size_t refused = log.appended.size() - 1;
  ASSERT_EQ(log.last().status.code(), StatusCode::kNoSpace);
  log.barrier();
  log.append("small");  // would fit, but its turn is behind a refused one
  log.run();
  for (size_t i = refused; i < log.appended.size(); ++i) {
    EXPECT_EQ(log.appended[i]->status.code(), StatusCode::kNoSpace) << i;
  }
  EXPECT_TRUE(log->stats().disk_full);
  EXPECT_FALSE(log->stats().fenced);
  log->resume();
  log.put({numbered(0, 5000)});  // found full again
  EXPECT_EQ(log.last().status.code(), StatusCode::kNoSpace);
  log.sim.set_capacity(1 << 24);
  log.put({"still refused"});
  EXPECT_EQ(log.last().status.code(), StatusCode::kNoSpace);
  log->resume();
  put({numbered(7, 1000)});
  EXPECT_TRUE(log.last().status.ok());
  EXPECT_FALSE(log->stats().disk_full);
  const Strings acked = log.acked();
  log.power_cut(CrashMode::kLoseAll);
  log.open();
  EXPECT_EQ(log.seen, acked);
}

// --- Failures --------------------------------------------------------------------------------

TEST_P(WalConformance, AFailedSyncFencesTheLog) {
  log.faults.on_failed_sync([&](const std::string& path) { log.sim.forget_unsynced(path); });
  log.open();
  put({"before"});
  log.put({"x"});  // what is done once, behind a restart, is done
  log.faults.fail_matching(IoKind::kSync, "", 1, io_error("injected"));
  log.put({"a", "b"});
  const uint64_t calls = log.sim.io_count();
  log.put({"later"});
  log.barrier();
  log.run();
  for (size_t i = 2; i < 6; ++i) {
    EXPECT_EQ(log.appended[i]->status.code(), StatusCode::kOutcomeUnknown) << i;
  }
  EXPECT_THAT(std::string(log.last().status.message()), HasSubstr("restart firn"));
  EXPECT_TRUE(log->stats().fenced);
  EXPECT_EQ(log->pending_bytes(), 0u);
  log.sim.run_for(10 * kSecondNs);
  log.close();
  EXPECT_EQ(log.sim.io_count(), calls) << "nothing is written any more";
}

TEST_P(WalConformance, WhatRecoveryShowedAfterAFailedSyncStays) {
  log.faults.on_failed_sync([&](const std::string& path) { log.sim.forget_unsynced(path); });
  log.open();
  put({"before"});
  log.put({"x"});
  log.faults.fail_matching(IoKind::kSync, "", 1, io_error("injected"));
  log.put({"unknown"});
  ASSERT_FALSE(log.last().status.ok());
  // The process restarts, the machine does not: the page cache shows what the disk does not hold.
  log.open();
  ASSERT_THAT(log.seen, ElementsAre("before", "x", "unknown"));
  log.put({"after"});
  log.power_cut(CrashMode::kLoseAll);
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("before", "x", "unknown", "after"));
}

TEST_P(WalConformance, AFailedWriteFencesTheLog) {
  log.open();
  put({"before"});
  log.faults.fail_matching(IoKind::kWrite, "", 1, no_space("injected"));
  log.put({"a"});
  log.put({"later"});
  EXPECT_EQ(log.appended[1]->status.code(), StatusCode::kOutcomeUnknown);
  EXPECT_EQ(log.appended[2]->status.code(), StatusCode::kOutcomeUnknown);
  log.open();
  EXPECT_EQ(log.seen.front(), "before");
}

TEST_P(WalConformance, AFailedReadIsNotAnEnd) {
  log.options.recycled_segments_max = 0;  // a spare that cannot be read is only given up
  log.open();
  put({"a"});
  log.close();
  for (uint64_t call = 1; call < 30; ++call) {
    log.faults.heal();
    log.faults.count_only({IoKind::kRead});
    log.faults.fail_once(log.faults.io_count() + call, io_error("injected"));
    const Status status = log.try_open();
    if (log.faults.faults_injected() == 0) break;
    EXPECT_EQ(status.code(), StatusCode::kIoError) << call << ": " << status.to_string();
  }
  log.faults.heal();
  log.open();
  EXPECT_THAT(log.seen, ElementsAre("a"));
}

INSTANTIATE_TEST_SUITE_P(Logs, WalConformance,
                         testing::Values(Configuration{WalType::kSegment, Restart::kNever},
                                         Configuration{WalType::kSegment, Restart::kAfterAClose},
                                         Configuration{WalType::kSegment, Restart::kAfterAPowerCut},
                                         Configuration{WalType::kRocksdb, Restart::kNever},
                                         Configuration{WalType::kRocksdb, Restart::kAfterAClose},
                                         Configuration{WalType::kRocksdb,
                                                       Restart::kAfterAPowerCut}),
                         configuration_name);

// --- The operating system, with real threads --------------------------------------------------

class WalThreads : public testing::TestWithParam<WalType> {};

TEST_P(WalThreads, AppendsWhileOthersTrimAndAsk) {
  const TestDirectory directory;
  WalOptions options;
  options.directory = directory.path();
  options.type = GetParam();
  options.segment_bytes = 64 * kKiB;
  options.disk_reserve_bytes = 0;
  constexpr size_t kAppends = 5000;
  std::atomic<size_t> durable{0};
  std::atomic<uint64_t> last_segment{0};
  {
    auto opened = open_wal(posix_env(), options);
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
  auto reopened = open_wal(posix_env(), options);
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

INSTANTIATE_TEST_SUITE_P(Logs, WalThreads, testing::Values(WalType::kSegment, WalType::kRocksdb),
                         [](const auto& test) { return std::string(wal_type_name(test.param)); });

}  // namespace
}  // namespace firn
