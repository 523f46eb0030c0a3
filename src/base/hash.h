#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/id.h"

namespace firn {

// XXH3 (64 bits) of the bytes. The same on every machine and in every release of Firn, so it may be
// stored. Fast and well mixed, never cryptographic: with a secret seed it only makes collisions
// hard to hit by accident.
uint64_t hash_bytes(ByteView bytes, uint64_t seed = 0);
// XXH3 (128 bits), its canonical form: the greatest byte first.
Id hash_bytes_128(ByteView bytes, uint64_t seed = 0);

}  // namespace firn
