#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "query/query.h"

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

struct SeriesQuery {
  TimeRange time;    // defined for a chunk interval that overlaps it
  std::string name;  // empty: any
  std::vector<std::pair<std::string, std::string>> labels;  // label and its value as text: all hold
  std::string after;                                        // only identities behind it
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

struct Point {
  TimeNs time = 0;
  Position position = 0;
  Float64 value = kAbsentFloat64;
  bool is_integer = false;
  int64_t start_time = kAbsentInt64;
  int64_t flags = kAbsentInt64;
  std::string data, metadata;  // JSON
};

struct PointQuery {
  std::string series;
  TimeRange time;
  uint32_t limit = 1000;
  // The page ends before its documents have more bytes together, but not before its first point.
  uint64_t bytes_max = UINT64_MAX;
};

struct PointPage {
  std::vector<Point> points;   // ascending by time, of each time the one written last
  std::optional<TimeNs> next;  // where the next page begins, when there is more
  QueryCost cost;
};

// Holds the series' points of one chunk interval at a time.
Result<PointPage> read_points(const Snapshot& snapshot, const PointQuery& query,
                              const QueryGuard& guard);

}  // namespace firn
