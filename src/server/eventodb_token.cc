#include "server/eventodb_token.h"

#include <algorithm>

#include "base/digest.h"
#include "wire/json_text.h"

namespace firn {

namespace {

constexpr std::string_view kPrefix = "ns_";
constexpr size_t kSecretDigits = 64;

std::string base64url(std::string_view text) {
  std::string encoded;
  append_base64(text, &encoded);
  std::replace(encoded.begin(), encoded.end(), '+', '-');
  std::replace(encoded.begin(), encoded.end(), '/', '_');
  encoded.erase(std::min(encoded.find('='), encoded.size()));
  return encoded;
}

}  // namespace

// The encoded name may hold '_' itself, so the secret begins behind the last one.
Result<std::string> namespace_of_token(std::string_view token) {
  if (!token.starts_with(kPrefix)) return invalid_argument("a token begins with ns_");
  const size_t last = token.rfind('_');
  if (last < kPrefix.size()) return invalid_argument("a token is ns_<namespace>_<secret>");
  const std::string_view secret = token.substr(last + 1);
  const bool is_hex =
      std::all_of(secret.begin(), secret.end(), [](unsigned char c) { return std::isxdigit(c); });
  if (secret.size() != kSecretDigits || !is_hex) {
    return invalid_argument("a token ends with 64 hexadecimal digits");
  }
  const std::string_view encoded = token.substr(kPrefix.size(), last - kPrefix.size());
  std::string name;
  if (!decode_base64(encoded, &name) || name.empty()) {
    return invalid_argument("the namespace of a token is base64url without padding");
  }
  return name;
}

std::string make_token(Env* env, std::string_view name_space) {
  std::string secret;
  while (secret.size() < kSecretDigits / 2) {
    char bytes[8];
    store_le<uint64_t>(reinterpret_cast<uint8_t*>(bytes), env->random_u64());
    secret.append(bytes, sizeof(bytes));
  }
  return std::string(kPrefix) + base64url(name_space) + "_" + hex_encode(secret);
}

std::string token_sha256(std::string_view token) {
  const auto digest = sha256(token);
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

bool token_matches(std::string_view token, std::string_view stored_sha256) {
  return !stored_sha256.empty() && equal_in_constant_time(token_sha256(token), stored_sha256);
}

}  // namespace firn
