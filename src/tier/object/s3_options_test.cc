#include "tier/object/s3_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn {
namespace {

S3Options bucket(const std::string& name) {
  S3Options options;
  options.bucket = name;
  return options;
}

TEST(S3Url, HasABucketAndAPrefix) {
  for (const char* url : {"s3://bucket/a/b", "s3://bucket/a/b/"}) {
    S3Options options;
    ASSERT_TRUE(parse_s3_url(url, &options).ok());
    EXPECT_EQ(options.bucket, "bucket");
    EXPECT_EQ(options.prefix, "a/b");
  }
  for (const char* url : {"s3://bucket", "s3://bucket/"}) {
    S3Options options;
    ASSERT_TRUE(parse_s3_url(url, &options).ok());
    EXPECT_EQ(options.prefix, "");
  }
}

TEST(S3Url, RefusesOthers) {
  for (const char* url : {"", "s3:bucket", "http://bucket/a", "s3://", "s3://b", "s3://Bucket/a",
                          "s3://bucket//a", "s3://bucket/../a", "s3://buc ket"}) {
    S3Options options;
    EXPECT_EQ(parse_s3_url(url, &options).code(), StatusCode::kInvalidArgument) << url;
  }
}

TEST(S3Options, EndpointsAreAddressesAndNothingElse) {
  for (const char* endpoint : {"https://host", "http://127.0.0.1:9000", "https://[::1]:9000"}) {
    S3Options options = bucket("bucket");
    options.endpoint = endpoint;
    EXPECT_TRUE(validate_s3_options(options).ok()) << endpoint;
  }
  for (const char* endpoint : {"host", "ftp://host", "https://", "https://user:secret@host",
                               "https://host/path", "https://host?q", "https://ho st"}) {
    S3Options options = bucket("bucket");
    options.endpoint = endpoint;
    EXPECT_EQ(validate_s3_options(options).code(), StatusCode::kInvalidArgument) << endpoint;
  }
}

TEST(S3Options, DotsInABucketNeedPathStyle) {
  S3Options options = bucket("a.bucket");
  EXPECT_THAT(validate_s3_options(options).to_string(), ::testing::HasSubstr("path_style"));
  options.path_style = true;
  EXPECT_TRUE(validate_s3_options(options).ok());
}

TEST(S3Address, OfAwsHasTheBucketInTheHost) {
  S3Options options = bucket("bucket");
  options.region = "eu-central-1";
  const S3Address address = s3_address(options);
  EXPECT_EQ(address.origin, "https://bucket.s3.eu-central-1.amazonaws.com");
  EXPECT_EQ(address.host, "bucket.s3.eu-central-1.amazonaws.com");
  EXPECT_EQ(address.path, "");
}

TEST(S3Address, OfOthersHasTheBucketInThePath) {
  S3Options options = bucket("bucket");
  options.endpoint = "http://host:9000";
  const S3Address address = s3_address(options);
  EXPECT_EQ(address.origin, "http://host:9000");
  EXPECT_EQ(address.host, "host:9000");
  EXPECT_EQ(address.path, "/bucket");
}

TEST(S3Address, TheStyleCanBeChosen) {
  S3Options options = bucket("bucket");
  options.path_style = true;
  EXPECT_EQ(s3_address(options).path, "/bucket");
  options.endpoint = "https://host:9000";
  options.path_style = false;
  EXPECT_EQ(s3_address(options).origin, "https://bucket.host:9000");
}

}  // namespace
}  // namespace firn
