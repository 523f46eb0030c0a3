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
  for (const Ending ending : {Ending::kCleanly, Ending::kPowerCut}) {
    DamagedStore store(kSeed, sim_sqlite_options(), 0, ending);
    damage_everything(&store, FileKind::kLog);
  }
}

TEST(StoreDamageExhaustive, TheTailOfTheLog) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kPowerCut);
  store.end_may_be_missing = true;
  for (const TailDamage damage : {TailDamage::kCut, TailDamage::kZeros, TailDamage::kGarbage}) {
    expect_sound(store, damage_tail(&store, damage, kAll, kSeed), kSeed);
  }
}

TEST(StoreDamageExhaustive, SqliteChunksWithBlocks) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kCleanly);
  damage_everything(&store, FileKind::kBlocksChunk);
}

TEST(StoreDamageExhaustive, TheJournalsOfSqliteChunksWithBlocks) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kPowerCut);
  damage_everything(&store, FileKind::kBlocksJournal);
}

TEST(StoreDamageExhaustive, SqliteChunksWithRows) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kCleanly);
  damage_everything(&store, FileKind::kRowsChunk);
}

TEST(StoreDamageExhaustive, TheManifest) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kCleanly);
  damage_everything(&store, FileKind::kManifest);
}

TEST(StoreDamageExhaustive, TheJournalOfTheManifest) {
  DamagedStore store(kSeed, sim_sqlite_options(), 0, Ending::kPowerCutInCommit);
  damage_everything(&store, FileKind::kManifestJournal);
}

TEST(StoreDamageExhaustive, ParquetChunks) {
  DamagedStore store(kSeed, sim_store_options(), 0, Ending::kCleanly);
  damage_everything(&store, FileKind::kParquetChunk);
}

}  // namespace
}  // namespace firn
