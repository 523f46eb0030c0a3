#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "model/batch_format.h"
#include "model/column_builder.h"
#include "model/pod_buffer.h"
#include "model/record_batch.h"

namespace firn {

struct BatchBuilder::State {
  explicit State(Dataset of) : dataset(of) {}

  const Dataset dataset;
  uint32_t rows = 0;
  std::vector<BatchBuffer> spares;

  // Of stamped rows; all 0 otherwise.
  NamespaceId namespace_id = 0;
  Position first_position = 0;
  Position last_position = 0;
  PodBuffer<int64_t> positions;  // one per row once there was a gap; empty before

  FixedColumnBuilder<int64_t> time, observed_time, stream_position, duration;
  FixedColumnBuilder<Id> id, trace_id, parent_id;
  FixedColumnBuilder<std::array<uint8_t, 8>> span_id;
  FixedColumnBuilder<uint8_t> kind, severity;
  DictionaryColumnBuilder type, source, subject, stream, context;
  PlainColumnBuilder correlation_id, data, metadata;
  FixedColumnBuilder<Float64> value;
  FixedColumnBuilder<int64_t> start_time, flags;
  FixedColumnBuilder<uint8_t> integer, monotonic;
  DictionaryColumnBuilder series, name, unit, temporality, description;
  PlainColumnBuilder labels;
  struct {
    FixedColumnBuilder<int64_t> count, through, first_time, last_time;
    FixedColumnBuilder<Float64> min, max, first, last, sum_low;
  } rollup;

  // Calls visit(id, column) in ascending id order; position is not a column here. Columns that the
  // dataset has not stay as they are: the default in every row.
  template <typename Visit>
  void for_each_column(Visit&& visit) {
    visit(ColumnId::kTime, time);
    visit(ColumnId::kObservedTime, observed_time);
    visit(ColumnId::kId, id);
    visit(ColumnId::kKind, kind);
    visit(ColumnId::kType, type);
    visit(ColumnId::kSource, source);
    visit(ColumnId::kSubject, subject);
    visit(ColumnId::kSeverity, severity);
    visit(ColumnId::kStream, stream);
    visit(ColumnId::kStreamPosition, stream_position);
    visit(ColumnId::kCorrelationId, correlation_id);
    visit(ColumnId::kTraceId, trace_id);
    visit(ColumnId::kSpanId, span_id);
    visit(ColumnId::kParentId, parent_id);
    visit(ColumnId::kDuration, duration);
    visit(ColumnId::kData, data);
    visit(ColumnId::kMetadata, metadata);
    visit(ColumnId::kContext, context);
    if (dataset != Dataset::kEvents) for_each_metric_column(visit);
  }
  template <typename Visit>
  void for_each_metric_column(Visit& visit) {
    visit(ColumnId::kSeries, series);
    visit(ColumnId::kValue, value);
    visit(ColumnId::kInteger, integer);
    visit(ColumnId::kStartTime, start_time);
    visit(ColumnId::kFlags, flags);
    visit(ColumnId::kName, name);
    visit(ColumnId::kLabels, labels);
    visit(ColumnId::kUnit, unit);
    visit(ColumnId::kTemporality, temporality);
    visit(ColumnId::kMonotonic, monotonic);
    visit(ColumnId::kDescription, description);
    if (is_rollups(dataset)) for_each_rollup_column(visit);
  }
  template <typename Visit>
  void for_each_rollup_column(Visit& visit) {
    visit(ColumnId::kCount, rollup.count);
    visit(ColumnId::kThrough, rollup.through);
    visit(ColumnId::kMin, rollup.min);
    visit(ColumnId::kMax, rollup.max);
    visit(ColumnId::kFirst, rollup.first);
    visit(ColumnId::kFirstTime, rollup.first_time);
    visit(ColumnId::kLast, rollup.last);
    visit(ColumnId::kLastTime, rollup.last_time);
    visit(ColumnId::kSumLow, rollup.sum_low);
  }

  void add(const EventRow& row);
  void add_event(const EventRow& event);
  void add_sample(const EventRow& sample);
  void add_series(const EventRow& definition);
  void add_rollup(const EventRow& row);
  void add_definition(const EventRow& definition);
  void add_rows(const RecordBatch& batch, const RowList& list);
  void pick_rows(std::span<const BatchPtr> batches, std::span<const RowRef> list);
  void add_positions(const RecordBatch& batch, const RowList& list);
  void add_position(NamespaceId row_namespace, Position position);
  void list_positions();
  uint64_t size_bytes();
  BatchBuffer take_spare();
  std::unique_ptr<RecordBatch> finish();
  void clear();
};

namespace {

// The source's column in the form its builder takes.
FixedColumn<int64_t> column_of(const RecordBatch& batch, ColumnId id,
                               const FixedColumnBuilder<int64_t>&) {
  return batch.int64s(id);
}
FixedColumn<uint8_t> column_of(const RecordBatch& batch, ColumnId id,
                               const FixedColumnBuilder<uint8_t>&) {
  return batch.uint8s(id);
}
FixedColumn<Id> column_of(const RecordBatch& batch, ColumnId id, const FixedColumnBuilder<Id>&) {
  return batch.ids(id);
}
FixedColumn<Float64> column_of(const RecordBatch& batch, ColumnId id,
                               const FixedColumnBuilder<Float64>&) {
  return batch.float64s(id);
}
FixedColumn<std::array<uint8_t, 8>> column_of(const RecordBatch& batch, ColumnId,
                                              const FixedColumnBuilder<std::array<uint8_t, 8>>&) {
  return batch.span_ids();
}
StringColumn column_of(const RecordBatch& batch, ColumnId id, const PlainColumnBuilder&) {
  return batch.strings(id);
}
StringColumn column_of(const RecordBatch& batch, ColumnId id, const DictionaryColumnBuilder&) {
  return batch.strings(id);
}

}  // namespace

void BatchBuilder::State::add(const EventRow& row) {
  time.add(row.time, rows);
  switch (dataset) {
    case Dataset::kEvents:
      add_event(row);
      break;
    case Dataset::kSamples:
      add_sample(row);
      break;
    case Dataset::kSeries:
      add_series(row);
      break;
    case Dataset::kRollups1:
    case Dataset::kRollups2:
    case Dataset::kRollups3:
      add_rollup(row);
      break;
  }
  ++rows;
}

void BatchBuilder::State::add_sample(const EventRow& sample) {
  series.add(sample.series, rows);
  value.add(sample.value, rows);
  integer.add(sample.integer, rows);
  start_time.add(sample.start_time, rows);
  flags.add(sample.flags, rows);
  data.add(sample.data, rows);
  metadata.add(sample.metadata, rows);
}

void BatchBuilder::State::add_series(const EventRow& definition) {
  series.add(definition.series, rows);
  add_definition(definition);
}

// All but its series.
void BatchBuilder::State::add_definition(const EventRow& definition) {
  name.add(definition.name, rows);
  type.add(definition.type, rows);
  labels.add(definition.labels, rows);
  unit.add(definition.unit, rows);
  temporality.add(definition.temporality, rows);
  monotonic.add(definition.monotonic, rows);
  description.add(definition.description, rows);
  metadata.add(definition.metadata, rows);
  context.add(definition.context, rows);
}

void BatchBuilder::State::add_rollup(const EventRow& row) {
  duration.add(row.duration, rows);
  data.add(row.data, rows);
  series.add(row.series, rows);
  value.add(row.value, rows);
  rollup.count.add(row.count, rows);
  rollup.through.add(row.through, rows);
  rollup.min.add(row.min, rows);
  rollup.max.add(row.max, rows);
  rollup.first.add(row.first, rows);
  rollup.first_time.add(row.first_time, rows);
  rollup.last.add(row.last, rows);
  rollup.last_time.add(row.last_time, rows);
  rollup.sum_low.add(row.sum_low, rows);
}

void BatchBuilder::State::add_event(const EventRow& event) {
  observed_time.add(event.observed_time, rows);
  id.add(event.id, rows);
  kind.add(static_cast<uint8_t>(event.kind), rows);
  type.add(event.type, rows);
  source.add(event.source, rows);
  subject.add(event.subject, rows);
  severity.add(event.severity, rows);
  stream.add(event.stream, rows);
  // Without a stream there is nothing to have a position in.
  stream_position.add(event.stream.empty() ? kAbsentInt64 : event.stream_position, rows);
  correlation_id.add(event.correlation_id, rows);
  trace_id.add(event.trace_id, rows);
  span_id.add(event.span_id, rows);
  parent_id.add(event.parent_id, rows);
  duration.add(event.duration, rows);
  data.add(event.data, rows);
  metadata.add(event.metadata, rows);
  context.add(event.context, rows);
}

void BatchBuilder::State::add_rows(const RecordBatch& batch, const RowList& list) {
  FIRN_CHECK(batch.dataset() == dataset);
  FIRN_CHECK(rows == 0 || namespace_id == batch.namespace_id());
  FIRN_CHECK(rows == 0 || (first_position == 0) == (batch.first_position() == 0));
  namespace_id = batch.namespace_id();
  if (batch.first_position() != 0) add_positions(batch, list);
  for_each_column([&](ColumnId column_id, auto& column) {
    column.add_rows(column_of(batch, column_id, column), list, rows);
  });
  rows += list.count;
}

void BatchBuilder::State::pick_rows(std::span<const BatchPtr> batches,
                                    std::span<const RowRef> list) {
  for (const BatchPtr& batch : batches) {
    FIRN_CHECK(batch->dataset() == dataset && batch->first_position() != 0);
    FIRN_CHECK(batch->namespace_id() == batches[0]->namespace_id());
  }
  FIRN_CHECK(rows == 0 || (namespace_id == batches[0]->namespace_id() && first_position != 0));
  const auto position_of = [&](const RowRef& from) {
    return batches[from.batch]->position(from.row);
  };
  namespace_id = batches[0]->namespace_id();
  // Rows picked out of several batches have gaps between them; finish() sees to it if not.
  if (positions.empty() && rows > 0) list_positions();
  if (rows == 0) first_position = position_of(list.front());
  int64_t* to = positions.extend(list.size());
  for (const RowRef& from : list) {
    const Position position = position_of(from);
    FIRN_CHECK(position > last_position);
    last_position = position;
    *to++ = static_cast<int64_t>(position);
  }
  for_each_column([&]<typename Column>(ColumnId column_id, Column& column) {
    using Source = decltype(column_of(*batches[0], column_id, column));
    std::vector<Source> sources;
    sources.reserve(batches.size());
    for (const BatchPtr& batch : batches) sources.push_back(column_of(*batch, column_id, column));
    column.pick_rows(std::span<const Source>(sources), list, rows);
  });
  rows += static_cast<uint32_t>(list.size());
}

void BatchBuilder::State::add_positions(const RecordBatch& batch, const RowList& list) {
  const Position first = batch.position(list[0]);
  const Position last = batch.position(list[list.count - 1]);
  FIRN_CHECK(first > last_position);
  // Positions ascend, so the distance of the ends says whether there is a gap between them.
  const bool follows = rows == 0 || first == last_position + 1;
  if (rows == 0) first_position = first;
  last_position = last;
  if (positions.empty()) {
    if (follows && last - first == list.count - 1) return;
    list_positions();
  }
  int64_t* to = positions.extend(list.count);
  for (uint32_t i = 0; i < list.count; ++i) to[i] = static_cast<int64_t>(batch.position(list[i]));
}

// For the row about to be added.
void BatchBuilder::State::add_position(NamespaceId row_namespace, Position position) {
  FIRN_CHECK(row_namespace != 0 && position > last_position);
  FIRN_CHECK(rows == 0 || (namespace_id == row_namespace && first_position != 0));
  if (rows == 0) {
    namespace_id = row_namespace;
    first_position = position;
  } else if (positions.empty() && position != last_position + 1) {
    list_positions();
  }
  if (!positions.empty()) *positions.extend(1) = static_cast<int64_t>(position);
  last_position = position;
}

// There is a gap now: writes out the positions of the rows so far, which had none.
void BatchBuilder::State::list_positions() {
  int64_t* before = positions.extend(rows);
  for (uint32_t row = 0; row < rows; ++row) {
    before[row] = static_cast<int64_t>(first_position + row);
  }
}

uint64_t BatchBuilder::State::size_bytes() {
  uint64_t bytes = sizeof(BatchHeader);
  const auto count = [&](uint64_t column_bytes) {
    bytes += sizeof(BatchColumnEntry) + align_up(column_bytes, 8);
  };
  if (!positions.empty()) count(uint64_t{rows} * sizeof(int64_t));
  for_each_column([&](ColumnId column_id, auto& column) {
    if (column_id == ColumnId::kStreamPosition && !stream.is_default()) {
      count(uint64_t{rows} * sizeof(int64_t));
    } else if (!column.is_default()) {
      count(column.size_bytes(rows));
    }
  });
  return bytes;
}

std::unique_ptr<RecordBatch> BatchBuilder::State::finish() {
  FIRN_CHECK(rows > 0 && rows <= kBatchRowsMax);
  for_each_column([&](ColumnId, auto& column) { column.settle(rows); });
  // The commit fills stream positions in place, so there must be a place for each row.
  const bool has_stream = !stream.is_default();
  if (has_stream) stream_position.make_plain(rows);

  BatchLayout layout(dataset, rows);
  const bool has_gaps = !positions.empty() && last_position - first_position != rows - 1;
  if (has_gaps) {
    layout.add_column(ColumnId::kPosition, ColumnType::kInt64, ColumnEncoding::kPlain, rows,
                      uint64_t{rows} * sizeof(int64_t));
  }
  for_each_column([&](ColumnId column_id, auto& column) {
    if (column.is_default()) return;
    layout.add_column(column_id, column.kType, column.encoding(), column.entries(rows),
                      column.size_bytes(rows));
  });
  layout.allocate(take_spare());
  size_t number = 0;
  if (has_gaps) {
    std::memcpy(layout.data(number++), positions.data(), size_t{rows} * sizeof(int64_t));
  }
  for_each_column([&](ColumnId, auto& column) {
    if (!column.is_default()) column.write(layout.data(number++), rows);
  });
  return layout.finish(namespace_id, first_position);
}

BatchBuffer BatchBuilder::State::take_spare() {
  if (spares.empty()) return {};
  BatchBuffer spare = std::move(spares.back());
  spares.pop_back();
  return spare;
}

void BatchBuilder::State::clear() {
  rows = 0;
  namespace_id = 0;
  first_position = 0;
  last_position = 0;
  positions.clear();
  for_each_column([](ColumnId, auto& column) { column.clear(); });
}

BatchBuilder::BatchBuilder(Dataset dataset) : state_(std::make_unique<State>(dataset)) {}
BatchBuilder::~BatchBuilder() = default;
BatchBuilder::BatchBuilder(BatchBuilder&&) noexcept = default;
BatchBuilder& BatchBuilder::operator=(BatchBuilder&&) noexcept = default;

void BatchBuilder::add(const EventRow& row) { state_->add(row); }

void BatchBuilder::add_definition(const EventRow& definition) {
  FIRN_CHECK(state_->dataset == Dataset::kSeries);
  state_->time.add(definition.time, state_->rows);
  state_->series.add_distinct(definition.series, state_->rows);
  state_->add_definition(definition);
  ++state_->rows;
}

uint32_t BatchBuilder::series() const { return state_->series.entries(0); }

void BatchBuilder::add_stamped(const EventRow& row, NamespaceId namespace_id, Position position) {
  state_->add_position(namespace_id, position);
  state_->add(row);
}

void BatchBuilder::add_rows(const BatchSlice& slice, uint32_t begin, uint32_t end) {
  FIRN_CHECK(begin <= end && end <= slice.rows());
  if (begin == end) return;
  const uint32_t* selected = slice.selection ? slice.selection->data() + begin : nullptr;
  state_->add_rows(*slice.batch, {.rows = selected, .first = begin, .count = end - begin});
}

void BatchBuilder::add_rows(std::span<const BatchPtr> batches, std::span<const RowRef> rows) {
  if (!rows.empty()) state_->pick_rows(batches, rows);
}

uint32_t BatchBuilder::rows() const { return state_->rows; }
size_t BatchBuilder::size_bytes() const { return state_->size_bytes(); }

void BatchBuilder::reuse(std::unique_ptr<RecordBatch> batch) {
  state_->spares.push_back(std::move(batch->buffer_));
}

std::unique_ptr<RecordBatch> BatchBuilder::finish() {
  auto batch = state_->finish();
  state_->clear();
  return batch;
}

std::unique_ptr<RecordBatch> take_rows(const RecordBatch& batch, std::span<const uint32_t> rows) {
  FIRN_CHECK(!rows.empty());
  BatchBuilder builder(batch.dataset());
  BatchBuilder::State& state = *builder.state_;
  state.add_rows(batch,
                 {.rows = rows.data(), .first = 0, .count = static_cast<uint32_t>(rows.size())});
  if (state.first_position != 0) {
    state.stream_position.clear();
    state.stream_position.add_repeated(kAbsentInt64, 0, state.rows);
  }
  state.namespace_id = 0;
  state.first_position = 0;
  state.positions.clear();
  return state.finish();
}

}  // namespace firn
