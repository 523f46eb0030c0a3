#include "base/hash.h"

#include <cstring>

// Compiled in here, so that nothing has to be linked and no other file pays for parsing it.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace firn {

uint64_t hash_bytes(ByteView bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Id hash_bytes_128(ByteView bytes, uint64_t seed) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed));
  Id id;
  static_assert(sizeof(canonical.digest) == sizeof(id.bytes));
  std::memcpy(id.bytes.data(), canonical.digest, sizeof(canonical.digest));
  return id;
}

}  // namespace firn
