#include "env/fault_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/sim_env.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FaultEnvTest : public ::testing::Test {
 protected:
  std::unique_ptr<File> open(const std::string& path) {
    return std::move(*env_.open(path, OpenMode::kCreate));
  }
  std::string read(const std::string& path) { return *read_file(&disk_, path, 1000); }
  uint64_t next_call() { return env_.io_count() + 1; }
  // Every method once.
  std::vector<Status> call_everything();

  SimEnv disk_{1};
  FaultEnv env_{&disk_};
};

std::vector<Status> FaultEnvTest::call_everything() {
  FaultEnv& env = env_;
  disk_.set_raw_content("/file", "hello");
  std::vector<Status> all;
  auto opened = env.open("/file", OpenMode::kReadWrite);
  all.push_back(opened.status());
  if (!opened.ok()) return all;
  char byte = 0;
  all.push_back((*opened)->read_at(0, &byte, 1).status());
  all.push_back((*opened)->write_at(0, "x"));
  all.push_back((*opened)->sync());
  all.push_back((*opened)->truncate(1));
  all.push_back((*opened)->allocate(2));
  all.push_back((*opened)->size().status());
  all.push_back(env.create_directories("/d"));
  all.push_back(env.rename("/file", "/d/file"));
  all.push_back(env.remove("/d/file"));
  all.push_back(env.sync_directory("/"));
  all.push_back(env.remove_directory("/d"));
  all.push_back(env.list_directory("/").status());
  all.push_back(env.exists("/file").status());
  all.push_back(env.lock_file("/lock").status());
  all.push_back(env.free_space("/").status());
  return all;
}

TEST_F(FaultEnvTest, WithoutFaultsEverythingPassesThrough) {
  const std::vector<Status> all = call_everything();
  ASSERT_EQ(all.size(), kIoKinds);
  for (const Status& status : all) EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(env_.io_count(), kIoKinds);
  for (size_t i = 0; i < kIoKinds; ++i) {
    EXPECT_EQ(env_.io_count(static_cast<IoKind>(i)), 1U) << io_kind_name(static_cast<IoKind>(i));
  }
}

TEST_F(FaultEnvTest, EveryKindOfCallCanFail) {
  for (size_t i = 0; i < kIoKinds; ++i) {
    const auto kind = static_cast<IoKind>(i);
    env_.heal();
    env_.fail_matching(kind, "", 1, no_space("injected"));
    size_t failed = 0;
    for (const Status& status : call_everything()) {
      if (status.code() == StatusCode::kNoSpace) ++failed;
    }
    EXPECT_EQ(failed, 1U) << io_kind_name(kind);
    EXPECT_EQ(env_.faults_injected(), 1U) << io_kind_name(kind);
    (void)disk_.remove("/d/file");
    (void)disk_.remove_directory("/d");
  }
}

TEST_F(FaultEnvTest, FailsOneCall) {
  const auto file = open("/a");
  env_.fail_once(next_call() + 1, io_error("injected"));
  EXPECT_TRUE(file->write_at(0, "1").ok());
  const Status status = file->write_at(0, "2");
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_THAT(status.to_string(), HasSubstr("write /a: injected"));
  EXPECT_EQ(read("/a"), "1") << "a call that fails is not passed on";
  EXPECT_TRUE(file->write_at(0, "3").ok());
  EXPECT_EQ(env_.faults_injected(), 1U);
}

TEST_F(FaultEnvTest, FailsFromACallOn) {
  const auto file = open("/a");
  env_.fail_from(next_call() + 1, io_error("injected"));
  EXPECT_TRUE(file->write_at(0, "1").ok());
  EXPECT_FALSE(file->write_at(0, "2").ok());
  EXPECT_FALSE(env_.remove("/a").ok());
  env_.heal();
  EXPECT_TRUE(env_.remove("/a").ok());
}

TEST_F(FaultEnvTest, FailsByKindAndPath) {
  const auto log = open("/wal.log");
  const auto data = open("/data");
  env_.fail_matching(IoKind::kSync, "wal", 2, io_error("injected"));
  EXPECT_TRUE(log->write_at(0, "x").ok());
  EXPECT_TRUE(data->sync().ok());
  EXPECT_FALSE(log->sync().ok());
  EXPECT_FALSE(log->sync().ok());
  EXPECT_TRUE(log->sync().ok()) << "it heals, as disks do";
}

TEST_F(FaultEnvTest, HealingForgetsEveryPlan) {
  const auto file = open("/a");
  env_.fail_once(next_call(), io_error("injected"));
  env_.fail_from(next_call(), io_error("injected"));
  env_.fail_matching(IoKind::kWrite, "", UINT64_MAX, io_error("injected"));
  EXPECT_FALSE(file->write_at(0, "x").ok());
  env_.heal();
  EXPECT_EQ(env_.faults_injected(), 0U);
  EXPECT_TRUE(file->write_at(0, "x").ok());
}

TEST_F(FaultEnvTest, ARenameMatchesByEitherPath) {
  open("/a");
  env_.fail_matching(IoKind::kRename, "target", UINT64_MAX, io_error("injected"));
  EXPECT_FALSE(env_.rename("/a", "/target").ok());
  EXPECT_TRUE(env_.rename("/a", "/b").ok());
}

TEST_F(FaultEnvTest, OnlyCountedKindsHaveNumbers) {
  env_.count_only({IoKind::kSync});
  const auto file = open("/a");
  env_.fail_once(1, io_error("injected"));
  EXPECT_TRUE(file->write_at(0, "x").ok());
  EXPECT_FALSE(file->sync().ok());
  EXPECT_EQ(env_.io_count(), 1U);
  EXPECT_EQ(env_.io_count(IoKind::kWrite), 1U);
}

TEST_F(FaultEnvTest, AFailingWriteCanWriteAPart) {
  const auto file = open("/a");
  env_.write_prefix(true);
  env_.fail_once(next_call(), no_space("injected"));
  const std::vector<ByteView> parts{"12", "345"};
  EXPECT_EQ(file->write_at(0, parts).code(), StatusCode::kNoSpace);
  EXPECT_EQ(read("/a"), "123");
}

TEST_F(FaultEnvTest, TellsOfEverySyncFirst) {
  std::vector<std::string> paths;
  env_.before_sync([&](const std::string& path) {
    paths.push_back(path);
    disk_.advance(kSecondNs);
  });
  const auto file = open("/a");
  const TimeNs before = env_.monotonic();
  env_.fail_once(next_call(), io_error("injected"));
  EXPECT_FALSE(file->sync().ok());
  EXPECT_TRUE(env_.sync_directory("/").ok());
  EXPECT_THAT(paths, ElementsAre("/a", "/"));
  EXPECT_GE(env_.monotonic() - before, 2 * kSecondNs);
}

// What a kernel does (and why a failed sync must not be tried again): the second sync succeeds, the
// data is lost all the same.
TEST_F(FaultEnvTest, AFailedSyncCanBeALie) {
  disk_.set_raw_content("/a", "A");
  env_.on_failed_sync([&](const std::string& path) { disk_.forget_unsynced(path); });
  env_.fail_matching(IoKind::kSync, "/a", 1, io_error("injected"));
  const auto file = open("/a");
  ASSERT_TRUE(file->write_at(0, "B").ok());
  EXPECT_FALSE(file->sync().ok());
  EXPECT_TRUE(file->sync().ok());
  EXPECT_EQ(read("/a"), "B");
  disk_.crash(CrashMode::kKeepAll, 0);
  EXPECT_EQ(read("/a"), "A");
}

TEST_F(FaultEnvTest, ListsTheSitesThatWereCalled) {
  for (const char* path : {"/000001.log", "/000002.log"}) (void)open(path)->sync();
  env_.fail_once(next_call(), io_error("injected"));
  EXPECT_FALSE(env_.rename("/000001.log", "/spare1").ok());
  std::vector<std::string> text;
  for (const IoSite& site : env_.sites()) text.push_back(site.to_string());
  EXPECT_THAT(text, ElementsAre("open /#.log: 2 calls, 0 failed", "sync /#.log: 2 calls, 0 failed",
                                "rename /#.log -> /spare#: 1 calls, 1 failed"));
}

TEST_F(FaultEnvTest, FilesOutliveIt) {
  auto env = std::make_unique<FaultEnv>(&disk_);
  const auto file = std::move(*env->open("/a", OpenMode::kCreate));
  env->fail_from(1, io_error("injected"));
  env.reset();
  EXPECT_TRUE(file->write_at(0, "x").ok());
}

// The loop of the header's example, on something that is known to be right.
TEST_F(FaultEnvTest, ReplaceFileSurvivesEveryFault) {
  ASSERT_TRUE(replace_file(&env_, "/a", "0").ok());
  uint64_t n = 1;
  for (;; ++n) {
    const std::string before = read("/a");
    env_.heal();
    env_.fail_once(env_.io_count() + n, io_error("injected"));
    const std::string content = std::to_string(n);
    const Status status = replace_file(&env_, "/a", content);
    if (env_.faults_injected() == 0) break;
    const std::string after = read("/a");
    EXPECT_TRUE(after == content || (!status.ok() && after == before)) << n;
  }
  EXPECT_GE(n, 6U);
}

}  // namespace
}  // namespace firn
