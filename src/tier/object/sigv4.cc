#include "tier/object/sigv4.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <map>

#include "base/status.h"

namespace firn {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string hmac_sha256(ByteView key, ByteView message) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  unsigned size = 0;
  const void* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                          reinterpret_cast<unsigned char*>(out.data()), &size);
  FIRN_CHECK(done != nullptr && size == out.size());
  return out;
}

// Without spaces at the ends, and with one where there are several.
std::string trimmed(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

struct CanonicalHeaders {
  std::string lines;  // "host:example.com\n..."
  std::string names;  // "host;x-amz-date"
};

CanonicalHeaders canonical_headers(const NameValues& headers) {
  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : headers) {
    std::string& all = sorted[lower_case(name)];
    all += (all.empty() ? "" : ",") + trimmed(value);
  }
  CanonicalHeaders out;
  for (const auto& [name, value] : sorted) {
    out.lines += fmt::format("{}:{}\n", name, value);
    out.names += (out.names.empty() ? "" : ";") + name;
  }
  return out;
}

}  // namespace

std::string uri_encode(std::string_view text, bool keep_slashes) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (keep_slashes && c == '/')) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string canonical_query(const NameValues& parameters) {
  NameValues encoded;
  for (const auto& [name, value] : parameters) {
    encoded.emplace_back(uri_encode(name, false), uri_encode(value, false));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
  }
  return out;
}

std::string sha256_hex(ByteView bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return hex_encode(ByteView(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

std::string amz_date(TimeNs time) {
  const CivilTime civil = civil_from_time(time);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", civil.year, civil.month, civil.day,
                     civil.hour, civil.minute, civil.second);
}

std::string sigv4_authorization(const RequestToSign& request, const SigningScope& scope,
                                const Credentials& credentials) {
  const CanonicalHeaders headers = canonical_headers(request.headers);
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, request.query,
                  headers.lines, headers.names, request.payload_hash);
  const std::string date_time = amz_date(scope.time);
  const std::string date = date_time.substr(0, 8);
  const std::string place = fmt::format("{}/{}/{}/aws4_request", date, scope.region, scope.service);
  const std::string to_sign =
      fmt::format("{}\n{}\n{}\n{}", kAlgorithm, date_time, place, sha256_hex(canonical));
  std::string key = hmac_sha256("AWS4" + credentials.secret_access_key, date);
  for (const std::string_view part :
       {std::string_view(scope.region), std::string_view(scope.service),
        std::string_view("aws4_request")}) {
    key = hmac_sha256(key, part);
  }
  return fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                     credentials.access_key_id, place, headers.names,
                     hex_encode(hmac_sha256(key, to_sign)));
}

void sign_s3_request(RequestToSign* request, const SigningScope& scope,
                     const Credentials& credentials) {
  request->headers.emplace_back("x-amz-date", amz_date(scope.time));
  request->headers.emplace_back("x-amz-content-sha256", request->payload_hash);
  if (!credentials.session_token.empty()) {
    request->headers.emplace_back("x-amz-security-token", credentials.session_token);
  }
  request->headers.emplace_back("authorization", sigv4_authorization(*request, scope, credentials));
}

}  // namespace firn
