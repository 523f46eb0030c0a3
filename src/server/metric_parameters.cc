#include "server/metric_parameters.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/server_metrics.h"
#include "server/event_parameters.h"
#include "server/http_types.h"

namespace firn {

namespace {

constexpr std::string_view kLabelPrefix = "label.";
constexpr std::array<std::pair<std::string_view, MetricParameter>, 9> kParameters = {
    {{"limit", MetricParameter::kLimit},
     {"cursor", MetricParameter::kCursor},
     {"window_s", MetricParameter::kWindow},
     {"max_points", MetricParameter::kMaxPoints},
     {"group_by", MetricParameter::kGroupBy},
     {"functions", MetricParameter::kFunctions},
     {"key", MetricParameter::kKey},
     {"service_name", MetricParameter::kService},
     {"max_gap_s", MetricParameter::kMaxGap}}};

Status bad_value(std::string_view name, std::string_view value, std::string_view wanted) {
  return invalid_argument("query parameter '" + std::string(name) + "' is '" + std::string(value) +
                          "'; it must be " + std::string(wanted));
}

Result<TimeNs> read_time(std::string_view name, std::string_view value, TimeNs now) {
  const auto time = parse_time_or_relative(value, now);
  if (time) return *time;
  return bad_value(name, value, "a time: RFC 3339, a Unix time, 'now' or '-1h'");
}

Result<uint64_t> read_number(std::string_view name, std::string_view value, uint64_t most) {
  const auto number = parse_unsigned(value);
  if (number && *number >= 1 && *number <= most) return *number;
  return bad_value(name, value, "from 1 to " + std::to_string(most));
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

}  // namespace

bool add_matcher(std::string_view word, std::string_view value, SeriesMatch* match) {
  if (word == "name" || word == "metric_type") {
    match->name = value;
  } else if (word == kServerLabel) {
    match->labels.emplace_back(word, value);
  } else if (word.starts_with(kLabelPrefix) && word.size() > kLabelPrefix.size()) {
    match->labels.emplace_back(word.substr(kLabelPrefix.size()), value);
  } else {
    return false;
  }
  return true;
}

namespace {

// Reads a parameter that every route knows; false when it is none of them.
Result<bool> read_match(const std::string& name, const std::string& value, TimeNs now,
                        MetricSelection* selection) {
  SeriesMatch& match = selection->match;
  if (name == "from") {
    FIRN_ASSIGN(selection->time.from, read_time(name, value, now));
  } else if (name == "to") {
    FIRN_ASSIGN(selection->time.to, read_time(name, value, now));
  } else if (name == "series") {
    for (std::string& id : split_list(value)) match.series.push_back(std::move(id));
  } else {
    return add_matcher(name, value, &match);
  }
  return true;
}

Status read_other(MetricParameter parameter, const std::string& name, const std::string& value,
                  const Limits& limits, MetricSelection* selection) {
  constexpr uint64_t kWindowSecondsMax = 366ull * 86'400 * 100;
  switch (parameter) {
    case MetricParameter::kLimit: {
      FIRN_ASSIGN(const uint64_t limit, read_number(name, value, limits.page_rows));
      selection->limit = static_cast<uint32_t>(limit);
      return Status();
    }
    case MetricParameter::kCursor:
      selection->cursor = value;
      return Status();
    case MetricParameter::kWindow: {
      FIRN_ASSIGN(const uint64_t seconds, read_number(name, value, kWindowSecondsMax));
      selection->window_ns = static_cast<DurationNs>(seconds) * kSecondNs;
      return Status();
    }
    case MetricParameter::kMaxPoints: {
      FIRN_ASSIGN(selection->max_points, read_number(name, value, limits.query_rows));
      return Status();
    }
    case MetricParameter::kGroupBy:
      selection->group_by = split_list(value);
      return Status();
    case MetricParameter::kFunctions:
      selection->functions = split_list(value);
      return Status();
    case MetricParameter::kKey:
      selection->key = value;
      return Status();
    case MetricParameter::kService:
      selection->service = value;
      return Status();
    case MetricParameter::kMaxGap: {
      FIRN_ASSIGN(const uint64_t seconds, read_number(name, value, kWindowSecondsMax));
      selection->gap_max_ns = static_cast<DurationNs>(seconds) * kSecondNs;
      return Status();
    }
  }
  return Status();
}

}  // namespace

Result<MetricSelection> parse_metric_selection(std::string_view raw_query,
                                               std::initializer_list<MetricParameter> known,
                                               TimeNs now, const Limits& limits) {
  FIRN_ASSIGN(const QueryParameters parameters, parse_query(raw_query));
  MetricSelection selection;
  for (const auto& given : parameters) {
    const std::string& name = given.first;
    const std::string& value = given.second;
    FIRN_ASSIGN(const bool is_match, read_match(name, value, now, &selection));
    if (is_match) continue;
    const auto found = std::find_if(kParameters.begin(), kParameters.end(), [&](const auto& one) {
      return one.first == name && std::count(known.begin(), known.end(), one.second) > 0;
    });
    if (found != kParameters.end()) {
      FIRN_TRY(read_other(found->second, name, value, limits, &selection));
      continue;
    }
    std::string names = "from, to, series, name, metric_type, server_id, label.<key>";
    for (const auto& [other, parameter] : kParameters) {
      if (std::count(known.begin(), known.end(), parameter) > 0) names.append(", ").append(other);
    }
    std::string message = "unknown query parameter '";
    message.append(name).append("'; there are ").append(names);
    return invalid_argument(std::move(message));
  }
  return selection;
}

}  // namespace firn
