#include "model/planes.h"

#include <cstdint>
#include <cstring>

namespace firn {

namespace {

constexpr size_t kStep = 16;  // values that are joined at once
using Bytes = uint8_t __attribute__((vector_size(kStep)));

Bytes interleave_low(Bytes a, Bytes b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
Bytes interleave_high(Bytes a, Bytes b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}

// Joins kStep values of kPlanes planes that are `distance` apart: the even planes among themselves,
// the odd ones, and both byte by byte.
template <size_t kPlanes>
inline void join_step(const char* from, size_t distance, Bytes* to) {
  if constexpr (kPlanes == 1) {
    std::memcpy(to, from, kStep);
  } else {
    Bytes even[kPlanes / 2], odd[kPlanes / 2];
    join_step<kPlanes / 2>(from, 2 * distance, even);
    join_step<kPlanes / 2>(from + distance, 2 * distance, odd);
    for (size_t i = 0; i < kPlanes / 2; ++i) {
      to[2 * i] = interleave_low(even[i], odd[i]);
      to[2 * i + 1] = interleave_high(even[i], odd[i]);
    }
  }
}

// Returns how many values it joined; fewer than kStep are left.
template <size_t kPlanes>
size_t join_steps(const char* from, size_t count, char* to) {
  size_t done = 0;
  for (; done + kStep <= count; done += kStep) {
    Bytes values[kPlanes];
    join_step<kPlanes>(from + done, count, values);
    std::memcpy(to + done * kPlanes, values, sizeof(values));
  }
  return done;
}

size_t join_most(const char* from, size_t count, size_t planes, char* to) {
  switch (planes) {
    case 4:
      return join_steps<4>(from, count, to);
    case 8:
      return join_steps<8>(from, count, to);
    case 16:
      return join_steps<16>(from, count, to);
    default:
      return 0;
  }
}

}  // namespace

void join_planes(const char* from, size_t stride, size_t count, size_t planes, char* to) {
  const size_t done = stride == planes ? join_most(from, count, planes, to) : 0;
  for (size_t plane = 0; plane < planes; ++plane) {
    const char* const bytes = from + plane * count;
    for (size_t i = done; i < count; ++i) to[i * stride + plane] = bytes[i];
  }
}

}  // namespace firn
