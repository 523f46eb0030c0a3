#include "env/posix_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace firn {

Status posix_error(std::string_view action, const std::string& path, int error_number) {
  // strerror() is not safe between threads; this asks strerror_r.
  std::string message =
      fmt::format("{} {}: {}", action, path, std::generic_category().message(error_number));
  switch (error_number) {
    case ENOENT:
      return not_found(std::move(message));
    case ENOSPC:
    case EDQUOT:
      return no_space(std::move(message));
    default:
      return io_error(std::move(message));
  }
}

}  // namespace firn
