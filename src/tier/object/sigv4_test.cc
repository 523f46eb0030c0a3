#include "tier/object/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Facts from AWS's documentation of Signature Version 4: the worked examples of S3's authorization
// header, and the suite of general requests.

namespace firn {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

const std::string kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TimeNs at(int64_t year, int month, int day, int hour = 0, int minute = 0) {
  return *time_from_civil({year, month, day, hour, minute, 0, 0});
}

Credentials s3_credentials() {
  return {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", INT64_MAX};
}

// The examples of S3: bucket examplebucket, 2013-05-24.
std::string s3_authorization(RequestToSign request) {
  request.headers.emplace_back("Host", "examplebucket.s3.amazonaws.com");
  if (request.payload_hash.empty()) request.payload_hash = kEmptyHash;
  sign_s3_request(&request, {"us-east-1", "s3", at(2013, 5, 24)}, s3_credentials());
  EXPECT_EQ(request.headers.back().first, "authorization");
  return request.headers.back().second;
}

// The general suite: service "service", 2015-08-30T12:36:00Z, only host and date are signed.
std::string general_signature(RequestToSign request) {
  request.headers.emplace_back("Host", "example.amazonaws.com");
  request.headers.emplace_back("X-Amz-Date", "20150830T123600Z");
  request.payload_hash = kEmptyHash;
  const std::string value = sigv4_authorization(
      request, {"us-east-1", "service", at(2015, 8, 30, 12, 36)},
      {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", INT64_MAX});
  return value.substr(value.rfind('=') + 1);
}

TEST(Sigv4, GetWithRange) {
  const std::string value =
      s3_authorization({"GET", "/test.txt", "", {{"Range", "bytes=0-9"}}, ""});
  EXPECT_EQ(value,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Sigv4, PutWithABodyAndAnEncodedPath) {
  const std::string value = s3_authorization(
      {"PUT",
       "/" + uri_encode("test$file.text", true),
       "",
       {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
       sha256_hex("Welcome to Amazon S3.")});
  EXPECT_THAT(value, EndsWith("=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(Sigv4, ParameterWithoutAValue) {
  const std::string value =
      s3_authorization({"GET", "/", canonical_query({{"lifecycle", ""}}), {}, ""});
  EXPECT_THAT(value, EndsWith("=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(Sigv4, ParametersAreSorted) {
  const std::string value =
      s3_authorization({"GET", "/", canonical_query({{"prefix", "J"}, {"max-keys", "2"}}), {}, ""});
  EXPECT_THAT(value, EndsWith("=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(Sigv4, PlainRequest) {
  EXPECT_EQ(general_signature({"GET", "/", "", {}, ""}),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(Sigv4, SpacesAroundHeaderValuesDoNotCount) {
  const RequestToSign tidy{"GET", "/", "", {{"my-header", "a b c"}}, ""};
  const RequestToSign spaced{"GET", "/", "", {{"My-Header", "  a   b c "}}, ""};
  EXPECT_EQ(general_signature(tidy), general_signature(spaced));
}

TEST(Sigv4, TheOrderOfHeadersDoesNotCount) {
  const RequestToSign one{"GET", "/", "", {{"a", "1"}, {"b", "2"}}, ""};
  const RequestToSign other{"GET", "/", "", {{"b", "2"}, {"a", "1"}}, ""};
  EXPECT_EQ(general_signature(one), general_signature(other));
}

TEST(Sigv4, ASessionTokenIsSentAndSigned) {
  RequestToSign request{"GET", "/", "", {{"host", "h"}}, kEmptyHash};
  Credentials credentials = s3_credentials();
  credentials.session_token = "session";
  sign_s3_request(&request, {"us-east-1", "s3", at(2013, 5, 24)}, credentials);
  EXPECT_THAT(request.headers, ::testing::Contains(std::make_pair(
                                   std::string("x-amz-security-token"), std::string("session"))));
  EXPECT_THAT(request.headers.back().second, HasSubstr("x-amz-date;x-amz-security-token,"));
}

TEST(Sigv4, ThePayloadDecides) {
  const auto sign = [](std::string hash) {
    return s3_authorization({"PUT", "/k", "", {}, std::move(hash)});
  };
  EXPECT_NE(sign(sha256_hex("a")), sign(sha256_hex("b")));
  EXPECT_NE(sign(sha256_hex("a")), sign("UNSIGNED-PAYLOAD"));
}

TEST(Sigv4, NoHeaderHoldsTheSecret) {
  RequestToSign request{"GET", "/", "", {{"host", "h"}}, kEmptyHash};
  sign_s3_request(&request, {"us-east-1", "s3", at(2013, 5, 24)}, s3_credentials());
  for (const auto& [name, value] : request.headers) {
    EXPECT_THAT(value, ::testing::Not(HasSubstr(s3_credentials().secret_access_key))) << name;
  }
}

TEST(UriEncode, KeepsOnlyUnreservedCharacters) {
  EXPECT_EQ(uri_encode("azAZ09-._~", false), "azAZ09-._~");
  EXPECT_EQ(uri_encode("a b+c=d:e&f%?#'()*!$@,;", false),
            "a%20b%2Bc%3Dd%3Ae%26f%25%3F%23%27%28%29%2A%21%24%40%2C%3B");
  EXPECT_EQ(uri_encode("\xc3\xbc\xff", false), "%C3%BC%FF");
}

TEST(UriEncode, SlashesSeparateThePartsOfAPathOnly) {
  EXPECT_EQ(uri_encode("date=2026/x", true), "date%3D2026/x");
  EXPECT_EQ(uri_encode("k/", false), "k%2F");
}

TEST(CanonicalQuery, SortsWhatIsEncoded) {
  EXPECT_EQ(canonical_query({{"uploads", ""}, {"a", "z"}, {"a", "b/"}, {"B", "1"}}),
            "B=1&a=b%2F&a=z&uploads=");
  EXPECT_EQ(canonical_query({}), "");
}

TEST(AmzDate, IsTheBasicFormOfUtc) {
  EXPECT_EQ(amz_date(at(2013, 5, 24, 7, 8)), "20130524T070800Z");
}

}  // namespace
}  // namespace firn
