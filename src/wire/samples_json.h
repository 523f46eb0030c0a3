#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "wire/sample_rows.h"

namespace firn {

// All samples of the body (docs/formats/samples_json.md), or none: kInvalidArgument or kTooLarge
// naming the sample, the member and the offset. A body without samples is kInvalidArgument. The
// body is only read during the call. Any thread.
Result<DecodedSamples> decode_samples_json(ByteView body, const DecodeDefaults& defaults);

}  // namespace firn
