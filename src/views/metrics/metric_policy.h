#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "store/options.h"

namespace firn {

struct RollupLevel {
  DurationNs window_ns = 0;
  DurationNs keep_ns = kForever;
  bool operator==(const RollupLevel&) const = default;
};

// What is kept of a namespace's samples, and for how long (docs/formats/rollups.md, "Retention").
struct MetricPolicy {
  DurationNs raw_ns = kForever;
  // From narrow to wide, at most one for each of the datasets of rollups.
  std::vector<RollupLevel> rollups = {
      {5 * kMinuteNs, kForever}, {kHourNs, kForever}, {kDayNs, kForever}};
  bool operator==(const MetricPolicy&) const = default;
};

// kInvalidArgument saying what cannot be: more than three rollups, a width that is no multiple of
// the one before or does not divide the chunk interval, ages that are not positive.
Status check_metric_policy(const MetricPolicy& policy, DurationNs chunk_interval_ns);

// As it is stored: nanoseconds, "RAW WINDOW:KEEP WINDOW:KEEP". Nothing when the text is none.
std::string metric_policy_text(const MetricPolicy& policy);
std::optional<MetricPolicy> parse_metric_policy_text(std::string_view text);

}  // namespace firn
