#include "env/sqlite_outside_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "env/posix_file.h"

namespace firn {
namespace {

// Where SQLite on Unix puts its locks: the pending byte, the reserved byte and 510 bytes for
// readers, none of which is ever written (https://sqlite.org/src/file?name=src/os_unix.c).
constexpr off_t kPendingByte = 0x40000000;
constexpr off_t kFirstSharedByte = kPendingByte + 2;
constexpr off_t kSharedBytes = 510;

}  // namespace

SqliteOutsideLock::~SqliteOutsideLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool SqliteOutsideLock::acquire(const std::string& path, bool read_only) {
  if (descriptor_ >= 0 && (writes_ || read_only)) return true;
  if (descriptor_ < 0) {
    descriptor_ = retry_interrupted([&] { return ::open(path.c_str(), O_RDWR | O_CLOEXEC); });
    if (descriptor_ < 0 && read_only) {
      descriptor_ = retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    }
    if (descriptor_ < 0) return true;
  }
  struct flock range {};
  range.l_type = read_only ? F_RDLCK : F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = read_only ? kFirstSharedByte : kPendingByte;
  range.l_len = read_only ? kSharedBytes : kSharedBytes + 2;
  // Locks of the open file, not of the process: those of the process would vanish as soon as
  // anybody in it closes the same file.
  const int result = retry_interrupted([&] { return ::fcntl(descriptor_, F_OFD_SETLK, &range); });
  if (result != 0 && (errno == EAGAIN || errno == EACCES)) return false;
  writes_ = !read_only;
  return true;
}

}  // namespace firn
