#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace firn {

// Whether a byte cannot stand in a JSON string as it is.
inline bool is_json_special(uint8_t byte) { return byte < 0x20 || byte == '"' || byte == '\\'; }

// The first byte in [at, end) that is '"', '\' or a control character; end when there is none.
// Looks at no byte outside the range.
inline const char* find_json_special(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1F);
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i found =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                     _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
    const int mask = _mm_movemask_epi8(found);
    if (mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
    at += 16;
  }
#endif
  while (at < end && !is_json_special(static_cast<uint8_t>(*at))) ++at;
  return at;
}

// Whether each of eight bytes is ASCII and can stand in a JSON string as it is. Written for all
// eight at once: the high bit of a byte ends up set where the byte is 0 (or, above it, possibly
// where it is not, which can only turn a "yes" into a "no").
inline bool is_plain_json_word(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighBits = 0x8080808080808080;
  const auto has_zero = [](uint64_t x) { return (x - kOnes) & ~x; };
  const uint64_t below_space = (word - kOnes * 0x20) & ~word;
  const uint64_t found =
      word | below_space | has_zero(word ^ kOnes * '"') | has_zero(word ^ kOnes * '\\');
  return (found & kHighBits) == 0;
}

// Whether the text is ASCII that can stand in a JSON string as it is; the usual case for names and
// short values.
inline bool is_plain_json(std::string_view text) {
  const auto load = [&](size_t at) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    return word;
  };
  if (text.size() < 8) {
    for (const char c : text) {
      const auto byte = static_cast<uint8_t>(c);
      if (byte >= 0x80 || is_json_special(byte)) return false;
    }
    return true;
  }
  for (size_t at = 0; at + 8 <= text.size(); at += 8) {
    if (!is_plain_json_word(load(at))) return false;
  }
  return is_plain_json_word(load(text.size() - 8));  // the rest, and some bytes again
}

inline bool is_ascii(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  uint64_t seen = 0;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    seen |= word;
  }
  for (; at < text.size(); ++at) seen |= static_cast<uint8_t>(text[at]);
  return (seen & kHighBits) == 0;
}

}  // namespace firn
