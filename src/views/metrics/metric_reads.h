#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "query/query.h"
#include "views/metrics/sample_scan.h"

// Reads of series and samples from a snapshot (docs/formats/samples.md). All fail with what a tier
// returns or with the guard's status. Any thread.

namespace firn {

// What a series is; texts are empty, documents too, when there is nothing to say.
struct Series {
  std::string series;  // its identity
  std::string name, type, unit, temporality, description;
  bool monotonic = false;
  std::string labels, metadata, context;  // JSON
};

// Which series a question is about: those for which everything holds.
struct SeriesMatch {
  std::vector<std::string> series{};                          // any of these identities; empty: any
  std::string name{};                                         // empty: any
  std::vector<std::pair<std::string, std::string>> labels{};  // label and its value as text

  bool is_empty() const { return series.empty() && name.empty() && labels.empty(); }
  bool operator==(const SeriesMatch&) const = default;
};

struct SeriesQuery {
  SeriesMatch match{};
  TimeRange time{};     // defined for a chunk interval that overlaps it
  std::string after{};  // only identities behind it
  uint32_t limit = 100;
};

struct SeriesPage {
  std::vector<Series> series;  // ascending by identity, each as it was defined last
  bool has_more = false;
  QueryCost cost;
};

// Memory is bounded by the limit, not by the number of series.
Result<SeriesPage> find_series(const Snapshot& snapshot, const SeriesQuery& query,
                               const QueryGuard& guard);

// All that match, ascending by identity. kTooLarge when they are more than `series_max`.
Result<std::vector<Series>> select_series(const Snapshot& snapshot, const SeriesMatch& match,
                                          const TimeRange& time, uint32_t series_max,
                                          const QueryGuard& guard, QueryCost* cost);

struct LabelQuery {
  SeriesMatch match{};
  TimeRange time{};
  std::string key{};  // its values; empty: the keys
  uint32_t limit = 1000;
};

struct LabelPage {
  std::map<std::string, uint64_t> texts;  // keys or values; how many series have them
  bool has_more = false;                  // than the limit: the first ones are here
  QueryCost cost;
};

// Labels of the matching series. Memory is bounded by the number of series.
Result<LabelPage> find_labels(const Snapshot& snapshot, const LabelQuery& query,
                              uint32_t series_max, const QueryGuard& guard);

struct Point {
  size_t series = 0;  // its place among the answer's
  TimeNs time = 0;
  Position position = 0;
  Float64 value = kAbsentFloat64;
  bool is_integer = false;
  int64_t start_time = kAbsentInt64;
  int64_t flags = kAbsentInt64;
  std::string data, metadata;  // JSON
};

// A place in the order of a range: by time, then by series.
struct PointCursor {
  TimeNs time = 0;
  std::string series;
  std::string encode() const;
  static std::optional<PointCursor> parse(std::string_view text);
};

struct PointQuery {
  SeriesMatch match{};
  TimeRange time{};
  std::optional<PointCursor> from{};  // only points at it or behind
  uint32_t limit = 1000;
  uint32_t series_max = 100'000;
  // The page ends before its documents have more bytes together, but not before its first point.
  uint64_t bytes_max = UINT64_MAX;
};

struct PointPage {
  std::vector<Series> series;       // that match, ascending by identity
  std::vector<Point> points;        // in their order; of each time of a series the one written last
  std::optional<PointCursor> next;  // where the next page begins, when there is more
  QueryCost cost;
};

// Without points that were deleted. Memory is bounded by the limit.
Result<PointPage> read_points(const Snapshot& snapshot, const PointQuery& query,
                              const QueryGuard& guard);

struct LatestQuery {
  SeriesMatch match{};
  TimeRange time{};
  uint32_t per_series = 1;  // so many points of each series
  uint32_t series_max = 100'000;
};

struct LatestAnswer {
  std::vector<Series> series;  // that match, ascending by identity
  std::vector<Point> points;   // by series, of each from old to new
  QueryCost cost;
};

// The newest points of each series that are neither deleted nor staleness markers. Intervals are
// read from new to old, and no more than are needed.
Result<LatestAnswer> read_latest(const Snapshot& snapshot, const LatestQuery& query,
                                 const QueryGuard& guard);

}  // namespace firn
