#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/status.h"

namespace firn {

// The bytes in snappy's block format, which remote write uses (not the framed one).
std::string pack_snappy(ByteView bytes);

// Unpacks a snappy block. Its head says how long the output is: kTooLarge, before anything is
// allocated, when that passes `max_bytes` (limit request_bytes), or 1 MiB and `max_ratio` times the
// input (limit decompression_ratio). kInvalidArgument when the bytes are no snappy block or end too
// early. `may_take` is asked before the output gets that memory; kUnavailable when it refuses. The
// output takes the place of `memory`, as far as that goes.
Result<std::string> unpack_snappy(ByteView packed, uint64_t max_bytes, uint64_t max_ratio,
                                  const std::function<bool(uint64_t)>& may_take,
                                  std::string memory = {});

}  // namespace firn
