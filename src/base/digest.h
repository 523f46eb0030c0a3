#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace firn {

// Digests that others prescribe. Any thread.

// Only where a contract asks for it: MD5 protects nothing.
std::array<uint8_t, 16> md5(ByteView bytes);
std::array<uint8_t, 32> sha256(ByteView bytes);

// Takes the same time wherever the first difference is. Different sizes are different.
bool equal_in_constant_time(ByteView a, ByteView b);

}  // namespace firn
