#include "tier/memory/memory_tier.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "env/posix_env.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

class MemoryTierTest : public testing::Test {
 protected:
  // One batch of `rows` rows of its own.
  void append(uint32_t rows, NamespaceId namespace_id = 1) {
    ChunkKey key = key_;
    key.namespace_id = namespace_id;
    const std::vector<BatchSlice> slices = {
        slice_of(stamped(random_unstamped_batch(next_, rows), next_, namespace_id))};
    const auto stats = tier_.write(key, slices, next_ + rows - 1);
    ASSERT_TRUE(stats.ok()) << stats.status().to_string();
    next_ += rows;
  }
  MemoryChunkInfo info() const {
    const auto chunks = tier_.snapshot().chunks(1);
    return chunks.empty() ? MemoryChunkInfo() : chunks[0];
  }
  static uint64_t count(const MemorySnapshot& snapshot, const ChunkKey& key, const Filter& filter,
                        ScanCost* cost = nullptr) {
    ScanSpec spec;
    spec.filter = filter;
    auto reader = snapshot.scan(key, spec, cost);
    EXPECT_TRUE(reader.ok());
    uint64_t rows = 0;
    BatchSlice slice;
    while (*(*reader)->next(&slice)) rows += slice.rows();
    return rows;
  }

  MemoryTier tier_{posix_env(), "hot"};
  const ChunkKey key_ = test_chunk();
  Position next_ = 1;
};

TEST_F(MemoryTierTest, KeepsTheBatchItself) {
  const BatchPtr batch = random_batch(1, 10);
  const std::vector<BatchSlice> slices = {slice_of(batch)};
  ASSERT_TRUE(tier_.write(key_, slices, 10).ok());
  auto reader = tier_.scan(key_, {}, nullptr);
  BatchSlice slice;
  ASSERT_TRUE(*(*reader)->next(&slice));
  EXPECT_EQ(slice.batch.get(), batch.get());
}

TEST_F(MemoryTierTest, ReleaseDropsWholeRunsOnly) {
  // Rows beyond a run's limit close it: 2 runs of 16,384 rows and an open one.
  for (int i = 0; i < 3; ++i) append(MemoryRun::kRowsMax);
  EXPECT_EQ(info().stats.rows, 3 * MemoryRun::kRowsMax);
  tier_.release(key_, MemoryRun::kRowsMax + 100);
  EXPECT_EQ(info().stats.rows, 2 * MemoryRun::kRowsMax);
  EXPECT_EQ(info().stats.position_min, MemoryRun::kRowsMax + 1);
  tier_.release(key_, 3 * MemoryRun::kRowsMax - 1);
  EXPECT_EQ(info().stats.rows, MemoryRun::kRowsMax);
  EXPECT_EQ(info().stats.position_max, 3 * MemoryRun::kRowsMax);
  tier_.release(key_, 3 * MemoryRun::kRowsMax);
  EXPECT_TRUE(tier_.snapshot().chunks(1).empty());
  EXPECT_EQ(tier_.scan(key_, {}, nullptr).status().code(), StatusCode::kNotFound);
}

TEST_F(MemoryTierTest, WritesGoOnAfterARelease) {
  append(100);
  append(100);
  tier_.release(key_, 100);  // the run also holds later rows
  EXPECT_EQ(info().stats.rows, 200u);
  tier_.release(key_, 200);
  append(50);
  EXPECT_EQ(info().stats.rows, 50u);
  EXPECT_EQ(info().stats.position_min, 201u);
  EXPECT_EQ(info().stats.watermark, 250u);
}

TEST_F(MemoryTierTest, SnapshotOutlivesRelease) {
  append(100);
  const MemorySnapshot snapshot = tier_.snapshot();
  tier_.release(key_, 100);
  append(30);
  EXPECT_EQ(count(snapshot, key_, {}), 100u);
  EXPECT_EQ(count(tier_.snapshot(), key_, {}), 30u);
  ASSERT_EQ(snapshot.chunks(1).size(), 1u);
  EXPECT_EQ(snapshot.chunks(1)[0].stats.rows, 100u);
}

TEST_F(MemoryTierTest, SnapshotKnowsOnlyTheNamespaceAskedFor) {
  append(10, 1);
  append(10, 2);
  append(10, 17);  // the same shard as 1
  for (const NamespaceId id : {1, 2, 17}) {
    const auto chunks = tier_.snapshot().chunks(id);
    ASSERT_EQ(chunks.size(), 1u);
    EXPECT_EQ(chunks[0].key.namespace_id, id);
  }
  EXPECT_EQ(tier_.snapshot().chunks(33).size(), 0u);
  EXPECT_EQ(tier_.snapshot().chunks().size(), 3u);
}

TEST_F(MemoryTierTest, MemoryIsGivenBack) {
  const uint64_t before = tier_.memory_bytes();
  for (int i = 0; i < 50; ++i) append(2000);
  const uint64_t full = tier_.memory_bytes();
  EXPECT_GT(full, info().stats.raw_bytes);
  Filter filter;
  filter.predicates = {equal_text(ColumnId::kStream, "stream")};
  count(tier_.snapshot(), key_, filter);
  EXPECT_GE(tier_.memory_bytes(), full) << "indexes are counted";
  {
    const MemorySnapshot snapshot = tier_.snapshot();
    tier_.release(key_, next_);
    EXPECT_GE(tier_.memory_bytes(), full) << "what a snapshot holds is still in memory";
  }
  EXPECT_EQ(tier_.memory_bytes(), before);
}

TEST_F(MemoryTierTest, OldestArrivalMovesOnWithRelease) {
  append(MemoryRun::kRowsMax);
  const MemoryChunkInfo first = info();
  append(10);
  EXPECT_EQ(info().arrival, first.arrival);
  tier_.release(key_, MemoryRun::kRowsMax);
  EXPECT_GT(info().arrival, first.arrival);
  EXPECT_GE(info().arrived_at, first.arrived_at);
}

TEST_F(MemoryTierTest, LookupReadsOnlyMatchingRowsOfClosedRuns) {
  std::vector<BatchPtr> batches;
  for (uint64_t i = 0; i < 40; ++i) {
    batches.push_back(keyed_batch(i, 1000, next_));
    ASSERT_TRUE(tier_.write(key_, std::vector{slice_of(batches.back())}, next_ + 999).ok());
    next_ += 1000;
  }
  ASSERT_TRUE(tier_.seal(key_).ok());
  Filter filter;
  filter.predicates = {equal_id(ColumnId::kId, batches[20]->ids(ColumnId::kId)[5])};
  ScanCost cost;
  EXPECT_EQ(count(tier_.snapshot(), key_, filter, &cost), 1u);
  EXPECT_EQ(cost.rows_read, 1u);
  filter.predicates = {equal_id(ColumnId::kTraceId, batches[7]->ids(ColumnId::kTraceId)[10])};
  cost = {};
  EXPECT_EQ(count(tier_.snapshot(), key_, filter, &cost), 5u);
  EXPECT_EQ(cost.rows_read, 5u);
}

TEST_F(MemoryTierTest, ManySlicesOfOneRowKeepOrder) {
  for (int i = 0; i < 3000; ++i) append(1);
  for (const ScanOrder order : {ScanOrder::kPositionAscending, ScanOrder::kPositionDescending}) {
    ScanSpec spec;
    spec.order = order;
    const auto ranges = slice_ranges(&tier_, key_, spec);
    ASSERT_EQ(ranges.size(), 3000u);
    EXPECT_EQ(ranges[0].first, order == ScanOrder::kPositionAscending ? 1u : 3000u);
    EXPECT_EQ(ranges[2999].first, order == ScanOrder::kPositionAscending ? 3000u : 1u);
  }
  EXPECT_TRUE(tier_.verify(key_).ok());
}

TEST_F(MemoryTierTest, StatsOfASnapshotFitItsRowsWhileRowsArrive) {
  std::atomic<bool> done{false};
  std::atomic<bool> wrong{false};
  std::thread reader([&] {
    while (!done.load()) {
      const MemorySnapshot snapshot = tier_.snapshot();
      for (const MemoryChunkInfo& chunk : snapshot.chunks(1)) {
        const ChunkStats& stats = chunk.stats;
        // Without gaps, counts and positions tell the same.
        if (stats.rows != stats.position_max - stats.position_min + 1) wrong.store(true);
        Filter filter;
        filter.positions = {stats.position_min, stats.position_max + 1};
        if (count(snapshot, chunk.key, filter) != stats.rows) wrong.store(true);
      }
    }
  });
  for (int i = 0; i < 2000; ++i) {
    append(1 + static_cast<uint32_t>(i) % 40);
    if (i % 50 == 0) tier_.release(key_, next_ - 500 * static_cast<Position>(i > 100));
  }
  done.store(true);
  reader.join();
  EXPECT_FALSE(wrong.load());
}

}  // namespace
}  // namespace firn
