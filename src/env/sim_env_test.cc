#include "env/sim_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What the disk does while the power is on, the same as PosixEnv.
class SimEnvTest : public ::testing::Test {
 protected:
  std::unique_ptr<File> open(const std::string& path, OpenMode mode = OpenMode::kCreate) {
    Result<std::unique_ptr<File>> file = env_.open(path, mode);
    EXPECT_TRUE(file.ok()) << file.status().to_string();
    return std::move(*file);
  }
  void write(const std::string& path, ByteView content) {
    EXPECT_TRUE(open(path)->write_at(0, content).ok());
  }
  std::string read(const std::string& path) { return *read_file(&env_, path, kMaxBytes); }
  StatusCode open_code(const std::string& path, OpenMode mode) {
    return env_.open(path, mode).status().code();
  }

  static constexpr uint64_t kMaxBytes = 1 << 20;
  SimEnv env_{1};
};

TEST_F(SimEnvTest, ReadsSeeWritesAtOnce) {
  write("/a", "hello");
  EXPECT_EQ(read("/a"), "hello");
}

TEST_F(SimEnvTest, AllPartsOfAWriteFollowOneAnother) {
  const auto file = open("/a");
  const std::vector<ByteView> parts{"he", "", "llo"};
  ASSERT_TRUE(file->write_at(1, parts).ok());
  EXPECT_EQ(read("/a"), std::string("\0hello", 6));
}

TEST_F(SimEnvTest, ReadStopsAtTheEnd) {
  write("/a", "hello");
  char out[8];
  EXPECT_EQ(*open("/a")->read_at(3, out, sizeof(out)), 2U);
  EXPECT_EQ(*open("/a")->read_at(5, out, sizeof(out)), 0U);
}

TEST_F(SimEnvTest, TruncateCutsAndExtendsWithZeros) {
  write("/a", "hello");
  const auto file = open("/a");
  ASSERT_TRUE(file->truncate(2).ok());
  ASSERT_TRUE(file->truncate(4).ok());
  EXPECT_EQ(read("/a"), std::string("he\0\0", 4));
}

TEST_F(SimEnvTest, AllocateOnlyExtends) {
  write("/a", "hello");
  const auto file = open("/a");
  ASSERT_TRUE(file->allocate(3).ok());
  EXPECT_EQ(read("/a"), "hello");
  ASSERT_TRUE(file->allocate(7).ok());
  EXPECT_EQ(read("/a"), std::string("hello\0\0", 7));
}

TEST_F(SimEnvTest, ContentIsRightAcrossPages) {
  std::string expected(20'000, '\0');
  const auto file = open("/a");
  for (size_t at = 100; at + 3'000 < expected.size(); at += 4'321) {
    const std::string piece(3'000, static_cast<char>('a' + at % 26));
    ASSERT_TRUE(file->write_at(at, piece).ok());
    expected.replace(at, piece.size(), piece);
  }
  expected.resize(9'001);
  ASSERT_TRUE(file->truncate(9'001).ok());
  expected.resize(19'999, '\0');
  ASSERT_TRUE(file->truncate(19'999).ok());
  EXPECT_EQ(read("/a"), expected);
}

TEST_F(SimEnvTest, OpenModesDoWhatTheySay) {
  EXPECT_EQ(open_code("/a", OpenMode::kRead), StatusCode::kNotFound);
  EXPECT_EQ(open_code("/a", OpenMode::kReadWrite), StatusCode::kNotFound);
  EXPECT_EQ(open_code("/a", OpenMode::kCreateNew), StatusCode::kOk);
  EXPECT_EQ(open_code("/a", OpenMode::kCreateNew), StatusCode::kConflict);
  EXPECT_EQ(open_code("/a", OpenMode::kCreate), StatusCode::kOk);
  EXPECT_EQ(open_code("/missing/a", OpenMode::kCreate), StatusCode::kNotFound);
  EXPECT_EQ(open_code("/a/b", OpenMode::kCreate), StatusCode::kIoError);
  EXPECT_EQ(open_code("/", OpenMode::kRead), StatusCode::kIoError);
}

TEST_F(SimEnvTest, AFileOpenedForReadingIsNotWritten) {
  write("/a", "hello");
  const auto file = open("/a", OpenMode::kRead);
  EXPECT_EQ(file->write_at(0, "x").code(), StatusCode::kIoError);
  EXPECT_EQ(file->truncate(0).code(), StatusCode::kIoError);
  EXPECT_EQ(file->allocate(100).code(), StatusCode::kIoError);
  EXPECT_EQ(read("/a"), "hello");
}

TEST_F(SimEnvTest, ARemovedFileStaysReadableByWhoHasItOpen) {
  write("/a", "hello");
  const auto file = open("/a");
  ASSERT_TRUE(env_.remove("/a").ok());
  EXPECT_FALSE(*env_.exists("/a"));
  EXPECT_EQ(*file->size(), 5U);
  EXPECT_EQ(env_.remove("/a").code(), StatusCode::kNotFound);
}

TEST_F(SimEnvTest, RenameReplaces) {
  write("/a", "new");
  write("/b", "old");
  ASSERT_TRUE(env_.rename("/a", "/b").ok());
  EXPECT_EQ(read("/b"), "new");
  EXPECT_FALSE(*env_.exists("/a"));
  EXPECT_EQ(env_.rename("/a", "/b").code(), StatusCode::kNotFound);
}

TEST_F(SimEnvTest, RenameMovesBetweenDirectories) {
  ASSERT_TRUE(env_.create_directories("/x/y").ok());
  write("/a", "hello");
  ASSERT_TRUE(env_.rename("/a", "/x/y/b").ok());
  EXPECT_EQ(read("/x/y/b"), "hello");
  ASSERT_TRUE(env_.rename("/x/y", "/z").ok());
  EXPECT_EQ(read("/z/b"), "hello");
  EXPECT_EQ(env_.rename("/z", "/z/inside").code(), StatusCode::kIoError);
}

TEST_F(SimEnvTest, DirectoriesAreListedSorted) {
  ASSERT_TRUE(env_.create_directories("/d/sub").ok());
  write("/d/b", "12");
  write("/d/a", "1");
  const auto entries = *env_.list_directory("/d");
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[1].name, "b");
  EXPECT_EQ(entries[1].size_bytes, 2U);
  EXPECT_EQ(entries[2].name, "sub");
  EXPECT_TRUE(entries[2].is_directory);
  EXPECT_EQ(env_.list_directory("/missing").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(env_.list_directory("/d/a").status().code(), StatusCode::kIoError);
}

TEST_F(SimEnvTest, OnlyEmptyDirectoriesAreRemoved) {
  ASSERT_TRUE(env_.create_directories("/d").ok());
  write("/d/a", "1");
  EXPECT_EQ(env_.remove_directory("/d").code(), StatusCode::kIoError);
  EXPECT_EQ(env_.remove("/d").code(), StatusCode::kIoError);
  ASSERT_TRUE(env_.remove("/d/a").ok());
  EXPECT_TRUE(env_.remove_directory("/d").ok());
  EXPECT_EQ(env_.remove_directory("/d").code(), StatusCode::kNotFound);
}

TEST_F(SimEnvTest, SpellingsOfAPathAreTheSameFile) {
  write("a", "hello");
  EXPECT_EQ(read("/a"), "hello");
  EXPECT_EQ(read("//./x/../a"), "hello");
  EXPECT_TRUE(env_.sync_directory(parent_path("a")).ok());
}

TEST_F(SimEnvTest, ALockHasOneHolder) {
  Result<std::unique_ptr<FileLock>> lock = env_.lock_file("/lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(env_.lock_file("//lock").status().code(), StatusCode::kConflict);
  lock->reset();
  EXPECT_TRUE(env_.lock_file("/lock").ok());
}

TEST_F(SimEnvTest, AFullDiskTakesWhatFits) {
  env_.set_capacity(8);
  EXPECT_EQ(*env_.free_space("/"), 8U);
  const auto file = open("/a");
  EXPECT_EQ(file->write_at(0, "0123456789").code(), StatusCode::kNoSpace);
  EXPECT_EQ(read("/a"), "01234567");
  EXPECT_EQ(*env_.free_space("/"), 0U);
  EXPECT_TRUE(file->write_at(2, "ab").ok());  // needs no room
  EXPECT_EQ(open("/b")->write_at(0, "x").code(), StatusCode::kNoSpace);
}

TEST_F(SimEnvTest, AllocateOnAFullDiskChangesNothing) {
  env_.set_capacity(8);
  const auto file = open("/a");
  EXPECT_EQ(file->allocate(9).code(), StatusCode::kNoSpace);
  EXPECT_EQ(*file->size(), 0U);
  EXPECT_TRUE(file->allocate(8).ok());
}

TEST_F(SimEnvTest, SpaceComesBack) {
  env_.set_capacity(8);
  write("/a", "01234567");
  ASSERT_TRUE(env_.remove("/a").ok());
  EXPECT_EQ(*env_.free_space("/"), 8U);
  env_.set_capacity(20);
  EXPECT_TRUE(open("/b")->write_at(0, "0123456789").ok());
}

TEST_F(SimEnvTest, EnvironmentIsWhatTheTestSays) {
  EXPECT_FALSE(env_.environment_variable("HOME").has_value());
  env_.set_environment_variable("HOME", "/root");
  EXPECT_EQ(env_.environment_variable("HOME"), "/root");
  env_.set_environment_variable("HOME", std::nullopt);
  EXPECT_FALSE(env_.environment_variable("HOME").has_value());
}

TEST_F(SimEnvTest, RandomBitsComeFromTheSeed) {
  SimEnv same(1);
  SimEnv other(2);
  const uint64_t first = env_.random_u64();
  EXPECT_EQ(same.random_u64(), first);
  EXPECT_NE(other.random_u64(), first);
  EXPECT_NE(env_.random_u64(), first);
}

// --- Looking and damaging ------------------------------------------------------------------------

TEST_F(SimEnvTest, ListsAllFiles) {
  ASSERT_TRUE(env_.create_directories("/d/e").ok());
  write("/d/e/b", "");
  write("/d/a", "");
  EXPECT_THAT(env_.all_files(), ElementsAre("/d/a", "/d/e/b"));
}

TEST_F(SimEnvTest, KnowsWhatIsNotSynced) {
  ASSERT_TRUE(env_.create_directories("/d").ok());
  EXPECT_THAT(env_.unsynced_paths(), IsEmpty());
  write("/d/a", "1");
  EXPECT_THAT(env_.unsynced_paths(), ElementsAre("/d", "/d/a"));
  ASSERT_TRUE(open("/d/a")->sync().ok());
  EXPECT_THAT(env_.unsynced_paths(), ElementsAre("/d"));
  ASSERT_TRUE(env_.sync_directory("/d").ok());
  EXPECT_THAT(env_.unsynced_paths(), IsEmpty());
}

TEST_F(SimEnvTest, FlippedBitIsThereNowAndAfterACrash) {
  env_.set_raw_content("/a", "AAA");
  env_.flip_bit("/a", 8 + 1);
  EXPECT_EQ(env_.raw_content("/a"), "ACA");
  env_.crash(CrashMode::kLoseAll, 0);
  EXPECT_EQ(env_.raw_content("/a"), "ACA");
}

TEST_F(SimEnvTest, RawContentIsDurable) {
  write("/a", "a longer one, never synced");
  env_.set_raw_content("/a", "raw");
  EXPECT_EQ(read("/a"), "raw");
  env_.crash(CrashMode::kKeepAll, 0);
  EXPECT_EQ(read("/a"), "raw");
  env_.crash(CrashMode::kLoseAll, 0);
  EXPECT_EQ(read("/a"), "raw");
}

// --- Snapshots -----------------------------------------------------------------------------------

TEST_F(SimEnvTest, RestoringBringsTheWholeDiskBack) {
  ASSERT_TRUE(env_.create_directories("/d").ok());
  write("/d/a", "before");
  const auto snapshot = env_.snapshot();
  write("/d/a", "later!");
  write("/d/b", "new");
  env_.restore(snapshot);
  EXPECT_EQ(read("/d/a"), "before");
  EXPECT_FALSE(*env_.exists("/d/b"));
}

TEST_F(SimEnvTest, ASnapshotCanBeUsedAgain) {
  write("/a", "before");
  const auto snapshot = env_.snapshot();
  for (int i = 0; i < 2; ++i) {
    env_.restore(snapshot);
    EXPECT_EQ(read("/a"), "before");
    write("/a", "later!");
  }
  SimEnv other(7);
  other.restore(snapshot);
  EXPECT_EQ(other.raw_content("/a"), "before");
}

TEST_F(SimEnvTest, WhatWasPendingIsPendingAfterRestoring) {
  write("/a", "hello");
  ASSERT_TRUE(env_.sync_directory("/").ok());
  const auto snapshot = env_.snapshot();
  ASSERT_TRUE(open("/a")->sync().ok());
  env_.restore(snapshot);
  env_.crash(CrashMode::kLoseAll, 0);
  EXPECT_EQ(read("/a"), "");
  env_.restore(snapshot);
  env_.crash(CrashMode::kKeepAll, 0);
  EXPECT_EQ(read("/a"), "hello");
}

TEST_F(SimEnvTest, RestoringEndsTheProcess) {
  const auto snapshot = env_.snapshot();
  const auto file = open("/a");
  env_.restore(snapshot);
  EXPECT_EQ(file->write_at(0, "x").code(), StatusCode::kIoError);
}

}  // namespace
}  // namespace firn
