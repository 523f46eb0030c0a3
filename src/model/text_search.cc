#include "model/text_search.h"

#include <algorithm>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace firn {
namespace {

// Compares where the first byte fits. For texts too short for find_in_blocks().
const char* find_by_first_byte(const char* begin, const char* end, std::string_view needle) {
  const char* const last = end - needle.size();
  for (const char* at = begin; at <= last; ++at) {
    at = static_cast<const char*>(
        std::memchr(at, needle.front(), static_cast<size_t>(last - at) + 1));
    if (at == nullptr) return nullptr;
    if (std::memcmp(at, needle.data(), needle.size()) == 0) return at;
  }
  return nullptr;
}

#if defined(__SSE2__)
constexpr size_t kBlockBytes = 16;

// Looks at sixteen places at once: a place is worth comparing where both the first and the last
// byte of the needle fit. REQUIRES: kBlockBytes places at least.
const char* find_in_blocks(const char* begin, const char* end, std::string_view needle) {
  const size_t distance = needle.size() - 1;  // from the first byte to the last
  const __m128i first = _mm_set1_epi8(needle.front());
  const __m128i final = _mm_set1_epi8(needle.back());
  const char* const last_block = end - distance - kBlockBytes;
  for (const char* at = begin;; at += kBlockBytes) {
    at = std::min(at, last_block);  // the last block overlaps the one before
    const __m128i starts = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i ends = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + distance));
    auto places = static_cast<unsigned>(_mm_movemask_epi8(
        _mm_and_si128(_mm_cmpeq_epi8(starts, first), _mm_cmpeq_epi8(ends, final))));
    for (; places != 0; places &= places - 1) {
      const char* const place = at + __builtin_ctz(places);
      if (std::memcmp(place, needle.data(), needle.size()) == 0) return place;
    }
    if (at == last_block) return nullptr;
  }
}
#endif

}  // namespace

const char* find_text(const char* begin, const char* end, std::string_view needle) {
  const auto size = static_cast<size_t>(end - begin);
  if (needle.empty()) return begin;
  if (size < needle.size()) return nullptr;
#if defined(__SSE2__)
  if (needle.size() > 1 && size >= needle.size() - 1 + kBlockBytes) {
    return find_in_blocks(begin, end, needle);
  }
#endif
  return find_by_first_byte(begin, end, needle);
}

bool TextSearch::is_in_text(std::string_view text) const {
  return std::any_of(texts_.begin(), texts_.end(),
                     [&](const std::string& needle) { return contains_text(text, needle); });
}

void TextSearch::sweep() {
  found_.assign(column_.entries(), 0);
  for (const std::string& text : texts_) sweep_for(text);
}

void TextSearch::sweep_for(std::string_view needle) {
  if (needle.empty()) {
    std::fill(found_.begin(), found_.end(), 1);
    return;
  }
  // The entries lie one behind the other, so one search runs over all of them.
  const char* at = column_.entry(0).data();
  const std::string_view last = column_.entry(column_.entries() - 1);
  const char* const end = last.data() + last.size();
  uint32_t entry = 0;
  while ((at = find_text(at, end, needle)) != nullptr) {
    while (column_.entry(entry).data() + column_.entry(entry).size() <= at) ++entry;
    const std::string_view text = column_.entry(entry);
    if (at + needle.size() <= text.data() + text.size()) {
      found_[entry] = 1;
      at = text.data() + text.size();
    } else {
      ++at;  // a hit across the border of two entries is none
    }
  }
}

}  // namespace firn
