#pragma once

// What tests of tiers have in common. Header-only; never part of the product.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/checksum.h"
#include "model/test_rows.h"
#include "tier/tier.h"

namespace firn {

// A chunk wide enough for everything that model/test_rows.h makes.
inline ChunkKey test_chunk() {
  return {1, Dataset::kEvents, kTestTime - kDayNs, kTestTime + 30 * kDayNs, 0};
}

// Rows by position, each as its checksum over all columns.
using RowSums = std::map<Position, uint64_t>;

inline void add_sums(const BatchSlice& slice, RowSums* sums) {
  for (uint32_t i = 0; i < slice.rows(); ++i) {
    const uint32_t row = slice.row(i);
    EXPECT_TRUE(sums->emplace(slice.batch->position(row), row_checksum(*slice.batch, row)).second)
        << "position " << slice.batch->position(row) << " twice";
  }
}

// What a scan of the slices must deliver.
inline RowSums sums_of(const std::vector<BatchSlice>& slices, const Filter& filter) {
  RowSums sums;
  for (const BatchSlice& slice : slices) {
    const BatchSlice matching = apply_filter(slice, filter);
    if (matching.batch != nullptr) add_sums(matching, &sums);
  }
  return sums;
}

inline RowSums read_sums(Tier* tier, const ChunkKey& key, const ScanSpec& spec) {
  RowSums sums;
  ScanCost cost;
  auto reader = tier->scan(key, spec, &cost);
  EXPECT_TRUE(reader.ok()) << reader.status().to_string();
  if (!reader.ok()) return sums;
  BatchSlice slice;
  while (true) {
    const auto more = (*reader)->next(&slice);
    EXPECT_TRUE(more.ok()) << more.status().to_string();
    if (!more.ok() || !*more) return sums;
    EXPECT_GT(slice.rows(), 0u);
    add_sums(slice, &sums);
  }
}

// First and last position of every slice, in the order of delivery; rows inside must ascend.
inline std::vector<std::pair<Position, Position>> slice_ranges(Tier* tier, const ChunkKey& key,
                                                               const ScanSpec& spec) {
  std::vector<std::pair<Position, Position>> ranges;
  auto reader = tier->scan(key, spec, nullptr);
  EXPECT_TRUE(reader.ok()) << reader.status().to_string();
  if (!reader.ok()) return ranges;
  BatchSlice slice;
  while (true) {
    const auto more = (*reader)->next(&slice);
    EXPECT_TRUE(more.ok()) << more.status().to_string();
    if (!more.ok() || !*more) return ranges;
    for (uint32_t i = 1; i < slice.rows(); ++i) {
      EXPECT_GT(slice.batch->position(slice.row(i)), slice.batch->position(slice.row(i - 1)));
    }
    ranges.emplace_back(slice.batch->position(slice.row(0)),
                        slice.batch->position(slice.row(slice.rows() - 1)));
  }
}

inline Predicate equal_text(ColumnId column, std::string text) {
  Predicate predicate;
  predicate.column = column;
  predicate.texts.push_back(std::move(text));
  return predicate;
}

inline Predicate equal_id(ColumnId column, const Id& id) {
  Predicate predicate;
  predicate.column = column;
  predicate.ids.push_back(id);
  return predicate;
}

// Events with an id each, few rows per trace and correlation, 40 streams: what lookups are made
// for.
inline BatchPtr keyed_batch(uint64_t seed, uint32_t rows, Position first_position) {
  std::mt19937_64 random(seed * 7919 + 1);
  std::deque<std::string> texts;
  std::vector<EventRow> events(rows);
  for (uint32_t i = 0; i < rows; ++i) {
    EventRow& row = events[i];
    row.time = kTestTime + static_cast<TimeNs>(first_position + i) * kMillisecondNs;
    row.id = make_uuid7(static_cast<uint64_t>(row.time / kMillisecondNs), random(), random());
    row.trace_id = make_uuid7(seed, i / 5, seed);
    row.type = "ordered";
    row.stream = texts.emplace_back("order-" + std::to_string(random() % 40));
    row.stream_position = i;
    row.correlation_id =
        texts.emplace_back("c" + std::to_string(seed) + "-" + std::to_string(i / 3));
    row.data = R"({"n":1})";
  }
  return make_batch(events, first_position);
}

// The value as text, the same for an absent column and a default value.
inline std::string column_text(const RecordBatch& batch, uint32_t row, const ColumnSchema& column) {
  if (column.id == ColumnId::kPosition) return std::to_string(batch.position(row));
  switch (column.type) {
    case ColumnType::kInt64:
      return std::to_string(batch.int64s(column.id)[row]);
    case ColumnType::kUint8:
      return std::to_string(batch.uint8s(column.id)[row]);
    case ColumnType::kId16:
      return batch.ids(column.id)[row].to_hex();
    case ColumnType::kId8:
      return std::string(reinterpret_cast<const char*>(batch.span_ids()[row].data()), 8);
    case ColumnType::kFloat64:
      return std::to_string(batch.float64s(column.id)[row].bits);
    case ColumnType::kString:
      return std::string(batch.strings(column.id)[row]);
  }
  return {};
}

// Random filters over values that occur in batches it was shown, and some that do not.
class RandomFilters {
 public:
  explicit RandomFilters(uint64_t seed) : random_(seed) {}

  void learn(const RecordBatch& batch) {
    for (uint32_t i = 0; i < 20; ++i) {
      const auto row = static_cast<uint32_t>(random_() % batch.rows());
      events_.push_back({event_row(batch, row), batch.position(row)});
      keep(&events_.back().row);
    }
  }

  // `what` says what the filter is, for failure messages.
  Filter next(std::string* what) {
    Filter filter;
    const auto& [event, position] = pick();
    if (random_() % 4 == 0) {
      filter.time.from = event.time;
      if (random_() % 2 == 0) filter.time.to = event.time + 20 * kSecondNs;
      *what += " time";
    }
    if (random_() % 4 == 0) {
      filter.positions = {position, position + random_() % 800};
      *what += " positions";
    }
    for (uint64_t count = random_() % 3; count > 0; --count) {
      filter.predicates.push_back(predicate(what));
    }
    return filter;
  }

 private:
  struct Known {
    EventRow row;
    Position position;
  };

  const Known& pick() { return events_[random_() % events_.size()]; }
  void keep(EventRow* row) {
    for (std::string_view* text :
         {&row->type, &row->source, &row->subject, &row->stream, &row->correlation_id, &row->data,
          &row->metadata, &row->context}) {
      *text = texts_.emplace_back(*text);
    }
  }

  Predicate predicate(std::string* what) {
    Predicate p;
    const EventRow& event = pick().row;
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2:
        return equality(event, what);
      case 3:
        p.kind = PredicateKind::kAtLeast;
        p.column = random_() % 2 == 0 ? ColumnId::kSeverity : ColumnId::kDuration;
        p.numbers = {p.column == ColumnId::kSeverity ? event.severity : event.duration};
        *what += " at least";
        return p;
      case 4:
        p.kind = PredicateKind::kLess;
        p.column = random_() % 2 == 0 ? ColumnId::kSeverity : ColumnId::kObservedTime;
        p.numbers = {p.column == ColumnId::kSeverity ? event.severity : event.observed_time};
        *what += " less";
        return p;
      case 5:
        p.kind = PredicateKind::kContains;
        p.texts = {random_() % 2 == 0 ? "host" + std::to_string(random_() % 8) : "line"};
        *what += " contains " + p.texts[0];
        return p;
      default:
        p.kind = PredicateKind::kAttribute;
        p.key = random_() % 2 == 0 ? "host" : random_() % 2 == 0 ? "http.status" : "k8s.pod";
        p.texts = {"host" + std::to_string(random_() % 8), std::to_string(200 + random_() % 5),
                   "p" + std::to_string(random_() % 8)};
        *what += " attribute " + p.key;
        return p;
    }
  }

  Predicate equality(const EventRow& event, std::string* what) {
    Predicate p;
    static constexpr ColumnId kColumns[] = {
        ColumnId::kId,   ColumnId::kTraceId,  ColumnId::kParentId,       ColumnId::kSpanId,
        ColumnId::kType, ColumnId::kSource,   ColumnId::kSubject,        ColumnId::kStream,
        ColumnId::kKind, ColumnId::kSeverity, ColumnId::kStreamPosition, ColumnId::kCorrelationId};
    p.column = kColumns[random_() % std::size(kColumns)];
    *what += " equal " + std::string(find_column(Dataset::kEvents, p.column)->name);
    add_values(event, &p);
    if (random_() % 2 == 0) add_values(pick().row, &p);
    return p;
  }

  static void add_values(const EventRow& event, Predicate* p) {
    Id span;
    std::copy(event.span_id.begin(), event.span_id.end(), span.bytes.begin());
    const std::map<ColumnId, Id> ids = {{ColumnId::kId, event.id},
                                        {ColumnId::kTraceId, event.trace_id},
                                        {ColumnId::kParentId, event.parent_id},
                                        {ColumnId::kSpanId, span}};
    const std::map<ColumnId, std::string_view> texts = {
        {ColumnId::kType, event.type},
        {ColumnId::kSource, event.source},
        {ColumnId::kSubject, event.subject},
        {ColumnId::kStream, event.stream},
        {ColumnId::kCorrelationId, event.correlation_id}};
    const std::map<ColumnId, int64_t> numbers = {
        {ColumnId::kKind, static_cast<int64_t>(event.kind)},
        {ColumnId::kSeverity, event.severity},
        {ColumnId::kStreamPosition, event.stream_position}};
    if (ids.contains(p->column)) p->ids.push_back(ids.at(p->column));
    if (texts.contains(p->column)) p->texts.emplace_back(texts.at(p->column));
    if (numbers.contains(p->column)) p->numbers.push_back(numbers.at(p->column));
  }

  std::mt19937_64 random_;
  std::vector<Known> events_;
  std::deque<std::string> texts_;
};

}  // namespace firn
