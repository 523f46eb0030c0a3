#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "views/metrics/metric_reads.h"

namespace firn {

// What a request about metrics asks for by its query parameters (docs/http-api.md, "Metrics").
struct MetricSelection {
  SeriesMatch match;
  TimeRange time;
  std::optional<uint32_t> limit;
  std::string cursor;
  std::optional<DurationNs> window_ns;
  std::optional<uint64_t> max_points;
  std::vector<std::string> group_by;
  std::vector<std::string> functions;  // of states; none given: all
  std::string key;                     // of labels
  std::string service;
  std::optional<DurationNs> gap_max_ns;
};

// Adds what a match says under this word: name or metric_type, server_id, label.<key>. False for
// another word.
bool add_matcher(std::string_view word, std::string_view value, SeriesMatch* match);

// Parameters that some routes know and others do not; all know those of a match and of time.
enum class MetricParameter : uint8_t {
  kLimit,
  kCursor,
  kWindow,
  kMaxPoints,
  kGroupBy,
  kFunctions,
  kKey,
  kService,
  kMaxGap
};

// kInvalidArgument naming the parameter and what it must be, also for one that is not `known`.
// `now` is what relative times count from.
Result<MetricSelection> parse_metric_selection(std::string_view raw_query,
                                               std::initializer_list<MetricParameter> known,
                                               TimeNs now, const Limits& limits);

}  // namespace firn
