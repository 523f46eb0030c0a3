#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace firn {

// Sixteen bytes that name something: an event, a trace, a parent. All zero means "none".
struct Id {
  std::array<uint8_t, 16> bytes{};

  bool is_zero() const { return *this == Id{}; }
  uint64_t high() const { return load_le<uint64_t>(bytes.data()); }
  uint64_t low() const { return load_le<uint64_t>(bytes.data() + 8); }
  auto operator<=>(const Id&) const = default;

  // Reads 36-character UUID text or 32 hexadecimal digits, either case. Nothing on other text.
  static std::optional<Id> parse(std::string_view text);
  // "0190f3b2-..." (RFC 9562 text form).
  std::string to_uuid() const;
  // 32 lower-case hexadecimal digits (the W3C trace context form).
  std::string to_hex() const {
    return hex_encode({reinterpret_cast<const char*>(bytes.data()), 16});
  }
};

// UUID version 7 (RFC 9562 section 5.7): `unix_ms` in the first 48 bits, then `random` (74 of its
// bits are used). Sorts by time.
Id make_uuid7(uint64_t unix_ms, uint64_t random_high, uint64_t random_low);

// UUIDs of version 7 for things of one moment: random where the first begins, each further one more
// (RFC 9562 section 6.2, method 2), so that they sort in the order they were made. The last two
// bytes are the same for all.
class Uuid7Sequence {
 public:
  Uuid7Sequence(uint64_t unix_ms, uint64_t random_high, uint64_t random_low);
  Id next();

 private:
  Id id_;
  uint64_t counter_;  // 40 bits of it are bytes 9 to 13, the most significant first
};

// A well mixed 64-bit hash of an id; never cryptographic.
uint64_t hash_id(const Id& id);

}  // namespace firn
