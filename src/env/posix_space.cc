#include "env/posix_space.h"

#include <sys/statvfs.h>

#include <cerrno>

#include "env/posix_error.h"
#include "env/posix_file.h"

namespace firn {

Result<FileSystemSpace> file_system_space(const std::string& path) {
  struct statvfs info {};
  if (retry_interrupted([&] { return ::statvfs(path.c_str(), &info); }) != 0) {
    return posix_error("ask for the free space of", path, errno);
  }
  const uint64_t block = info.f_frsize;
  return FileSystemSpace{block * info.f_blocks, block * info.f_bfree, block * info.f_bavail};
}

}  // namespace firn
