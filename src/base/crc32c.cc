#include "base/crc32c.h"

#include <array>
#include <iterator>

#include "base/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
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

// x^exponent modulo the polynomial. As everywhere here the highest power stands in bit 0.
constexpr uint32_t power_of_x(int exponent) {
  uint32_t power = 0x80000000;
  for (int i = 0; i < exponent; ++i) power = (power >> 1) ^ ((power & 1) != 0 ? kPolynomial : 0);
  return power;
}

// What 16 bytes are multiplied with to become what they mean `bits` further on: the first half is
// 64 powers higher, and a product of two halves stands 33 powers too high for constants of 32 bits.
struct Fold {
  explicit constexpr Fold(int bits) : first(power_of_x(bits + 31)), second(power_of_x(bits - 33)) {}
  uint64_t first, second;
};

#define FIRN_TARGET_FOLD __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

FIRN_TARGET_FOLD inline __m512i load_64(const uint8_t* at) { return _mm512_loadu_si512(at); }

// `before`, moved on to where `next` is, and `next`.
FIRN_TARGET_FOLD inline __m512i fold_64(__m512i before, __m512i constants, __m512i next) {
  const __m512i first = _mm512_clmulepi64_epi128(before, constants, 0x00);
  const __m512i second = _mm512_clmulepi64_epi128(before, constants, 0x11);
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(first, second, next, kXorOfThree);
}

FIRN_TARGET_FOLD inline __m128i fold_16(__m128i before, const Fold& fold, __m128i next) {
  const __m128i constants =
      _mm_set_epi64x(static_cast<int64_t>(fold.second), static_cast<int64_t>(fold.first));
  const __m128i first = _mm_clmulepi64_si128(before, constants, 0x00);
  const __m128i second = _mm_clmulepi64_si128(before, constants, 0x11);
  return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

FIRN_TARGET_FOLD inline __m512i broadcast(const Fold& fold) {
  const auto first = static_cast<int64_t>(fold.first), second = static_cast<int64_t>(fold.second);
  return _mm512_set4_epi64(second, first, second, first);
}

constexpr size_t kFoldedBytes = 256;

// Four times 64 bytes go along the input, each folded into those 256 bytes further on: "Fast CRC
// Computation for Generic Polynomials Using PCLMULQDQ Instruction", V. Gopal et al., Intel 2009.
FIRN_TARGET_FOLD uint32_t crc32c_folded(uint32_t crc, const void* data, size_t size) {
  static constexpr Fold kBy256(2048), kBy64(512), kBy16(128);
  if (size < 2 * kFoldedBytes) return crc32c_sse42(crc, data, size);
  const auto* at = static_cast<const uint8_t*>(data);
  __m512i a = _mm512_xor_si512(load_64(at),
                               _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(~crc))));
  __m512i b = load_64(at + 64), c = load_64(at + 128), d = load_64(at + 192);
  at += kFoldedBytes;
  size -= kFoldedBytes;
  const __m512i by_256 = broadcast(kBy256);
  for (; size >= kFoldedBytes; at += kFoldedBytes, size -= kFoldedBytes) {
    a = fold_64(a, by_256, load_64(at));
    b = fold_64(b, by_256, load_64(at + 64));
    c = fold_64(c, by_256, load_64(at + 128));
    d = fold_64(d, by_256, load_64(at + 192));
  }
  const __m512i by_64 = broadcast(kBy64);
  const __m512i all = fold_64(fold_64(fold_64(a, by_64, b), by_64, c), by_64, d);
  alignas(sizeof(__m512i)) __m128i parts[4];
  _mm512_store_si512(parts, all);
  __m128i rest = parts[0];
  for (size_t i = 1; i < std::size(parts); ++i) rest = fold_16(rest, kBy16, parts[i]);
  // The checksum of what is left, as if nothing had come before.
  uint64_t joined = _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(rest)));
  joined = _mm_crc32_u64(joined, static_cast<uint64_t>(_mm_extract_epi64(rest, 1)));
  return crc32c_sse42(~static_cast<uint32_t>(joined), at, size);
}

#endif

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

}  // namespace

std::vector<Crc32cFunction> crc32c_forms() {
  std::vector<Crc32cFunction> forms{crc32c_portable};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("sse4.2")) return forms;
  forms.push_back(crc32c_sse42);
  const bool folds = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("pclmul");
  if (folds) forms.push_back(crc32c_folded);
#endif
  return forms;
}

uint32_t crc32c(uint32_t crc, const void* data, size_t size) {
  static const Crc32cFunction function = crc32c_forms().back();
  return function(crc, data, size);
}

}  // namespace firn
