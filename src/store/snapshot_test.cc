#include "store/snapshot.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "env/test_directory.h"
#include "store/core.h"
#include "tier/memory/memory_tier.h"

namespace firn {
namespace {

// The parts of a store that snapshots read, without the workers that change them, so that a test
// decides what a snapshot meets.
class SnapshotTest : public testing::Test {
 protected:
  void SetUp() override {
    core_->env = posix_env();
    core_->memory = std::make_shared<MemoryTier>(core_->env, "hot");
    core_->tiers = {core_->memory, std::make_shared<MemoryTier>(core_->env, "warm")};
    auto manifest = Manifest::open(
        core_->env, directory_.path() + "/manifest.db", false, kDayNs,
        [](const std::string&, const ChunkKey&) {}, [](const Status&) {});
    ASSERT_TRUE(manifest.ok()) << manifest.status().to_string();
    core_->manifest = std::move(*manifest);
    const NamespaceRecord space = *core_->manifest->create_namespace("default", kForever, 1);
    space_ = std::make_shared<NamespaceState>(space.id, space.name);
  }

  // Commits what a flush through `watermark` commits.
  void commit_flush(Position watermark) {
    ChunkRecord record;
    record.key = core_->interval_of(space_->id, Dataset::kEvents, 0);
    record.key.generation = core_->manifest->next_generation();
    record.tier = "warm";
    record.stats.rows = watermark;
    record.stats.position_min = 1;
    record.stats.position_max = watermark;
    record.stats.watermark = watermark;
    const Status status = core_->manifest->commit_chunk(record, FlushExtras{});
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void publish(Position through) { space_->positions(Dataset::kEvents).published.store(through); }
  std::vector<SnapshotChunk> chunks() {
    return Snapshot(core_, space_).chunks(Dataset::kEvents, Filter{});
  }

  TestDirectory directory_;
  const std::shared_ptr<StoreCore> core_ = std::make_shared<StoreCore>();
  NamespacePtr space_;
};

TEST_F(SnapshotTest, ShowsOfAFlushThatCommittedMeanwhileWhatItsPositionsCover) {
  publish(6);
  commit_flush(10);
  const std::vector<SnapshotChunk> found = chunks();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].owned.from, 0u);
  EXPECT_EQ(found[0].owned.to, 7u);
  EXPECT_FALSE(found[0].stats_are_exact);
}

TEST_F(SnapshotTest, LeavesToMemoryWhatATierHoldsBehindTheManifest) {
  publish(10);
  commit_flush(6);
  const std::vector<SnapshotChunk> found = chunks();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].owned.to, 7u);
  EXPECT_TRUE(found[0].stats_are_exact);
}

}  // namespace
}  // namespace firn
