#include "views/metrics/metric_reads.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <utility>

#include "model/attribute.h"

namespace firn {

namespace {

bool overlaps(const ChunkKey& interval, const TimeRange& time) {
  return time.overlaps(interval.start, interval.end == INT64_MAX ? INT64_MAX : interval.end - 1);
}

Series series_of(const RecordBatch& batch, uint32_t row) {
  const EventRow found = event_row(batch, row);
  Series series;
  series.series = found.series;
  series.name = found.name;
  series.type = found.type;
  series.unit = found.unit;
  series.temporality = found.temporality;
  series.description = found.description;
  series.monotonic = found.monotonic != 0;
  series.labels = found.labels;
  series.metadata = found.metadata;
  series.context = found.context;
  return series;
}

// The first series behind the cursor, at most one more than the limit.
class FirstSeries {
 public:
  explicit FirstSeries(const SeriesQuery& query) : query_(query) {
    for (const auto& [key, text] : query.match.labels) labels_.emplace_back(key, text);
  }

  void visit(const RecordBatch& batch, uint32_t row) {
    const std::string_view id = batch.strings(ColumnId::kSeries)[row];
    if (id <= query_.after) return;
    const bool is_full = found_.size() > query_.limit;
    if (is_full && id > found_.rbegin()->first) return;
    const Position position = batch.position(row);
    const auto known = found_.find(id);
    if (known != found_.end()) {
      if (known->second.first < position) known->second = {position, series_of(batch, row)};
      return;
    }
    if (!has_labels(batch.strings(ColumnId::kLabels)[row])) return;
    found_.emplace(std::string(id), std::pair(position, series_of(batch, row)));
    if (found_.size() > query_.limit + 1) found_.erase(std::prev(found_.end()));
  }

  void take(SeriesPage* page) {
    for (auto& [id, found] : found_) {
      if (page->series.size() == query_.limit) {
        page->has_more = true;
        return;
      }
      page->series.push_back(std::move(found.second));
    }
  }

 private:
  bool has_labels(std::string_view labels) const {
    return std::all_of(labels_.begin(), labels_.end(),
                       [&](const DocumentMatcher& wanted) { return wanted.matches(labels); });
  }

  const SeriesQuery& query_;
  std::vector<DocumentMatcher> labels_;
  std::map<std::string, std::pair<Position, Series>, std::less<>> found_;
};

Point point_of(const RecordBatch& batch, uint32_t row, size_t series) {
  const EventRow found = event_row(batch, row);
  Point point;
  point.series = series;
  point.time = found.time;
  point.position = batch.position(row);
  point.value = found.value;
  point.is_integer = found.integer != 0;
  point.start_time = found.start_time;
  point.flags = found.flags;
  point.data = found.data;
  point.metadata = found.metadata;
  return point;
}

bool is_deleted(const Point& point) {
  return point.flags != kAbsentInt64 && (point.flags & kSampleDeleted) != 0;
}

std::vector<std::string> identities(const std::vector<Series>& series) {
  std::vector<std::string> ids;
  ids.reserve(series.size());
  for (const Series& one : series) ids.push_back(one.series);
  return ids;
}

// The place of an identity among those that are ascending; nothing when it is not there.
std::optional<size_t> place_of(std::string_view id, const std::vector<Series>& series) {
  const auto found = std::lower_bound(
      series.begin(), series.end(), id,
      [](const Series& one, std::string_view wanted) { return one.series < wanted; });
  if (found == series.end() || found->series != id) return std::nullopt;
  return static_cast<size_t>(found - series.begin());
}

// The first points from the cursor on, at most one more than the limit; deleted ones count, so that
// what lies behind them is known to do so.
class FirstPoints {
 public:
  FirstPoints(const PointQuery& query, const std::vector<Series>& series)
      : query_(query), series_(series) {}

  bool is_full() const { return found_.size() > query_.limit; }

  void visit(const RecordBatch& batch, uint32_t row) {
    const std::optional<size_t> series = place_of(batch.strings(ColumnId::kSeries)[row], series_);
    if (!series) return;
    const Key key(batch.int64s(ColumnId::kTime)[row], *series);
    if (query_.from && is_before_cursor(key)) return;
    if (is_full() && key > found_.rbegin()->first) return;
    const auto known = found_.find(key);
    if (known == found_.end()) {
      found_.emplace(key, point_of(batch, row, *series));
      if (found_.size() > query_.limit + 1) found_.erase(std::prev(found_.end()));
    } else if (known->second.position < batch.position(row)) {
      known->second = point_of(batch, row, *series);
    }
  }

  void take(PointPage* page) {
    uint64_t bytes = 0;
    for (auto& [key, point] : found_) {
      bytes += point.data.size() + point.metadata.size();
      const bool by_size = bytes > query_.bytes_max && !page->points.empty();
      if (seen_++ == query_.limit || by_size) {
        page->next = PointCursor{key.first, series_[key.second].series};
        return;
      }
      if (!is_deleted(point)) page->points.push_back(std::move(point));
    }
  }

 private:
  using Key = std::pair<TimeNs, size_t>;

  bool is_before_cursor(const Key& key) const {
    if (key.first != query_.from->time) return key.first < query_.from->time;
    return series_[key.second].series < query_.from->series;
  }

  const PointQuery& query_;
  const std::vector<Series>& series_;
  std::map<Key, Point> found_;
  uint32_t seen_ = 0;
};

// Reads the newest points of series, interval by interval.
class Latest {
 public:
  Latest(const Snapshot& snapshot, const LatestQuery& query, const QueryGuard& guard,
         LatestAnswer* answer)
      : snapshot_(snapshot), query_(query), guard_(guard), answer_(answer) {
    for (size_t place = 0; place < answer->series.size(); ++place)
      missing_[place] = query.per_series;
  }

  bool is_complete() const { return missing_.empty(); }

  // Intervals come from new to old.
  Status read(TimeNs interval) {
    Filter filter;
    filter.time = query_.time;
    std::vector<SnapshotChunk> chunks = snapshot_.chunks(Dataset::kSamples, filter);
    std::erase_if(chunks, [&](const SnapshotChunk& chunk) { return chunk.key.start != interval; });
    FIRN_TRY(find_newest(chunks.front().key));
    if (newest_.empty()) return Status();
    FIRN_TRY(read_newest(chunks));
    newest_.clear();
    return Status();
  }

  void take() {
    std::sort(points_.begin(), points_.end(), [](const Point& a, const Point& b) {
      return std::pair(a.series, a.time) < std::pair(b.series, b.time);
    });
    answer_->points = std::move(points_);
  }

 private:
  // Finds which points of the interval are wanted, by reading no more than times and values.
  Status find_newest(const ChunkKey& interval) {
    SampleScan scan;
    scan.with_others = true;
    scan.time.from = std::max(query_.time.from, interval.start);
    scan.time.to = std::min(query_.time.to, interval.end);
    std::vector<size_t> places;
    for (const auto& [place, count] : missing_) {
      places.push_back(place);
      scan.series.push_back(answer_->series[place].series);
    }
    const auto visit = [&](size_t index, std::span<const SampleValue> values) {
      uint32_t& count = missing_.at(places[index]);
      const size_t taken = std::min<size_t>(count, values.size());
      for (const SampleValue& value : values.last(taken)) newest_[value.position] = places[index];
      if (taken == count) {
        missing_.erase(places[index]);
      } else {
        count -= static_cast<uint32_t>(taken);
      }
      return Status();
    };
    return scan_samples(snapshot_, scan, guard_, &answer_->cost, visit);
  }

  Status read_newest(const std::vector<SnapshotChunk>& chunks) {
    ScanSpec spec;
    spec.filter.time = query_.time;
    spec.filter.positions = {newest_.begin()->first, newest_.rbegin()->first + 1};
    for (const SnapshotChunk& chunk : chunks) {
      FIRN_TRY(for_each_row(snapshot_, chunk, spec, guard_, &answer_->cost,
                            [&](const RecordBatch& batch, uint32_t row) {
                              const auto found = newest_.find(batch.position(row));
                              if (found == newest_.end()) return;
                              points_.push_back(point_of(batch, row, found->second));
                            }));
    }
    return Status();
  }

  const Snapshot& snapshot_;
  const LatestQuery& query_;
  const QueryGuard& guard_;
  LatestAnswer* const answer_;
  std::map<size_t, uint32_t> missing_;  // by place of the series, how many points
  std::map<Position, size_t> newest_;   // of the interval: position to place of the series
  std::vector<Point> points_;
};

}  // namespace

Result<SeriesPage> find_series(const Snapshot& snapshot, const SeriesQuery& query,
                               const QueryGuard& guard) {
  SeriesPage page;
  ScanSpec spec;
  const SeriesMatch& match = query.match;
  if (!match.name.empty()) {
    spec.filter.predicates.push_back(equals_any(ColumnId::kName, {match.name}));
  }
  if (!match.series.empty()) {
    spec.filter.predicates.push_back(equals_any(ColumnId::kSeries, match.series));
  }
  FirstSeries first(query);
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSeries, Filter{})) {
    if (!overlaps(chunk.key, query.time)) {
      ++page.cost.chunks_pruned;
      continue;
    }
    FIRN_TRY(
        for_each_row(snapshot, chunk, spec, guard, &page.cost,
                     [&](const RecordBatch& batch, uint32_t row) { first.visit(batch, row); }));
  }
  first.take(&page);
  return page;
}

Result<std::vector<Series>> select_series(const Snapshot& snapshot, const SeriesMatch& match,
                                          const TimeRange& time, uint32_t series_max,
                                          const QueryGuard& guard, QueryCost* cost) {
  SeriesQuery query;
  query.match = match;
  query.time = time;
  query.limit = series_max;
  FIRN_ASSIGN(SeriesPage page, find_series(snapshot, query, guard));
  *cost = std::move(page.cost);
  if (page.has_more) {
    return too_large("more than " + std::to_string(series_max) +
                     " series match; ask for a name, for labels or for a shorter range");
  }
  return std::move(page.series);
}

Result<LabelPage> find_labels(const Snapshot& snapshot, const LabelQuery& query,
                              uint32_t series_max, const QueryGuard& guard) {
  LabelPage page;
  FIRN_ASSIGN(const std::vector<Series> series,
              select_series(snapshot, query.match, query.time, series_max, guard, &page.cost));
  for (const Series& one : series) {
    if (!query.key.empty()) {
      const auto value = query.key == "name" ? std::optional<std::string>(one.name)
                                             : attribute_of(one.labels, {}, {}, query.key);
      if (value) ++page.texts[*value];
      continue;
    }
    for (const std::string& key : attribute_keys(one.labels)) ++page.texts[key];
  }
  while (page.texts.size() > query.limit) {
    page.has_more = true;
    page.texts.erase(std::prev(page.texts.end()));
  }
  return page;
}

std::string PointCursor::encode() const { return std::to_string(time) + "." + series; }

std::optional<PointCursor> PointCursor::parse(std::string_view text) {
  PointCursor cursor;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor.time);
  const char* const text_end = text.data() + text.size();
  if (error != std::errc() || end == text_end || *end != '.') return std::nullopt;
  cursor.series.assign(end + 1, text_end);
  return cursor;
}

Result<PointPage> read_points(const Snapshot& snapshot, const PointQuery& query,
                              const QueryGuard& guard) {
  PointPage page;
  FIRN_ASSIGN(page.series, select_series(snapshot, query.match, query.time, query.series_max, guard,
                                         &page.cost));
  if (page.series.empty()) return page;
  ScanSpec spec;
  spec.filter.time = query.time;
  if (query.from) spec.filter.time.from = std::max(query.time.from, query.from->time);
  spec.filter.predicates.push_back(equals_any(ColumnId::kSeries, identities(page.series)));
  FirstPoints first(query, page.series);
  std::optional<TimeNs> interval;
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSamples, spec.filter)) {
    // What comes later is behind everything that was found.
    if (interval && interval != chunk.key.start && first.is_full()) break;
    interval = chunk.key.start;
    FIRN_TRY(
        for_each_row(snapshot, chunk, spec, guard, &page.cost,
                     [&](const RecordBatch& batch, uint32_t row) { first.visit(batch, row); }));
  }
  first.take(&page);
  return page;
}

Result<LatestAnswer> read_latest(const Snapshot& snapshot, const LatestQuery& query,
                                 const QueryGuard& guard) {
  LatestAnswer answer;
  FIRN_ASSIGN(answer.series, select_series(snapshot, query.match, query.time, query.series_max,
                                           guard, &answer.cost));
  Filter filter;
  filter.time = query.time;
  std::vector<TimeNs> intervals;
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSamples, filter)) {
    if (intervals.empty() || intervals.back() != chunk.key.start)
      intervals.push_back(chunk.key.start);
  }
  Latest latest(snapshot, query, guard, &answer);
  while (!intervals.empty() && !latest.is_complete()) {
    FIRN_TRY(latest.read(intervals.back()));
    intervals.pop_back();
  }
  latest.take();
  return answer;
}

}  // namespace firn
