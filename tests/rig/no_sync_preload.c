/* Preloaded into the server by the rigs, to prove that they notice a server that does not sync:
 * every sync reports success and does nothing, and files are opened without O_SYNC and O_DSYNC.
 * The product itself has no such mode. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>

int fsync(int descriptor) {
  (void)descriptor;
  return 0;
}

int fdatasync(int descriptor) {
  (void)descriptor;
  return 0;
}

int sync_file_range(int descriptor, off64_t offset, off64_t count, unsigned int flags) {
  (void)descriptor, (void)offset, (void)count, (void)flags;
  return 0;
}

int syncfs(int descriptor) {
  (void)descriptor;
  return 0;
}

void sync(void) {}

static void* original(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

static int without_sync(int flags) { return flags & ~(O_SYNC | O_DSYNC); }

/* The mode is only there when a file may be created. */
#define OPEN_MODE(flags, last)             \
  mode_t mode = 0;                         \
  if ((flags) & (O_CREAT | __O_TMPFILE)) { \
    va_list more;                          \
    va_start(more, last);                  \
    mode = (mode_t)va_arg(more, int);      \
    va_end(more);                          \
  }

int open(const char* path, int flags, ...) {
  OPEN_MODE(flags, flags)
  int (*next)(const char*, int, ...) = (int (*)(const char*, int, ...))original("open");
  return next(path, without_sync(flags), mode);
}

int open64(const char* path, int flags, ...) {
  OPEN_MODE(flags, flags)
  int (*next)(const char*, int, ...) = (int (*)(const char*, int, ...))original("open64");
  return next(path, without_sync(flags), mode);
}

int openat(int at, const char* path, int flags, ...) {
  OPEN_MODE(flags, flags)
  int (*next)(int, const char*, int, ...) = (int (*)(int, const char*, int, ...))original("openat");
  return next(at, path, without_sync(flags), mode);
}

int openat64(int at, const char* path, int flags, ...) {
  OPEN_MODE(flags, flags)
  int (*next)(int, const char*, int, ...) =
      (int (*)(int, const char*, int, ...))original("openat64");
  return next(at, path, without_sync(flags), mode);
}

typedef ssize_t (*Pwritev2)(int, const struct iovec*, int, off64_t, int);

ssize_t pwritev2(int descriptor, const struct iovec* parts, int count, off64_t offset, int flags) {
  return ((Pwritev2)original("pwritev2"))(descriptor, parts, count, offset,
                                          flags & ~(RWF_SYNC | RWF_DSYNC));
}

ssize_t pwritev64v2(int descriptor, const struct iovec* parts, int count, off64_t offset,
                    int flags) {
  return ((Pwritev2)original("pwritev64v2"))(descriptor, parts, count, offset,
                                             flags & ~(RWF_SYNC | RWF_DSYNC));
}
