#include "views/metrics/metric_reads.h"

#include <algorithm>
#include <functional>
#include <map>

namespace firn {

namespace {

// Calls visit(batch, row) for all rows of the chunk that satisfy the spec.
Status for_each_row(const Snapshot& snapshot, const SnapshotChunk& chunk, const ScanSpec& spec,
                    const QueryGuard& guard, QueryCost* cost,
                    const std::function<void(const RecordBatch&, uint32_t)>& visit) {
  TierCost& tier = cost->tiers[chunk.tier];
  ++tier.chunks;
  FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, spec, &tier.cost));
  BatchSlice slice;
  while (true) {
    if (guard) FIRN_TRY(guard());
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) return Status();
    for (uint32_t i = 0; i < slice.rows(); ++i) visit(*slice.batch, slice.row(i));
  }
}

Predicate equals(ColumnId column, const std::string& text) {
  Predicate predicate;
  predicate.column = column;
  predicate.texts.push_back(text);
  return predicate;
}

bool overlaps(const ChunkKey& interval, const TimeRange& time) {
  return time.overlaps(interval.start, interval.end == INT64_MAX ? INT64_MAX : interval.end - 1);
}

bool has_labels(std::string_view labels, const SeriesQuery& query) {
  return std::all_of(query.labels.begin(), query.labels.end(), [&](const auto& wanted) {
    return attribute_of(labels, {}, {}, wanted.first) == wanted.second;
  });
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
  explicit FirstSeries(const SeriesQuery& query) : query_(query) {}

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
    if (!has_labels(batch.strings(ColumnId::kLabels)[row], query_)) return;
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
  const SeriesQuery& query_;
  std::map<std::string, std::pair<Position, Series>, std::less<>> found_;
};

using PointsByTime = std::map<TimeNs, Point>;

void keep_last(const RecordBatch& batch, uint32_t row, PointsByTime* points) {
  const Position position = batch.position(row);
  Point& point = (*points)[batch.int64s(ColumnId::kTime)[row]];
  if (point.position > position) return;
  const EventRow found = event_row(batch, row);
  point.time = found.time;
  point.position = position;
  point.value = found.value;
  point.is_integer = found.integer != 0;
  point.start_time = found.start_time;
  point.flags = found.flags;
  point.data = found.data;
  point.metadata = found.metadata;
}

// False when the page is full. `bytes`: what its documents take.
bool add_points(PointsByTime* points, const PointQuery& query, uint64_t* bytes, PointPage* page) {
  for (auto& [time, point] : *points) {
    *bytes += point.data.size() + point.metadata.size();
    const bool by_size = *bytes > query.bytes_max && !page->points.empty();
    if (page->points.size() == query.limit || by_size) {
      page->next = time;
      return false;
    }
    page->points.push_back(std::move(point));
  }
  points->clear();
  return true;
}

}  // namespace

Result<SeriesPage> find_series(const Snapshot& snapshot, const SeriesQuery& query,
                               const QueryGuard& guard) {
  SeriesPage page;
  ScanSpec spec;
  if (!query.name.empty()) spec.filter.predicates.push_back(equals(ColumnId::kName, query.name));
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

Result<PointPage> read_points(const Snapshot& snapshot, const PointQuery& query,
                              const QueryGuard& guard) {
  PointPage page;
  ScanSpec spec;
  spec.filter.time = query.time;
  spec.filter.predicates.push_back(equals(ColumnId::kSeries, query.series));
  PointsByTime points;
  uint64_t bytes = 0;
  std::optional<TimeNs> interval;  // whose rows are in `points`
  // Chunks come by interval, so that all rows of a time are together before they are judged.
  for (const SnapshotChunk& chunk : snapshot.chunks(Dataset::kSamples, spec.filter)) {
    if (interval != chunk.key.start && !add_points(&points, query, &bytes, &page)) return page;
    interval = chunk.key.start;
    FIRN_TRY(for_each_row(
        snapshot, chunk, spec, guard, &page.cost,
        [&](const RecordBatch& batch, uint32_t row) { keep_last(batch, row, &points); }));
  }
  add_points(&points, query, &bytes, &page);
  return page;
}

}  // namespace firn
