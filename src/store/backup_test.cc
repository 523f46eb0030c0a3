// Backups and what is restored from them (docs/backup.md).

#include <gmock/gmock.h>

#include "env/fault_env.h"
#include "env/remove_tree.h"
#include "store/restore.h"
#include "store/test_store.h"
#include "tier/registry.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class BackupTest : public StoreTest {
 protected:
  BackupTest() {
    change_options_ = [this](StoreOptions* options) {
      if (!data_dir_.empty()) options->data_dir = directory_.file(data_dir_);
      TierConfig vault;
      vault.name = "vault";
      vault.backend = "parquet";
      vault.directory = vault_.path();
      options->exports = {vault};
    };
  }
  BackupReport back_up() {
    auto report = store_->backup_and_wait("vault");
    EXPECT_TRUE(report.ok()) << report.status().to_string();
    return report.ok() ? *report : BackupReport();
  }
  Status restore_status() { return restore_backup(env_, options(), "vault").status(); }
  // Goes on with a store that is restored into a new directory.
  void restore() {
    store_.reset();
    data_dir_ = "restored" + std::to_string(restores_++);
    ASSERT_TRUE(shown(restore_status()).ok());
    open();
  }
  // Names of the chunks at the destination.
  std::vector<std::string> stored() {
    TierConfig config = options().exports[0];
    config.directory = join_path(config.directory, "backup");
    auto tier = make_tier(env_, config);
    EXPECT_TRUE(tier.ok()) << tier.status().to_string();
    const std::vector<ChunkKey> keys = *(*tier)->list();
    std::vector<std::string> names;
    for (const ChunkKey& key : keys) names.push_back(key.name());
    return names;
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const SnapshotChunk& chunk : (*store_->snapshot(space_))->all_chunks()) {
      found.push_back(chunk.key.name());
    }
    return found;
  }
  int64_t head(const std::string& stream) {
    return *(*store_->snapshot(space_))->flushed_stream_head(stream);
  }
  void expect_sound() {
    const VerifyReport report = store_->verify();
    EXPECT_TRUE(report.findings.empty()) << report.findings[0].status.to_string();
    EXPECT_TRUE(store_->health().stray_chunks.empty());
  }

  TestDirectory vault_;
  std::string data_dir_;
  int restores_ = 0;
};

TEST_F(BackupTest, HoldsWhatWasAcknowledgedWhenItBegan) {
  ASSERT_TRUE(append({{"a"}, {"b", kDay + kDayNs}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(append({{"c"}}).ok());
  const BackupReport report = back_up();
  EXPECT_EQ(report.rows, 3u);
  ASSERT_TRUE(append({{"later"}}).ok());
  ASSERT_TRUE(flush().ok());
  restore();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
  EXPECT_THAT(places(), ElementsAre("cold/sealed", "cold/sealed"));
  expect_sound();
}

TEST_F(BackupTest, PositionsGoOnBehindTheCut) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  back_up();
  ASSERT_TRUE(append({{"lost"}}).ok());
  restore();
  EXPECT_EQ(append({{"c"}})->first_position, 3u);
  ASSERT_TRUE(flush().ok());
  restart();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:c"));
  expect_sound();
}

TEST_F(BackupTest, PositionsGoOnAlsoWhenTheirRowsWereDropped) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(command(ChunkAction::kDrop).status.ok());
  back_up();
  restore();
  EXPECT_THAT(contents(), IsEmpty());
  EXPECT_EQ(append({{"c"}})->first_position, 3u);
}

TEST_F(BackupTest, HasTheHeadsOfStreamsThatBelongToIt) {
  ASSERT_TRUE(append({{"a", kDay, {}, "cart-1"}, {"b", kDay, {}, "cart-1"}}).ok());
  back_up();
  ASSERT_TRUE(append({{"lost", kDay, {}, "cart-1"}}).ok());
  ASSERT_TRUE(flush().ok());
  EXPECT_EQ(head("cart-1"), 3);
  restore();
  EXPECT_EQ(head("cart-1"), 2);
}

TEST_F(BackupTest, KnowsTheIdsOfItsEvents) {
  ASSERT_TRUE(append({{"a", kDay, id_of(7)}}).ok());
  back_up();
  restore();
  const auto again = append({{"a", kDay, id_of(7)}});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->duplicates, 1u);
  EXPECT_EQ(again->first_position, 1u);
}

TEST_F(BackupTest, KnowsTheNamespaces) {
  ASSERT_TRUE(store_->put_namespace("shop", 7 * kDayNs).ok());
  ASSERT_TRUE(store_->set_series_limit("shop", 99).ok());
  ASSERT_TRUE(store_->set_namespace_profile("shop", {"sells", std::string(32, 't')}).ok());
  back_up();
  restore();
  const auto shop = store_->find_namespace("shop");
  ASSERT_TRUE(shop.ok());
  EXPECT_EQ(shop->retention_ns, 7 * kDayNs);
  EXPECT_EQ(shop->series_limit, 99u);
  EXPECT_EQ(shop->profile->description, "sells");
  EXPECT_EQ(shop->profile->token_sha256, std::string(32, 't'));
}

TEST_F(BackupTest, CopiesOnlyWhatIsNew) {
  ASSERT_TRUE(append({{"a"}, {"b"}, {"next day", kDay + kDayNs}}).ok());
  EXPECT_EQ(back_up().copied_rows, 3u);
  ASSERT_TRUE(append({{"c"}}).ok());
  const BackupReport second = back_up();
  EXPECT_EQ(second.chunks, 2u);
  EXPECT_EQ(second.rows, 4u);
  EXPECT_EQ(second.copied_chunks, 1u);
  EXPECT_EQ(second.copied_rows, 1u);
  EXPECT_EQ(back_up().copied_chunks, 0u);
  restore();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:next day", "4:c"));
}

TEST_F(BackupTest, FollowsChunksThroughTheTiers) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  back_up();
  ASSERT_TRUE(move().ok());
  EXPECT_THAT(places(), ElementsAre("cold/sealed"));
  EXPECT_EQ(back_up().copied_chunks, 0u) << "its rows are the same, wherever they are";
  restore();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
}

TEST_F(BackupTest, ForgetsWhatTheStoreHasNoMore) {
  ASSERT_TRUE(append({{"a"}, {"next day", kDay + kDayNs}}).ok());
  back_up();
  const auto before = names();
  ASSERT_EQ(before.size(), 2u);
  EXPECT_EQ(stored(), before);
  ASSERT_TRUE(command(ChunkAction::kDrop, {before[0]}).status.ok());
  back_up();
  EXPECT_THAT(stored(), ElementsAre(before[1]));
  restore();
  EXPECT_THAT(contents(), ElementsAre("2:next day"));
}

TEST_F(BackupTest, TakesWhatWasRewrittenUnderItsNewName) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(command(ChunkAction::kCompress).status.ok());
  ASSERT_TRUE(append({{"late"}}).ok());
  back_up();
  EXPECT_EQ(stored().size(), 2u);
  ASSERT_TRUE(command(ChunkAction::kCompress).status.ok());
  back_up();
  EXPECT_EQ(stored(), names());
  EXPECT_EQ(stored().size(), 1u);
  restore();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:late"));
}

TEST_F(BackupTest, OneAtATime) {
  ASSERT_TRUE(append({{"a"}}).ok());
  Mutex mutex;
  CondVar ended;
  std::vector<StatusCode> codes;
  const auto note = [&](const Result<BackupReport>& report) {
    MutexLock lock(&mutex);
    codes.push_back(report.status().code());
    ended.notify_all();
  };
  store_->backup("vault", note);
  store_->backup("vault", note);
  MutexLock lock(&mutex);
  while (codes.size() < 2) ended.wait(&mutex);
  EXPECT_THAT(codes, ElementsAre(StatusCode::kConflict, StatusCode::kOk));
}

TEST_F(BackupTest, LeavesAnotherStoresBackupAlone) {
  ASSERT_TRUE(append({{"a"}}).ok());
  back_up();
  store_.reset();
  data_dir_ = "another";
  open();
  ASSERT_TRUE(append({{"b"}}).ok());
  const Status status = store_->backup_and_wait("vault").status();
  EXPECT_EQ(status.code(), StatusCode::kConflict);
  EXPECT_THAT(status.message(), HasSubstr("another store"));
  restore();
  EXPECT_THAT(contents(), ElementsAre("1:a"));
}

TEST_F(BackupTest, ADestinationThatFailsLeavesTheLastBackup) {
  ASSERT_TRUE(append({{"a"}}).ok());
  back_up();
  FaultEnv faults(posix_env());
  store_.reset();
  env_ = &faults;
  open();
  ASSERT_TRUE(append({{"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  faults.fail_matching(IoKind::kRename, "manifest-", UINT64_MAX, io_error("the vault is gone"));
  EXPECT_EQ(store_->backup_and_wait("vault").status().code(), StatusCode::kIoError);
  faults.heal();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
  store_.reset();
  env_ = posix_env();
  restore();
  EXPECT_THAT(contents(), ElementsAre("1:a"));
  EXPECT_TRUE(store_->health().stray_chunks.empty());
}

TEST_F(BackupTest, ADamagedChunkIsNamed) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  const std::string name = names()[0];
  const SnapshotPtr snapshot = *store_->snapshot(space_);
  const std::string path = snapshot->files(snapshot->all_chunks()[0])[0].path;
  const auto file = *env_->open(path, OpenMode::kReadWrite);
  ASSERT_TRUE(file->write_at(8, "damage").ok());
  const Status status = store_->backup_and_wait("vault").status();
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(status.message(), HasSubstr(name));
}

TEST_F(BackupTest, NeedsADurableTier) {
  store_.reset();
  data_dir_ = "memory";
  const auto with_exports = change_options_;
  change_options_ = [&](StoreOptions* options) {
    with_exports(options);
    options->tiers.resize(1);
    options->tiers[0].keep_ns = kForever;
  };
  open();
  EXPECT_EQ(store_->backup_and_wait("vault").status().code(), StatusCode::kUnsupported);
}

TEST_F(BackupTest, WrongDestinationsAndDirectoriesAreNamed) {
  EXPECT_EQ(store_->backup_and_wait("nowhere").status().code(), StatusCode::kNotFound);
  EXPECT_THAT(restore_status().message(), HasSubstr("another process uses"));
  store_.reset();
  EXPECT_THAT(restore_status().message(), HasSubstr("holds a store already"));
  data_dir_ = "new";
  const Status none = restore_status();
  EXPECT_EQ(none.code(), StatusCode::kNotFound);
  EXPECT_THAT(none.message(), HasSubstr("no backup"));
}

TEST_F(BackupTest, ARestoreThatWasInterruptedGoesOn) {
  ASSERT_TRUE(append({{"a"}, {"next day", kDay + kDayNs}}).ok());
  back_up();
  const std::string second = names()[1];
  store_.reset();
  data_dir_ = "restored";
  FaultEnv faults(posix_env());
  env_ = &faults;
  faults.fail_matching(IoKind::kRename, second, UINT64_MAX, io_error("no"));
  EXPECT_EQ(restore_status().code(), StatusCode::kIoError);
  faults.heal();
  EXPECT_EQ(Store::open(env_, options()).status().code(), StatusCode::kCorruption)
      << "there are chunks, and no manifest yet";
  ASSERT_TRUE(shown(restore_status()).ok());
  open();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:next day"));
  expect_sound();
  store_.reset();  // before its Env
}

// --- A manifest made of the tiers ----------------------------------------------------------------

class RebuildTest : public BackupTest {
 protected:
  // The manifest is gone, and whatever else is named here.
  void lose(const std::vector<std::string>& names) {
    store_.reset();
    ASSERT_TRUE(env_->remove(directory_.file("manifest.db")).ok());
    for (const std::string& name : names) {
      ASSERT_TRUE(remove_tree(env_, directory_.file(name)).ok());
    }
  }
  Status rebuild_status(const std::map<NamespaceId, std::string>& names = {}) {
    return rebuild_manifest(env_, options(), names).status();
  }
  std::string only_file() {
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    return snapshot->files(snapshot->all_chunks()[0])[0].path;
  }
};

TEST_F(RebuildTest, TheColdTierAloneIsEnough) {
  ASSERT_TRUE(append({{"a", kDay, id_of(1), "cart-1"}, {"b", kDay, id_of(2), "cart-1"}}).ok());
  ASSERT_TRUE(append({{"next day", kDay + kDayNs}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  lose({"wal", "warm"});
  ASSERT_TRUE(shown(rebuild_status()).ok());
  open();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:next day"));
  EXPECT_EQ(head("cart-1"), 2);
  EXPECT_EQ(append({{"a", kDay, id_of(1), "cart-1"}})->duplicates, 1u);
  EXPECT_EQ(append({{"c"}})->first_position, 4u);
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b", "3:next day", "4:c"));
  expect_sound();
}

TEST_F(RebuildTest, TheLogGoesOnBehindTheTiers) {
  ASSERT_TRUE(append({{"a"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(append({{"b"}}).ok());
  lose({});
  ASSERT_TRUE(shown(rebuild_status()).ok());
  open();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
  expect_sound();
}

TEST_F(RebuildTest, NamespacesKeepTheirIdsAndGetNames) {
  ASSERT_TRUE(store_->put_namespace("gone", kForever).ok());
  ASSERT_TRUE(store_->put_namespace("shop", kForever).ok());
  ASSERT_TRUE(store_->put_namespace("other", kForever).ok());
  for (const char* name : {"shop", "other"}) {
    space_ = store_->find_namespace(name)->id;
    ASSERT_TRUE(append({{name}}).ok());
    ASSERT_TRUE(flush().ok());
  }
  lose({"wal"});
  ASSERT_TRUE(shown(rebuild_status({{3, "shop"}})).ok());
  open();
  std::vector<std::string> found;
  for (const NamespaceInfo& info : store_->namespaces()) found.push_back(info.name);
  EXPECT_THAT(found, UnorderedElementsAre("default", "shop", "namespace-4"));
  space_ = store_->find_namespace("shop")->id;
  EXPECT_THAT(contents(), ElementsAre("1:shop"));
}

TEST_F(RebuildTest, OfTwoCopiesOneCounts) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  const std::string path = only_file();
  const std::string bytes = *read_file(env_, path, kMiB);
  ASSERT_TRUE(command(ChunkAction::kRehydrate).status.ok());
  EXPECT_THAT(places(), ElementsAre("warm/sealed"));
  lose({"wal"});
  ASSERT_TRUE(env_->create_directories(parent_path(path)).ok());
  ASSERT_TRUE(replace_file(env_, path, bytes).ok());
  ASSERT_TRUE(shown(rebuild_status()).ok());
  open();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
  restart();
  EXPECT_THAT(contents(), ElementsAre("1:a", "2:b"));
  expect_sound();
}

TEST_F(RebuildTest, ChunksThatContradictEachOtherAreNamed) {
  ASSERT_TRUE(append({{"a"}, {"b"}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(move().ok());
  const std::string path = only_file();
  const std::string bytes = *read_file(env_, path, kMiB);
  lose({"wal", "cold"});
  open();  // a new store, which gives position 2 to another row, in the same interval
  ASSERT_TRUE(append({{"next day", kDay + kDayNs}}).ok());
  ASSERT_TRUE(flush().ok());
  ASSERT_TRUE(append({{"c"}}).ok());
  ASSERT_TRUE(flush().ok());
  lose({"wal"});
  ASSERT_TRUE(env_->create_directories(parent_path(path)).ok());
  ASSERT_TRUE(replace_file(env_, path, bytes).ok());
  const Status status = rebuild_status();
  EXPECT_EQ(status.code(), StatusCode::kConflict);
  EXPECT_THAT(status.message(), HasSubstr("g0 in tier cold"));
  EXPECT_THAT(status.message(), HasSubstr("g1 in tier warm"));
}

TEST_F(RebuildTest, NothingToBuildOfIsNamed) {
  lose({"wal"});
  EXPECT_EQ(rebuild_status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace firn
