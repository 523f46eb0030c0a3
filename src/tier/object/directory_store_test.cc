#include "tier/object/directory_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/fault_env.h"
#include "env/sim_env.h"

namespace firn {
namespace {

constexpr auto kAll = [](std::string_view) { return true; };

class DirectoryStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<ObjectStore> open() {
    auto store = open_directory_store(&faults_, "/store");
    EXPECT_TRUE(store.ok()) << store.status().to_string();
    return std::move(*store);
  }
  static Status put(ObjectStore* store, const std::string& key, ByteView content) {
    return store->put(key, BytesContent(content), PutMode::kReplace).status();
  }

  SimEnv env_{1};
  FaultEnv faults_{&env_};
};

TEST_F(DirectoryStoreTest, AnObjectIsAFile) {
  ASSERT_TRUE(put(open().get(), "a/b=1/c", "content").ok());
  EXPECT_EQ(env_.raw_content("/store/a/b=1/c"), "content");
  EXPECT_THAT(env_.unsynced_paths(), ::testing::IsEmpty());
}

TEST_F(DirectoryStoreTest, EveryPowerCutLeavesTheOldOrTheNewObject) {
  const std::string old_content(3'000'000, 'o'), new_content(2'500'000, 'n');
  for (uint64_t call = 1;; ++call) {
    SimEnv env(call);
    auto store = open_directory_store(&env, "/store");
    ASSERT_TRUE(store.ok() && put(store->get(), "a/b", old_content).ok());
    env.crash_at(env.io_count() + call);
    const Status status = put(store->get(), "a/b", new_content);
    const bool ended = !env.has_crashed();
    env.crash(CrashMode::kRandom, call);
    store = open_directory_store(&env, "/store");
    ASSERT_TRUE(store.ok());
    const auto found = read_object(store->get(), "a/b", UINT64_MAX);
    ASSERT_TRUE(found.ok()) << found.status().to_string();
    EXPECT_TRUE(*found == new_content || (!status.ok() && *found == old_content)) << call;
    if (ended) break;
  }
}

TEST_F(DirectoryStoreTest, AFailedPutLeavesNothing) {
  auto store = open();
  for (const IoKind kind : {IoKind::kOpen, IoKind::kWrite, IoKind::kSync, IoKind::kRename}) {
    faults_.fail_matching(kind, "a/b", 1, io_error("injected"));
    EXPECT_FALSE(put(store.get(), "a/b", "content").ok());
    EXPECT_THAT(env_.all_files(), ::testing::IsEmpty());
  }
}

TEST_F(DirectoryStoreTest, SweepRemovesOnlyUnfinishedFilesOfOurs) {
  auto store = open();
  ASSERT_TRUE(put(store.get(), "a/done", "x").ok());
  for (const char* name : {"a/ours.tmp", "a/foreign.tmp", "b/ours.tmp"}) {
    ASSERT_TRUE(env_.create_directories("/store/b").ok());
    env_.set_raw_content(join_path("/store", name), "half");
  }
  ASSERT_TRUE(store->sweep("a/", [](std::string_view key) { return key.ends_with("/ours"); }).ok());
  EXPECT_THAT(env_.all_files(),
              ::testing::ElementsAre("/store/a/done", "/store/a/foreign.tmp", "/store/b/ours.tmp"));
}

TEST_F(DirectoryStoreTest, UnfinishedFilesAreNotListed) {
  auto store = open();
  env_.set_raw_content("/store/half.tmp", "half");
  const auto page = store->list_page("", "");
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(page->objects, ::testing::IsEmpty());
  EXPECT_TRUE(store->sweep("", kAll).ok());
}

TEST_F(DirectoryStoreTest, RemovalIsDurable) {
  auto store = open();
  ASSERT_TRUE(put(store.get(), "a", "x").ok());
  ASSERT_TRUE(store->remove("a").ok());
  env_.crash(CrashMode::kLoseAll, 1);
  EXPECT_EQ(open()->head("a").status().code(), StatusCode::kNotFound);
}

TEST_F(DirectoryStoreTest, NothingHappensAfterCancel) {
  auto store = open();
  store->cancel();
  EXPECT_EQ(put(store.get(), "a", "x").code(), StatusCode::kCancelled);
  EXPECT_EQ(store->list_page("", "").status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace firn
