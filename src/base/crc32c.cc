#include "base/crc32c.h"

#include <array>

#include "base/bytes.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace firn {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // Castagnoli, bits reversed

using Table = std::array<uint32_t, 256>;

// tables[k][b]: the effect of byte b followed by k zero bytes ("slicing by 8").
constexpr std::array<Table, 8> make_byte_tables() {
  std::array<Table, 8> tables{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][b] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t b = 0; b < 256; ++b) {
      const uint32_t before = tables[k - 1][b];
      tables[k][b] = (before >> 8) ^ tables[0][before & 255];
    }
  }
  return tables;
}

constexpr std::array<Table, 8> kByteTables = make_byte_tables();

uint32_t update_byte(uint32_t crc, uint8_t byte) {
  return (crc >> 8) ^ kByteTables[0][(crc ^ byte) & 255];
}

#if defined(__x86_64__)

// The instruction takes three cycles but a new one can start in each, so long inputs are read as
// three neighbouring lanes at once and the lanes' checksums are joined afterwards.
constexpr size_t kLaneBytes = 1024;

// tables[i][b]: the effect of byte i of a checksum, with value b, after kLaneBytes zero bytes.
// Joining is linear, so the four look-ups are XORed.
constexpr std::array<Table, 4> make_lane_tables() {
  std::array<uint32_t, 32> bits{};
  for (size_t bit = 0; bit < 32; ++bit) {
    uint32_t crc = uint32_t{1} << bit;
    for (size_t i = 0; i < kLaneBytes; ++i) crc = (crc >> 8) ^ kByteTables[0][crc & 255];
    bits[bit] = crc;
  }
  std::array<Table, 4> tables{};
  for (size_t i = 0; i < 4; ++i) {
    for (size_t b = 0; b < 256; ++b) {
      for (size_t bit = 0; bit < 8; ++bit) {
        if ((b >> bit & 1) != 0) tables[i][b] ^= bits[8 * i + bit];
      }
    }
  }
  return tables;
}

constexpr std::array<Table, 4> kLaneTables = make_lane_tables();

uint64_t skip_lane(uint64_t crc) {
  return kLaneTables[0][crc & 255] ^ kLaneTables[1][crc >> 8 & 255] ^
         kLaneTables[2][crc >> 16 & 255] ^ kLaneTables[3][crc >> 24 & 255];
}

__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(uint32_t crc, const void* data,
                                                        size_t size) {
  const auto* at = static_cast<const uint8_t*>(data);
  uint64_t first = ~crc;
  while (size >= 3 * kLaneBytes) {
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t i = 0; i < kLaneBytes; i += 8) {
      first = _mm_crc32_u64(first, load_le<uint64_t>(at + i));
      second = _mm_crc32_u64(second, load_le<uint64_t>(at + kLaneBytes + i));
      third = _mm_crc32_u64(third, load_le<uint64_t>(at + 2 * kLaneBytes + i));
    }
    first = skip_lane(skip_lane(first) ^ second) ^ third;
    at += 3 * kLaneBytes;
    size -= 3 * kLaneBytes;
  }
  for (; size >= 8; at += 8, size -= 8) first = _mm_crc32_u64(first, load_le<uint64_t>(at));
  auto rest = static_cast<uint32_t>(first);
  for (; size > 0; ++at, --size) rest = _mm_crc32_u8(rest, *at);
  return ~rest;
}

using Crc32cFunction = uint32_t (*)(uint32_t, const void*, size_t);

Crc32cFunction choose() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") ? crc32c_sse42 : crc32c_portable;
}

#endif

}  // namespace

uint32_t crc32c_portable(uint32_t crc, const void* data, size_t size) {
  const auto* at = static_cast<const uint8_t*>(data);
  crc = ~crc;
  for (; size >= 8; at += 8, size -= 8) {
    const uint64_t word = load_le<uint64_t>(at) ^ crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) crc ^= kByteTables[7 - i][word >> (8 * i) & 255];
  }
  for (; size > 0; ++at, --size) crc = update_byte(crc, *at);
  return ~crc;
}

uint32_t crc32c(uint32_t crc, const void* data, size_t size) {
#if defined(__x86_64__)
  static const Crc32cFunction function = choose();
  return function(crc, data, size);
#else
  return crc32c_portable(crc, data, size);
#endif
}

}  // namespace firn
