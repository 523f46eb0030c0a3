#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "env/env.h"
#include "tier/object/object_store.h"

namespace firn {

// Objects as files below `directory`, which is created when missing: the object a/b is the file
// <directory>/a/b. Objects have neither versions nor stored checksums. Beyond the store's failures:
// what Env returns. `env` must outlive the store; one process at a time uses a directory.
Result<std::unique_ptr<ObjectStore>> open_directory_store(Env* env, const std::string& directory);

}  // namespace firn
