#include "views/metrics/metric_policy.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include "views/metrics/rollup_rows.h"

namespace firn {

namespace {

// The number at the beginning of the text, which loses it and the character behind it.
std::optional<int64_t> take_number(std::string_view* text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc()) return std::nullopt;
  text->remove_prefix(std::min(text->size(), static_cast<size_t>(end - text->data()) + 1));
  return number;
}

}  // namespace

Status check_metric_policy(const MetricPolicy& policy, DurationNs chunk_interval_ns) {
  if (policy.raw_ns <= 0) return invalid_argument("raw samples must be kept for more than nothing");
  if (policy.rollups.size() > std::size(kRollupDatasets)) {
    return invalid_argument("there are more than " + std::to_string(std::size(kRollupDatasets)) +
                            " rollups, the limit");
  }
  DurationNs before = kSecondNs;
  for (const RollupLevel& level : policy.rollups) {
    const std::string name = "the rollup of " + format_duration(level.window_ns);
    if (level.window_ns <= 0 || level.window_ns % before != 0) {
      return invalid_argument(name + " must be a multiple of " + format_duration(before));
    }
    if (before != kSecondNs && level.window_ns == before) {
      return invalid_argument(name + " is there twice");
    }
    if (chunk_interval_ns % level.window_ns != 0) {
      return invalid_argument(name + " must divide chunk_interval, " +
                              format_duration(chunk_interval_ns));
    }
    if (level.keep_ns <= 0) return invalid_argument(name + " must be kept for more than nothing");
    before = level.window_ns;
  }
  return Status();
}

std::string metric_policy_text(const MetricPolicy& policy) {
  std::string text = std::to_string(policy.raw_ns);
  for (const RollupLevel& level : policy.rollups) {
    text += " " + std::to_string(level.window_ns) + ":" + std::to_string(level.keep_ns);
  }
  return text;
}

std::optional<MetricPolicy> parse_metric_policy_text(std::string_view text) {
  MetricPolicy policy;
  policy.rollups.clear();
  const auto raw = take_number(&text);
  if (!raw) return std::nullopt;
  policy.raw_ns = *raw;
  while (!text.empty()) {
    const auto window = take_number(&text);
    const auto keep = take_number(&text);
    if (!window || !keep) return std::nullopt;
    policy.rollups.push_back({*window, *keep});
  }
  return policy;
}

}  // namespace firn
