#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "tier/object/object_store.h"

// The XML that S3 answers with. Everything here accepts any bytes: kCorruption when they are not
// the document expected.

namespace firn {

struct S3Error {
  std::string code;  // "NoSuchKey"
  std::string message;
};
// An error document, as the body of a failure or of a 200 that failed late.
Result<S3Error> parse_s3_error(ByteView xml);

// ListObjectsV2. Keys come decoded, with the bucket's prefix; without checksums.
Result<ObjectPage> parse_s3_list(ByteView xml);

// The upload id of CreateMultipartUpload.
Result<std::string> parse_s3_upload_id(ByteView xml);

// CompleteMultipartUpload: the entity tag of the object.
Result<std::string> parse_s3_completion(ByteView xml);
struct S3Part {
  uint32_t number = 0;
  std::string etag;
};
// What the server is told to put together.
std::string format_s3_completion(const std::vector<S3Part>& parts);

// ListMultipartUploads.
struct S3Uploads {
  struct Upload {
    std::string key;
    std::string id;
  };
  std::vector<Upload> uploads;
  bool is_last = true;
  std::string next_key, next_id;  // where the next page begins
};
Result<S3Uploads> parse_s3_uploads(ByteView xml);

}  // namespace firn
