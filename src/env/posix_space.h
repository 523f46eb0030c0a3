#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace firn {

// How large a file system is, and what is left of it.
struct FileSystemSpace {
  uint64_t size_bytes = 0;
  uint64_t free_bytes = 0;
  uint64_t available_bytes = 0;  // of those free, what an unprivileged writer can have
};

// The file system that holds `path`. Waits as long as the file system does, which for one of the
// network whose server is away may be for ever. Any thread.
Result<FileSystemSpace> file_system_space(const std::string& path);

}  // namespace firn
