#include "env/posix_direct_file.h"

#include <gtest/gtest.h>

#include "base/size.h"
#include "env/posix_env.h"
#include "env/test_directory.h"

namespace firn {
namespace {

class PosixDirectFileTest : public ::testing::Test {
 protected:
  static constexpr size_t kFileBytes = 64 * kKiB;

  void SetUp() override {
    auto file = env_->open(path_, OpenMode::kCreate);
    ASSERT_TRUE((*file)->write_at(0, std::string(kFileBytes, 'o')).ok());
    ASSERT_TRUE((*file)->sync().ok());
    expected_.assign(kFileBytes, 'o');
    reopen();
  }
  // Skips the test where the file system cannot write past the page cache.
  void reopen() {
    auto file = env_->open(path_, OpenMode::kReadWriteDirect);
    if (file.status().code() == StatusCode::kUnsupported) GTEST_SKIP() << file.status().message();
    ASSERT_TRUE(file.ok()) << file.status().to_string();
    file_ = std::move(*file);
  }
  void write(uint64_t offset, std::span<const ByteView> parts) {
    const Status status = file_->write_at(offset, parts);
    if (status.code() == StatusCode::kUnsupported) GTEST_SKIP() << status.message();
    ASSERT_TRUE(status.ok()) << status.to_string();
    for (const ByteView part : parts) {
      expected_.replace(offset, part.size(), part);
      offset += part.size();
    }
    // What the mode promises of the rest of the last block.
    const size_t block_end = align_up(offset, 4096);
    expected_.replace(offset, block_end - offset, block_end - offset, '\0');
  }
  void write(uint64_t offset, ByteView bytes) { write(offset, std::span(&bytes, 1)); }
  std::string contents() { return *read_file(env_, path_, kMiB); }

  Env* env_ = posix_env();
  TestDirectory directory_;
  const std::string path_ = directory_.file("direct");
  std::unique_ptr<File> file_;
  std::string expected_;
};

TEST_F(PosixDirectFileTest, WritesFollowEachOtherWithinAndAcrossBlocks) {
  uint64_t offset = 0;
  for (const size_t size : {1, 100, 4095, 4096, 4097, 7, 9000, 3}) {
    write(offset, std::string(size, static_cast<char>('a' + size % 26)));
    offset += size;
  }
  EXPECT_EQ(contents(), expected_);
}

TEST_F(PosixDirectFileTest, KeepsWhatLiesBeforeAnUnalignedOffset) {
  write(5000, "hello");
  EXPECT_EQ(contents(), expected_);
  reopen();
  write(5003, "p!");
  write(100, "back");
  EXPECT_EQ(contents(), expected_);
}

TEST_F(PosixDirectFileTest, TakesManyParts) {
  const std::string large(20'000, 'L');
  const std::vector<ByteView> parts = {"a", "", large, "z"};
  write(4000, parts);
  EXPECT_EQ(contents(), expected_);
}

TEST_F(PosixDirectFileTest, DoesNothingButWrite) {
  char byte = 0;
  EXPECT_EQ(file_->read_at(0, &byte, 1).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(file_->truncate(0).code(), StatusCode::kUnsupported);
  EXPECT_EQ(file_->allocate(1).code(), StatusCode::kUnsupported);
  EXPECT_TRUE(file_->sync().ok());
  EXPECT_EQ(*file_->size(), kFileBytes);
}

TEST_F(PosixDirectFileTest, AMissingFileIsNotMade) {
  EXPECT_EQ(env_->open(directory_.file("missing"), OpenMode::kReadWriteDirect).status().code(),
            StatusCode::kNotFound);
}

}  // namespace
}  // namespace firn
