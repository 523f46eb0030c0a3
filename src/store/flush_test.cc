// What goes from memory to the second tier when memory is short.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "env/fault_env.h"
#include "store/test_store.h"

namespace firn {
namespace {

constexpr size_t kFiller = 100 * 1000;

class FlushTest : public StoreTest {
 protected:
  // Of each tier, by name.
  uint64_t rows_in(std::string_view tier) {
    for (const TierInfo& info : store_->health().tiers) {
      if (info.name == tier) return info.stats.rows;
    }
    return 0;
  }
  Result<AppendResult> append_filler(int number, const std::string& stream = "") {
    return append({{std::string(kFiller, static_cast<char>('a' + number % 26)), kDay, {}, stream}});
  }
  // The least budget, of which flushing begins at so much.
  void set_flush_bytes(uint64_t bytes) {
    change_options_ = [bytes](StoreOptions* options) {
      options->memory_bytes_max = 64 * kMiB;
      options->tiers[0].max_memory_bytes = bytes;
    };
  }
};

TEST_F(FlushTest, PressureFlushesTheOldestRowsAndKeepsTheRest) {
  set_flush_bytes(8 * kMiB);
  restart();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append_filler(i).ok());
  for (int wait = 0; wait < 1000 && rows_in("warm") == 0; ++wait) pause();
  EXPECT_GT(rows_in("warm"), 0u);
  EXPECT_GT(rows_in("hot"), 0u);
  EXPECT_EQ(contents().size(), 100u);
}

TEST_F(FlushTest, AFlushOnDemandTakesEverythingInPieces) {
  set_flush_bytes(16 * kMiB);
  restart();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append_filler(i).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(rows_in("warm"), 100u);
  EXPECT_EQ(rows_in("hot"), 0u);
  EXPECT_EQ(contents().size(), 100u);
}

// A move takes as long as it takes; appends do not wait for it.
TEST_F(FlushTest, PressureFlushesWhileAChunkMoves) {
  FaultEnv slow(posix_env());
  env_ = &slow;
  set_flush_bytes(8 * kMiB);
  std::atomic<bool> is_moving{false}, may_end{false};
  slow.before_sync([&](const std::string& path) {
    if (path.find(".parquet") == std::string::npos) return;
    is_moving.store(true);
    while (!may_end.load()) pause();
  });
  restart();
  ASSERT_TRUE(append_filler(0).ok());
  ASSERT_TRUE(flush().ok());
  ChunkCommand move;
  move.action = ChunkAction::kMove;
  move.namespace_id = space_;
  std::atomic<bool> has_moved{false};
  store_->command(move, [&](const ChunkCommandResult& result) {
    EXPECT_TRUE(result.status.ok()) << result.status.to_string();
    has_moved.store(true);
  });
  for (int wait = 0; wait < 10'000 && !is_moving.load(); ++wait) pause();
  EXPECT_TRUE(is_moving.load());
  // Three times the budget of memory.
  Status appended;
  for (int i = 1, waits = 0; i < 2'000 && appended.ok() && waits < 1'000; ++i) {
    for (appended = append_filler(i).status();
         appended.code() == StatusCode::kUnavailable && waits < 1'000; ++waits) {
      pause();
      appended = append_filler(i).status();
    }
  }
  EXPECT_TRUE(appended.ok()) << appended.to_string();
  EXPECT_FALSE(has_moved.load());
  EXPECT_GT(rows_in("warm"), 1'000u);
  may_end.store(true);
  for (int wait = 0; wait < 10'000 && !has_moved.load(); ++wait) pause();
  EXPECT_EQ(rows_in("cold"), 1u);
  EXPECT_EQ(contents().size(), 2'000u);
  store_.reset();
  env_ = posix_env();
}

TEST_F(FlushTest, AnInterruptedFlushOfMoreThanAPieceIsTakenUpAfterARestart) {
  FaultEnv faults(posix_env());
  env_ = &faults;
  restart();
  for (int i = 0; i < 550; ++i) ASSERT_TRUE(append_filler(i, "s").ok());
  // The rows reach the tier, the manifest never hears of it.
  faults.fail_matching(IoKind::kWrite, "manifest", UINT64_MAX, io_error("injected"));
  EXPECT_FALSE(command(ChunkAction::kFlush).status.ok());
  faults.heal();
  EXPECT_EQ(rows_in("warm"), 550u);
  // So small that the replay has to flush before it has come as far as that flush.
  set_flush_bytes(8 * kMiB);
  restart();
  EXPECT_EQ(contents().size(), 550u);
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(rows_in("warm"), 550u);
  EXPECT_EQ(rows_in("hot"), 0u);
  EXPECT_EQ(contents().size(), 550u);
  restart();
  EXPECT_EQ(append_filler(0, "s")->first_position, 551u);
  EXPECT_EQ(contents().size(), 551u);
  store_.reset();
}

// 64 MiB, of which seven eighths may be full when a start ends.
class StartTest : public FlushTest {
 protected:
  void SetUp() override {
    change_options_ = [](StoreOptions* o) {
      o->memory_bytes_max = 64 * kMiB;
      o->tiers[0].max_memory_bytes = 63 * kMiB;
      o->wal_segment_bytes = 1 * kMiB;
    };
    FlushTest::SetUp();
  }
  void append_mebibytes(int count) {
    const std::string filler(512 * 1024, 'x');
    for (int i = 0; i < 2 * count; ++i) ASSERT_TRUE(append({{filler}}).ok());
  }
};

TEST_F(StartTest, KeepsInMemoryWhatFits) {
  append_mebibytes(52);
  restart();
  EXPECT_EQ(rows_in("warm"), 0u);
  EXPECT_EQ(rows_in("hot"), 104u);
}

TEST_F(StartTest, LeavesToTheTiersWhatTheyHold) {
  append_mebibytes(2);
  ASSERT_TRUE(flush().ok());
  append_mebibytes(1);
  restart();
  EXPECT_EQ(rows_in("warm"), 4u);
  EXPECT_EQ(rows_in("hot"), 2u);  // though the log still has the others
}

TEST_F(StartTest, FlushesNoMoreThanWhatDoesNotFitAsksFor) {
  append_mebibytes(61);
  restart();
  EXPECT_GT(rows_in("warm"), 0u);
  EXPECT_LE(rows_in("warm"), 66u);  // a piece: half of what memory may hold before a flush
  EXPECT_EQ(contents().size(), 122u);
}

TEST_F(FlushTest, HeadsOfManyStreamsCostMemoryOnlyUntilTheyAreFlushed) {
  set_flush_bytes(8 * kMiB);
  restart();
  constexpr int kStreams = 100'000;
  const std::string name(120, 'n');
  for (int from = 0; from < kStreams; from += 2000) {
    std::vector<Spec> events;
    for (int i = from; i < from + 2000; ++i) {
      events.push_back({"e", kDay, {}, name + std::to_string(i)});
    }
    ASSERT_TRUE(append(events).ok());
  }
  ASSERT_TRUE(flush().ok());
  // A sixteenth of the budget may stay for heads that are known, and a little for the memory tier;
  // all heads together would take about 18 MiB.
  for (int wait = 0; wait < 1000 && store_->health().memory_bytes > 5 * kMiB; ++wait) pause();
  EXPECT_LE(store_->health().memory_bytes, 5 * kMiB);
  // The next positions are right although their heads were forgotten meanwhile.
  ASSERT_TRUE(append({{"again", kDay, {}, name + "0"}}).ok());
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  int64_t position = -1;
  for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
    ScanSpec last;
    last.filter.positions = {kStreams + 1, kStreams + 2};
    const auto reader = snapshot->scan(chunk, last, nullptr);
    ASSERT_TRUE(reader.ok()) << reader.status().to_string();
    BatchSlice slice;
    if (*(*reader)->next(&slice)) position = event_row(*slice.batch, slice.row(0)).stream_position;
  }
  EXPECT_EQ(position, 1);
}

TEST_F(FlushTest, AppendsAreRefusedWhileLessThanTheReserveIsFree) {
  ASSERT_TRUE(append({{"before"}}).ok());
  // The log has room in the segment it made; what is free is less than the reserve all the same.
  change_options_ = [](StoreOptions* options) { options->disk_reserve_bytes = uint64_t{1} << 60; };
  restart();
  for (int wait = 0; wait < 1000 && !store_->health().disk_full; ++wait) pause();
  EXPECT_TRUE(store_->health().disk_full);
  const auto refused = append({{"refused"}});
  EXPECT_EQ(refused.status().code(), StatusCode::kNoSpace);
  EXPECT_THAT(refused.status().message(), testing::HasSubstr("reserve"));
  EXPECT_THAT(contents(), testing::ElementsAre("1:before"));
  change_options_ = nullptr;
  restart();
  EXPECT_EQ(append({{"after"}})->first_position, 2u);
  EXPECT_FALSE(store_->health().disk_full);
}

}  // namespace
}  // namespace firn
