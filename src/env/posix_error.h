#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace firn {

// The Status of a failed system call, with the codes env.h promises. "open data/x: No such file or
// directory".
Status posix_error(std::string_view action, const std::string& path, int error_number);

}  // namespace firn
