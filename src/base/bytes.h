#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

// Bytes on disk and on the wire are little-endian; so is every machine Firn is built for.
static_assert(std::endian::native == std::endian::little, "Firn stores little-endian integers");

namespace firn {

using ByteView = std::string_view;  // bytes that someone else owns; not necessarily text

// Unaligned little-endian loads and stores.
template <typename T>
inline T load_le(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}
template <typename T>
inline void store_le(void* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}
template <typename T>
inline void append_le(std::string* to, T value) {
  to->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

// The next multiple of `alignment` (a power of two) at or above `value`.
constexpr uint64_t align_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

// Lower-case hexadecimal text of the bytes.
std::string hex_encode(ByteView bytes);
// Reads hexadecimal text of either case into exactly `size` bytes; false (out unspecified) when the
// text has another length or another character.
bool hex_decode(std::string_view text, void* out, size_t size);

}  // namespace firn
