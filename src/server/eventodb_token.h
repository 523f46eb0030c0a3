#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "env/env.h"

// Tokens of the eventodb face: "ns_<base64url of the namespace, unpadded>_<64 hex digits>". Only
// the SHA-256 of the whole token is kept.

namespace firn {

// The namespace that the token names. kInvalidArgument says what is wrong with its form.
Result<std::string> namespace_of_token(std::string_view token);
// A new one, of 256 random bits.
std::string make_token(Env* env, std::string_view name_space);
// The 32 bytes that are kept of it.
std::string token_sha256(std::string_view token);
// In constant time.
bool token_matches(std::string_view token, std::string_view stored_sha256);

}  // namespace firn
