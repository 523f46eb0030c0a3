// Damages every kind of file of a data directory: flipped bits, torn tails, swapped and stale
// blocks, files from earlier. A sample of places runs here; store_damage_exhaustive_test.cc takes
// every one.

#include <gtest/gtest.h>

#include "tests/crash/damage_cases.h"

namespace firn {
namespace {

constexpr uint64_t kSeed = 9;

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
  for (const bool crashes : {false, true}) {
    DamagedStore store(kSeed, sim_sqlite_options(), 0, crashes);
    EXPECT_EQ(store.check_undamaged(), "") << crashes;
    EXPECT_GE(store.files(FileKind::kLog).size(), 3u);
    EXPECT_GE(store.files(FileKind::kBlocksChunk).size(), 2u);
    EXPECT_GE(store.files(FileKind::kRowsChunk).size(), 1u);
    EXPECT_EQ(store.files(FileKind::kManifestJournal).size(), crashes ? 1u : 0u);
  }
}

TEST(StoreDamage, TheJudgeNoticesWhatIsMissing) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  store.expect_an_event_that_was_never_stored();
  EXPECT_NE(store.judge().problem, "");
}

TEST(StoreDamage, TheLog) {
  for (const bool crashes : {false, true}) {
    DamagedStore store(kSeed, sim_sqlite_options(), 0, crashes);
    damage_kind(&store, FileKind::kLog, 40);
  }
}

TEST(StoreDamage, ASpareSegmentOfTheLog) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  damage_kind(&store, FileKind::kSpareLog, 20);
}

TEST(StoreDamage, TheTailOfTheLog) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, true);
  store.end_may_be_missing = true;
  for (const TailDamage damage : {TailDamage::kCut, TailDamage::kZeros, TailDamage::kGarbage}) {
    expect_sound(store, damage_tail(&store, damage, 60, kSeed), kSeed);
  }
}

TEST(StoreDamage, SqliteChunksWithBlocks) {
  DamagedStore store(kSeed, sim_sqlite_options(), 600, false);
  damage_kind(&store, FileKind::kBlocksChunk, 40);
  damage_kind(&store, FileKind::kBlocksJournal, 40);
}

// Rows have no checksum of their own: a changed row is shown, and found by verify only.
TEST(StoreDamage, BitsOfSqliteChunksWithRows) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  store.only_verify_finds_changes = true;
  expect_sound(store, flip_bits(&store, FileKind::kRowsChunk, 60, kSeed), kSeed);
}

TEST(StoreDamage, ParquetChunks) {
  DamagedStore store(kSeed, sim_store_options(), 600, false);
  damage_kind(&store, FileKind::kParquetChunk, 20);
}

TEST(StoreDamage, EveryBitOfParquetChunksMatters) {
  DamagedStore store(kSeed, sim_store_options(), 600, false);
  const DamageCount flips = flip_bits(&store, FileKind::kParquetChunk, 10, kSeed);
  EXPECT_EQ(flips.named, flips.cycles);
}

TEST(StoreDamage, TheLockFile) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  store.set_content(store.files(FileKind::kLock).at(0), "garbage");
  const Verdict verdict = store.judge();
  EXPECT_EQ(verdict.problem, "");
  EXPECT_FALSE(verdict.named);
}

// --- Known defects, hence disabled --------------------------------------------------------------

// A changed page of the manifest makes the store remove chunks as leftovers that it should own,
// hide events or count wrongly. Nothing in the manifest has a checksum.
TEST(StoreDamage, DISABLED_TheManifest) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  damage_kind(&store, FileKind::kManifest, 400);
}

// SQLite takes a damaged frame of its journal for the journal's end. So the manifest forgets
// commits, and a chunk that they moved is removed as a leftover, after its source.
TEST(StoreDamage, DISABLED_TheJournalOfTheManifest) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, true);
  damage_kind(&store, FileKind::kManifestJournal, 100);
}

// Ends the process: a row with position 0 fails a check of RecordBatch::stamp().
TEST(StoreDamage, DISABLED_SwappedBlocksOfSqliteChunksWithRows) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  store.only_verify_finds_changes = true;
  expect_sound(store, swap_blocks(&store, FileKind::kRowsChunk, 100, kSeed), kSeed);
}

// The strict reading of the promise: damage is never shown as data.
TEST(StoreDamage, DISABLED_SqliteChunksWithRowsNeverShowWrongData) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  expect_sound(store, flip_bits(&store, FileKind::kRowsChunk, 100, kSeed), kSeed);
}

}  // namespace
}  // namespace firn
