// What commands make of chunks (docs/lifecycle.md).

#include <gmock/gmock.h>

#include "store/test_store.h"
#include "tier/registry.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LifecycleTest : public StoreTest {
 protected:
  LifecycleTest() {
    change_options_ = [this](StoreOptions* options) {
      options->tiers[1].layout = layout_;
      TierConfig lake;
      lake.name = "lake";
      lake.backend = "parquet";
      lake.directory = "lake";
      options->exports = {lake};
    };
  }

  ChunkCommandResult run(ChunkCommand command) {
    command.namespace_id = space_;
    return store_->command_and_wait(std::move(command));
  }
  ChunkCommandResult rehydrate(DurationNs keep = kForever) {
    ChunkCommand command;
    command.action = ChunkAction::kRehydrate;
    command.keep_ns = keep;
    return run(std::move(command));
  }
  ChunkCommandResult export_to(const std::string& destination) {
    ChunkCommand command;
    command.action = ChunkAction::kExport;
    command.destination = destination;
    return run(std::move(command));
  }
  Status compress() { return shown(command(ChunkAction::kCompress).status); }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const SnapshotChunk& chunk : (*store_->snapshot(space_))->all_chunks()) {
      found.push_back(chunk.key.name());
    }
    return found;
  }
  std::vector<std::string> states() {
    std::vector<std::string> found;
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    for (const SnapshotChunk& chunk : snapshot->all_chunks()) {
      found.push_back(chunk.tier + "/" + std::string(snapshot->state_name(chunk)));
    }
    return found;
  }
  size_t files_in(const std::string& directory) {
    const auto listed = env_->list_directory(directory_.file(directory));
    return listed.ok() ? listed->size() : 0;
  }
  void expect_sound() {
    const VerifyReport report = store_->verify();
    EXPECT_TRUE(report.findings.empty()) << report.findings[0].status.to_string();
    EXPECT_TRUE(store_->health().stray_chunks.empty());
  }

  std::string layout_ = "blocks";
};

TEST_F(LifecycleTest, CompressingJoinsTheGenerationsOfAnInterval) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(compress().ok());
  EXPECT_THAT(states(), ElementsAre("warm/compressed"));
  ASSERT_TRUE(append({{"late"}, {"next day", kDay + kDayNs}}).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_THAT(states(), ElementsAre("warm/compressed", "warm/open", "warm/open"));
  ASSERT_TRUE(compress().ok());
  EXPECT_THAT(states(), ElementsAre("warm/compressed", "warm/compressed"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:late", "4:next day"));
  restart();
  EXPECT_THAT(states(), ElementsAre("warm/compressed", "warm/compressed"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:late", "4:next day"));
  EXPECT_EQ(files_in("warm"), 2u);
  expect_sound();
}

TEST_F(LifecycleTest, AChunkThatIsAsSmallAsItCanBeKeepsItsName) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  const auto before = names();
  const ChunkCommandResult result = command(ChunkAction::kCompress);
  ASSERT_EQ(result.chunks.size(), 1u);
  EXPECT_EQ(result.chunks[0].into, "");
  EXPECT_EQ(names(), before);
  EXPECT_THAT(states(), ElementsAre("warm/compressed"));
}

TEST_F(LifecycleTest, RowsBecomeBlocks) {
  layout_ = "rows";
  restart();
  std::vector<Spec> events;
  for (int i = 0; i < 2000; ++i) events.push_back({"{\"number\":" + std::to_string(i % 10) + "}"});
  ASSERT_TRUE(append(events).ok());
  ASSERT_TRUE(flush().ok());
  const auto before = names();
  const auto expected = contents();
  const uint64_t bytes = store_->health().tiers[1].stats.bytes;
  const ChunkCommandResult result = command(ChunkAction::kCompress);
  ASSERT_EQ(result.chunks.size(), 1u);
  EXPECT_EQ(result.chunks[0].chunk, before[0]);
  EXPECT_THAT(names(), ElementsAre(result.chunks[0].into));
  EXPECT_LT(store_->health().tiers[1].stats.bytes, bytes / 4);
  EXPECT_EQ(contents(), expected);
  restart();
  EXPECT_EQ(contents(), expected);
  expect_sound();
}

TEST_F(LifecycleTest, RowsThatArriveWhileTheyAreInTheWayStartAGeneration) {
  layout_ = "rows";
  restart();
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(compress().ok());
  ASSERT_TRUE(append({{"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_THAT(states(), ElementsAre("warm/compressed", "warm/open"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
}

TEST_F(LifecycleTest, ARepeatedIdIsFoundInARewrittenChunk) {
  layout_ = "rows";
  restart();
  ASSERT_TRUE(append({{"a", kDay, id_of(7), "s"}, {"b", kDay, {}, "s"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(compress().ok());
  restart();
  const auto again = append({{"a", kDay, id_of(7), "s"}});
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  EXPECT_EQ(again->duplicates, 1u);
  EXPECT_EQ(again->first_position, 1u);
  EXPECT_EQ(append({{"other", kDay, id_of(7), "s"}}).status().code(), StatusCode::kConflict);
  ASSERT_TRUE(append({{"c", kDay, {}, "s"}}).ok());
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
}

TEST_F(LifecycleTest, AReaderKeepsWhatItSawUntilItHasGone) {
  layout_ = "rows";
  restart();
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  SnapshotPtr reader = *store_->snapshot(space_);
  ASSERT_TRUE(compress().ok());
  EXPECT_EQ(files_in("warm"), 2u);
  const auto chunks = reader->chunks(Dataset::kEvents, Filter{});
  ASSERT_EQ(chunks.size(), 1u);
  auto rows = reader->scan(chunks[0], ScanSpec{}, nullptr);
  ASSERT_TRUE(rows.ok()) << rows.status().to_string();
  BatchSlice slice;
  EXPECT_TRUE(*(*rows)->next(&slice));
  rows->reset();
  reader.reset();
  for (int i = 0; i < 300 && files_in("warm") > 1; ++i) pause();
  EXPECT_EQ(files_in("warm"), 1u);
}

TEST_F(LifecycleTest, ARehydratedChunkComesUpAndGoesDownAgain) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  const std::string cold = names()[0];
  SnapshotPtr reader = *store_->snapshot(space_);  // of the first copy in the cold tier
  const ChunkCommandResult result = rehydrate();
  ASSERT_TRUE(shown(result.status).ok());
  ASSERT_EQ(result.chunks.size(), 1u);
  EXPECT_EQ(result.chunks[0].from_tier, "cold");
  EXPECT_EQ(result.chunks[0].to_tier, "warm");
  EXPECT_NE(result.chunks[0].into, cold);
  EXPECT_THAT(states(), ElementsAre("warm/rehydrated"));
  for (int i = 0; i < 5; ++i) pause();  // no age moves it down
  restart();
  EXPECT_THAT(states(), ElementsAre("warm/rehydrated"));
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
  ASSERT_TRUE(move().ok());
  EXPECT_THAT(states(), ElementsAre("cold/sealed"));
  reader.reset();
  restart();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
  expect_sound();
}

TEST_F(LifecycleTest, AnOldReaderOfTheTierThatAChunkComesBackToKeepsItsCopy) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  SnapshotPtr reader = *store_->snapshot(space_);
  ASSERT_TRUE(rehydrate().status.ok());
  ASSERT_TRUE(move().ok());
  const auto chunks = reader->chunks(Dataset::kEvents, Filter{});
  const auto rows = reader->scan(chunks.at(0), ScanSpec{}, nullptr);
  EXPECT_TRUE(rows.ok()) << rows.status().to_string();
  reader.reset();
  for (int i = 0; i < 10; ++i) pause();
  EXPECT_THAT(contents(), ElementsAre("1:a"));
}

TEST_F(LifecycleTest, ARehydratedChunkGoesDownWhenItsTimeIsOver) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  ASSERT_TRUE(rehydrate(50 * kMillisecondNs).status.ok());
  for (int i = 0; i < 500 && states() != std::vector<std::string>{"cold/sealed"}; ++i) pause();
  EXPECT_THAT(states(), ElementsAre("cold/sealed"));
  EXPECT_THAT(contents(), ElementsAre("1:a"));
}

TEST_F(LifecycleTest, NothingIsBroughtUpToMemoryOrAnUnknownTier) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ChunkCommand up;
  up.action = ChunkAction::kRehydrate;
  EXPECT_TRUE(run(up).chunks.empty());
  up.names = names();
  EXPECT_EQ(run(up).status.code(), StatusCode::kNotFound);
  up.to_tier = "hot";
  EXPECT_EQ(run(up).status.code(), StatusCode::kInvalidArgument);
  up.to_tier = "lukewarm";
  EXPECT_EQ(run(up).status.code(), StatusCode::kNotFound);
}

TEST_F(LifecycleTest, AnExportIsATreeWithTheSameRowsAndTheChunkStays) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  const auto before = names();
  for (int times = 0; times < 2; ++times) {
    const ChunkCommandResult result = export_to("lake");
    ASSERT_TRUE(shown(result.status).ok());
    ASSERT_EQ(result.chunks.size(), 1u);
    EXPECT_EQ(result.chunks[0].to_tier, "lake");
    EXPECT_EQ(result.chunks[0].rows, 2u);
  }
  EXPECT_EQ(names(), before);
  const auto chunks = (*store_->snapshot(space_))->all_chunks();
  EXPECT_GT(chunks[0].exported_at, 0);
  TierConfig lake = options().resolved(options().exports[0]);
  const auto tier = make_tier(env_, lake);
  ASSERT_TRUE(tier.ok());
  const auto stats = (*tier)->verify(chunks[0].key);
  ASSERT_TRUE(stats.ok()) << stats.status().to_string();
  EXPECT_EQ(stats->rows, 2u);
  EXPECT_EQ(stats->checksum, chunks[0].stats.checksum);
  EXPECT_EQ(export_to("sea").status.code(), StatusCode::kNotFound);
}

// Writes rows of other content, or the first ones of it, where an export will go.
TEST_F(LifecycleTest, AnInterruptedExportIsCompletedAndForeignRowsAreRefused) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(append({{"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(compress().ok());
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  const SnapshotChunk chunk = snapshot->all_chunks().at(0);
  const auto leave = [&](PositionRange positions, Position through) {
    const auto tier = make_tier(env_, options().resolved(options().exports[0]));
    ASSERT_TRUE((*tier)->drop(chunk.key).ok());
    ScanSpec spec;
    spec.filter.positions = positions;
    auto reader = snapshot->scan(chunk, spec, nullptr);
    BatchSlice slice;
    ASSERT_TRUE(*(*reader)->next(&slice));
    ASSERT_TRUE((*tier)->write(chunk.key, {&slice, 1}, through).ok());
  };
  leave({1, 2}, 1);
  ASSERT_TRUE(shown(export_to("lake").status).ok());
  leave({2, 3}, 2);  // without the first row
  const Status refused = export_to("lake").status;
  EXPECT_EQ(refused.code(), StatusCode::kConflict);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("other rows"));
}

TEST_F(LifecycleTest, ADryRunSaysWhatWouldBeDoneAndDoesNothing) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  ASSERT_TRUE(append({{"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(append({{"c"}}).ok());
  const auto before = states();
  const auto names_before = names();
  const auto dry = [&](ChunkAction action) {
    ChunkCommand command;
    command.action = action;
    command.dry_run = true;
    command.destination = "lake";
    const ChunkCommandResult result = run(std::move(command));
    EXPECT_TRUE(result.status.ok()) << result.status.to_string();
    std::string text;
    for (const ChunkOutcome& outcome : result.chunks) {
      text += outcome.from_tier + ">" + outcome.to_tier + " ";
    }
    return text;
  };
  EXPECT_EQ(dry(ChunkAction::kFlush), "hot>warm ");
  EXPECT_EQ(dry(ChunkAction::kMove), "warm>cold ");
  EXPECT_EQ(dry(ChunkAction::kCompress), "cold>cold warm>warm ");
  EXPECT_EQ(dry(ChunkAction::kRehydrate), "cold>warm ");
  EXPECT_EQ(dry(ChunkAction::kExport), "cold>lake warm>lake ");
  EXPECT_EQ(dry(ChunkAction::kDrop), "hot> cold> warm> ");
  EXPECT_EQ(states(), before);
  EXPECT_EQ(names(), names_before);
  EXPECT_EQ(files_in("lake"), 0u);
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
}

TEST_F(LifecycleTest, ANamespaceThatIsDeletedLeavesNothingOfItsRewrittenChunks) {
  layout_ = "rows";
  restart();
  const NamespaceId first = space_;
  space_ = store_->put_namespace("other", kForever)->id;
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(compress().ok());
  ASSERT_TRUE(store_->delete_namespace("other").ok());
  space_ = first;
  for (int i = 0; i < 300 && files_in("warm") > 0; ++i) pause();
  EXPECT_EQ(files_in("warm"), 0u);
  restart();
  expect_sound();
}

}  // namespace
}  // namespace firn
