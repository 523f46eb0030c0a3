// Chunks that lose some of their series (docs/lifecycle.md, "Commands").

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "env/sqlite_db.h"
#include "store/places.h"
#include "store/test_store.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kKept = "0000000000000000000000000000000a";
const std::string kGone = "0000000000000000000000000000000b";
const std::string kMark = "-";

// The second tier, and what is below it.
enum class Place { kSqlite, kParquet };

class PruneTest : public StoreTest, public testing::WithParamInterface<Place> {
 protected:
  Status write(const std::vector<std::string>& series, Dataset dataset = Dataset::kSamples,
               TimeNs time = kDay) {
    BatchBuilder builder(dataset);
    for (const std::string& one : series) {
      EventRow row;
      row.series = one;
      row.time = time + static_cast<TimeNs>(next_) * kSecondNs;
      row.value = Float64::of(std::sin(static_cast<double>(next_++)));
      builder.add(row);
    }
    AppendRequest request;
    request.batch = builder.finish();
    return shown(store_->append_and_wait(space_, std::move(request)).status());
  }
  // To the tier of the test.
  void settle() {
    ASSERT_TRUE(flush().ok());
    if (place() == Place::kParquet) {
      ASSERT_TRUE(move().ok());
    }
  }
  Place place() const { return GetParam(); }
  std::string tier_name() const { return place() == Place::kSqlite ? "warm" : "cold"; }

  ChunkCommandResult prune(const std::vector<std::string>& listed, bool listed_stay = false,
                           Position through = UINT64_MAX, std::vector<std::string> names = {}) {
    auto choice = std::make_shared<SeriesChoice>();
    for (const std::string& series : listed) choice->listed.insert(*Id::parse(series));
    choice->listed_stay = listed_stay;
    ChunkCommand command;
    command.action = ChunkAction::kPrune;
    command.namespace_id = space_;
    command.names = std::move(names);
    command.positions_through = through;
    command.series = std::move(choice);
    return store_->command_and_wait(std::move(command));
  }

  SnapshotPtr snapshot() { return *store_->snapshot(space_); }
  // "position:series' last digit" of each row, by position.
  std::vector<std::string> rows(Dataset dataset = Dataset::kSamples) {
    const SnapshotPtr shown = snapshot();
    return rows_of(*shown, dataset);
  }
  static std::vector<std::string> rows_of(const Snapshot& snapshot, Dataset dataset) {
    std::map<Position, std::string> found;
    for (const SnapshotChunk& chunk : snapshot.chunks(dataset, Filter{})) {
      auto reader = snapshot.scan(chunk, ScanSpec{}, nullptr);
      EXPECT_TRUE(reader.ok()) << reader.status().to_string();
      BatchSlice slice;
      while (*(*reader)->next(&slice)) {
        for (uint32_t i = 0; i < slice.rows(); ++i) {
          const uint32_t row = slice.row(i);
          const std::string_view series = slice.batch->strings(ColumnId::kSeries)[row];
          const Position position = slice.batch->position(row);
          EXPECT_TRUE(
              found.emplace(position, std::to_string(position) + ":" + series.back()).second);
        }
      }
    }
    std::vector<std::string> texts;
    for (const auto& [position, text] : found) texts.push_back(text);
    return texts;
  }
  std::vector<std::string> names(Dataset dataset = Dataset::kSamples) {
    std::vector<std::string> found;
    for (const SnapshotChunk& chunk : snapshot()->chunks(dataset, Filter{})) {
      found.push_back(chunk.key.name());
    }
    return found;
  }
  Position dropped_through(Dataset dataset = Dataset::kSamples) {
    return snapshot()->dropped_through(dataset, kDay);
  }
  void expect_sound() {
    const VerifyReport report = store_->verify();
    EXPECT_TRUE(report.findings.empty()) << report.findings[0].status.to_string();
    EXPECT_THAT(store_->health().stray_chunks, IsEmpty());
  }

  // Opens the tier of the stopped store, as a crash left it.
  std::unique_ptr<Tier> open_stopped_tier() {
    store_.reset();
    const StoreOptions stopped = options();
    auto tier = open_tier(env_, stopped, stopped.tiers[place() == Place::kSqlite ? 1 : 2]);
    EXPECT_TRUE(tier.ok()) << tier.status().to_string();
    return std::move(*tier);
  }
  // What a rewriting left that wrote these rows of the chunk and came no further.
  void leave_target(const ChunkKey& source, const std::vector<Position>& positions, bool changed) {
    const auto tier = open_stopped_tier();
    ScanSpec spec;
    spec.order = ScanOrder::kPositionAscending;
    auto reader = *tier->scan(source, spec, nullptr);
    ChunkKey target = source;
    target.generation += 7;
    BatchSlice slice;
    while (*reader->next(&slice)) {
      auto chosen = std::make_shared<std::vector<uint32_t>>();
      for (uint32_t i = 0; i < slice.rows(); ++i) {
        const Position position = slice.batch->position(slice.row(i));
        if (std::find(positions.begin(), positions.end(), position) != positions.end()) {
          chosen->push_back(slice.row(i));
        }
      }
      BatchSlice part{slice.batch, chosen};
      if (changed) part = changed_copy(part);
      ASSERT_TRUE(tier->write(target, {&part, 1}, positions.back()).ok());
    }
  }
  static BatchSlice changed_copy(const BatchSlice& slice) {
    BatchBuilder builder(Dataset::kSamples);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      EventRow row = event_row(*slice.batch, slice.row(i));
      row.value = Float64::of(-1);
      builder.add(row);
    }
    std::unique_ptr<RecordBatch> batch = builder.finish();
    batch->stamp(slice.batch->namespace_id(), slice.batch->position(slice.row(0)), {});
    return {std::move(batch), nullptr};
  }

  uint64_t next_ = 1;
};

INSTANTIATE_TEST_SUITE_P(Tiers, PruneTest, testing::Values(Place::kSqlite, Place::kParquet),
                         [](const auto& tested) {
                           return tested.param == Place::kSqlite ? "Sqlite" : "Parquet";
                         });

TEST_P(PruneTest, TheOtherSeriesAreInANewChunkOfTheSameTier) {
  ASSERT_TRUE(write({kKept, kGone, kKept, kGone}).ok());
  settle();
  const auto before = names();
  const ChunkCommandResult result = prune({kGone});
  ASSERT_TRUE(result.status.ok()) << result.status.to_string();
  ASSERT_EQ(result.chunks.size(), 1u);
  EXPECT_EQ(result.chunks[0].chunk, before[0]);
  EXPECT_EQ(result.chunks[0].to_tier, tier_name());
  EXPECT_THAT(names(), ElementsAre(result.chunks[0].into));
  EXPECT_THAT(rows(), ElementsAre("1:a", "3:a"));
  EXPECT_EQ(dropped_through(), 4u);
  restart();
  EXPECT_THAT(rows(), ElementsAre("1:a", "3:a"));
  EXPECT_EQ(dropped_through(), 4u);
  expect_sound();
}

TEST_P(PruneTest, AListMayNameTheSeriesThatStay) {
  ASSERT_TRUE(write({kKept, kGone, kKept}).ok());
  settle();
  ASSERT_TRUE(prune({kKept}, true).status.ok());
  EXPECT_THAT(rows(), ElementsAre("1:a", "3:a"));
  expect_sound();
}

TEST_P(PruneTest, TheDiskIsGivenBackAtOnce) {
  std::vector<std::string> series;
  for (int i = 0; i < 20'000; ++i) series.push_back(i % 10 == 0 ? kKept : kGone);
  ASSERT_TRUE(write(series).ok());
  settle();
  const auto tier_bytes = [&] {
    uint64_t bytes = 0;
    for (const TierInfo& tier : store_->health().tiers) {
      if (tier.name == tier_name()) bytes = tier.stats.bytes;
    }
    return bytes;
  };
  const uint64_t bytes = tier_bytes();
  ASSERT_TRUE(prune({kGone}).status.ok());
  EXPECT_LT(tier_bytes(), bytes / 3);
  EXPECT_EQ(rows().size(), 2000u);
  expect_sound();
}

TEST_P(PruneTest, AChunkWithNoneOfTheSeriesIsLeftAlone) {
  ASSERT_TRUE(write({kKept, kKept}).ok());
  settle();
  const auto before = names();
  const ChunkCommandResult result = prune({kGone});
  ASSERT_EQ(result.chunks.size(), 1u);
  EXPECT_EQ(result.chunks[0].into, "");
  EXPECT_EQ(result.chunks[0].to_tier, tier_name());
  EXPECT_EQ(names(), before);
  EXPECT_EQ(dropped_through(), 0u);
}

TEST_P(PruneTest, AChunkOfWhichNothingStaysIsDropped) {
  ASSERT_TRUE(write({kGone, kGone}).ok());
  settle();
  const ChunkCommandResult result = prune({kGone});
  ASSERT_TRUE(result.status.ok()) << result.status.to_string();
  ASSERT_EQ(result.chunks.size(), 1u);
  EXPECT_EQ(result.chunks[0].to_tier, "");
  EXPECT_THAT(names(), IsEmpty());
  EXPECT_EQ(dropped_through(), 2u);
  restart();
  EXPECT_THAT(rows(), IsEmpty());
  expect_sound();
}

TEST_P(PruneTest, AChunkWithRowsBehindThePositionIsRefused) {
  ASSERT_TRUE(write({kKept, kGone, kGone}).ok());
  settle();
  EXPECT_EQ(prune({kGone}, false, 2).status.code(), StatusCode::kConflict);
  EXPECT_EQ(rows().size(), 3u);
  EXPECT_TRUE(prune({kGone}, false, 3).status.ok());
  EXPECT_EQ(rows().size(), 1u);
}

TEST_P(PruneTest, RowsInMemoryAreFlushedAndGo) {
  ASSERT_TRUE(write({kKept, kGone}).ok());
  settle();
  ASSERT_TRUE(write({kGone, kKept}).ok());
  ASSERT_TRUE(prune({kGone}).status.ok());
  EXPECT_THAT(rows(), ElementsAre("1:a", "4:a"));
  restart();
  EXPECT_THAT(rows(), ElementsAre("1:a", "4:a"));
  expect_sound();
}

TEST_P(PruneTest, LateRowsStartTheNextGenerationAndAreJoined) {
  ASSERT_TRUE(write({kKept, kGone}).ok());
  settle();
  ASSERT_TRUE(prune({kGone}).status.ok());
  ASSERT_TRUE(write({kGone, kKept}).ok());
  EXPECT_THAT(rows(), ElementsAre("1:a", "3:b", "4:a"));
  settle();
  ASSERT_TRUE(shown(command(ChunkAction::kCompress).status).ok());
  EXPECT_EQ(names().size(), 1u);
  EXPECT_THAT(rows(), ElementsAre("1:a", "3:b", "4:a"));
  ASSERT_TRUE(prune({kGone}).status.ok());
  EXPECT_THAT(rows(), ElementsAre("1:a", "4:a"));
  EXPECT_EQ(dropped_through(), 4u);
  expect_sound();
}

TEST_P(PruneTest, ACompressedChunkStaysSo) {
  ASSERT_TRUE(write({kKept, kGone}).ok());
  settle();
  ASSERT_TRUE(shown(command(ChunkAction::kCompress).status).ok());
  ASSERT_TRUE(prune({kGone}).status.ok());
  const auto chunks = snapshot()->chunks(Dataset::kSamples, Filter{});
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].state, ChunkState::kCompressed);
}

TEST_P(PruneTest, MarksOfRollupsStayAndTheirIntervalIsKnownToBePartial) {
  ASSERT_TRUE(write({kKept, kGone, kMark}, Dataset::kRollups1).ok());
  settle();
  ASSERT_TRUE(prune({kKept}, true).status.ok());
  EXPECT_THAT(rows(Dataset::kRollups1), ElementsAre("1:a", "3:-"));
  EXPECT_EQ(dropped_through(Dataset::kRollups1), 3u);
  EXPECT_EQ(dropped_through(Dataset::kRollups2), 0u);
  EXPECT_EQ(dropped_through(Dataset::kSamples), 0u);
  restart();
  EXPECT_EQ(dropped_through(Dataset::kRollups1), 3u);
  expect_sound();
}

TEST_P(PruneTest, AReaderKeepsWhatItSaw) {
  ASSERT_TRUE(write({kKept, kGone}).ok());
  settle();
  const SnapshotPtr before = snapshot();
  ASSERT_TRUE(prune({kGone}).status.ok());
  EXPECT_THAT(rows_of(*before, Dataset::kSamples), ElementsAre("1:a", "2:b"));
  EXPECT_EQ(before->dropped_through(Dataset::kSamples, kDay), 0u);
  EXPECT_THAT(rows(), ElementsAre("1:a"));
}

TEST_P(PruneTest, ADryRunDoesNothing) {
  ASSERT_TRUE(write({kKept, kGone}).ok());
  settle();
  ChunkCommand command;
  command.action = ChunkAction::kPrune;
  command.namespace_id = space_;
  command.dry_run = true;
  auto choice = std::make_shared<SeriesChoice>();
  choice->listed.insert(*Id::parse(kGone));
  command.series = std::move(choice);
  EXPECT_EQ(store_->command_and_wait(std::move(command)).chunks.size(), 1u);
  EXPECT_EQ(rows().size(), 2u);
}

TEST_P(PruneTest, EventsAndDefinitionsHaveNoSeriesToLose) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(write({kGone}, Dataset::kSeries).ok());
  ASSERT_TRUE(flush().ok());
  const auto result = prune({kGone});
  EXPECT_TRUE(result.status.ok());
  EXPECT_THAT(result.chunks, IsEmpty());
  EXPECT_EQ(prune({kGone}, false, UINT64_MAX, names(Dataset::kEvents)).status.code(),
            StatusCode::kNotFound);
  EXPECT_EQ(command(ChunkAction::kPrune).status.code(), StatusCode::kInvalidArgument);
}

TEST_P(PruneTest, WhatAnInterruptedRewritingLeftIsRemoved) {
  ASSERT_TRUE(write({kKept, kGone, kKept}).ok());
  settle();
  ASSERT_TRUE(write({kKept}).ok());  // in memory, behind them
  const ChunkKey source = *ChunkKey::parse(names().front());
  leave_target(source, {1, 3}, false);
  open();
  EXPECT_THAT(rows(), ElementsAre("1:a", "2:b", "3:a", "4:a"));
  expect_sound();
  store_.reset();
  EXPECT_EQ(open_stopped_tier()->list()->size(), 1u);
}

TEST_P(PruneTest, RowsThatTheStoreDoesNotShowAreKept) {
  ASSERT_TRUE(write({kKept, kGone, kKept}).ok());
  settle();
  const ChunkKey source = *ChunkKey::parse(names().front());
  leave_target(source, {1, 2, 3}, true);
  open();
  EXPECT_EQ(rows().size(), 3u);
  EXPECT_EQ(store_->health().stray_chunks.size(), 1u);
}

TEST_P(PruneTest, ANamespaceThatIsDeletedLeavesNothingOfIt) {
  space_ = store_->put_namespace("shop", kForever)->id;
  ASSERT_TRUE(write({kKept, kGone}).ok());
  settle();
  ASSERT_TRUE(prune({kGone}).status.ok());
  ASSERT_TRUE(store_->delete_namespace("shop").ok());
  restart();  // which checks the sum over the manifest's rows
  expect_sound();
  store_.reset();
  auto manifest = *SqliteDb::open(env_, directory_.file("manifest.db"),
                                  {.read_only = true, .journal = SqliteJournal::kRollback});
  auto left = *manifest->prepare("SELECT key FROM meta WHERE key GLOB 'dropped_*'");
  EXPECT_FALSE(*left.step());
}

TEST(PruneMemoryTest, ChunksThatAreOnlyInMemoryCannotBeRewritten) {
  TestDirectory directory;
  StoreOptions options = default_store_options(directory.path());
  options.tiers.resize(1);
  options.tiers[0].keep_ns = kForever;
  auto store = Store::open(posix_env(), options);
  ASSERT_TRUE(store.ok()) << store.status().to_string();
  ChunkCommand command;
  command.action = ChunkAction::kPrune;
  command.namespace_id = (*store)->find_namespace("default")->id;
  command.series = std::make_shared<SeriesChoice>();
  BatchBuilder builder(Dataset::kSamples);
  EventRow row;
  row.series = kGone;
  row.time = kDay;
  builder.add(row);
  AppendRequest request;
  request.batch = builder.finish();
  ASSERT_TRUE((*store)->append_and_wait(command.namespace_id, std::move(request)).ok());
  EXPECT_EQ((*store)->command_and_wait(std::move(command)).status.code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace firn
