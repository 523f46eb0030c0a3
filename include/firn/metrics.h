#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <firn/database.h>
#include <firn/status.h>

namespace firn {

// A sample as a program writes it. The views must stay valid during the call.
struct MetricSample {
  std::string_view name{};  // required
  std::vector<std::pair<std::string_view, std::string_view>> labels{};
  int64_t time_ns = 0;  // since the Unix epoch, UTC; 0: now
  double value = 0;
  std::string_view metadata{};  // a JSON object or empty
};

// Which series, and when. What is empty or unset does not restrict.
struct MetricMatch {
  std::string name{};
  std::map<std::string, std::string> labels{};  // all hold
  std::vector<std::string> series{};            // identities, any of
  std::optional<int64_t> from_ns{}, to_ns{};    // half-open
};

struct MetricSeries {
  std::string series;  // its identity
  std::string name, unit, type, description;
  std::string labels;  // a JSON object or empty
};

struct MetricPoint {
  std::string series;
  int64_t time_ns = 0;
  double value = 0;            // of a histogram or summary its sum
  std::string data, metadata;  // JSON (docs/formats/samples.md) or empty
};

struct MetricPage {
  std::vector<MetricSeries> series;  // that match
  std::vector<MetricPoint> points;   // by time, then by series
  std::string next;                  // the cursor of the next page; empty: there is none
};

// Of the values of a window (docs/metrics.md, "States").
struct MetricWindow {
  int64_t start_ns = 0;
  uint64_t count = 0;
  double sum = 0, min = 0, max = 0, average = 0, first = 0, last = 0;
  double p50 = 0, p95 = 0, p99 = 0;  // within 1 %
};

struct MetricGroup {
  std::vector<std::string> values;  // of the labels grouped by
  std::vector<MetricWindow> windows;
};

// A rollup that is kept: its width, and for how long.
struct MetricRollup {
  int64_t window_ns = 0;
  int64_t keep_ns = INT64_MAX;
};

// How long series are kept otherwise than the namespace says. What it does not say is as there.
struct MetricRule {
  MetricMatch match{};  // by name and labels only
  std::optional<int64_t> raw_ns{};
  std::vector<MetricRollup> rollups{};  // some of the namespace's widths
};

// A metric's name, a label, or a label's value, and how many there are of what is counted.
struct MetricCount {
  std::string name, value;
  uint64_t count = 0;
};

// Where series come from (docs/metrics.md); each list from the greatest on.
struct MetricCardinality {
  uint64_t series = 0, series_limit = 0;
  std::vector<MetricCount> names;   // by series
  std::vector<MetricCount> labels;  // by different values
  std::vector<MetricCount> pairs;   // label and value, by series
};

// The metrics of one namespace of a database (docs/metrics.md). A value; the database must outlive
// it. Thread rule: every method from any thread.
class Metrics {
 public:
  Metrics(Database* database, std::string name_space)
      : database_(database), name_space_(std::move(name_space)) {}

  // Stores all samples or none and waits until they are durable. Of (series, time) the last write
  // wins. kInvalidArgument and kTooLarge name the series and what is wrong; else as
  // Database::append().
  Result<Appended> write(std::span<const MetricSample> samples);

  Result<std::vector<MetricSeries>> series(const MetricMatch& match, uint32_t limit = 1000);
  // `cursor`: what the page before gave as `next`.
  Result<MetricPage> range(const MetricMatch& match, uint32_t limit = 1000,
                           const std::string& cursor = "");
  // The newest points of each series, by series, from old to new.
  Result<MetricPage> latest(const MetricMatch& match, uint32_t per_series = 1);
  // `window_ns` 0: one window over all. `group_by`: labels, "series" or "name".
  Result<std::vector<MetricGroup>> windows(const MetricMatch& match, int64_t window_ns,
                                           const std::vector<std::string>& group_by = {});
  // Of the series in a half-open range of time, the `top` greatest of each list.
  Result<MetricCardinality> cardinality(int64_t from_ns, int64_t to_ns, uint32_t top = 10);
  // How many series there may be in a chunk interval; 0: the default. write() refuses with
  // kSeriesLimit what would define more.
  Status set_series_limit(uint64_t limit);
  // Deletes the matching samples, and returns how many there were.
  Result<uint64_t> remove(const MetricMatch& match);

  // How long raw samples are kept, and which rollups (docs/formats/rollups.md); INT64_MAX: for
  // ever. The first of the rules that matches a series decides on it.
  Status set_retention(int64_t raw_ns, std::span<const MetricRollup> rollups,
                       std::span<const MetricRule> rules = {});
  // Rolls up what is not, and drops what is no longer kept. A program calls it from time to time.
  Status run_retention();

 private:
  Database* database_;
  std::string name_space_;
};

}  // namespace firn
