// What a power cut does to the simulated disk, and to the process that used it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "env/sim_env.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kNone = "(no file)";

class SimPower : public ::testing::Test {
 protected:
  SimPower() { EXPECT_TRUE(env_.create_directories("/d/e").ok()); }

  std::unique_ptr<File> open(const std::string& path) {
    Result<std::unique_ptr<File>> file = env_.open(path, OpenMode::kCreate);
    EXPECT_TRUE(file.ok()) << file.status().to_string();
    return std::move(*file);
  }
  void write(const std::string& path, ByteView content, uint64_t offset = 0) {
    EXPECT_TRUE(open(path)->write_at(offset, content).ok());
  }
  void sync(const std::string& path) { EXPECT_TRUE(open(path)->sync().ok()); }
  void sync_names(const std::string& path) { EXPECT_TRUE(env_.sync_directory(path).ok()); }
  // A file with everything about it on the disk.
  void store(const std::string& path, ByteView content) {
    write(path, content);
    sync(path);
    sync_names(parent_path(path));
  }
  std::string read(const std::string& path) {
    const Result<std::string> content = read_file(&env_, path, 1 << 20);
    return content.ok() ? *content : std::string(kNone);
  }
  void lose_all() { env_.crash(CrashMode::kLoseAll, 0); }
  void keep_all() { env_.crash(CrashMode::kKeepAll, 0); }
  // All contents that a file can have after a random crash from here.
  std::set<std::string> outcomes(const std::string& path, uint64_t seeds = 300) {
    std::set<std::string> all;
    const auto snapshot = env_.snapshot();
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      env_.restore(snapshot);
      env_.crash(CrashMode::kRandom, seed);
      all.insert(read(path));
    }
    env_.restore(snapshot);
    return all;
  }

  SimEnv env_{1};
};

// --- Content -------------------------------------------------------------------------------------

TEST_F(SimPower, UnsyncedContentCanBeLost) {
  store("/d/a", "old");
  write("/d/a", "new");
  lose_all();
  EXPECT_EQ(read("/d/a"), "old");
}

TEST_F(SimPower, UnsyncedContentCanBeKept) {
  store("/d/a", "old");
  write("/d/a", "new");
  keep_all();
  EXPECT_EQ(read("/d/a"), "new");
}

TEST_F(SimPower, SyncedContentIsNeverLost) {
  store("/d/a", "old");
  write("/d/a", "new");
  sync("/d/a");
  EXPECT_EQ(outcomes("/d/a"), std::set<std::string>{"new"});
  lose_all();
  EXPECT_EQ(read("/d/a"), "new");
}

TEST_F(SimPower, ASyncIsOfOneFileOnly) {
  store("/d/a", "old");
  write("/d/a", "new");
  store("/d/b", "other");
  lose_all();
  EXPECT_EQ(read("/d/a"), "old");
}

TEST_F(SimPower, ASyncCoversWhatOtherHandlesWrote) {
  store("/d/a", "old");
  const auto writer = open("/d/a");
  ASSERT_TRUE(writer->write_at(0, "new").ok());
  sync("/d/a");
  lose_all();
  EXPECT_EQ(read("/d/a"), "new");
}

TEST_F(SimPower, WritesAfterTheSyncAreNotCovered) {
  store("/d/a", "old");
  write("/d/a", "new");
  sync("/d/a");
  write("/d/a", "end");
  lose_all();
  EXPECT_EQ(read("/d/a"), "new");
}

TEST_F(SimPower, SizesArePendingToo) {
  store("/d/a", "hello");
  ASSERT_TRUE(open("/d/a")->truncate(1).ok());
  store("/d/b", "hello");
  ASSERT_TRUE(open("/d/b")->allocate(100).ok());
  EXPECT_EQ(outcomes("/d/a"), (std::set<std::string>{"h", "hello"}));
  lose_all();
  EXPECT_EQ(read("/d/a"), "hello");
  EXPECT_EQ(read("/d/b"), "hello");
}

TEST_F(SimPower, EachWriteHasItsOwnFate) {
  store("/d/a", "....");
  write("/d/a", "1", 0);
  write("/d/a", "2", 2);
  const std::set<std::string> all = outcomes("/d/a");
  EXPECT_TRUE(all.contains("...."));
  EXPECT_TRUE(all.contains("1..."));
  EXPECT_TRUE(all.contains("1.2."));
  EXPECT_TRUE(all.contains("..2.")) << "the later write can be the only one that survives";
}

TEST_F(SimPower, AnOverwrittenWriteNeverWins) {
  store("/d/a", ".");
  write("/d/a", "1");
  sync("/d/a");
  write("/d/a", "2");
  write("/d/a", "3");
  keep_all();
  EXPECT_EQ(read("/d/a"), "3");
}

TEST_F(SimPower, ATornWriteShowsAPrefix) {
  const std::string old(4'000, 'o');
  const std::string fresh(4'000, 'n');
  store("/d/a", old);
  write("/d/a", fresh);
  size_t torn_at_sector = 0;
  size_t torn_elsewhere = 0;
  for (const std::string& found : outcomes("/d/a", 1000)) {
    ASSERT_EQ(found.size(), old.size());
    const size_t kept = std::min(found.find_first_not_of('n'), found.size());
    if (kept == 0 || found.substr(kept) != old.substr(kept)) continue;
    ++(kept % 512 == 0 ? torn_at_sector : torn_elsewhere);
  }
  EXPECT_GT(torn_at_sector, 4U);
  EXPECT_GT(torn_elsewhere, 4U);
}

TEST_F(SimPower, ATornWriteCanHaveHolesZerosAndGarbage) {
  const std::string old(4'096, 'o');
  store("/d/a", old);
  write("/d/a", std::string(4'096, 'n'));
  bool hole = false;
  bool zeros = false;
  bool garbage = false;
  for (const std::string& found : outcomes("/d/a", 1000)) {
    hole = hole || found.find("on") != std::string::npos;
    zeros = zeros || found.find(std::string(100, '\0')) != std::string::npos;
    garbage = garbage || found.find_first_not_of(std::string("on\0", 3)) != std::string::npos;
  }
  EXPECT_TRUE(hole);
  EXPECT_TRUE(zeros);
  EXPECT_TRUE(garbage);
}

TEST_F(SimPower, ATornWriteStaysInItsRange) {
  store("/d/a", std::string(3'000, 'o'));
  write("/d/a", std::string(1'000, 'n'), 1'000);
  for (const std::string& found : outcomes("/d/a", 1000)) {
    ASSERT_EQ(found.substr(0, 1'000), std::string(1'000, 'o'));
    ASSERT_EQ(found.substr(2'000), std::string(1'000, 'o'));
  }
}

TEST_F(SimPower, ALostWriteBeyondTheEndCanLeaveZeros) {
  store("/d/a", "a");
  write("/d/a", "b", 1);
  EXPECT_EQ(outcomes("/d/a").count(std::string("a\0", 2)), 1U);
}

TEST_F(SimPower, AFailedSyncCanLoseWritesForEver) {
  store("/d/a", "old");
  write("/d/a", "new");
  env_.forget_unsynced("/d/a");
  EXPECT_EQ(read("/d/a"), "new");
  sync("/d/a");
  keep_all();
  EXPECT_EQ(read("/d/a"), "old");
}

// --- Names ---------------------------------------------------------------------------------------

TEST_F(SimPower, ASyncedFileWithoutSyncedNameIsGone) {
  write("/d/a", "hello");
  sync("/d/a");
  EXPECT_EQ(outcomes("/d/a"), (std::set<std::string>{"hello", std::string(kNone)}));
  lose_all();
  EXPECT_EQ(read("/d/a"), kNone);
}

TEST_F(SimPower, ASyncedNameWithoutSyncedContentIsEmpty) {
  write("/d/a", "hello");
  sync_names("/d");
  lose_all();
  EXPECT_EQ(read("/d/a"), "");
}

TEST_F(SimPower, AnUnsyncedRemovalCanBeUndone) {
  store("/d/a", "hello");
  ASSERT_TRUE(env_.remove("/d/a").ok());
  EXPECT_EQ(outcomes("/d/a"), (std::set<std::string>{"hello", std::string(kNone)}));
  lose_all();
  EXPECT_EQ(read("/d/a"), "hello");
}

TEST_F(SimPower, ASyncedRemovalIsFinal) {
  store("/d/a", "hello");
  ASSERT_TRUE(env_.remove("/d/a").ok());
  sync_names("/d");
  EXPECT_EQ(outcomes("/d/a"), std::set<std::string>{std::string(kNone)});
}

TEST_F(SimPower, AnUnsyncedRenameCanBeUndone) {
  store("/d/a", "new");
  store("/d/b", "old");
  ASSERT_TRUE(env_.rename("/d/a", "/d/b").ok());
  EXPECT_EQ(outcomes("/d/b"), (std::set<std::string>{"new", "old"}));
  lose_all();
  EXPECT_EQ(read("/d/a"), "new");
  EXPECT_EQ(read("/d/b"), "old");
}

TEST_F(SimPower, ASyncedRenameIsFinal) {
  store("/d/a", "new");
  store("/d/b", "old");
  ASSERT_TRUE(env_.rename("/d/a", "/d/b").ok());
  sync_names("/d");
  lose_all();
  EXPECT_EQ(read("/d/a"), kNone);
  EXPECT_EQ(read("/d/b"), "new");
}

TEST_F(SimPower, ARenameDoesNotSyncTheContent) {
  store("/d/b", "old");
  write("/d/a", "new");
  ASSERT_TRUE(env_.rename("/d/a", "/d/b").ok());
  sync_names("/d");
  lose_all();
  EXPECT_EQ(read("/d/b"), "");
}

TEST_F(SimPower, NamesOfOneDirectorySurviveInOrder) {
  for (const char* name : {"/d/1", "/d/2", "/d/3"}) sync(name);
  const auto snapshot = env_.snapshot();
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    env_.restore(snapshot);
    env_.crash(CrashMode::kRandom, seed);
    std::string names;
    for (const std::string& path : env_.all_files()) names += path.back();
    seen.insert(names);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"", "1", "12", "123"}));
}

TEST_F(SimPower, DirectoriesAreDurableWhenCreated) {
  ASSERT_TRUE(env_.create_directories("/d/x/y").ok());
  lose_all();
  EXPECT_TRUE(*env_.exists("/d/x/y"));
}

TEST_F(SimPower, CreatingADirectorySyncsNoOtherName) {
  write("/d/a", "hello");
  sync("/d/a");
  ASSERT_TRUE(env_.create_directories("/d/x").ok());
  lose_all();
  EXPECT_TRUE(*env_.exists("/d/x"));
  EXPECT_EQ(read("/d/a"), kNone);
}

TEST_F(SimPower, ADirectoryMadeAgainOutlivesItsRemoval) {
  ASSERT_TRUE(env_.remove_directory("/d/e").ok());
  ASSERT_TRUE(env_.create_directories("/d/e").ok());
  for (uint64_t seed = 0; seed < 50; ++seed) {
    env_.crash(CrashMode::kRandom, seed);
    ASSERT_TRUE(*env_.exists("/d/e"));
  }
}

TEST_F(SimPower, AFileMovedBetweenDirectoriesIsNeverInNeither) {
  store("/d/a", "hello");
  ASSERT_TRUE(env_.rename("/d/a", "/d/e/a").ok());
  const auto pending = env_.snapshot();
  std::set<std::pair<bool, bool>> seen;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    env_.restore(pending);
    env_.crash(CrashMode::kRandom, seed);
    seen.insert({*env_.exists("/d/a"), *env_.exists("/d/e/a")});
  }
  EXPECT_TRUE(seen.contains({true, false}));
  EXPECT_TRUE(seen.contains({false, true}));
  EXPECT_FALSE(seen.contains({false, false}));
  env_.restore(pending);
  sync_names("/d");  // the source alone
  lose_all();
  EXPECT_EQ(read("/d/e/a"), "hello");
  EXPECT_EQ(read("/d/a"), kNone);
}

TEST_F(SimPower, ReplaceFileIsAtomic) {
  ASSERT_TRUE(replace_file(&env_, "/d/a", "old").ok());
  const auto before = env_.snapshot();
  const uint64_t first = env_.io_count() + 1;
  ASSERT_TRUE(replace_file(&env_, "/d/a", "newer").ok());
  const uint64_t calls = env_.io_count() + 1 - first;
  for (uint64_t call = 0; call < calls; ++call) {
    for (uint64_t seed = 0; seed < 40; ++seed) {
      env_.restore(before);
      env_.crash_at(env_.io_count() + 1 + call);
      ASSERT_FALSE(replace_file(&env_, "/d/a", "newer").ok());
      env_.crash(CrashMode::kRandom, seed);
      ASSERT_THAT(read("/d/a"), ::testing::AnyOf("old", "newer"));
    }
  }
}

// --- Crash points --------------------------------------------------------------------------------

TEST_F(SimPower, NumbersEveryCallThatChangesTheDisk) {
  const uint64_t start = env_.io_count();
  const auto file = open("/d/a");                       // 1
  ASSERT_TRUE(file->write_at(0, "hello").ok());         // 2
  ASSERT_TRUE(file->allocate(10).ok());                 // 3
  ASSERT_TRUE(file->truncate(10).ok());                 // 4
  ASSERT_TRUE(file->sync().ok());                       // 5
  ASSERT_TRUE(env_.rename("/d/a", "/d/b").ok());        // 6
  sync_names("/d");                                     // 7
  ASSERT_TRUE(env_.remove("/d/b").ok());                // 8
  ASSERT_TRUE(env_.create_directories("/d/x/y").ok());  // 9-12
  ASSERT_TRUE(env_.create_directories("/d/x/y").ok());  // 13
  ASSERT_TRUE(env_.remove_directory("/d/x/y").ok());    // 14
  ASSERT_TRUE(env_.lock_file("/d/lock").ok());          // 15
  EXPECT_EQ(env_.io_count() - start, 15U);
}

TEST_F(SimPower, ReadsHaveNumbersOnRequestOnly) {
  store("/d/a", "hello");
  const uint64_t start = env_.io_count();
  EXPECT_EQ(read("/d/a"), "hello");
  EXPECT_EQ(env_.io_count(), start);
  env_.count_reads(true);
  EXPECT_EQ(read("/d/a"), "hello");
  EXPECT_EQ(env_.io_count(), start + 3);  // open, size, read
}

TEST_F(SimPower, ThePowerGoesAtTheCallAskedFor) {
  const auto file = open("/d/a");
  env_.crash_at(env_.io_count() + 2);
  EXPECT_TRUE(file->write_at(0, "1").ok());
  EXPECT_FALSE(env_.has_crashed());
  const Status status = file->sync();
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_THAT(status.to_string(), HasSubstr("/d/a: simulated power cut"));
  EXPECT_TRUE(env_.has_crashed());
}

TEST_F(SimPower, WithoutPowerNothingWorks) {
  store("/d/a", "hello");
  const auto file = open("/d/a");
  const uint64_t count = env_.io_count();
  env_.cut_power();
  char byte = 0;
  EXPECT_FALSE(file->read_at(0, &byte, 1).ok());
  EXPECT_FALSE(file->size().ok());
  EXPECT_FALSE(file->write_at(0, "x").ok());
  EXPECT_FALSE(file->sync().ok());
  EXPECT_FALSE(env_.open("/d/a", OpenMode::kRead).ok());
  EXPECT_FALSE(env_.remove("/d/a").ok());
  EXPECT_FALSE(env_.exists("/d/a").ok());
  EXPECT_FALSE(env_.list_directory("/d").ok());
  EXPECT_FALSE(env_.create_directories("/d/x").ok());
  EXPECT_FALSE(env_.lock_file("/d/lock").ok());
  EXPECT_EQ(env_.io_count(), count);
  EXPECT_EQ(env_.raw_content("/d/a"), "hello");
}

TEST_F(SimPower, TheInterruptedWriteMayBeFound) {
  store("/d/a", "old");
  env_.crash_at(env_.io_count() + 1);
  EXPECT_FALSE(open("/d/a")->write_at(0, "new").ok());
  const std::set<std::string> all = outcomes("/d/a");
  EXPECT_TRUE(all.contains("old"));
  EXPECT_TRUE(all.contains("new"));
  EXPECT_TRUE(all.contains("nld") || all.contains("ned")) << "or a part";
}

TEST_F(SimPower, TheInterruptedSyncHasNoEffect) {
  store("/d/a", "old");
  write("/d/a", "new");
  env_.crash_at(env_.io_count() + 1);
  EXPECT_FALSE(open("/d/a")->sync().ok());
  lose_all();
  EXPECT_EQ(read("/d/a"), "old");
}

TEST_F(SimPower, TheInterruptedRenameHasNoEffect) {
  store("/d/a", "hello");
  env_.crash_at(env_.io_count() + 1);
  EXPECT_FALSE(env_.rename("/d/a", "/d/b").ok());
  keep_all();
  EXPECT_EQ(read("/d/a"), "hello");
}

TEST_F(SimPower, AnInterruptedDirectoryMayOrMayNotBeThere) {
  env_.crash_at(env_.io_count() + 4);  // create and sync /d/x, create /d/x/y, sync it
  EXPECT_FALSE(env_.create_directories("/d/x/y").ok());
  const auto at_the_cut = env_.snapshot();
  lose_all();
  EXPECT_TRUE(*env_.exists("/d/x"));
  EXPECT_FALSE(*env_.exists("/d/x/y"));
  env_.restore(at_the_cut);
  keep_all();
  EXPECT_TRUE(*env_.exists("/d/x/y"));
}

TEST_F(SimPower, ALostDirectoryTakesItsFilesAlong) {
  env_.crash_at(env_.io_count() + 2);
  EXPECT_FALSE(env_.create_directories("/d/x").ok());
  env_.restore(env_.snapshot());  // boots with the name pending
  ASSERT_TRUE(env_.rename("/d/x", "/d/z").ok());
  write("/d/z/a", "hello");
  sync("/d/z/a");
  sync_names("/d/z");
  lose_all();
  EXPECT_EQ(env_.all_files(), std::vector<std::string>{});
}

TEST_F(SimPower, ACrashForgetsThePlan) {
  env_.crash_at(env_.io_count() + 1);
  lose_all();
  EXPECT_FALSE(env_.has_crashed());
  store("/d/a", "hello");
  EXPECT_EQ(read("/d/a"), "hello");
}

// --- Dead processes ------------------------------------------------------------------------------

TEST_F(SimPower, OldFilesNeverTouchTheDiskAgain) {
  store("/d/a", "hello");
  const auto old = open("/d/a");
  keep_all();
  EXPECT_FALSE(old->write_at(0, "ghost").ok());
  EXPECT_FALSE(old->truncate(0).ok());
  EXPECT_FALSE(old->sync().ok());
  EXPECT_FALSE(old->size().ok());
  EXPECT_EQ(read("/d/a"), "hello");
}

TEST_F(SimPower, ACrashFreesLocks) {
  auto old = std::move(*env_.lock_file("/d/lock"));
  lose_all();
  old.reset();
  const auto lock = env_.lock_file("/d/lock");
  ASSERT_TRUE(lock.ok());
}

TEST_F(SimPower, TheDestructorOfAnOldLockDoesNotFreeTheNewOne) {
  auto old = std::move(*env_.lock_file("/d/lock"));
  auto other = std::move(*env_.lock_file("/d/other"));
  lose_all();
  other.reset();
  old.reset();
  const auto lock = env_.lock_file("/d/lock");
  EXPECT_EQ(env_.lock_file("/d/lock").status().code(), StatusCode::kConflict);
}

TEST_F(SimPower, WhileTheOldProcessIsTakenApartTheDiskIsSafe) {
  store("/d/a", "hello");
  auto lock = std::move(*env_.lock_file("/d/lock"));
  auto worker = env_.start_worker("old", [] {});
  lose_all();
  const Status refused = env_.remove("/d/a");
  EXPECT_EQ(refused.code(), StatusCode::kIoError);
  EXPECT_THAT(refused.to_string(), HasSubstr("worker old"));
  worker.reset();
  EXPECT_THAT(env_.remove("/d/a").to_string(), HasSubstr("lock /d/lock"));
  lock.reset();
  EXPECT_TRUE(env_.remove("/d/a").ok());
}

TEST(SimEnvLifetime, FilesLocksAndWorkersMayOutliveIt) {
  auto env = std::make_unique<SimEnv>(1);
  const auto file = std::move(*env->open("/a", OpenMode::kCreate));
  const auto lock = env->lock_file("/lock");
  const auto worker = env->start_worker("late", [] {});
  env.reset();
  worker->notify();
  EXPECT_FALSE(file->write_at(0, "x").ok());
}

}  // namespace
}  // namespace firn
