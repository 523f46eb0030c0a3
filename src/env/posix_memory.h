#pragma once

#include <cstddef>

namespace firn {

// Keeps the C library's allocator from holding much more than the program uses: few arenas, and
// large blocks that go back to the system when they are freed. For the start of main(), before
// other threads; a program that embeds Firn decides for itself.
void bound_allocator();

}  // namespace firn
