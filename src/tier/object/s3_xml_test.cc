#include "tier/object/s3_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn {
namespace {

ObjectPage list(const std::string& inside) {
  auto page = parse_s3_list("<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://x/\">" +
                            inside + "</ListBucketResult>");
  EXPECT_TRUE(page.ok()) << page.status().to_string();
  return page.ok() ? *page : ObjectPage{};
}

TEST(S3Xml, ReadsAList) {
  const ObjectPage page = list(
      "<IsTruncated>true</IsTruncated><Contents><Key>a/b</Key><ETag>&quot;e&quot;</ETag>"
      "<Size>12</Size></Contents><Contents><Key>c</Key><Size>0</Size></Contents>");
  EXPECT_FALSE(page.is_last);
  ASSERT_EQ(page.objects.size(), 2u);
  EXPECT_EQ(page.objects[0].key, "a/b");
  EXPECT_EQ(page.objects[0].version, "\"e\"");
  EXPECT_EQ(page.objects[0].size_bytes, 12u);
  EXPECT_EQ(page.objects[1].key, "c");
}

TEST(S3Xml, DecodesKeysOnlyWhenTheyAreEncoded) {
  const std::string rest =
      "<IsTruncated>false</IsTruncated><Contents><Key>a+b%2Bc%3D</Key>"
      "<Size>1</Size></Contents>";
  EXPECT_EQ(list("<EncodingType>url</EncodingType>" + rest).objects[0].key, "a b+c=");
  EXPECT_EQ(list(rest).objects[0].key, "a+b%2Bc%3D");
}

TEST(S3Xml, ReadsAnError) {
  const auto error =
      parse_s3_error("<Error><Code>NoSuchKey</Code><Message>gone &amp; away</Message></Error>");
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->code, "NoSuchKey");
  EXPECT_EQ(error->message, "gone & away");
}

TEST(S3Xml, ReadsUploads) {
  const auto uploads = parse_s3_uploads(
      "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
      "<NextKeyMarker>a%2Fb</NextKeyMarker><NextUploadIdMarker>2~x</NextUploadIdMarker>"
      "<Upload><Key>a%2Fb</Key><UploadId>2~x</UploadId></Upload></ListMultipartUploadsResult>");
  ASSERT_TRUE(uploads.ok());
  EXPECT_EQ(uploads->next_key, "a/b");
  EXPECT_EQ(uploads->next_id, "2~x");
  ASSERT_EQ(uploads->uploads.size(), 1u);
  EXPECT_EQ(uploads->uploads[0].key, "a/b");
}

TEST(S3Xml, RefusesWhatIsNotTheDocument) {
  for (const char* xml :
       {"", "no XML", "<html/>", "<ListBucketResult>", "<ListBucketResult/>",
        "<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>-1</Size>"
        "</Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Size>1</Size></Contents>"
        "</ListBucketResult>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"
        "<Contents><Key>a%4</Key><Size>1</Size></Contents></ListBucketResult>"}) {
    EXPECT_EQ(parse_s3_list(xml).status().code(), StatusCode::kCorruption) << xml;
  }
  EXPECT_FALSE(parse_s3_error("<Error/>").ok());
  EXPECT_FALSE(parse_s3_upload_id("<InitiateMultipartUploadResult/>").ok());
  EXPECT_FALSE(parse_s3_completion("<Error><Code>x</Code></Error>").ok());
}

TEST(S3Xml, EntitiesOfADocumentAreNotExpanded) {
  const auto error = parse_s3_error(
      "<!DOCTYPE Error [<!ENTITY a \"aaaa\"><!ENTITY f SYSTEM \"file:///etc/passwd\">]>"
      "<Error><Code>&a;</Code><Message>&f;</Message></Error>");
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->code, "&a;");
  EXPECT_EQ(error->message, "&f;");
}

TEST(S3Xml, ACompletionNamesItsParts) {
  EXPECT_EQ(format_s3_completion({{1, "\"a\""}, {2, "<&"}}),
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>"
            "<Part><PartNumber>2</PartNumber><ETag>&lt;&amp;</ETag></Part>"
            "</CompleteMultipartUpload>");
}

}  // namespace
}  // namespace firn
