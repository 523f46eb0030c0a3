#include "env/env.h"

#include <gtest/gtest.h>

#include "env/test_directory.h"

namespace firn {
namespace {

TEST(Path, JoinsWithExactlyOneSlash) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("a//", "/b"), "a/b");
  EXPECT_EQ(join_path("/", "b"), "/b");
  EXPECT_EQ(join_path("", "b"), "b");
}

TEST(Path, ParentIsEverythingBeforeTheLastSlash) {
  EXPECT_EQ(parent_path("a/b/c"), "a/b");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("a"), ".");
}

class FileContent : public ::testing::Test {
 protected:
  Status replace(std::string_view content) { return replace_file(posix_env(), path_, content); }
  Result<std::string> read(uint64_t limit_bytes = 1000) {
    return read_file(posix_env(), path_, limit_bytes);
  }
  bool leftover() { return *posix_env()->exists(path_ + ".tmp"); }

  TestDirectory directory_;
  const std::string path_ = directory_.file("file");
};

TEST_F(FileContent, ReplacesTheWholeFile) {
  ASSERT_TRUE(replace("a long first content").ok());
  ASSERT_TRUE(replace("short").ok());
  EXPECT_EQ(*read(), "short");
  EXPECT_FALSE(leftover());
}

TEST_F(FileContent, ReplacesOverWhatACrashLeft) {
  ASSERT_TRUE(replace_file(posix_env(), path_ + ".tmp", "a long and half-written leftover").ok());
  ASSERT_TRUE(replace("new").ok());
  EXPECT_EQ(*read(), "new");
}

TEST_F(FileContent, GeneratedFilesAreReadToTheirEndOrRefused) {
  const std::string content(200'000, 'x');
  ASSERT_TRUE(replace(content).ok());
  EXPECT_EQ(*read_generated_file(posix_env(), path_, content.size()), content);
  EXPECT_EQ(read_generated_file(posix_env(), path_, content.size() - 1).status().code(),
            StatusCode::kTooLarge);
}

TEST_F(FileContent, FailedReplacementKeepsTheOld) {
  ASSERT_TRUE(posix_env()->create_directories(path_).ok());
  EXPECT_FALSE(replace("new").ok());
  EXPECT_FALSE(leftover());
}

TEST_F(FileContent, ATreeGoesWithEverythingInIt) {
  const std::string tree = directory_.file("tree");
  ASSERT_TRUE(posix_env()->create_directories(tree + "/a/b").ok());
  ASSERT_TRUE(replace_file(posix_env(), tree + "/a/file", "x").ok());
  EXPECT_TRUE(remove_tree(posix_env(), tree).ok());
  EXPECT_FALSE(*posix_env()->exists(tree));
  EXPECT_TRUE(remove_tree(posix_env(), tree).ok()) << "nothing to remove";
}

TEST_F(FileContent, ReadingRespectsTheLimit) {
  ASSERT_TRUE(replace("12345").ok());
  EXPECT_EQ(*read(5), "12345");
  EXPECT_EQ(read(4).status().code(), StatusCode::kTooLarge);
}

TEST_F(FileContent, ReadingWhatIsMissingSaysSo) {
  EXPECT_EQ(read().status().code(), StatusCode::kNotFound);
  EXPECT_NE(read().status().message().find(path_), std::string_view::npos);
}

}  // namespace
}  // namespace firn
