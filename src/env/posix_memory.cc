#include "env/posix_memory.h"

#include <malloc.h>

namespace firn {

namespace {

// Left alone, every thread gets an arena of its own, and the size from which blocks are mapped
// grows with the largest block that was ever freed; both keep batches of long ago in memory.
constexpr int kArenas = 2;
constexpr int kMappedBytes = 256 * 1024;
constexpr int kTrimBytes = 1024 * 1024;

}  // namespace

void bound_allocator() {
#ifdef __GLIBC__
  (void)mallopt(M_ARENA_MAX, kArenas);
  (void)mallopt(M_MMAP_THRESHOLD, kMappedBytes);
  (void)mallopt(M_TRIM_THRESHOLD, kTrimBytes);
#endif
}

}  // namespace firn
