#pragma once

// FIRN_CHECK states what must be true unless Firn itself is wrong. It stays on in release builds:
// stopping is better than writing on from a state that cannot be. Never use it for what the world
// can do (input, disk, network); that is a Status.
#define FIRN_CHECK(condition)                               \
  do {                                                      \
    if (!(condition)) [[unlikely]] {                        \
      ::firn::check_failed(#condition, __FILE__, __LINE__); \
    }                                                       \
  } while (0)

namespace firn {

// Prints the failed condition with its place to standard error and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace firn
