#include "views/metrics/rollup_rows.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "views/metrics/sample_scan.h"

namespace firn {

namespace {

// A row as it was read, before it is known which is the last of its window.
struct Row {
  WindowKey window;
  Position position;
  size_t state;  // which one
  auto key() const { return std::tie(window, position); }
};

// The columns of a batch of rollups.
struct Columns {
  Columns() = default;
  explicit Columns(const RecordBatch& batch)
      : times(batch.int64s(ColumnId::kTime)),
        widths(batch.int64s(ColumnId::kDuration)),
        counts(batch.int64s(ColumnId::kCount)),
        throughs(batch.int64s(ColumnId::kThrough)),
        first_times(batch.int64s(ColumnId::kFirstTime)),
        last_times(batch.int64s(ColumnId::kLastTime)),
        sums(batch.float64s(ColumnId::kValue)),
        sums_low(batch.float64s(ColumnId::kSumLow)),
        mins(batch.float64s(ColumnId::kMin)),
        maxes(batch.float64s(ColumnId::kMax)),
        firsts(batch.float64s(ColumnId::kFirst)),
        lasts(batch.float64s(ColumnId::kLast)),
        series(batch.strings(ColumnId::kSeries)),
        sketches(batch.strings(ColumnId::kData)) {}

  FixedColumn<int64_t> times, widths, counts, throughs, first_times, last_times;
  FixedColumn<Float64> sums, sums_low, mins, maxes, firsts, lasts;
  StringColumn series, sketches;
};

Result<SampleState> state_of(const Columns& columns, uint32_t row, Position position,
                             const StateParts& wanted) {
  SampleState state;
  if (columns.counts[row] < 0) {
    return corruption("a rollup at position " + std::to_string(position) +
                      " counts less than nothing");
  }
  state.count = static_cast<uint64_t>(columns.counts[row]);
  if (state.count == 0) return state;
  state.sum = columns.sums[row].value();
  const Float64 sum_low = columns.sums_low[row];
  state.sum_low = sum_low == kAbsentFloat64 ? 0 : sum_low.value();
  if (wanted.extremes) {
    state.min = columns.mins[row].value();
    state.max = columns.maxes[row].value();
  }
  if (wanted.ends) {
    state.first = columns.firsts[row].value();
    state.last = columns.lasts[row].value();
    state.first_time = columns.first_times[row];
    state.last_time = columns.last_times[row];
  }
  if (!wanted.sketch) return state;
  std::optional<QuantileSketch> sketch = QuantileSketch::parse_json(columns.sketches[row]);
  if (!sketch || sketch->count() != state.count) {
    return corruption("the sketch of the rollup at position " + std::to_string(position) +
                      " does not fit its count");
  }
  state.sketch = std::move(*sketch);
  return state;
}

bool is_wanted(ColumnId column, const StateParts& wanted) {
  switch (column) {
    case ColumnId::kMin:
    case ColumnId::kMax:
      return wanted.extremes;
    case ColumnId::kFirst:
    case ColumnId::kLast:
    case ColumnId::kFirstTime:
    case ColumnId::kLastTime:
      return wanted.ends;
    case ColumnId::kData:
      return wanted.sketch;
    default:
      return true;
  }
}

// Gathers the rows of one width in an interval.
class Gathering {
 public:
  Gathering(const Snapshot& snapshot, const RollupScan& scan, const RollupMark& mark)
      : published_(snapshot.published(Dataset::kSamples)), scan_(scan), mark_(mark) {
    for (size_t i = 0; i < scan.series.size(); ++i) places_.emplace(scan.series[i], i);
  }

  void add(const BatchSlice& slice) {
    columns_ = Columns(*slice.batch);
    places_of_entries_.assign(columns_.series.entries(), kUnknown);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      add_row(slice.row(i), slice.batch->position(slice.row(i)));
    }
  }

  Result<std::optional<IntervalRollups>> take() {
    if (!status_.ok()) return status_;
    IntervalRollups rollups;
    rollups.width = mark_.width;
    rollups.through = mark_.through;
    const auto before = [](const Row& a, const Row& b) { return a.key() < b.key(); };
    if (!std::is_sorted(rows_.begin(), rows_.end(), before)) {
      std::sort(rows_.begin(), rows_.end(), before);
    }
    rollups.windows.reserve(rows_.size());
    bool is_in_place = true;  // each state is that of the window with its number
    for (size_t i = 0; i < rows_.size(); ++i) {
      const bool is_last = i + 1 == rows_.size() || rows_[i + 1].window != rows_[i].window;
      is_in_place &= is_last && rows_[i].state == i;
      if (is_last) rollups.windows.push_back(rows_[i].window);
      if (!is_last) rows_[i].state = kReplaced;
    }
    if (is_in_place) {
      rollups.states = std::move(states_);
      return std::optional<IntervalRollups>(std::move(rollups));
    }
    rollups.states.reserve(rollups.windows.size());
    for (const Row& row : rows_) {
      if (row.state != kReplaced) rollups.states.push_back(std::move(states_[row.state]));
    }
    return std::optional<IntervalRollups>(std::move(rollups));
  }

 private:
  static constexpr size_t kUnknown = SIZE_MAX, kNotWanted = SIZE_MAX - 1;
  static constexpr size_t kReplaced = SIZE_MAX;  // in place of the number of a state

  void add_row(uint32_t row, Position position) {
    const auto through = static_cast<Position>(columns_.throughs[row]);
    if (through > published_ || columns_.widths[row] != mark_.width) return;
    const size_t place = place_of(columns_.series.entry_of(row));
    const TimeNs start = columns_.times[row];
    if (place == kNotWanted || !scan_.time.contains(start)) return;
    Result<SampleState> state = state_of(columns_, row, position, scan_.wanted);
    if (!state.ok()) {
      status_ = state.status();
      return;
    }
    rows_.push_back({{place, start}, position, states_.size()});
    states_.push_back({std::move(*state), through});
  }

  // Of an entry of the batch's dictionary.
  size_t place_of(uint32_t entry) {
    size_t& place = places_of_entries_[entry];
    if (place != kUnknown) return place;
    const std::string_view series = columns_.series.entry(entry);
    const auto found = places_.find(series);
    place = found == places_.end() ? kNotWanted : found->second;
    return place;
  }

  const Position published_;
  const RollupScan& scan_;
  std::unordered_map<std::string_view, size_t> places_;
  Columns columns_;  // of the slice that is being added, as the next
  std::vector<size_t> places_of_entries_;
  const RollupMark mark_;
  std::vector<Row> rows_;
  std::vector<RollupState> states_;  // of the rows
  Status status_;
};

}  // namespace

const RollupState* IntervalRollups::find(const WindowKey& key) const {
  const auto found = std::lower_bound(windows.begin(), windows.end(), key);
  if (found == windows.end() || *found != key) return nullptr;
  return &states[static_cast<size_t>(found - windows.begin())];
}

void add_rollup_row(std::string_view series, TimeNs start, DurationNs width,
                    const RollupState& rollup, BatchBuilder* rows) {
  const SampleState& state = rollup.state;
  EventRow row;
  row.series = series;
  row.time = start;
  row.duration = width;
  row.through = static_cast<int64_t>(rollup.through);
  row.count = static_cast<int64_t>(state.count);
  std::string sketch;
  if (state.count > 0) {
    row.value = Float64::of(state.sum);
    if (state.sum_low != 0) row.sum_low = Float64::of(state.sum_low);
    row.min = Float64::of(state.min);
    row.max = Float64::of(state.max);
    row.first = Float64::of(state.first);
    row.last = Float64::of(state.last);
    row.first_time = state.first_time;
    row.last_time = state.last_time;
    state.sketch.append_json(&sketch);
    row.data = sketch;
  }
  rows->add(row);
}

void add_rollup_mark(TimeNs interval, DurationNs width, Position through, BatchBuilder* rows) {
  EventRow row;
  row.series = kRollupMark;
  row.time = interval;
  row.duration = width;
  row.through = static_cast<int64_t>(through);
  row.count = 0;
  rows->add(row);
}

Result<std::optional<IntervalRollups>> read_rollups(const Snapshot& snapshot,
                                                    const RollupScan& scan, RollupMarks* marks,
                                                    const QueryGuard& guard, QueryCost* cost) {
  FIRN_ASSIGN(const std::optional<RollupMark> mark,
              marks->widest(snapshot, scan.dataset, scan.interval, scan.divides, guard, cost));
  if (!mark) return std::optional<IntervalRollups>();
  ScanSpec spec;
  if (scan.series.size() <= kSeriesPredicateMax) {
    spec.filter.predicates.push_back(
        equals_any(ColumnId::kSeries, {scan.series.begin(), scan.series.end()}));
  }
  spec.projection = Projection::none();
  for (const ColumnSchema& column : dataset_columns(scan.dataset)) {
    if (is_wanted(column.id, scan.wanted)) spec.projection.add(column.id);
  }
  Gathering gathering(snapshot, scan, *mark);
  Filter filter;
  filter.time = scan.interval;
  for (const SnapshotChunk& chunk : snapshot.chunks(scan.dataset, filter)) {
    FIRN_TRY(for_each_slice(snapshot, chunk, spec, guard, cost,
                            [&](const BatchSlice& slice) { gathering.add(slice); }));
  }
  return gathering.take();
}

}  // namespace firn
