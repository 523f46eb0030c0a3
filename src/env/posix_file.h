#pragma once

#include <cerrno>
#include <memory>
#include <string>

#include "env/env.h"

namespace firn {

// See Env::open and File in env.h. New files get mode 0600 and are not inherited by other programs.
Result<std::unique_ptr<File>> open_posix_file(const std::string& path, OpenMode mode);

// See Env::lock_file.
Result<std::unique_ptr<FileLock>> lock_posix_file(const std::string& path);

// Calls again as long as the call was interrupted by a signal.
template <typename Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace firn
