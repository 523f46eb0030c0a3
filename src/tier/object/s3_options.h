#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/size.h"
#include "base/status.h"
#include "tier/object/credentials.h"
#include "tier/object/curl_client.h"
#include "tier/object/retry.h"

namespace firn {

// Where an S3 store is and how to talk to it.
struct S3Options {
  std::string bucket = {};
  std::string prefix = {};  // of all keys, without '/' at its ends; may be empty
  std::string region = "us-east-1";
  std::string endpoint = {};  // "https://host[:port]"; AWS's of the region when empty
  // https://host/bucket/key instead of https://bucket.host/key. When nothing is said: for every
  // endpoint but AWS's.
  std::optional<bool> path_style = {};
  CredentialsOptions credentials = {};
  CurlOptions transfer = {};
  RetryOptions retry = {};
  uint64_t part_bytes = 16 * kMiB;  // of multipart uploads; at least 5 MiB, which is S3's limit
};

// Bucket and prefix of "s3://bucket/prefix". kInvalidArgument when it is no such URL.
Status parse_s3_url(std::string_view url, S3Options* options);

// kInvalidArgument saying which setting is wrong and what to write instead.
Status validate_s3_options(const S3Options& options);

// The addresses of the store, from validated options.
struct S3Address {
  std::string origin;  // "https://host[:port]", where requests go
  std::string host;    // "host[:port]", what is signed
  std::string path;    // "/bucket" or ""
};
S3Address s3_address(const S3Options& options);

}  // namespace firn
