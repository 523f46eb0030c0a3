#include "base/hash.h"

// Compiled in here, so that nothing has to be linked and no other file pays for parsing it.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace firn {

uint64_t hash_bytes(ByteView bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace firn
