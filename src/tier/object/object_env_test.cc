#include "tier/object/object_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tier/object/s3_store.h"
#include "tier/object/test_s3_server.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ObjectEnvTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TestS3Server::give_credentials(&base_);
    open();
  }
  void open() {
    auto store = open_s3_store(&base_, server_.options());
    ASSERT_TRUE(store.ok());
    auto cached = open_cached_store(&base_, std::move(*store), {"/local/cache", 8 * kMiB});
    ASSERT_TRUE(cached.ok());
    auto env = ObjectEnv::open(&base_, std::move(*cached), "/local/staging",
                               [](std::string_view) { return true; });
    ASSERT_TRUE(env.ok()) << env.status().to_string();
    env_ = std::move(*env);
  }
  std::string path(const std::string& key) const { return env_->root() + "/" + key; }
  Status write(const std::string& key, ByteView content) {
    const std::string staged = path(key) + ".tmp";
    FIRN_TRY(env_->create_directories(parent_path(staged)));
    FIRN_ASSIGN(auto file, env_->open(staged, OpenMode::kCreateNew));
    FIRN_TRY(file->write_at(0, content));
    FIRN_TRY(file->sync());
    file.reset();
    FIRN_TRY(env_->rename(staged, path(key)));
    return env_->sync_directory(parent_path(path(key)));
  }
  std::string read(const std::string& key) {
    const auto content = read_file(env_.get(), path(key), 1000);
    return content.ok() ? *content : content.status().to_string();
  }
  std::vector<std::string> names(const std::string& directory) {
    std::vector<std::string> out;
    const auto entries = env_->list_directory(path(directory));
    EXPECT_TRUE(entries.ok());
    for (const auto& entry : *entries) out.push_back(entry.name + (entry.is_directory ? "/" : ""));
    return out;
  }

  SimEnv base_{9};
  TestS3Server server_{&base_};
  std::unique_ptr<ObjectEnv> env_;
};

TEST_F(ObjectEnvTest, ARenameMakesAnObject) {
  ASSERT_TRUE(write("a/b", "content").ok());
  EXPECT_EQ(read("a/b"), "content");
  EXPECT_THAT(server_.objects(), ElementsAre(std::pair("some/prefix/a/b", "content")));
  EXPECT_THAT(base_.all_files(), ElementsAre("/local/cache"));
}

TEST_F(ObjectEnvTest, WhatIsThereIsFoundAgain) {
  ASSERT_TRUE(write("a/b", "content").ok());
  open();
  EXPECT_EQ(read("a/b"), "content");
  EXPECT_THAT(names("a"), ElementsAre("b"));
}

TEST_F(ObjectEnvTest, ListsOneLevel) {
  for (const char* key : {"d/a", "d/b/1", "d/b/2", "d/b-c", "d/b.d", "e"}) {
    ASSERT_TRUE(write(key, key).ok());
  }
  EXPECT_THAT(names("d"), ElementsAre("a", "b/", "b-c", "b.d"));
  EXPECT_THAT(names("d/b"), ElementsAre("1", "2"));
  EXPECT_THAT(names(""), ElementsAre("d/", "e"));
  EXPECT_THAT(names("x"), IsEmpty());
}

TEST_F(ObjectEnvTest, DirectoriesAreThereWithTheirFiles) {
  EXPECT_FALSE(*env_->exists(path("d")));
  ASSERT_TRUE(write("d/a", "x").ok());
  EXPECT_TRUE(*env_->exists(path("d")));
  EXPECT_TRUE(*env_->exists(path("d/a")));
  EXPECT_FALSE(*env_->exists(path("d/") + "b"));
  ASSERT_TRUE(env_->remove(path("d/a")).ok());
  EXPECT_FALSE(*env_->exists(path("d")));
  EXPECT_EQ(env_->remove(path("d/a")).code(), StatusCode::kNotFound);
}

TEST_F(ObjectEnvTest, ANameCountsOnlyAfterTheReadBack) {
  server_.fail(S3Fault::kDamagedAnswer, "GET");
  EXPECT_EQ(write("a", "content").code(), StatusCode::kCorruption);
  EXPECT_FALSE(*env_->exists(path("a")));
  server_.fail(S3Fault::kNotFound, "GET");
  EXPECT_EQ(write("b", "content").code(), StatusCode::kNotFound);
  EXPECT_FALSE(*env_->exists(path("b")));
}

TEST_F(ObjectEnvTest, TheReadBackIsNotAnsweredByTheCache) {
  ASSERT_TRUE(write("a", "content").ok());
  ASSERT_EQ(read("a"), "content");
  server_.damage("some/prefix/a", 0);
  EXPECT_EQ(read("a"), "content");
  env_->forget_cached(path("a"));
  EXPECT_EQ(read("a"), "bontent");
}

TEST_F(ObjectEnvTest, AFailedRenameKeepsTheStagedFile) {
  const std::string staged = path("a.tmp");
  ASSERT_TRUE((*env_->open(staged, OpenMode::kCreateNew))->write_at(0, "content").ok());
  server_.fail(S3Fault::kForbidden, "PUT");
  EXPECT_EQ(env_->rename(staged, path("a")).code(), StatusCode::kIoError);
  EXPECT_TRUE(*env_->exists(staged));
  EXPECT_TRUE(env_->rename(staged, path("a")).ok());
  EXPECT_EQ(read("a"), "content");
}

TEST_F(ObjectEnvTest, LeftoversAreGoneAfterTheOpening) {
  ASSERT_TRUE((*env_->open(path("a.tmp"), OpenMode::kCreateNew))->write_at(0, "half").ok());
  base_.set_raw_content("/local/staging/somebody-elses", "x");
  open();
  EXPECT_THAT(base_.all_files(), ElementsAre("/local/cache", "/local/staging/somebody-elses"));
  EXPECT_FALSE(*env_->exists(path("a.tmp")));
}

TEST_F(ObjectEnvTest, AnObjectThatSomebodyReplacedIsNotMixedUp) {
  ASSERT_TRUE(write("a", "content").ok());
  server_.put_directly("some/prefix/a", "another");
  EXPECT_THAT(read("a"), ::testing::HasSubstr("conflict"));
}

TEST_F(ObjectEnvTest, WhatObjectsCannotDoIsRefused) {
  ASSERT_TRUE(write("a", "x").ok());
  EXPECT_EQ(env_->open(path("a"), OpenMode::kReadWrite).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(env_->open(path("b"), OpenMode::kCreate).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(env_->rename(path("a"), path("b")).code(), StatusCode::kUnsupported);
  EXPECT_EQ(env_->rename("/x.tmp", path("x")).code(), StatusCode::kUnsupported);
  EXPECT_EQ(env_->lock_file(path("a")).status().code(), StatusCode::kUnsupported);
}

TEST_F(ObjectEnvTest, OtherPathsAreTheBases) {
  ASSERT_TRUE(env_->create_directories("/other").ok());
  ASSERT_TRUE(replace_file(env_.get(), "/other/file", "x").ok());
  EXPECT_EQ(base_.raw_content("/other/file"), "x");
  EXPECT_EQ(*read_file(env_.get(), "/other/file", 10), "x");
}

}  // namespace
}  // namespace firn
