#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "wire/sample_rows.h"

namespace firn {

// All checks of the body (docs/uptime.md) as samples, or none: kInvalidArgument or kTooLarge naming
// the check, the member and the offset. A body without checks is kInvalidArgument. The body is only
// read during the call. Any thread.
Result<DecodedSamples> decode_checks_json(ByteView body, const DecodeDefaults& defaults);

}  // namespace firn
