// Damages every byte of every kind of file, every pair of blocks, and the log's tail from every
// byte on. Slow: scripts/test --all.

#include <gtest/gtest.h>

#include "tests/crash/damage_cases.h"

namespace firn {
namespace {

constexpr uint64_t kSeed = 9;
constexpr uint64_t kAll = UINT64_MAX;

// Two seeds flip two bits of each byte.
void damage_everything(DamagedStore* store, FileKind kind) {
  DamageCount all = flip_bits(store, kind, kAll, kSeed);
  for (const DamageCount& count :
       {flip_bits(store, kind, kAll, kSeed + 1), swap_blocks(store, kind, kAll, kSeed),
        bring_back_blocks(store, kind, kAll, kSeed), bring_back_files(store, kind)}) {
    add(count, &all);
  }
  expect_sound(*store, all, kSeed);
}

TEST(StoreDamageExhaustive, TheLog) {
  for (const bool crashes : {false, true}) {
    DamagedStore store(kSeed, sim_sqlite_options(), 0, crashes);
    damage_everything(&store, FileKind::kLog);
  }
}

TEST(StoreDamageExhaustive, TheTailOfTheLog) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, true);
  store.end_may_be_missing = true;
  for (const TailDamage damage : {TailDamage::kCut, TailDamage::kZeros, TailDamage::kGarbage}) {
    expect_sound(store, damage_tail(&store, damage, kAll, kSeed), kSeed);
  }
}

TEST(StoreDamageExhaustive, SqliteChunksWithBlocks) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  damage_everything(&store, FileKind::kBlocksChunk);
  damage_everything(&store, FileKind::kBlocksJournal);
}

TEST(StoreDamageExhaustive, ParquetChunks) {
  DamagedStore store(kSeed, sim_store_options(), 0, false);
  damage_everything(&store, FileKind::kParquetChunk);
}

// --- Known defects, hence disabled: see store_damage_test.cc -------------------------------------

// Bit 131098 of the first file ends the process: a row with position 0 fails a check.
TEST(StoreDamageExhaustive, DISABLED_BitsOfSqliteChunksWithRows) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  store.only_verify_finds_changes = true;
  expect_sound(store, flip_bits(&store, FileKind::kRowsChunk, kAll, kSeed), kSeed);
}

TEST(StoreDamageExhaustive, DISABLED_TheManifest) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, false);
  damage_everything(&store, FileKind::kManifest);
}
TEST(StoreDamageExhaustive, DISABLED_TheJournalOfTheManifest) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, true);
  damage_everything(&store, FileKind::kManifestJournal);
}

}  // namespace
}  // namespace firn
