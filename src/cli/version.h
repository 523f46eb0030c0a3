#pragma once

#include <string>

namespace firn {

// "firn 0.1.0"; the number comes from the build.
inline std::string version_text() { return "firn " FIRN_VERSION; }

}  // namespace firn
