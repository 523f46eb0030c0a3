#include "views/metrics/metric_windows.h"

#include <array>
#include <utility>

#include "views/metrics/sample_scan.h"

namespace firn {

namespace {

// What the series has for each of the keys.
std::vector<std::string> group_values(const Series& series, const std::vector<std::string>& keys) {
  std::vector<std::string> values;
  for (const std::string& key : keys) {
    if (key == "series") {
      values.push_back(series.series);
    } else if (key == "name") {
      values.push_back(series.name);
    } else {
      values.push_back(attribute_of(series.labels, {}, {}, key).value_or(""));
    }
  }
  return values;
}

// Adds values to the windows of their groups.
class Windows {
 public:
  Windows(const WindowQuery& query, const std::vector<Series>& series) : query_(query) {
    for (const Series& one : series) {
      groups_of_.push_back(&groups_[group_values(one, query.group_by)]);
    }
  }

  Status add(size_t series, std::span<const SampleValue> values) {
    std::map<TimeNs, SampleState>& windows = *groups_of_[series];
    SampleState* state = nullptr;
    TimeNs start = 0;
    for (const SampleValue& sample : values) {
      const TimeNs wanted = window_of(sample.time);
      if (state == nullptr || wanted != start) {
        start = wanted;
        const auto [found, is_new] = windows.try_emplace(start);
        state = &found->second;
        if (is_new && ++rows_ > query_.rows_max) {
          return too_large("the answer has more than " + std::to_string(query_.rows_max) +
                           " windows; ask for wider ones, fewer groups or a shorter range");
        }
      }
      add_value(sample.time, sample.value, query_.with_sketch, state);
    }
    return Status();
  }

  std::vector<WindowGroup> take() {
    std::vector<WindowGroup> groups;
    for (auto& [values, windows] : groups_) {
      if (!windows.empty()) groups.push_back({values, std::move(windows)});
    }
    return groups;
  }

 private:
  TimeNs window_of(TimeNs time) const {
    return query_.window_ns == 0 ? query_.time.from : interval_start(time, query_.window_ns);
  }

  const WindowQuery& query_;
  std::map<std::vector<std::string>, std::map<TimeNs, SampleState>> groups_;
  std::vector<std::map<TimeNs, SampleState>*> groups_of_;  // by place of the series
  uint64_t rows_ = 0;
};

}  // namespace

Result<WindowAnswer> query_windows(const Snapshot& snapshot, const WindowQuery& query,
                                   const QueryGuard& guard) {
  WindowAnswer answer;
  FIRN_ASSIGN(const std::vector<Series> series,
              select_series(snapshot, query.match, query.time, query.series_max, guard,
                            &answer.cost));
  answer.series = series.size();
  SampleScan scan;
  scan.time = query.time;
  scan.samples_max = query.samples_max;
  for (const Series& one : series) scan.series.push_back(one.series);
  Windows windows(query, series);
  FIRN_TRY(scan_samples(snapshot, scan, guard, &answer.cost,
                        [&](size_t place, std::span<const SampleValue> values) {
                          return windows.add(place, values);
                        }));
  answer.groups = windows.take();
  return answer;
}

std::optional<DurationNs> window_for_points(const TimeRange& time, uint64_t points) {
  if (time.from == INT64_MIN || time.to == INT64_MAX) return std::nullopt;
  constexpr std::array<DurationNs, 16> kWidths = {
      kSecondNs,      2 * kSecondNs,  5 * kSecondNs,  10 * kSecondNs, 15 * kSecondNs, 30 * kSecondNs,
      kMinuteNs,      2 * kMinuteNs,  5 * kMinuteNs,  10 * kMinuteNs, 15 * kMinuteNs, 30 * kMinuteNs,
      kHourNs,        2 * kHourNs,    3 * kHourNs,    6 * kHourNs};
  const auto fits = [&](DurationNs width) {
    if (time.to <= time.from) return true;
    // One more than the quotient, because the ends lie anywhere in their windows.
    const auto first = static_cast<__int128>(interval_start(time.from, width));
    const auto last = static_cast<__int128>(interval_start(time.to - 1, width));
    return (last - first) / width < static_cast<__int128>(points);
  };
  for (const DurationNs width : kWidths) {
    if (fits(width)) return width;
  }
  if (fits(12 * kHourNs)) return 12 * kHourNs;
  DurationNs days = 1;
  while (!fits(days * kDayNs)) ++days;
  return days * kDayNs;
}

}  // namespace firn
