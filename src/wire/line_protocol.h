#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "wire/sample_rows.h"

namespace firn {

// All lines of a body of InfluxDB's line protocol (docs/influx.md), or none: kInvalidArgument,
// kTooLarge. Usually one part, none for a body without lines. `precision` is what timestamps count.
// After a failure `bad_line` is the line that it is about, from 1, or 0 for none; the message names
// it too. The body is only read during the call. Any thread.
Result<std::vector<DecodedSamples>> decode_line_protocol(ByteView body, DurationNs precision,
                                                         const DecodeDefaults& defaults,
                                                         uint64_t* bad_line);

}  // namespace firn
