#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "views/metrics/metric_reads.h"
#include "views/metrics/rollup_marks.h"
#include "views/metrics/sample_state.h"

namespace firn {

struct WindowQuery {
  SeriesMatch match{};
  TimeRange time{};
  DurationNs window_ns = 0;                  // 0: one window that begins with the range
  std::vector<std::string> group_by{};       // labels, "series" or "name"; none: one group of all
  StateParts wanted{};                       // what the answer's states are to have
  bool raw_only = false;                     // rollups are not read
  RollupMarks* marks = nullptr;              // remembers what it read; null: nothing is remembered
  uint64_t samples_max = uint64_t{8} << 20;  // held at a time, as in a SampleScan
  uint32_t series_max = 100'000;             // kTooLarge when more match
  uint64_t rows_max = 1'000'000;  // windows of all groups together; kTooLarge when there are more
};

// States by the start of their window, ascending, one behind the other: nearly always the next one
// is the latest so far.
class WindowStates {
 public:
  using Window = std::pair<TimeNs, SampleState>;

  bool empty() const { return windows_.empty(); }
  size_t size() const { return windows_.size(); }
  auto begin() const { return windows_.begin(); }
  auto end() const { return windows_.end(); }
  auto find(TimeNs start) const {
    const auto found = first_from(start);
    return found != windows_.end() && found->first == start ? found : windows_.end();
  }
  // REQUIRES that it is there.
  const SampleState& at(TimeNs start) const {
    const auto found = find(start);
    FIRN_CHECK(found != windows_.end());
    return found->second;
  }
  // Makes it if it is not there. Until the next call.
  SampleState* get(TimeNs start) {
    if (!windows_.empty() && windows_.back().first == start) return &windows_.back().second;
    const auto place = first_from(start);
    if (place != windows_.end() && place->first == start) {
      return &windows_[static_cast<size_t>(place - windows_.begin())].second;
    }
    return &windows_.emplace(place, start, SampleState())->second;
  }

 private:
  std::vector<Window>::const_iterator first_from(TimeNs start) const {
    if (windows_.empty() || windows_.back().first < start) return windows_.end();
    return std::lower_bound(windows_.begin(), windows_.end(), start,
                            [](const Window& window, TimeNs time) { return window.first < time; });
  }

  std::vector<Window> windows_;
};

struct WindowGroup {
  std::vector<std::string> values;  // of group_by, in its order; empty for a label that is absent
  WindowStates windows;             // only those with values
};

// What a part of the range was answered from.
struct WindowPart {
  TimeRange time{};
  DurationNs resolution_ns = 0;  // the width of a rollup; 0: raw samples
  bool incomplete = false;       // from samples or rollups of which some were dropped
};

struct WindowAnswer {
  std::vector<WindowGroup> groups;  // ascending by values; only those with values
  std::vector<WindowPart> parts;    // ascending; intervals without samples are in none
  uint64_t series = 0;              // that matched
  QueryCost cost;
};

// States of windows of the values of all matching series (docs/metrics.md), from rollups as far as
// there are any (docs/formats/rollups.md, "Reading"). REQUIRES: a window_ns that is not negative.
Result<WindowAnswer> query_windows(const Snapshot& snapshot, const WindowQuery& query,
                                   const QueryGuard& guard);

// The same for series that are given, ascending by identity; of the query's match nothing is asked.
Result<WindowAnswer> query_series_windows(const Snapshot& snapshot, const WindowQuery& query,
                                          const std::vector<Series>& series,
                                          const QueryGuard& guard);

// The width for a range that is to have at most so many windows (docs/metrics.md, "Width"); nothing
// for a range without ends. REQUIRES: points > 0.
std::optional<DurationNs> window_for_points(const TimeRange& time, uint64_t points);

}  // namespace firn
