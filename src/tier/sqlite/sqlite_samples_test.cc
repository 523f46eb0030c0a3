// Blocks of samples, which are divided by series (docs/adr/0012).

#include <gtest/gtest.h>

#include "env/posix_env.h"
#include "env/sqlite_db.h"
#include "env/test_directory.h"
#include "tier/blocks/block_format.h"
#include "tier/blocks/test_samples.h"
#include "tier/sqlite/chunk_meta.h"
#include "tier/sqlite/sqlite_tier.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

class SqliteSamplesTest : public testing::Test {
 protected:
  SqliteSamplesTest() {
    options_.directory = directory_.file("warm");
    key_.dataset = Dataset::kSamples;
  }
  void SetUp() override { open(); }

  void open() {
    tier_.reset();
    auto tier = open_sqlite_tier(posix_env(), options_);
    ASSERT_TRUE(tier.ok()) << tier.status().to_string();
    tier_ = std::move(tier).value();
  }
  ChunkStats write(const std::vector<BatchSlice>& slices) {
    const auto stats = tier_->write(key_, slices, slices.back().batch->last_position());
    EXPECT_TRUE(stats.ok()) << stats.status().to_string();
    return stats.ok() ? *stats : ChunkStats();
  }
  ChunkStats verify() {
    const auto stats = tier_->verify(key_);
    EXPECT_TRUE(stats.ok()) << stats.status().to_string();
    return stats.ok() ? *stats : ChunkStats();
  }
  int64_t query(const std::string& statement) {
    auto db = SqliteDb::open(posix_env(), tier_->files(key_)[0].path, {.read_only = true});
    EXPECT_TRUE(db.ok()) << db.status().to_string();
    const auto value = query_integer(db->get(), statement);
    EXPECT_TRUE(value.ok()) << value.status().to_string();
    return value.ok() ? *value : -1;
  }
  // The positions that a scan delivers, in its order.
  std::vector<Position> positions(ScanSpec spec) {
    std::vector<Position> found;
    auto reader = tier_->scan(key_, spec, nullptr);
    EXPECT_TRUE(reader.ok());
    BatchSlice slice;
    while (*(*reader)->next(&slice)) {
      std::vector<Position> of_slice;
      for (uint32_t i = 0; i < slice.rows(); ++i) {
        of_slice.push_back(slice.batch->position(slice.row(i)));
      }
      if (spec.order == ScanOrder::kPositionDescending) {
        std::reverse(of_slice.begin(), of_slice.end());
      }
      found.insert(found.end(), of_slice.begin(), of_slice.end());
    }
    return found;
  }

  TestDirectory directory_;
  SqliteTierOptions options_;
  ChunkKey key_ = test_chunk();
  std::unique_ptr<Tier> tier_;
};

constexpr const char* kOverlaps =
    "SELECT count(*) FROM blocks a JOIN blocks b ON a.id < b.id AND a.position_max >= "
    "b.position_min AND a.first_block ";

TEST_F(SqliteSamplesTest, OnlyBlocksOfAGroupOverlap) {
  RegularSamples samples(1000);
  write(samples.next(700));
  EXPECT_EQ(query("SELECT count(DISTINCT first_block) FROM blocks"), 2);
  EXPECT_GE(query("SELECT count(*) FROM blocks"), 700'000 / kSampleBlockRowsMax);
  EXPECT_GT(query(std::string(kOverlaps) + "= b.first_block"), 0);
  EXPECT_EQ(query(std::string(kOverlaps) + "<> b.first_block"), 0);
  EXPECT_EQ(verify().rows, 700'000u);
}

TEST_F(SqliteSamplesTest, OrderedScansFollowThePositionsAcrossGroups) {
  RegularSamples samples(300);
  std::vector<BatchSlice> all = samples.next(2000);
  write(all);
  all.push_back(samples.next());
  write({all.back()});
  ScanSpec spec;
  spec.projection = Projection::none();
  spec.order = ScanOrder::kPositionAscending;
  std::vector<Position> expected;
  for (Position position = 1; position < samples.next_position(); ++position) {
    expected.push_back(position);
  }
  EXPECT_EQ(positions(spec), expected);
  spec.order = ScanOrder::kPositionDescending;
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(positions(spec), expected);
  // A part of it, and few of the blocks.
  spec.filter.positions = {200'000, 600'100};
  Predicate predicate = equal_text(ColumnId::kSeries, samples.series()[7]);
  predicate.texts.push_back(samples.series()[200]);
  spec.filter.predicates = {predicate};
  const std::vector<Position> part = positions(spec);
  EXPECT_EQ(part.size(), sums_of(all, spec.filter).size());
  EXPECT_TRUE(std::is_sorted(part.rbegin(), part.rend()));
}

TEST_F(SqliteSamplesTest, OneSeriesIsInOneBlockOfEachGroup) {
  RegularSamples samples(1000);
  for (int i = 0; i < 4; ++i) write(samples.next(540));
  ASSERT_EQ(query("SELECT count(DISTINCT first_block) FROM blocks"), 5);
  ScanSpec spec;
  uint64_t blocks_read = 0;
  for (size_t i = 0; i < 20; ++i) {
    ScanCost cost;
    spec.filter.predicates = {equal_text(ColumnId::kSeries, samples.series()[i * 50])};
    auto reader = tier_->scan(key_, spec, &cost);
    ASSERT_TRUE(reader.ok());
    uint64_t rows = 0;
    BatchSlice slice;
    while (*(*reader)->next(&slice)) rows += slice.rows();
    EXPECT_EQ(rows, 2160u);
    EXPECT_GE(cost.blocks_pruned, 50u);
    blocks_read += cost.blocks_read;
  }
  EXPECT_LE(blocks_read, 20 * 7u);
}

TEST_F(SqliteSamplesTest, SmallWritesAreTakenUpIntoLargerGroups) {
  RegularSamples samples(100);
  std::vector<BatchSlice> all;
  for (int i = 0; i < 400; ++i) {
    all.push_back(samples.next());
    write({all.back()});
  }
  EXPECT_LE(query("SELECT count(DISTINCT first_block) FROM blocks"), 12);
  // What was written as a block and what is there: how often a row was written.
  EXPECT_LE(query("SELECT max(id) FROM blocks"), 400 + 40'000 / 1000);
  EXPECT_EQ(verify().rows, 40'000u);
  EXPECT_EQ(read_sums(tier_.get(), key_, {}), sums_of(all, Filter()));
}

TEST_F(SqliteSamplesTest, AFullGroupStaysAsItIs) {
  RegularSamples samples(1024);
  write(samples.next(kSampleGroupRowsMax / 1024));
  EXPECT_EQ(query("SELECT count(DISTINCT first_block) FROM blocks"), 1);
  const int64_t last = query("SELECT max(id) FROM blocks");
  write(samples.next(300));
  EXPECT_EQ(query("SELECT count(DISTINCT first_block) FROM blocks"), 2);
  EXPECT_EQ(query("SELECT min(id) FROM blocks"), 1);
  EXPECT_EQ(query("SELECT min(first_block) FROM blocks WHERE id > " + std::to_string(last)),
            last + 1);
  verify();
}

TEST_F(SqliteSamplesTest, RegularGaugesTakeLessThanAByte) {
  RegularSamples samples(200);
  ChunkStats stats;
  for (int i = 0; i < 20; ++i) write(samples.next(100));
  stats = *tier_->seal(key_);
  EXPECT_LT(static_cast<double>(stats.bytes) / static_cast<double>(stats.rows), 1.0);
}

TEST_F(SqliteSamplesTest, TakingUpGroupsLeavesFewPagesFree) {
  RegularSamples samples(2000);
  for (int i = 0; i < 30; ++i) write(samples.next(1));
  EXPECT_LE(query("PRAGMA freelist_count"), 10 + query("PRAGMA page_count") / 20);
  EXPECT_EQ(verify().rows, 60'000u);
}

TEST_F(SqliteSamplesTest, ABlockInAnotherGroupIsDamage) {
  RegularSamples samples(1000);
  write(samples.next(100));
  const std::string path = tier_->files(key_)[0].path;
  tier_.reset();
  {
    auto db = SqliteDb::open(posix_env(), path, {});
    ASSERT_TRUE(db.ok());
    ASSERT_TRUE((*db)->exec("UPDATE blocks SET first_block = id").ok());
  }
  open();
  EXPECT_EQ(tier_->scan(key_, {}, nullptr).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(tier_->verify(key_).status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace firn
