#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "wire/sample_rows.h"

namespace firn {

// All rows of the body (docs/guardia.md) as samples, or none: kInvalidArgument or kTooLarge naming
// the server, the member and the offset. A body without rows is kInvalidArgument. The body is only
// read during the call. Any thread.
Result<DecodedSamples> decode_servers_json(ByteView body, const DecodeDefaults& defaults);

// What guardia's columns say of a ServerMetrics document: numbers as JSON, empty for those that are
// null or not there.
struct ServerColumns {
  std::string_view cpu_avg, temp_avg, memory_used, memory_total;
};
// The views are of `metrics`. kInvalidArgument when one is something else than a number or null.
Result<ServerColumns> read_server_columns(std::string_view metrics);

}  // namespace firn
