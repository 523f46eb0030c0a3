#include "views/metrics/metric_windows.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "views/metrics/rollup_rows.h"
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
    SampleState* state = nullptr;
    TimeNs start = 0;
    for (const SampleValue& sample : values) {
      const TimeNs wanted = window_of(sample.time);
      if (state == nullptr || wanted != start) {
        start = wanted;
        FIRN_ASSIGN(state, window(series, start));
      }
      add_value(sample.time, sample.value, query_.wanted.sketch, state);
    }
    return Status();
  }

  // The state of a narrower window, by its start.
  Status add(size_t series, TimeNs start, const SampleState& part) {
    if (part.count == 0) return Status();
    FIRN_ASSIGN(SampleState* const state, window(series, window_of(start)));
    merge_state(part, state);
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
  Result<SampleState*> window(size_t series, TimeNs start) {
    WindowStates& windows = *groups_of_[series];
    const size_t before = windows.size();
    SampleState* const state = windows.get(start);
    if (windows.size() > before && ++rows_ > query_.rows_max) {
      return too_large("the answer has more than " + std::to_string(query_.rows_max) +
                       " windows; ask for wider ones, fewer groups or a shorter range");
    }
    return state;
  }

  TimeNs window_of(TimeNs time) const {
    return query_.window_ns == 0 ? query_.time.from : interval_start(time, query_.window_ns);
  }

  const WindowQuery& query_;
  std::map<std::vector<std::string>, WindowStates> groups_;
  std::vector<WindowStates*> groups_of_;  // by place of the series
  uint64_t rows_ = 0;
};

// Windows that were touched behind a mark.
using Touched = std::set<WindowKey>;

// Answers one chunk interval after the other.
class WindowsOfIntervals {
 public:
  WindowsOfIntervals(const Snapshot& snapshot, const WindowQuery& query, const QueryGuard& guard,
                     const std::vector<Series>& series, WindowAnswer* answer)
      : snapshot_(snapshot),
        query_(query),
        guard_(guard),
        marks_(query.marks != nullptr ? query.marks : &own_marks_),
        answer_(answer),
        windows_(query, series) {
    for (const Series& one : series) ids_.push_back(one.series);
  }

  Status run() {
    for (const auto& [start, end] : intervals()) {
      interval_ = {start, end};
      const TimeRange whole{std::max(start, query_.time.from), std::min(end, query_.time.to)};
      FIRN_TRY(serve(whole, query_.raw_only ? 0 : std::size(kRollupDatasets)));
    }
    answer_->groups = windows_.take();
    return Status();
  }

 private:
  // Those with samples or rollups in the range.
  std::map<TimeNs, TimeNs> intervals() const {
    std::map<TimeNs, TimeNs> found;
    const auto add = [&](Dataset dataset) {
      for (const SnapshotChunk& chunk : snapshot_.chunks(dataset, Filter{})) {
        const TimeNs last = chunk.key.end == INT64_MAX ? INT64_MAX : chunk.key.end - 1;
        if (query_.time.overlaps(chunk.key.start, last)) found[chunk.key.start] = chunk.key.end;
      }
    };
    add(Dataset::kSamples);
    for (const Dataset dataset : kRollupDatasets) add(dataset);
    return found;
  }

  // Answers a range within the interval with rollups of the first `levels` datasets and raw
  // samples.
  Status serve(const TimeRange& range, size_t levels) {
    if (range.from >= range.to) return Status();
    if (levels == 0) return serve_raw(range);
    const Dataset dataset = kRollupDatasets[levels - 1];
    if (is_partial(dataset) && is_whole_below(levels - 1)) return serve(range, levels - 1);
    RollupScan scan;
    scan.dataset = dataset;
    scan.interval = interval_;
    scan.time = range;
    scan.divides = query_.window_ns;
    scan.series = ids_;
    scan.wanted = query_.wanted;
    FIRN_ASSIGN(auto rollups, read_rollups(snapshot_, scan, marks_, guard_, &answer_->cost));
    if (!rollups) return serve(range, levels - 1);
    const DurationNs width = rollups->width;
    const TimeNs first = interval_start(range.from, width);
    const TimeRange inner{first == range.from ? first : first + width,
                          interval_start(range.to, width)};
    if (inner.from >= inner.to) return serve(range, levels - 1);
    FIRN_TRY(serve({range.from, inner.from}, levels - 1));
    add_part({inner, width, is_partial(dataset)});
    FIRN_TRY(serve_rollups(inner, *rollups));
    return serve({inner.to, range.to}, levels - 1);
  }

  // Whether rows of the interval are gone.
  bool is_partial(Dataset dataset) const {
    return snapshot_.dropped_through(dataset, interval_.from) > 0;
  }

  // Whether raw samples, or rollups of the first `levels` datasets, have what a partial one lacks.
  bool is_whole_below(size_t levels) const {
    Filter filter;
    filter.time = interval_;
    const auto is_whole = [&](Dataset dataset) {
      return !is_partial(dataset) && !snapshot_.chunks(dataset, filter).empty();
    };
    return is_whole(Dataset::kSamples) ||
           std::any_of(kRollupDatasets, kRollupDatasets + levels, is_whole);
  }

  Status serve_raw(const TimeRange& range) {
    add_part({range, 0, is_partial(Dataset::kSamples)});
    return scan({ids_, range, {}}, [&](size_t place, std::span<const SampleValue> values) {
      return windows_.add(place, values);
    });
  }

  Status serve_rollups(const TimeRange& range, const IntervalRollups& rollups) {
    FIRN_ASSIGN(Touched touched, find_touched(range, rollups));
    Touched anew = touched;
    if (is_partial(Dataset::kSamples)) {
      FIRN_ASSIGN(anew, find_whole(touched, rollups));
    }
    for (size_t i = 0; i < rollups.windows.size(); ++i) {
      const WindowKey& key = rollups.windows[i];
      if (!range.contains(key.second) || anew.count(key) > 0) continue;
      FIRN_TRY(windows_.add(key.first, key.second, rollups.states[i].state));
    }
    const auto add = [&](size_t place, std::span<const SampleValue> values) {
      return windows_.add(place, values);
    };
    FIRN_TRY(scan_windows(anew, rollups.width, {}, add));
    for (const WindowKey& key : anew) touched.erase(key);
    return add_late(touched, rollups);
  }

  // Windows that have samples behind the mark.
  Result<Touched> find_touched(const TimeRange& range, const IntervalRollups& rollups) {
    Touched touched;
    ScanSpec spec;
    spec.filter.time = range;
    spec.filter.positions.from = rollups.through + 1;
    spec.projection = Projection::none();
    spec.projection.add(ColumnId::kTime).add(ColumnId::kSeries);
    for (const SnapshotChunk& chunk : snapshot_.chunks(Dataset::kSamples, spec.filter)) {
      FIRN_TRY(for_each_row(snapshot_, chunk, spec, guard_, &answer_->cost,
                            [&](const RecordBatch& batch, uint32_t row) {
                              const std::string_view series = batch.strings(ColumnId::kSeries)[row];
                              const auto found = std::lower_bound(ids_.begin(), ids_.end(), series);
                              if (found == ids_.end() || *found != series) return;
                              touched.emplace(found - ids_.begin(),
                                              interval_start(batch.int64s(ColumnId::kTime)[row],
                                                             rollups.width));
                            }));
    }
    return touched;
  }

  // Of windows whose interval lacks raw samples, those that have all of theirs: as many values up
  // to where the state counts as it counts.
  Result<Touched> find_whole(const Touched& touched, const IntervalRollups& rollups) {
    std::map<Position, Touched> by_through;  // most often there is one
    std::map<WindowKey, uint64_t> missing;
    for (const WindowKey& key : touched) {
      const RollupState* const known = rollups.find(key);
      by_through[known == nullptr ? 0 : known->through].insert(key);
      missing[key] = known == nullptr ? 0 : known->state.count;
    }
    for (const auto& [through, windows] : by_through) {
      const auto count = [&](size_t place, std::span<const SampleValue> values) {
        for (const SampleValue& value : values) {
          --missing[{place, interval_start(value.time, rollups.width)}];
        }
        return Status();
      };
      FIRN_TRY(scan_windows(windows, rollups.width, {0, through + 1}, count));
    }
    Touched whole;
    for (const auto& [key, count] : missing) {
      if (count == 0) whole.insert(whole.end(), key);
    }
    return whole;
  }

  // Adds to the states of windows that lack raw samples what came after them.
  Status add_late(const Touched& windows, const IntervalRollups& rollups) {
    std::vector<SampleValue> late;
    const auto add = [&](size_t place, std::span<const SampleValue> values) {
      late.clear();
      for (const SampleValue& value : values) {
        const RollupState* const known =
            rollups.find({place, interval_start(value.time, rollups.width)});
        const bool is_counted = known != nullptr && value.position <= known->through;
        if (!is_counted) late.push_back(value);
      }
      return windows_.add(place, late);
    };
    return scan_windows(windows, rollups.width, {rollups.through + 1, UINT64_MAX}, add);
  }

  // Visits the raw values of some windows, as far as they are at these positions.
  Status scan_windows(const Touched& windows, DurationNs width, PositionRange positions,
                      const SampleVisitor& visit) {
    if (windows.empty()) return Status();
    SampleScan samples;
    samples.time = {INT64_MAX, INT64_MIN};
    samples.positions = positions;
    std::vector<size_t> places;
    for (const auto& [place, start] : windows) {
      if (places.empty() || places.back() != place) {
        places.push_back(place);
        samples.series.push_back(ids_[place]);
      }
      samples.time.from = std::min(samples.time.from, start);
      samples.time.to = std::max(samples.time.to, start + width);
    }
    std::vector<SampleValue> wanted;
    return scan(samples, [&](size_t index, std::span<const SampleValue> values) {
      wanted.clear();
      for (const SampleValue& value : values) {
        if (windows.count({places[index], interval_start(value.time, width)}) > 0) {
          wanted.push_back(value);
        }
      }
      return visit(places[index], wanted);
    });
  }

  Status scan(SampleScan samples, const SampleVisitor& visit) {
    samples.samples_max = query_.samples_max;
    return scan_samples(snapshot_, samples, guard_, &answer_->cost, visit);
  }

  void add_part(const WindowPart& part) {
    std::vector<WindowPart>& parts = answer_->parts;
    const bool goes_on = !parts.empty() && parts.back().time.to == part.time.from &&
                         parts.back().resolution_ns == part.resolution_ns &&
                         parts.back().incomplete == part.incomplete;
    if (goes_on) {
      parts.back().time.to = part.time.to;
    } else {
      parts.push_back(part);
    }
  }

  const Snapshot& snapshot_;
  const WindowQuery& query_;
  const QueryGuard& guard_;
  RollupMarks own_marks_;
  RollupMarks* const marks_;
  WindowAnswer* const answer_;
  Windows windows_;
  std::vector<std::string> ids_;
  TimeRange interval_;  // being answered
};

}  // namespace

Result<WindowAnswer> query_windows(const Snapshot& snapshot, const WindowQuery& query,
                                   const QueryGuard& guard) {
  QueryCost cost;
  FIRN_ASSIGN(const std::vector<Series> series,
              select_series(snapshot, query.match, query.time, query.series_max, guard, &cost));
  FIRN_ASSIGN(WindowAnswer answer, query_series_windows(snapshot, query, series, guard));
  add_cost(cost, &answer.cost);
  return answer;
}

Result<WindowAnswer> query_series_windows(const Snapshot& snapshot, const WindowQuery& query,
                                          const std::vector<Series>& series,
                                          const QueryGuard& guard) {
  WindowAnswer answer;
  answer.series = series.size();
  if (!series.empty()) {
    FIRN_TRY(WindowsOfIntervals(snapshot, query, guard, series, &answer).run());
  }
  return answer;
}

std::optional<DurationNs> window_for_points(const TimeRange& time, uint64_t points) {
  if (time.from == INT64_MIN || time.to == INT64_MAX) return std::nullopt;
  constexpr std::array<DurationNs, 16> kWidths = {
      kSecondNs, 2 * kSecondNs, 5 * kSecondNs, 10 * kSecondNs, 15 * kSecondNs, 30 * kSecondNs,
      kMinuteNs, 2 * kMinuteNs, 5 * kMinuteNs, 10 * kMinuteNs, 15 * kMinuteNs, 30 * kMinuteNs,
      kHourNs,   2 * kHourNs,   3 * kHourNs,   6 * kHourNs};
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
