#include "views/metrics/uptime.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "model/attribute.h"
#include "views/metrics/metric_windows.h"
#include "views/metrics/sample_scan.h"

namespace firn {

namespace {

constexpr uint32_t kSeriesMax = 10'000;  // that have the service as a label
// Of windows whose states are asked for: that of the narrowest rollup unless somebody chose others.
constexpr DurationNs kStateWidth = 5 * kMinuteNs;
// Below it raw checks are as quick.
constexpr DurationNs kStatesFrom = kDayNs;

// Sums up checks, which come in the order of their times.
class UptimeSums {
 public:
  UptimeSums(const UptimeQuery& query, std::vector<Uptime>* windows)
      : query_(query), windows_(*windows) {}

  void add_check(const SampleValue& sample) {
    const auto status = check_status_of(sample.value);
    if (!status) return;
    close_state(sample.time);
    state_ = State{*status, sample.time};
    if (Uptime* const window = window_at(sample.time)) {
      ++window->checks[static_cast<size_t>(*status)];
    }
  }

  // Checks of one window, which are all alike and not further apart than a state lasts.
  void add_uniform(CheckStatus status, const SampleState& state) {
    close_state(state.first_time);
    state_ = State{status, state.first_time};
    close_state(state.last_time);
    state_ = State{status, state.last_time};
    if (Uptime* const window = window_at(state.first_time)) {
      window->checks[static_cast<size_t>(status)] += state.count;
    }
  }

  // Checks of one window that differ, of which nothing else is left: what was when is not known
  // between the first and the last one.
  void add_mixed(const SampleState& state) {
    close_state(state.first_time);
    if (const auto last = check_status_of(state.last)) state_ = State{*last, state.last_time};
    Uptime* const window = window_at(state.first_time);
    if (window == nullptr) return;
    for (size_t i = 0; i < window->checks.size(); ++i) {
      window->checks[i] += state.sketch.count_of(static_cast<double>(i));
    }
  }

  void add_responses(TimeNs start, const SampleState& state) {
    if (Uptime* const window = window_at(std::max(start, query_.time.from))) {
      merge_state(state, &window->response_ms);
    }
  }

  // The last state lasts as far as anything is known.
  void finish() { close_state(std::min(query_.time.to, query_.now)); }

 private:
  struct State {
    CheckStatus status;
    TimeNs since;
  };

  // Null for a time outside of the range.
  Uptime* window_at(TimeNs time) {
    if (time < query_.time.from || time >= query_.time.to) return nullptr;
    const auto behind =
        std::upper_bound(windows_.begin(), windows_.end(), time,
                         [](TimeNs at, const Uptime& window) { return at < window.start; });
    return &*std::prev(behind);
  }

  void close_state(TimeNs until) {
    if (!state_) return;
    TimeNs longest = 0;
    if (__builtin_add_overflow(state_->since, query_.gap_max_ns, &longest)) longest = INT64_MAX;
    const TimeNs end = std::min({until, longest, query_.time.to, query_.now});
    TimeNs begin = std::max(state_->since, query_.time.from);
    while (begin < end) {
      Uptime* const window = window_at(begin);
      const TimeNs stop = std::min(end, window->end);
      window->known_ns[static_cast<size_t>(state_->status)] += stop - begin;
      begin = stop;
    }
    state_.reset();
  }

  const UptimeQuery& query_;
  std::vector<Uptime>& windows_;
  std::optional<State> state_;
};

Uptime empty_window(TimeNs start, TimeNs end) {
  Uptime window;
  window.start = start;
  window.end = end;
  return window;
}

Result<std::vector<Uptime>> make_windows(const UptimeQuery& query) {
  std::vector<Uptime> windows;
  if (query.window_ns == 0) {
    windows.push_back(empty_window(query.time.from, query.time.to));
    return windows;
  }
  for (TimeNs start = query.time.from; start < query.time.to;) {
    TimeNs end = interval_start(start, query.window_ns);
    if (__builtin_add_overflow(end, query.window_ns, &end)) end = INT64_MAX;
    end = std::min(end, query.time.to);
    if (windows.size() >= query.windows_max) {
      return too_large("the range has more than " + std::to_string(query.windows_max) +
                       " windows; ask for wider ones or a shorter range");
    }
    windows.push_back(empty_window(start, end));
    start = end;
  }
  return windows;
}

Uptime sum_up(const UptimeQuery& query, const std::vector<Uptime>& windows) {
  Uptime whole = empty_window(query.time.from, query.time.to);
  for (const Uptime& window : windows) {
    for (size_t i = 0; i < whole.checks.size(); ++i) {
      whole.checks[i] += window.checks[i];
      whole.known_ns[i] += window.known_ns[i];
    }
    merge_state(window.response_ms, &whole.response_ms);
  }
  return whole;
}

// The identity of the series with that name and no label but the service; empty when there is none.
Result<std::string> find_series_of(const Snapshot& snapshot, std::string_view name,
                                   const std::string& service, const TimeRange& time,
                                   const QueryGuard& guard, QueryCost* cost) {
  SeriesMatch match;
  match.name = name;
  match.labels.emplace_back(kServiceLabel, service);
  FIRN_ASSIGN(const std::vector<Series> found,
              select_series(snapshot, match, time, kSeriesMax, guard, cost));
  for (const Series& series : found) {
    if (attribute_keys(series.labels).size() == 1) return series.series;
  }
  return std::string();
}

// Reads what a service said, in the order of time.
class UptimeReader {
 public:
  UptimeReader(const Snapshot& snapshot, const UptimeQuery& query, const QueryGuard& guard,
               UptimeSums* sums, QueryCost* cost)
      : snapshot_(snapshot), query_(query), guard_(guard), sums_(*sums), cost_(*cost) {}

  Status read_checks() {
    // The state at the beginning may be that of a check before it.
    TimeRange time = query_.time;
    if (__builtin_sub_overflow(time.from, query_.gap_max_ns, &time.from)) time.from = INT64_MIN;
    FIRN_ASSIGN(check_series_,
                find_series_of(snapshot_, kCheckSeries, query_.service, time, guard_, &cost_));
    if (check_series_.empty()) return Status();
    if (!can_use_states()) return add_raw(time);
    const TimeNs begin = interval_start(query_.time.from, kStateWidth) + kStateWidth;
    const TimeNs end = interval_start(query_.time.to, kStateWidth);
    FIRN_TRY(add_raw({time.from, begin}));
    for (TimeNs from = begin; from < end;) {
      const TimeNs to = std::min(end, interval_start(from, kDayNs) + kDayNs);
      FIRN_TRY(add_states({from, to}));
      from = to;
    }
    return add_raw({end, time.to});
  }

  Status read_responses() {
    FIRN_ASSIGN(const std::string series,
                find_series_of(snapshot_, kCheckResponseSeries, query_.service, query_.time, guard_,
                               &cost_));
    if (series.empty()) return Status();
    FIRN_ASSIGN(const auto states, states_of(series, query_.time, query_.window_ns));
    for (const auto& [start, state] : states) sums_.add_responses(start, state);
    return Status();
  }

 private:
  // Windows of states must lie in windows that are asked for, and checks in one of them must not be
  // further apart than a state lasts.
  bool can_use_states() const {
    return query_.gap_max_ns >= kStateWidth && query_.window_ns % kStateWidth == 0 &&
           query_.time.from > INT64_MIN + kDayNs && query_.time.to < INT64_MAX - kDayNs &&
           query_.time.to - query_.time.from >= kStatesFrom;
  }

  Result<WindowStates> states_of(const std::string& series, const TimeRange& time,
                                 DurationNs window) {
    WindowQuery query;
    query.time = time;
    query.window_ns = window;
    query.samples_max = query_.samples_max;
    std::vector<Series> one(1);
    one[0].series = series;
    FIRN_ASSIGN(WindowAnswer answer, query_series_windows(snapshot_, query, one, guard_));
    add_cost(answer.cost, &cost_);
    if (answer.groups.empty()) return WindowStates();
    return std::move(answer.groups[0].windows);
  }

  template <typename Add>
  Status scan(const TimeRange& time, const Add& add) {
    if (time.from >= time.to) return Status();
    SampleScan samples;
    samples.series.push_back(check_series_);
    samples.time = time;
    samples.samples_max = query_.samples_max;
    return scan_samples(snapshot_, samples, guard_, &cost_,
                        [&](size_t, std::span<const SampleValue> values) {
                          for (const SampleValue& value : values) add(value);
                          return Status();
                        });
  }
  Status add_raw(const TimeRange& time) {
    return scan(time, [&](const SampleValue& value) { sums_.add_check(value); });
  }

  static std::optional<CheckStatus> uniform_status(const SampleState& state) {
    return state.min == state.max ? check_status_of(state.min) : std::nullopt;
  }

  // Whole windows of one day. Raw checks are read where those of a window differ, as long as they
  // are there.
  Status add_states(const TimeRange& time) {
    FIRN_ASSIGN(const auto states, states_of(check_series_, time, kStateWidth));
    TimeRange mixed{INT64_MAX, INT64_MIN};
    for (const auto& [start, state] : states) {
      if (uniform_status(state)) continue;
      mixed.from = std::min(mixed.from, start);
      mixed.to = start + kStateWidth;
    }
    std::map<TimeNs, std::vector<SampleValue>> raw;
    FIRN_TRY(scan(mixed, [&](const SampleValue& value) {
      raw[interval_start(value.time, kStateWidth)].push_back(value);
    }));
    for (const auto& [start, state] : states) {
      const auto status = uniform_status(state);
      const std::vector<SampleValue>& checks = raw[start];
      if (status) {
        sums_.add_uniform(*status, state);
      } else if (checks.size() == state.count) {
        for (const SampleValue& check : checks) sums_.add_check(check);
      } else {
        sums_.add_mixed(state);
      }
    }
    return Status();
  }

  const Snapshot& snapshot_;
  const UptimeQuery& query_;
  const QueryGuard& guard_;
  UptimeSums& sums_;
  QueryCost& cost_;
  std::string check_series_;
};

}  // namespace

Result<UptimeAnswer> query_uptime(const Snapshot& snapshot, const UptimeQuery& query,
                                  const QueryGuard& guard) {
  UptimeAnswer answer;
  FIRN_ASSIGN(answer.windows, make_windows(query));
  UptimeSums sums(query, &answer.windows);
  UptimeReader reader(snapshot, query, guard, &sums, &answer.cost);
  FIRN_TRY(reader.read_checks());
  sums.finish();
  FIRN_TRY(reader.read_responses());
  answer.whole = sum_up(query, answer.windows);
  if (query.window_ns == 0) answer.windows.clear();
  return answer;
}

}  // namespace firn
