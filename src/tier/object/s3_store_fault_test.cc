// A server that makes every mistake there is: what a call reports as done is done, nothing is ever
// half there, and there is an end to trying.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "tier/object/s3_store.h"
#include "tier/object/test_s3_server.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What passes when the request is sent again.
const S3Fault kPassingFaults[] = {
    S3Fault::kInternalError,  S3Fault::kSlowDown,    S3Fault::kDropRequest, S3Fault::kDropAnswer,
    S3Fault::kErrorAfterDone, S3Fault::kStallAnswer, S3Fault::kHalfAnswer,
};

class S3FaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TestS3Server::give_credentials(&env_);
    S3Options options = server_.options();
    options.part_bytes = 5 * kMiB;
    auto store = open_s3_store(&env_, options);
    ASSERT_TRUE(store.ok()) << store.status().to_string();
    store_ = std::move(*store);
  }
  Status put(const std::string& key, ByteView content, PutMode mode = PutMode::kReplace) {
    return store_->put(key, BytesContent(content), mode).status();
  }
  Status read_back(const std::string& key, const std::string& content) {
    return verify_object(store_.get(), key, content.size(), crc32c(content));
  }
  Status list() {
    return list_objects(store_.get(), "", [](const ObjectInfo&) { return Status(); });
  }

  SimEnv env_{3};
  TestS3Server server_{&env_};
  std::unique_ptr<ObjectStore> store_;
  const std::string large_ = std::string(6'000'000, 'l');
};

TEST_F(S3FaultTest, EveryCallSurvivesOneFault) {
  for (const S3Fault fault : kPassingFaults) {
    SCOPED_TRACE(static_cast<int>(fault));
    server_.fail(fault, "PUT");
    EXPECT_TRUE(put("a", "content").ok());
    server_.fail(fault, "GET");
    EXPECT_TRUE(read_back("a", "content").ok());
    server_.fail(fault, "GET");
    EXPECT_TRUE(list().ok());
    server_.fail(fault, "DELETE");
    EXPECT_TRUE(store_->remove("a").ok());
    EXPECT_THAT(server_.objects(), IsEmpty());
  }
}

TEST_F(S3FaultTest, EveryStepOfALargePutSurvivesOneFault) {
  for (const S3Fault fault : {S3Fault::kInternalError, S3Fault::kDropRequest, S3Fault::kDropAnswer,
                              S3Fault::kErrorAfterDone, S3Fault::kErrorInAnswer}) {
    for (const auto& [method, part] :
         {std::pair("POST", "uploads="), std::pair("PUT", "partNumber=2"),
          std::pair("POST", "uploadId=")}) {
      SCOPED_TRACE(std::string(part) + " " + std::to_string(static_cast<int>(fault)));
      server_.fail(fault, method, part);
      const std::string key = "a";
      EXPECT_TRUE(put(key, large_).ok());
      EXPECT_TRUE(read_back(key, large_).ok());
      EXPECT_TRUE(store_->remove(key).ok());
    }
  }
}

TEST_F(S3FaultTest, ALostAnswerOfOnlyIfAbsentIsNoConflict) {
  for (const S3Fault fault :
       {S3Fault::kDropAnswer, S3Fault::kErrorAfterDone, S3Fault::kStallAnswer}) {
    server_.fail(fault, "PUT");
    EXPECT_TRUE(put("a", "mine", PutMode::kIfAbsent).ok());
    ASSERT_TRUE(store_->remove("a").ok());
    server_.fail(fault, "POST", "uploadId=");
    EXPECT_TRUE(put("a", large_, PutMode::kIfAbsent).ok());
    ASSERT_TRUE(store_->remove("a").ok());
  }
}

TEST_F(S3FaultTest, ALostAnswerWhoseHeadFailsTooIsSettledByTheCondition) {
  server_.fail(S3Fault::kErrorAfterDone, "PUT");
  server_.fail(S3Fault::kNotFound, "HEAD", "", 2);  // the one before, and the one behind
  EXPECT_TRUE(put("a", "mine", PutMode::kIfAbsent).ok());
  EXPECT_EQ(server_.requests_of("PUT"), 2u);  // the second was refused: 412
}

TEST_F(S3FaultTest, WhatCannotBeToldIsNoConflict) {
  server_.fail(S3Fault::kErrorAfterDone, "PUT");
  server_.fail(S3Fault::kNotFound, "HEAD", "", 3);
  EXPECT_EQ(put("a", "mine", PutMode::kIfAbsent).code(), StatusCode::kUnavailable);
}

TEST_F(S3FaultTest, AnotherOnesObjectIsAConflict) {
  server_.put_directly("some/prefix/a", "theirs");
  server_.fail(S3Fault::kNotFound, "HEAD");  // it came just now
  EXPECT_EQ(put("a", "mine", PutMode::kIfAbsent).code(), StatusCode::kConflict);
  EXPECT_EQ(server_.objects().at("some/prefix/a"), "theirs");
}

TEST_F(S3FaultTest, ThereIsAnEndToTrying) {
  server_.fail(S3Fault::kInternalError, "DELETE", "", 1000);
  const Status status = store_->remove("a");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.to_string(), HasSubstr("8 attempts"));
  EXPECT_EQ(server_.requests_of("DELETE"), 8u);
  EXPECT_EQ(store_->stats().failures, 1u);
}

TEST_F(S3FaultTest, ThereIsAnEndToTheTime) {
  S3Options options = server_.options();
  TestHttpListener slow([this](const TestHttpRequest&) {
    env_.advance(12 * kSecondNs);
    return TestHttpAnswer{500, {}, ""};
  });
  options.endpoint = slow.endpoint();
  auto store = open_s3_store(&env_, options);
  const TimeNs start = env_.monotonic();
  EXPECT_EQ((*store)->remove("a").code(), StatusCode::kUnavailable);
  EXPECT_EQ((env_.monotonic() - start) / kSecondNs, 36);  // the last began within half a minute
}

TEST_F(S3FaultTest, RefusalsAreNotTriedAgain) {
  ASSERT_TRUE(put("a", "x").ok());
  for (const S3Fault fault : {S3Fault::kForbidden, S3Fault::kRedirect, S3Fault::kNotFound}) {
    const size_t before = server_.requests_of("HEAD");
    server_.fail(fault, "HEAD", "", 8);
    EXPECT_FALSE(store_->head("a").ok());
    EXPECT_EQ(server_.requests_of("HEAD"), before + 1);
    server_.fail(S3Fault::kSlowAnswer, "HEAD");  // uses up what is left
    while (!store_->head("a").ok()) {
    }
  }
}

TEST_F(S3FaultTest, ARedirectNamesWhatToCheck) {
  server_.fail(S3Fault::kRedirect, "GET");
  EXPECT_THAT(list().to_string(), HasSubstr("endpoint, region and path_style"));
}

TEST_F(S3FaultTest, AWrongEntityTagHarmsNothing) {
  server_.fail(S3Fault::kWrongEtag, "PUT");
  EXPECT_TRUE(put("a", "content").ok());
  EXPECT_TRUE(read_back("a", "content").ok());
  server_.fail(S3Fault::kWrongEtag, "HEAD");
  EXPECT_EQ(read_back("a", "content").code(), StatusCode::kConflict);  // not believed, not wrong
  EXPECT_TRUE(read_back("a", "content").ok());
}

TEST_F(S3FaultTest, AWrongEntityTagOfAPartFailsThePut) {
  server_.fail(S3Fault::kWrongEtag, "PUT", "partNumber=1");
  EXPECT_EQ(put("a", large_).code(), StatusCode::kIoError);
  EXPECT_THAT(server_.objects(), IsEmpty());
  EXPECT_EQ(server_.unfinished_uploads(), 0u);
}

TEST_F(S3FaultTest, ADamagedUploadIsRefusedAndSentAgain) {
  server_.fail(S3Fault::kDamagedRequest, "PUT");
  EXPECT_TRUE(put("a", "content").ok());
  EXPECT_EQ(server_.objects().at("some/prefix/a"), "content");
  EXPECT_EQ(server_.requests_of("PUT"), 2u);
}

TEST_F(S3FaultTest, ADamagedDownloadIsNoticedByItsChecksum) {
  ASSERT_TRUE(put("a", "content").ok());
  server_.fail(S3Fault::kDamagedAnswer, "GET");
  EXPECT_EQ(read_back("a", "content").code(), StatusCode::kCorruption);
}

TEST_F(S3FaultTest, AnotherRangeThanAskedForIsNotTaken) {
  ASSERT_TRUE(put("a", "0123456789").ok());
  const auto object = store_->head("a");
  char out[4] = "";
  for (const S3Fault fault :
       {S3Fault::kOtherRange, S3Fault::kWholeInsteadOfRange, S3Fault::kHalfAnswer}) {
    server_.fail(fault, "GET");
    const auto count = store_->read_at(*object, 5, out, 3);
    ASSERT_TRUE(count.ok()) << count.status().to_string();
    EXPECT_EQ(std::string_view(out, 3), "567");
  }
  server_.fail(S3Fault::kWholeInsteadOfRange, "GET", "", 8);
  EXPECT_EQ(store_->read_at(*object, 5, out, 3).status().code(), StatusCode::kCorruption);
}

TEST_F(S3FaultTest, ASlowAnswerIsGivenUp) {
  ASSERT_TRUE(put("a", std::string(100'000, 'a')).ok());
  server_.fail(S3Fault::kSlowAnswer, "GET");
  EXPECT_TRUE(read_back("a", std::string(100'000, 'a')).ok());
  EXPECT_EQ(store_->stats().retries, 1u);
}

TEST_F(S3FaultTest, GarbageInsteadOfAListIsNoEmptyList) {
  ASSERT_TRUE(put("a", "x").ok());
  server_.fail(S3Fault::kGarbage, "GET", "", 8);
  EXPECT_EQ(list().code(), StatusCode::kCorruption);
  server_.fail(S3Fault::kGarbage, "GET", "", 3);
  EXPECT_TRUE(list().ok());
}

TEST_F(S3FaultTest, AListWithoutEndIsNoticed) {
  server_.fail(S3Fault::kEndlessList, "GET", "", 8);
  EXPECT_EQ(list().code(), StatusCode::kCorruption);
}

TEST_F(S3FaultTest, AFailedLargePutLeavesNothing) {
  ASSERT_TRUE(put("a", "the old one").ok());
  for (const auto& [method, part] :
       {std::pair("POST", "uploads="), std::pair("PUT", "partNumber=1"),
        std::pair("PUT", "partNumber=2"), std::pair("POST", "uploadId=")}) {
    server_.fail(S3Fault::kForbidden, method, part);
    EXPECT_FALSE(put("a", large_).ok()) << part;
    EXPECT_EQ(server_.objects().at("some/prefix/a"), "the old one");
    EXPECT_EQ(server_.unfinished_uploads(), 0u);
  }
}

TEST_F(S3FaultTest, NotFoundAfterAPutIsNoVerifiedReadBack) {
  ASSERT_TRUE(put("a", "content").ok());
  server_.fail(S3Fault::kNotFound, "HEAD");
  EXPECT_EQ(read_back("a", "content").code(), StatusCode::kNotFound);
}

TEST_F(S3FaultTest, WhatIsReportedAsDoneIsDoneUnderAnyMixOfFaults) {
  const std::vector<S3Fault> faults = {
      S3Fault::kInternalError, S3Fault::kSlowDown,      S3Fault::kDropRequest,
      S3Fault::kDropAnswer,    S3Fault::kHalfAnswer,    S3Fault::kErrorAfterDone,
      S3Fault::kWrongEtag,     S3Fault::kGarbage,       S3Fault::kErrorInAnswer,
      S3Fault::kNotFound,      S3Fault::kDamagedAnswer, S3Fault::kDamagedRequest};
  std::map<std::string, std::string> stored;
  size_t failed = 0;
  for (uint64_t round = 0; round < 300; ++round) {
    server_.fail_randomly(faults, 3, round);
    const std::string key = "some/" + std::to_string(round % 17);
    const std::string content(round * 7, static_cast<char>('a' + round % 26));
    const bool is_put = put(key, content).ok();
    const bool is_verified = is_put && read_back(key, content).ok();
    server_.fail_randomly({}, 0, 0);
    failed += is_put ? 0 : 1;
    const auto objects = server_.objects();
    const auto found = objects.find("some/prefix/" + key);
    const bool is_there = found != objects.end() && found->second == content;
    EXPECT_TRUE(is_there || !is_verified) << round;
    // Whole or not at all.
    const bool is_old = found == objects.end()
                            ? !stored.contains(key)
                            : stored.contains(key) && found->second == stored[key];
    EXPECT_TRUE(is_there || is_old) << round;
    if (is_there) stored[key] = content;
  }
  EXPECT_LT(failed, 100u);
}

}  // namespace
}  // namespace firn
