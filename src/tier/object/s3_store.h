#pragma once

#include <memory>

#include "base/status.h"
#include "env/env.h"
#include "tier/object/object_store.h"
#include "tier/object/s3_options.h"

namespace firn {

// Objects in a bucket of S3 or of a server that speaks its protocol (docs/object-storage.md). The
// first request is sent by the first call, so a wrong endpoint shows there. kInvalidArgument from
// validate_s3_options(). `env` must outlive the store.
Result<std::unique_ptr<ObjectStore>> open_s3_store(Env* env, const S3Options& options);

}  // namespace firn
