// One set of expectations for every object store.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "base/crc32c.h"
#include "env/sim_env.h"
#include "env/test_directory.h"
#include "tier/object/cached_store.h"
#include "tier/object/directory_store.h"
#include "tier/object/object_store.h"
#include "tier/object/s3_store.h"
#include "tier/object/test_s3_server.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string noise(size_t size, uint64_t seed) {
  std::string out;
  for (uint64_t i = 0; out.size() < size; ++i) append_le(&out, (i + seed) * 0x9e3779b97f4a7c15);
  out.resize(size);
  return out;
}

// Whatever the environment names; tests/rig/rgw.py starts one. Each call has a prefix of its own.
S3Options real_s3_options() {
  S3Options options;
  options.bucket = posix_env()->environment_variable("FIRN_TEST_S3_BUCKET").value_or("");
  options.endpoint = posix_env()->environment_variable("FIRN_TEST_S3_ENDPOINT").value_or("");
  options.prefix = "run-" + std::to_string(posix_env()->random_u64());
  options.part_bytes = 5 * kMiB;
  return options;
}

std::vector<std::string> stores() {
  std::vector<std::string> names = {"directory", "s3", "cached_s3"};
  if (!real_s3_options().endpoint.empty()) names.emplace_back("real_s3");
  return names;
}

class ObjectStoreTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "directory") {
      open(open_directory_store(&env_, "/store"));
    } else if (GetParam() == "s3" || GetParam() == "cached_s3") {
      TestS3Server::give_credentials(&env_);
      server_ = std::make_unique<TestS3Server>(&env_);
      server_->set_page_size(3);
      S3Options options = server_->options();
      options.part_bytes = 5 * kMiB;
      open(open_s3_store(&env_, options));
      if (GetParam() == "cached_s3") {
        ASSERT_TRUE(env_.create_directories("/cache").ok());
        auto cached = open_cached_store(&env_, std::move(store_), {"/cache/blocks", 8 * kMiB});
        ASSERT_TRUE(cached.ok());
        store_ = std::move(*cached);
      }
    } else {
      open(open_s3_store(posix_env(), real_s3_options()));
    }
  }

  void open(Result<std::unique_ptr<ObjectStore>> store) {
    ASSERT_TRUE(store.ok()) << store.status().to_string();
    store_ = std::move(*store);
  }
  ObjectInfo put(const std::string& key, ByteView content) {
    auto object = store_->put(key, BytesContent(content), PutMode::kReplace);
    EXPECT_TRUE(object.ok()) << object.status().to_string();
    return object.ok() ? *object : ObjectInfo{};
  }
  Status put_if_absent(const std::string& key, ByteView content) {
    return store_->put(key, BytesContent(content), PutMode::kIfAbsent).status();
  }
  std::string get(const std::string& key) {
    auto content = read_object(store_.get(), key, UINT64_MAX);
    EXPECT_TRUE(content.ok()) << content.status().to_string();
    return content.ok() ? *content : "";
  }
  std::vector<std::string> keys(const std::string& prefix) {
    std::vector<std::string> out;
    const Status status = list_objects(store_.get(), prefix, [&](const ObjectInfo& object) {
      out.push_back(object.key);
      return Status();
    });
    EXPECT_TRUE(status.ok()) << status.to_string();
    return out;
  }

  SimEnv env_{7};
  std::unique_ptr<TestS3Server> server_;
  std::unique_ptr<ObjectStore> store_;
};

TEST_P(ObjectStoreTest, WhatWasPutIsRead) {
  for (const size_t size : {0, 1, 1000, 70'000}) {
    const std::string content = noise(size, size);
    put("a/b", content);
    EXPECT_EQ(get("a/b"), content);
  }
}

TEST_P(ObjectStoreTest, LargeObjectsComeBackWhole) {
  const std::string content = noise(12'000'001, 1);
  EXPECT_EQ(put("large", content).size_bytes, content.size());
  EXPECT_EQ(get("large"), content);
  EXPECT_TRUE(verify_object(store_.get(), "large", content.size(), crc32c(content)).ok());
}

TEST_P(ObjectStoreTest, RangesEndWithTheObject) {
  const ObjectInfo object = put("a", "0123456789");
  char out[100];
  const auto read = [&](uint64_t offset, size_t size) {
    const auto count = store_->read_at(object, offset, out, size);
    EXPECT_TRUE(count.ok()) << count.status().to_string();
    return count.ok() ? std::string(out, *count) : "";
  };
  EXPECT_EQ(read(0, 3), "012");
  EXPECT_EQ(read(4, 3), "456");
  EXPECT_EQ(read(9, 1), "9");
  EXPECT_EQ(read(8, 100), "89");
  EXPECT_EQ(read(0, 100), "0123456789");
  EXPECT_EQ(read(10, 1), "");
  EXPECT_EQ(read(1000, 1), "");
}

TEST_P(ObjectStoreTest, ReplacingIsComplete) {
  put("a", "a long text");
  put("a", "short");
  EXPECT_EQ(get("a"), "short");
}

TEST_P(ObjectStoreTest, OnlyIfAbsentRefusesAnotherObject) {
  EXPECT_TRUE(put_if_absent("a", "first").ok());
  EXPECT_EQ(put_if_absent("a", "second").code(), StatusCode::kConflict);
  EXPECT_EQ(get("a"), "first");
}

TEST_P(ObjectStoreTest, HeadTellsTheSize) {
  put("a", "12345");
  const auto object = store_->head("a");
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object->size_bytes, 5u);
  EXPECT_EQ(object->key, "a");
  EXPECT_EQ(object->crc32c.value_or(crc32c("12345")), crc32c("12345"));
}

TEST_P(ObjectStoreTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(store_->head("a").status().code(), StatusCode::kNotFound);
  char byte = 0;
  EXPECT_EQ(store_->read_at({"a", 1, "", {}}, 0, &byte, 1).status().code(), StatusCode::kNotFound);
}

TEST_P(ObjectStoreTest, RemovedIsGone) {
  put("a", "x");
  EXPECT_TRUE(store_->remove("a").ok());
  EXPECT_EQ(store_->head("a").status().code(), StatusCode::kNotFound);
  EXPECT_THAT(keys(""), IsEmpty());
  EXPECT_TRUE(store_->remove("a").ok());
}

TEST_P(ObjectStoreTest, ListsByPrefixInOrder) {
  EXPECT_THAT(keys(""), IsEmpty());
  for (const char* key : {"b/2", "b/10", "b-1", "a", "b/1/x", "b", "c", "bb"}) {
    // In a directory, "b" and "b/2" cannot both be there.
    if (GetParam() == "directory" && std::string_view(key) == "b") continue;
    put(key, key);
  }
  EXPECT_THAT(keys("b/"), ElementsAre("b/1/x", "b/10", "b/2"));
  EXPECT_THAT(keys("b/1"), ElementsAre("b/1/x", "b/10"));
  EXPECT_THAT(keys("b-"), ElementsAre("b-1"));
  EXPECT_THAT(keys("x"), IsEmpty());
  std::vector<std::string> all = {"a", "b", "b-1", "b/1/x", "b/10", "b/2", "bb", "c"};
  if (GetParam() == "directory") all.erase(all.begin() + 1);
  EXPECT_EQ(keys(""), all);
}

TEST_P(ObjectStoreTest, KeysMayHoldAnyPrintableCharacter) {
  const std::vector<std::string> names = {"date=2026-11-21/x.parquet",
                                          "a b",
                                          "a+b",
                                          "a%2Fb",
                                          "a&b<c>'d\"e",
                                          "~!*()",
                                          "\xc3\xbc",
                                          "a:b;c,d",
                                          "k?q#f"};
  for (const std::string& name : names) put("names/" + name, name);
  std::vector<std::string> expected;
  expected.reserve(names.size());
  for (const std::string& name : names) expected.push_back("names/" + name);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(keys("names/"), expected);
  for (const std::string& name : names) EXPECT_EQ(get("names/" + name), name);
}

TEST_P(ObjectStoreTest, WrongKeysAreRefused) {
  EXPECT_EQ(store_->put("../a", BytesContent("x"), PutMode::kReplace).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->head("").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->remove("/a").code(), StatusCode::kInvalidArgument);
}

TEST_P(ObjectStoreTest, ManyThreadsMayUseIt) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      for (int i = 0; i < 5; ++i) {
        const std::string key = std::to_string(thread) + "/" + std::to_string(i);
        put(key, noise(10'000, static_cast<uint64_t>(thread)));
        EXPECT_EQ(get(key), noise(10'000, static_cast<uint64_t>(thread)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(keys("").size(), 20u);
}

TEST_P(ObjectStoreTest, SweepOfNothingIsFine) {
  put("a", "x");
  EXPECT_TRUE(store_->sweep("", [](std::string_view) { return true; }).ok());
  EXPECT_EQ(get("a"), "x");
}

// That a server checks signatures at all is what makes the others worth something.
TEST_P(ObjectStoreTest, AnotherSecretIsRefused) {
  if (GetParam() == "directory") return;
  const bool is_real = GetParam() == "real_s3";
  const TestDirectory directory;
  const std::string file = directory.file("credentials");
  const std::string key = is_real ? *posix_env()->environment_variable("AWS_ACCESS_KEY_ID")
                                  : *env_.environment_variable("AWS_ACCESS_KEY_ID");
  const std::string text =
      "[wrong]\naws_access_key_id = " + key + "\naws_secret_access_key = guessed\n";
  S3Options options = is_real ? real_s3_options() : server_->options();
  options.credentials.source = CredentialsSource::kFile;
  options.credentials.profile = "wrong";
  if (is_real) {
    ASSERT_TRUE(replace_file(posix_env(), file, text).ok());
    ::setenv("AWS_SHARED_CREDENTIALS_FILE", file.c_str(), 1);
  } else {
    env_.set_raw_content("/credentials", text);
    env_.set_environment_variable("AWS_SHARED_CREDENTIALS_FILE", "/credentials");
  }
  auto store = open_s3_store(is_real ? posix_env() : &env_, options);
  ASSERT_TRUE(store.ok());
  const auto listed = (*store)->list_page("", "");
  EXPECT_EQ(listed.status().code(), StatusCode::kIoError);
  EXPECT_THAT(listed.status().to_string(), ::testing::HasSubstr("SignatureDoesNotMatch"));
  EXPECT_THAT(listed.status().to_string(), ::testing::Not(::testing::HasSubstr("guessed")));
}

INSTANTIATE_TEST_SUITE_P(Stores, ObjectStoreTest, ::testing::ValuesIn(stores()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace firn
