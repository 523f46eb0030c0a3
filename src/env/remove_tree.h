#pragma once

#include <string>

#include "base/status.h"
#include "env/env.h"

namespace firn {

// Removes a directory and everything in it. Stops at the first failure; ok when it is not there.
Status remove_tree(Env* env, const std::string& path);

}  // namespace firn
