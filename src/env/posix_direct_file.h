#pragma once

#include <memory>
#include <string>

#include "env/env.h"

namespace firn {

// A file of OpenMode::kReadWriteDirect over an open descriptor, which it closes.
std::unique_ptr<File> make_posix_direct_file(int descriptor, std::string path);

}  // namespace firn
