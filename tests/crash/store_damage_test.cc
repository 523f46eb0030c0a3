// Damages every kind of file of a data directory: flipped bits, torn tails, swapped and stale
// blocks, files from earlier. A sample of places runs here; store_damage_exhaustive_test.cc takes
// every one.

#include <gtest/gtest.h>

#include "tests/crash/damage_cases.h"
#include "tier/sqlite/sqlite_tier.h"

namespace firn {
namespace {

constexpr uint64_t kSeed = 9;
constexpr Ending kEndings[] = {Ending::kCleanly, Ending::kPowerCut, Ending::kPowerCutInCommit};

// Everything that can be done to files of one kind.
void damage_kind(DamagedStore* store, FileKind kind, uint64_t samples) {
  DamageCount all = flip_bits(store, kind, samples, kSeed);
  for (const DamageCount& count :
       {swap_blocks(store, kind, samples / 4, kSeed),
        bring_back_blocks(store, kind, samples, kSeed), bring_back_files(store, kind)}) {
    add(count, &all);
  }
  expect_sound(*store, all, kSeed);
}

TEST(StoreDamage, AnUndamagedDirectoryIsSound) {
  for (const Ending ending : kEndings) {
    DamagedStore store(kSeed, sim_sqlite_options(), 0, ending);
    EXPECT_EQ(store.check_undamaged(), "") << static_cast<int>(ending);
    EXPECT_GE(store.files(FileKind::kLog).size(), 3u);
    EXPECT_GE(store.files(FileKind::kBlocksChunk).size(), 2u);
    EXPECT_GE(store.files(FileKind::kRowsChunk).size(), 1u);
    const bool in_commit = ending == Ending::kPowerCutInCommit;
    EXPECT_EQ(store.files(FileKind::kManifestJournal).size(), in_commit ? 1u : 0u);
    EXPECT_GE(store.files(FileKind::kBlocksJournal).size(), 1u);
  }
}

TEST(StoreDamage, TheJudgeNoticesWhatIsMissing) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kCleanly);
  store.expect_an_event_that_was_never_stored();
  EXPECT_NE(store.judge().problem, "");
}

TEST(StoreDamage, TheLog) {
  for (const Ending ending : kEndings) {
    DamagedStore store(kSeed, sim_sqlite_options(), 0, ending);
    damage_kind(&store, FileKind::kLog, 40);
  }
}

TEST(StoreDamage, ASpareSegmentOfTheLog) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kCleanly);
  damage_kind(&store, FileKind::kSpareLog, 20);
}

TEST(StoreDamage, TheTailOfTheLog) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kPowerCut);
  store.end_may_be_missing = true;
  for (const TailDamage damage : {TailDamage::kCut, TailDamage::kZeros, TailDamage::kGarbage}) {
    expect_sound(store, damage_tail(&store, damage, 60, kSeed), kSeed);
  }
}

TEST(StoreDamage, SqliteChunksWithBlocks) {
  DamagedStore store(kSeed, sim_sqlite_options(), 600, Ending::kCleanly);
  damage_kind(&store, FileKind::kBlocksChunk, 40);
}

TEST(StoreDamage, TheJournalsOfSqliteChunksWithBlocks) {
  DamagedStore store(kSeed, sim_sqlite_options(), 600, Ending::kPowerCut);
  damage_kind(&store, FileKind::kBlocksJournal, 100);
}

TEST(StoreDamage, SqliteChunksWithRows) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kCleanly);
  damage_kind(&store, FileKind::kRowsChunk, 100);
}

TEST(StoreDamage, TheManifest) {
  for (const Ending ending : kEndings) {
    DamagedStore store(kSeed, sim_sqlite_options(), 0, ending);
    damage_kind(&store, FileKind::kManifest, 400);
  }
}

TEST(StoreDamage, TheJournalOfTheManifest) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kPowerCutInCommit);
  damage_kind(&store, FileKind::kManifestJournal, 400);
}

TEST(StoreDamage, ParquetChunks) {
  DamagedStore store(kSeed, sim_store_options(), 600, Ending::kCleanly);
  damage_kind(&store, FileKind::kParquetChunk, 20);
}

TEST(StoreDamage, EveryBitOfParquetChunksMatters) {
  DamagedStore store(kSeed, sim_store_options(), 600, Ending::kCleanly);
  const DamageCount flips = flip_bits(&store, FileKind::kParquetChunk, 10, kSeed);
  EXPECT_EQ(flips.named, flips.cycles);
}

// Perhaps the manifest is an old one: nobody can tell.
TEST(StoreDamage, AChunkThatTheManifestNeverKnewIsKeptAndNamed) {
  SimStore machine(kSeed);
  ASSERT_TRUE(machine.boot());
  machine.append(3, 0, true);
  machine.command(ChunkAction::kFlush);
  const std::string known = machine.chunk_names().at(0);
  machine.shut_down();
  ChunkKey unknown = *ChunkKey::parse(known);
  unknown.generation = 70;
  const std::string path = "/data/warm/" + unknown.name() + ".db";
  {
    BatchBuilder builder(Dataset::kEvents);
    EventRow row;
    row.time = unknown.start;
    row.type = "lost";
    builder.add(row);
    std::unique_ptr<RecordBatch> batch = builder.finish();
    batch->stamp(unknown.namespace_id, 1000, {});
    const BatchSlice slice{BatchPtr(std::move(batch)), nullptr};
    SqliteTierOptions options;
    options.directory = "/data/warm";
    const auto tier = open_sqlite_tier(&machine.env, options);
    ASSERT_TRUE(tier.ok() && (*tier)->write(unknown, {&slice, 1}, 1000).ok());
  }
  for (int boots = 0; boots < 2; ++boots) {
    ASSERT_TRUE(machine.boot());
    ASSERT_EQ(machine.store()->health().stray_chunks.size(), 1u);
    EXPECT_NE(machine.verify().find(unknown.name()), std::string::npos);
    EXPECT_EQ(machine.rows_readable(), 3u + 2u * static_cast<size_t>(boots)) << "it is not shown";
    machine.append(2, 1, false);
    machine.command(ChunkAction::kFlush);
    machine.shut_down();
    EXPECT_TRUE(*machine.env.exists(path));
  }
}

TEST(StoreDamage, TheLockFile) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kCleanly);
  store.set_content(store.files(FileKind::kLock).at(0), "garbage");
  const Verdict verdict = store.judge();
  EXPECT_EQ(verdict.problem, "");
  EXPECT_FALSE(verdict.named);
}

}  // namespace
}  // namespace firn
