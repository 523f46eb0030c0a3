#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"

namespace firn {

// Numbers that only grow. Thread rule: any thread.
class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Durations by size, with bounds from 100 us to 10 s. Thread rule: any thread.
class Histogram {
 public:
  static constexpr std::array<DurationNs, 11> kBounds = {
      100 * kMicrosecondNs,  250 * kMicrosecondNs, kMillisecondNs,
      2500 * kMicrosecondNs, 10 * kMillisecondNs,  25 * kMillisecondNs,
      100 * kMillisecondNs,  250 * kMillisecondNs, kSecondNs,
      2500 * kMillisecondNs, 10 * kSecondNs};
  void observe(DurationNs duration);

 private:
  friend class MetricsText;
  std::array<Counter, kBounds.size() + 1> buckets_;  // each only what the ones before do not hold
  Counter sum_ns_;
};

using MetricLabels = std::vector<std::pair<std::string_view, std::string_view>>;

// Writes the Prometheus text format, version 0.0.4: HELP and TYPE once per family, then samples.
class MetricsText {
 public:
  explicit MetricsText(std::string* out) : out_(out) {}
  // Begins a family; its samples follow. `type` is "counter", "gauge" or "histogram".
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(const MetricLabels& labels, uint64_t value);
  void sample_double(const MetricLabels& labels, double value);
  void histogram(const MetricLabels& labels, const Histogram& histogram);
  // A family with one sample without labels.
  void counter(std::string_view name, std::string_view help, uint64_t value);
  void gauge(std::string_view name, std::string_view help, uint64_t value);
  void gauge_seconds(std::string_view name, std::string_view help, DurationNs value);

 private:
  void line(std::string_view suffix, const MetricLabels& labels, std::string_view value);

  std::string* out_;
  std::string name_;
};

// Requests to one route. Thread rule: any thread.
class RouteMetrics {
 public:
  RouteMetrics(std::string_view method, std::string_view pattern)
      : method_(method), pattern_(pattern) {}
  void count(int status, DurationNs duration);

 private:
  friend class ServerMetrics;
  static constexpr std::array<int, 20> kStatuses = {101, 200, 204, 400, 403, 404, 405,
                                                    408, 409, 413, 415, 417, 426, 429,
                                                    431, 500, 503, 504, 505, 0};
  const std::string method_, pattern_;
  std::array<Counter, kStatuses.size()> by_status_;  // the last one: any other status
  Histogram seconds_;
};

// What the server counts. Thread rule: any thread.
class ServerMetrics {
 public:
  // The one of this method and pattern, made when there is none. Lives as long as this object.
  RouteMetrics* route(std::string_view method, std::string_view pattern) EXCLUDES(mutex_);
  // An append that was refused, by the name of its error code.
  void count_refusal(std::string_view code) EXCLUDES(mutex_);
  void render(MetricsText* text) const EXCLUDES(mutex_);

  Counter connections_opened, connections_closed, connections_refused;
  Counter bodies_refused;                              // for lack of request memory
  Counter queries_without_memory, queries_not_queued;  // refused
  Counter received_bytes, sent_bytes;
  Counter tails_opened, tails_closed;
  Counter appended_events, appended_bytes, appended_duplicates;

 private:
  void render_routes(MetricsText* text) const REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::deque<RouteMetrics> routes_ GUARDED_BY(mutex_);  // pointers to its members stay valid
  std::map<std::string, uint64_t, std::less<>> refusals_ GUARDED_BY(mutex_);
};

}  // namespace firn
