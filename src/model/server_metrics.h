#pragma once

#include <string_view>

// Rows of guardia's servers, which are samples: what writes and what reads them agree here
// (docs/guardia.md).
namespace firn {

// Its value is 1, its metadata is {"display_name":...,"metrics":{...}}.
inline constexpr std::string_view kServerSeries = "server_metrics";
inline constexpr std::string_view kServerLabel = "server_id";

}  // namespace firn
