#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tier/object/object_store.h"
#include "tier/object/s3_client.h"

namespace firn {

// Metadata of every object we put (docs/object-storage.md).
inline constexpr std::string_view kCrcHeader = "x-amz-meta-firn-crc32c";
inline constexpr std::string_view kPutHeader = "x-amz-meta-firn-put";

// One put, to be sent in one request or in parts.
struct S3Put {
  std::string key;  // with the store's prefix
  const ObjectContent* content = nullptr;
  uint32_t crc32c = 0;  // of the content
  std::string id;       // 16 hexadecimal digits, of this put alone
  bool if_absent = false;
  // Asks the server for the id of the object that is there, with retries or only once.
  std::function<Result<std::string>(bool once)> find_id;
};

// Stores the object; content longer than `part_bytes` goes in parts, which are given up when one
// fails. kConflict when there is an object already and if_absent is set; kUnsupported when the
// server knows no such condition; kTooLarge beyond 10,000 parts; otherwise what S3Client returns.
Status s3_upload(S3Client* client, const S3Put& put, uint64_t part_bytes);

// Gives up all unfinished uploads of keys with this prefix for which is_ours() is true.
Status s3_abort_uploads(S3Client* client, const std::string& prefix,
                        const std::function<bool(std::string_view key)>& is_ours);

}  // namespace firn
