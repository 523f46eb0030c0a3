#include "views/metrics/uptime.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "model/attribute.h"
#include "views/metrics/metric_reads.h"
#include "views/metrics/sample_scan.h"

namespace firn {

namespace {

constexpr uint32_t kSeriesMax = 10'000;  // that have the service as a label

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

  void add_response(const SampleValue& sample) {
    if (Uptime* const window = window_at(sample.time)) {
      add_value(sample.time, sample.value, true, &window->response_ms);
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

}  // namespace

Result<UptimeAnswer> query_uptime(const Snapshot& snapshot, const UptimeQuery& query,
                                  const QueryGuard& guard) {
  UptimeAnswer answer;
  FIRN_ASSIGN(answer.windows, make_windows(query));
  UptimeSums sums(query, &answer.windows);
  const auto scan = [&](std::string_view name, const TimeRange& time, auto add) -> Status {
    FIRN_ASSIGN(std::string series,
                find_series_of(snapshot, name, query.service, time, guard, &answer.cost));
    if (series.empty()) return Status();
    SampleScan samples;
    samples.series.push_back(std::move(series));
    samples.time = time;
    samples.samples_max = query.samples_max;
    return scan_samples(snapshot, samples, guard, &answer.cost,
                        [&](size_t, std::span<const SampleValue> values) {
                          for (const SampleValue& value : values) add(value);
                          return Status();
                        });
  };
  // The state at the beginning may be that of a check before it.
  TimeRange checks = query.time;
  if (__builtin_sub_overflow(checks.from, query.gap_max_ns, &checks.from)) checks.from = INT64_MIN;
  FIRN_TRY(scan(kCheckSeries, checks, [&](const SampleValue& value) { sums.add_check(value); }));
  sums.finish();
  FIRN_TRY(scan(kCheckResponseSeries, query.time,
                [&](const SampleValue& value) { sums.add_response(value); }));
  answer.whole = sum_up(query, answer.windows);
  if (query.window_ns == 0) answer.windows.clear();
  return answer;
}

}  // namespace firn
