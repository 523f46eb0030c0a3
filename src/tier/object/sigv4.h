#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "tier/object/credentials.h"

// AWS Signature Version 4 as S3 uses it: pure functions. What is signed is what is sent, so the
// path and query that come out of here go into the URL unchanged.

namespace firn {

// Names and values of headers or query parameters.
using NameValues = std::vector<std::pair<std::string, std::string>>;

// Percent-encodes everything but A-Z a-z 0-9 - . _ ~ (and '/', where it separates the parts of a
// path), with upper-case digits.
std::string uri_encode(std::string_view text, bool keep_slashes);

// The query in the order and encoding that is signed: encoded, then sorted by name and value. A
// parameter without a value is "name=".
std::string canonical_query(const NameValues& parameters);

// 64 lower-case hexadecimal digits.
std::string sha256_hex(ByteView bytes);

// A request as far as it is signed.
struct RequestToSign {
  std::string method;
  std::string path;   // encoded, beginning with '/'
  std::string query;  // of canonical_query()
  // Including "host". Any case and order; values are signed without spaces around them.
  NameValues headers;
  // sha256_hex() of the body, or "UNSIGNED-PAYLOAD" for a body that nobody vouches for.
  std::string payload_hash;
};

struct SigningScope {
  std::string region;
  std::string service = "s3";
  TimeNs time = 0;
};

// "20261121T064427Z", as in the header x-amz-date.
std::string amz_date(TimeNs time);

// The value of the header Authorization. REQUIRES: the headers hold host and x-amz-date of the
// scope's time.
std::string sigv4_authorization(const RequestToSign& request, const SigningScope& scope,
                                const Credentials& credentials);

// Adds x-amz-date, x-amz-content-sha256, x-amz-security-token (when the credentials have one) and
// authorization to the headers of an S3 request.
void sign_s3_request(RequestToSign* request, const SigningScope& scope,
                     const Credentials& credentials);

}  // namespace firn
