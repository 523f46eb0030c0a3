#pragma once

#include <cstddef>

// Byte planes (docs/formats/batch.md): byte 0 of every value, then byte 1 of every value, and so
// on. Values are `stride` bytes apart in memory.
namespace firn {

// Plane p of `planes` gets byte p of each of `count` values; value i begins at from + i * stride.
inline void split_planes(const char* from, size_t stride, size_t count, size_t planes, char* to) {
  for (size_t plane = 0; plane < planes; ++plane) {
    const char* byte = from + plane;
    for (size_t i = 0; i < count; ++i, byte += stride) *to++ = *byte;
  }
}

// The other way round. Leaves bytes between the values as they are. Many times faster where there
// are none: values of 4, 8 or 16 planes and as many bytes.
void join_planes(const char* from, size_t stride, size_t count, size_t planes, char* to);

}  // namespace firn
