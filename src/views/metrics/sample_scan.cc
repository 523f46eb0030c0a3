#include "views/metrics/sample_scan.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace firn {

namespace {

constexpr int64_t kNothing = kNoRecordedValue | kSampleDeleted;

struct Row {
  TimeNs time;
  Position position;
  double value;
  bool is_value;
};

// The rows of some series in one interval.
class IntervalRows {
 public:
  // `series` must outlive it.
  IntervalRows(std::span<const std::string> series, const SampleScan& scan)
      : series_(series),
        with_others_(scan.with_others),
        rows_(series.size()),
        rows_max_(scan.samples_max) {
    for (size_t i = 0; i < series.size(); ++i) places_.emplace(series[i], i);
  }

  bool is_full() const { return count_ > rows_max_; }

  void add(const BatchSlice& slice) {
    const RecordBatch& batch = *slice.batch;
    const StringColumn series = batch.strings(ColumnId::kSeries);
    places_of_entries_.assign(series.entries(), kUnknown);
    const auto times = batch.int64s(ColumnId::kTime);
    const bool has_values = batch.has_column(ColumnId::kValue);
    const bool has_flags = batch.has_column(ColumnId::kFlags);
    const auto values = has_values ? batch.float64s(ColumnId::kValue)
                                   : decltype(batch.float64s(ColumnId::kValue)){};
    const auto flags = has_flags ? batch.int64s(ColumnId::kFlags) : decltype(times){};
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const uint32_t row = slice.row(i);
      const size_t place = place_of(series, series.entry_of(row));
      if (place == kNotWanted) continue;
      const Float64 number = has_values ? values[row] : kAbsentFloat64;
      const double value = number.value();
      const bool is_nothing =
          has_flags && flags[row] != kAbsentInt64 && (flags[row] & kNothing) != 0;
      rows_[place].push_back({times[row], batch.position(row), value,
                              !is_nothing && (with_others_ || !std::isnan(value))});
      ++count_;
    }
  }

  Status visit(size_t first_series, const SampleVisitor& visit) {
    for (size_t place = 0; place < rows_.size(); ++place) {
      keep_values(&rows_[place]);
      if (!values_.empty()) FIRN_TRY(visit(first_series + place, values_));
    }
    return Status();
  }

 private:
  static constexpr size_t kUnknown = SIZE_MAX, kNotWanted = SIZE_MAX - 1;

  size_t place_of(const StringColumn& series, uint32_t entry) {
    size_t& place = places_of_entries_[entry];
    if (place != kUnknown) return place;
    const auto found = places_.find(series.entry(entry));
    place = found == places_.end() ? kNotWanted : found->second;
    return place;
  }

  // Of each time the row written last, if it has a value.
  void keep_values(std::vector<Row>* rows) {
    const auto before = [](const Row& a, const Row& b) {
      return std::pair(a.time, a.position) < std::pair(b.time, b.position);
    };
    if (!std::is_sorted(rows->begin(), rows->end(), before)) {
      std::sort(rows->begin(), rows->end(), before);
    }
    values_.clear();
    for (size_t i = 0; i < rows->size(); ++i) {
      const Row& row = (*rows)[i];
      const bool is_last = i + 1 == rows->size() || (*rows)[i + 1].time != row.time;
      if (is_last && row.is_value) values_.push_back({row.time, row.position, row.value});
    }
    rows->clear();
    rows->shrink_to_fit();
  }

  const std::span<const std::string> series_;
  const bool with_others_;
  std::unordered_map<std::string_view, size_t> places_;
  std::vector<size_t> places_of_entries_;  // of the batch being added
  std::vector<std::vector<Row>> rows_;     // by place
  const uint64_t rows_max_;
  uint64_t count_ = 0;
  std::vector<SampleValue> values_;
};

// Reads the interval's samples of series number `first` to `end`; in halves when they are too many.
class IntervalScan {
 public:
  IntervalScan(const Snapshot& snapshot, const SampleScan& scan, const QueryGuard& guard,
               QueryCost* cost, const SampleVisitor& visit)
      : snapshot_(snapshot), scan_(scan), guard_(guard), cost_(cost), visit_(visit) {}

  Status run(std::span<const SnapshotChunk> chunks, size_t first, size_t end) {
    const std::span<const std::string> series = std::span(scan_.series).subspan(first, end - first);
    IntervalRows rows(series, scan_);
    for (const SnapshotChunk& chunk : chunks) FIRN_TRY(read(chunk, series, &rows));
    if (!rows.is_full()) return rows.visit(first, visit_);
    if (series.size() == 1) {
      return too_large("series " + series[0] + " has more than " +
                       std::to_string(scan_.samples_max) +
                       " samples in one chunk interval; ask for a shorter range");
    }
    const size_t middle = first + series.size() / 2;
    FIRN_TRY(run(chunks, first, middle));
    return run(chunks, middle, end);
  }

 private:
  Status read(const SnapshotChunk& chunk, std::span<const std::string> series, IntervalRows* rows) {
    ScanSpec spec;
    spec.filter.time = scan_.time;
    spec.filter.positions = scan_.positions;
    if (series.size() <= kSeriesPredicateMax) {
      spec.filter.predicates.push_back(
          equals_any(ColumnId::kSeries, {series.begin(), series.end()}));
    }
    spec.projection = Projection::none();
    spec.projection.add(ColumnId::kTime).add(ColumnId::kSeries).add(ColumnId::kValue);
    spec.projection.add(ColumnId::kFlags);
    TierCost& tier = cost_->tiers[chunk.tier];
    ++tier.chunks;
    FIRN_ASSIGN(const auto reader, snapshot_.scan(chunk, spec, &tier.cost));
    BatchSlice slice;
    while (!rows->is_full()) {
      if (guard_) FIRN_TRY(guard_());
      FIRN_ASSIGN(const bool more, reader->next(&slice));
      if (!more) return Status();
      rows->add(slice);
    }
    return Status();
  }

  const Snapshot& snapshot_;
  const SampleScan& scan_;
  const QueryGuard& guard_;
  QueryCost* const cost_;
  const SampleVisitor& visit_;
};

}  // namespace

Predicate equals_any(ColumnId column, std::vector<std::string> texts) {
  Predicate predicate;
  predicate.column = column;
  predicate.texts = std::move(texts);
  return predicate;
}

Status for_each_slice(const Snapshot& snapshot, const SnapshotChunk& chunk, const ScanSpec& spec,
                      const QueryGuard& guard, QueryCost* cost,
                      const std::function<void(const BatchSlice&)>& visit) {
  TierCost& tier = cost->tiers[chunk.tier];
  ++tier.chunks;
  FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, spec, &tier.cost));
  BatchSlice slice;
  while (true) {
    if (guard) FIRN_TRY(guard());
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) return Status();
    visit(slice);
  }
}

Status for_each_row(const Snapshot& snapshot, const SnapshotChunk& chunk, const ScanSpec& spec,
                    const QueryGuard& guard, QueryCost* cost,
                    const std::function<void(const RecordBatch&, uint32_t)>& visit) {
  return for_each_slice(snapshot, chunk, spec, guard, cost, [&](const BatchSlice& slice) {
    for (uint32_t i = 0; i < slice.rows(); ++i) visit(*slice.batch, slice.row(i));
  });
}

Status scan_samples(const Snapshot& snapshot, const SampleScan& scan, const QueryGuard& guard,
                    QueryCost* cost, const SampleVisitor& visit) {
  if (scan.series.empty()) return Status();
  Filter filter;
  filter.time = scan.time;
  filter.positions = scan.positions;
  // Chunks come by interval, so that all rows of a time are together before they are judged.
  const std::vector<SnapshotChunk> chunks = snapshot.chunks(Dataset::kSamples, filter);
  IntervalScan intervals(snapshot, scan, guard, cost, visit);
  size_t begin = 0;
  while (begin < chunks.size()) {
    size_t end = begin + 1;
    while (end < chunks.size() && chunks[end].key.start == chunks[begin].key.start) ++end;
    FIRN_TRY(intervals.run(std::span(chunks).subspan(begin, end - begin), 0, scan.series.size()));
    begin = end;
  }
  return Status();
}

}  // namespace firn
