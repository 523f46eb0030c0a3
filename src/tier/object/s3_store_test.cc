#include "tier/object/s3_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tier/object/test_s3_server.h"

namespace firn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class S3StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TestS3Server::give_credentials(&env_);
    open(server_.options());
  }
  void open(S3Options options) {
    options.part_bytes = 5 * kMiB;
    auto store = open_s3_store(&env_, options);
    ASSERT_TRUE(store.ok()) << store.status().to_string();
    store_ = std::move(*store);
  }
  Status put(const std::string& key, ByteView content, PutMode mode = PutMode::kReplace) {
    return store_->put(key, BytesContent(content), mode).status();
  }

  SimEnv env_{3};
  TestS3Server server_{&env_};
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(S3StoreTest, KeysAreBelowThePrefix) {
  ASSERT_TRUE(put("a=1/b", "x").ok());
  EXPECT_THAT(server_.objects(), ElementsAre(std::pair("some/prefix/a=1/b", "x")));
  EXPECT_THAT(server_.requests(), Contains("PUT /bucket/some/prefix/a%3D1/b"));
}

TEST_F(S3StoreTest, WithoutAPrefixTheBucketIsTheStore) {
  S3Options options = server_.options();
  options.prefix = "";
  open(options);
  ASSERT_TRUE(put("a", "x").ok());
  EXPECT_THAT(server_.objects(), ElementsAre(std::pair("a", "x")));
}

TEST_F(S3StoreTest, WhatIsElsewhereInTheBucketIsNotListed) {
  server_.put_directly("some/other", "x");
  server_.put_directly("some/prefix2/a", "x");
  server_.put_directly("some/prefix/a", "x");
  const auto page = store_->list_page("", "");
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->objects.size(), 1u);
  EXPECT_EQ(page->objects[0].key, "a");
}

TEST_F(S3StoreTest, ARangeOfAReplacedObjectIsRefused) {
  ASSERT_TRUE(put("a", "the first one").ok());
  const auto object = store_->head("a");
  ASSERT_TRUE(put("a", "another one!!").ok());
  char out[3];
  EXPECT_EQ(store_->read_at(*object, 0, out, 3).status().code(), StatusCode::kConflict);
}

TEST_F(S3StoreTest, DamageInTheStoreIsNoticedByReadingBack) {
  ASSERT_TRUE(put("a", "content").ok());
  server_.damage("some/prefix/a", 3);
  EXPECT_EQ(read_object(store_.get(), "a", 100).status().code(), StatusCode::kCorruption);
}

TEST_F(S3StoreTest, ConditionsThatTheServerRefusesAreLeftOut) {
  server_.set_conditions(TestS3Server::Conditions::kRefused);
  EXPECT_TRUE(put("a", "x", PutMode::kIfAbsent).ok());
  EXPECT_TRUE(put("b", std::string(6'000'000, 'b'), PutMode::kIfAbsent).ok());
  EXPECT_EQ(put("a", "y", PutMode::kIfAbsent).code(), StatusCode::kConflict);
  EXPECT_EQ(server_.unfinished_uploads(), 0u);
}

TEST_F(S3StoreTest, ConditionsThatTheServerIgnoresLeaveTheHead) {
  server_.set_conditions(TestS3Server::Conditions::kIgnored);
  EXPECT_TRUE(put("a", "x", PutMode::kIfAbsent).ok());
  EXPECT_EQ(put("a", "y", PutMode::kIfAbsent).code(), StatusCode::kConflict);
}

TEST_F(S3StoreTest, SessionTokensAreSent) {
  server_.expect_token("a token");
  EXPECT_EQ(put("a", "x").code(), StatusCode::kIoError);
  env_.set_environment_variable("AWS_SESSION_TOKEN", "token-of-the-session");
  server_.expect_token("token-of-the-session");
  EXPECT_TRUE(put("a", "x").ok());
}

TEST_F(S3StoreTest, NewCredentialsAreLookedForWhenTheOldOnesAreRefused) {
  const std::string head = "[default]\naws_access_key_id=AKIDOFTHETEST\naws_secret_access_key=";
  env_.set_raw_content("/keys", head + "secret-of-the-test\n");
  env_.set_environment_variable("AWS_SHARED_CREDENTIALS_FILE", "/keys");
  S3Options options = server_.options();
  options.credentials.source = CredentialsSource::kFile;
  open(options);
  ASSERT_TRUE(put("a", "x").ok());
  server_.set_secret("rotated");
  EXPECT_EQ(put("a", "y").code(), StatusCode::kIoError);
  env_.set_raw_content("/keys", head + "rotated\n");
  EXPECT_TRUE(put("a", "z").ok());
}

TEST_F(S3StoreTest, NoMessageHoldsASecret) {
  server_.set_secret("another");
  env_.set_environment_variable("AWS_SESSION_TOKEN", "token-of-the-session");
  const std::string text = put("a", "x").to_string();
  EXPECT_THAT(text, HasSubstr("s3://bucket"));
  EXPECT_THAT(text, HasSubstr("SignatureDoesNotMatch"));
  EXPECT_THAT(text, Not(HasSubstr("secret-of-the-test")));
  EXPECT_THAT(text, Not(HasSubstr("token-of-the-session")));
}

TEST_F(S3StoreTest, SweepGivesUpUploadsOfOurs) {
  for (const char* key : {"a/ours1", "a/ours2", "a/foreign", "b/ours"}) {
    server_.fail(S3Fault::kForbidden, "PUT", "partNumber");
    server_.fail(S3Fault::kForbidden, "DELETE", "uploadId");
    EXPECT_FALSE(put(key, std::string(6'000'000, 'x')).ok());
  }
  ASSERT_EQ(server_.unfinished_uploads(), 4u);
  server_.set_page_size(1);
  EXPECT_TRUE(
      store_->sweep("a/", [](std::string_view key) { return key.starts_with("a/ours"); }).ok());
  EXPECT_EQ(server_.unfinished_uploads(), 2u);
}

TEST_F(S3StoreTest, NothingHappensAfterCancel) {
  store_->cancel();
  EXPECT_EQ(put("a", "x").code(), StatusCode::kCancelled);
  EXPECT_EQ(store_->remove("a").code(), StatusCode::kCancelled);
  EXPECT_THAT(server_.objects(), IsEmpty());
}

TEST_F(S3StoreTest, CancelEndsAPause) {
  S3Options options = server_.options();
  options.retry.pause_min_ns = options.retry.pause_max_ns = kHourNs;
  options.retry.total_time_ns = INT64_MAX / 2;
  open(options);
  server_.fail(S3Fault::kInternalError, "DELETE");
  std::thread canceller([this] {
    while (server_.requests_of("DELETE") == 0) std::this_thread::yield();
    store_->cancel();
  });
  EXPECT_EQ(store_->remove("a").code(), StatusCode::kCancelled);
  canceller.join();
}

TEST_F(S3StoreTest, CountsWhatItDoes) {
  server_.fail(S3Fault::kSlowDown, "PUT");
  ASSERT_TRUE(put("a", "12345").ok());
  ASSERT_TRUE(read_object(store_.get(), "a", 100).ok());
  const ObjectStoreStats stats = store_->stats();
  EXPECT_EQ(stats.requests, server_.requests().size());
  EXPECT_EQ(stats.retries, 1u);
  EXPECT_EQ(stats.failures, 0u);
  EXPECT_EQ(stats.sent_bytes, 10u);
}

}  // namespace
}  // namespace firn
