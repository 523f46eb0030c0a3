#include "tier/object/cached_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "env/fault_env.h"
#include "tier/object/s3_store.h"
#include "tier/object/test_s3_server.h"

namespace firn {
namespace {

constexpr uint64_t kBlock = 1000;

class CachedStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TestS3Server::give_credentials(&env_);
    open(100 * kBlock);
    for (size_t i = 0; i < content_.size(); ++i) {
      content_[i] = static_cast<char>('a' + (i * i / 7) % 26);
    }
  }
  void open(uint64_t budget) {
    auto base = open_s3_store(&env_, server_.options());
    ASSERT_TRUE(base.ok());
    auto store = open_cached_store(&faults_, std::move(*base), {"/cache/blocks", budget, kBlock});
    ASSERT_TRUE(store.ok()) << store.status().to_string();
    store_ = std::move(*store);
  }
  ObjectInfo put(const std::string& key) {
    auto object = store_->put(key, BytesContent(content_), PutMode::kReplace);
    EXPECT_TRUE(object.ok()) << object.status().to_string();
    return object.ok() ? *object : ObjectInfo{};
  }
  std::string read(const ObjectInfo& object, uint64_t offset, size_t size) {
    std::string out(size, '\0');
    const auto count = store_->read_at(object, offset, out.data(), size);
    EXPECT_TRUE(count.ok()) << count.status().to_string();
    out.resize(count.ok() ? *count : 0);
    return out;
  }
  size_t gets() const { return server_.requests_of("GET"); }

  SimEnv env_{5};
  FaultEnv faults_{&env_};
  TestS3Server server_{&env_};
  std::unique_ptr<CachedStore> store_;
  std::string content_ = std::string(12'345, ' ');
};

TEST_F(CachedStoreTest, EveryRangeIsWhatIsInTheObject) {
  const ObjectInfo object = put("a");
  for (uint64_t offset = 0; offset < 13'000; offset += 617) {
    for (const size_t size : {0, 1, 999, 1000, 1001, 5000, 20'000}) {
      EXPECT_EQ(read(object, offset, size),
                offset < content_.size() ? content_.substr(offset, size) : "");
    }
  }
}

TEST_F(CachedStoreTest, WhatWasReadIsNotAskedForAgain) {
  const ObjectInfo object = put("a");
  EXPECT_EQ(read(object, 1500, 10), content_.substr(1500, 10));
  EXPECT_EQ(gets(), 1u);
  EXPECT_EQ(read(object, 1000, 1000), content_.substr(1000, 1000));
  EXPECT_EQ(gets(), 1u);
  EXPECT_EQ(store_->cache_stats().hits, 1u);
  EXPECT_EQ(store_->cache_stats().misses, 1u);
}

TEST_F(CachedStoreTest, MissingBlocksBesideEachOtherAreOneRequest) {
  const ObjectInfo object = put("a");
  read(object, 3500, 10);
  const size_t before = gets();
  EXPECT_EQ(read(object, 500, 8000), content_.substr(500, 8000));
  EXPECT_EQ(gets(), before + 2);  // in front of block 3, and behind it
}

TEST_F(CachedStoreTest, TheLeastRecentlyUsedBlockGivesWay) {
  open(16 * kBlock);
  const ObjectInfo a = put("a"), b = put("b");
  read(a, 0, 12'345);  // 13 blocks
  read(a, 0, 1);       // the first is used again
  read(b, 0, 5000);    // 5 more: two too many
  EXPECT_EQ(store_->cache_stats().evictions, 2u);
  EXPECT_EQ(store_->cache_stats().used_bytes, 16 * kBlock);
  const size_t before = gets();
  read(a, 0, 1);
  EXPECT_EQ(gets(), before);
  read(a, 1000, 1);
  EXPECT_EQ(gets(), before + 1);
}

TEST_F(CachedStoreTest, TheFileStaysWithinTheBudget) {
  open(16 * kBlock);
  for (int i = 0; i < 5; ++i) read(put(std::to_string(i)), 0, 12'345);
  EXPECT_LE(env_.raw_content("/cache/blocks").size(), 16 * kBlock);
}

TEST_F(CachedStoreTest, AReplacedObjectIsReadAnew) {
  const ObjectInfo old = put("a");
  read(old, 0, 10);
  content_ = "new content";
  const ObjectInfo object = put("a");
  EXPECT_EQ(read(object, 0, 100), "new content");
  char byte = 0;
  EXPECT_EQ(store_->read_at(old, 0, &byte, 1).status().code(), StatusCode::kConflict);
}

TEST_F(CachedStoreTest, RemovalGivesTheBlocksBack) {
  const ObjectInfo object = put("a");
  read(object, 0, 5000);
  EXPECT_TRUE(store_->remove("a").ok());
  EXPECT_EQ(store_->cache_stats().used_bytes, 0u);
}

TEST_F(CachedStoreTest, ADamagedBlockIsReadFromTheStoreAgain) {
  const ObjectInfo object = put("a");
  read(object, 0, 3000);
  env_.flip_bit("/cache/blocks", 8 * 1234);
  EXPECT_EQ(read(object, 0, 3000), content_.substr(0, 3000));
  EXPECT_EQ(store_->cache_stats().failures, 1u);
  EXPECT_EQ(read(object, 0, 3000), content_.substr(0, 3000));
  EXPECT_EQ(store_->cache_stats().failures, 1u);
}

TEST_F(CachedStoreTest, ABrokenLocalDiskFailsNoRead) {
  const ObjectInfo object = put("a");
  read(object, 0, 3000);
  faults_.fail_matching(IoKind::kRead, "/cache", UINT64_MAX, io_error("injected"));
  faults_.fail_matching(IoKind::kWrite, "/cache", UINT64_MAX, no_space("injected"));
  EXPECT_EQ(read(object, 0, 9000), content_.substr(0, 9000));
  EXPECT_GT(store_->cache_stats().failures, 0u);
  faults_.heal();
  EXPECT_EQ(read(object, 0, 9000), content_.substr(0, 9000));
}

TEST_F(CachedStoreTest, AFailedReadIsNotRemembered) {
  const ObjectInfo object = put("a");
  server_.fail(S3Fault::kForbidden, "GET");
  char byte = 0;
  EXPECT_EQ(store_->read_at(object, 0, &byte, 1).status().code(), StatusCode::kIoError);
  EXPECT_EQ(read(object, 0, 10), content_.substr(0, 10));
}

TEST_F(CachedStoreTest, ThreadsThatWantTheSameBlocksShareTheRequests) {
  const ObjectInfo object = put("a");
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(read(object, 2100, 300), content_.substr(2100, 300)); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(gets(), 1u);
}

TEST_F(CachedStoreTest, ThreadsUnderPressureReadWhatIsThere) {
  open(16 * kBlock);
  const ObjectInfo objects[] = {put("a"), put("b"), put("c")};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint64_t i = 0; i < 200; ++i) {
        const uint64_t offset = (i * 7919 + thread * 104'729) % content_.size();
        EXPECT_EQ(read(objects[(i + thread) % 3], offset, 2500), content_.substr(offset, 2500));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(CachedStoreTest, ATinyBudgetIsRefused) {
  auto base = open_s3_store(&env_, server_.options());
  const auto store = open_cached_store(&env_, std::move(*base), {"/cache/x", 15 * kBlock, kBlock});
  EXPECT_EQ(store.status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace firn
