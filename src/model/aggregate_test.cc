#include "model/aggregate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "model/test_rows.h"

namespace firn {
namespace {

constexpr ColumnId kGroupable[] = {ColumnId::kKind,     ColumnId::kType,   ColumnId::kSource,
                                   ColumnId::kSeverity, ColumnId::kStream, ColumnId::kCorrelationId,
                                   ColumnId::kTraceId,  ColumnId::kSpanId, ColumnId::kContext,
                                   ColumnId::kDuration, ColumnId::kId,     ColumnId::kParentId};

std::string text_of(const EventRow& event, ColumnId id) {
  switch (id) {
    case ColumnId::kKind:
      return std::string(event_kind_name(event.kind));
    case ColumnId::kType:
      return std::string(event.type);
    case ColumnId::kSource:
      return std::string(event.source);
    case ColumnId::kSeverity:
      return std::to_string(event.severity);
    case ColumnId::kStream:
      return std::string(event.stream);
    case ColumnId::kCorrelationId:
      return std::string(event.correlation_id);
    case ColumnId::kTraceId:
      return event.trace_id.is_zero() ? "" : event.trace_id.to_hex();
    case ColumnId::kId:
      return event.id.is_zero() ? "" : event.id.to_uuid();
    case ColumnId::kParentId:
      return event.parent_id.is_zero() ? "" : event.parent_id.to_uuid();
    case ColumnId::kSpanId: {
      const ByteView bytes(reinterpret_cast<const char*>(event.span_id.data()), 8);
      return bytes == ByteView("\0\0\0\0\0\0\0\0", 8) ? "" : hex_encode(bytes);
    }
    case ColumnId::kDuration:
      return event.duration == kAbsentInt64 ? "" : std::to_string(event.duration);
    default:
      return std::string(event.context);
  }
}

// One row at a time.
void reference_aggregate(const BatchSlice& slice, const AggregateSpec& spec,
                         AggregateStates* states) {
  for (uint32_t i = 0; i < slice.rows(); ++i) {
    const EventRow event = event_row(*slice.batch, slice.row(i));
    GroupKey key;
    if (spec.window_ns > 0) key.window_start = interval_start(event.time, spec.window_ns);
    for (const ColumnId id : spec.group_by) key.values.push_back(text_of(event, id));
    GroupState& group = (*states)[key];
    group.measures.resize(spec.measures.size());
    ++group.count;
    for (size_t m = 0; m < spec.measures.size(); ++m) {
      const int64_t value =
          spec.measures[m] == ColumnId::kDuration ? event.duration : event.severity;
      if (value == kAbsentInt64) continue;
      MeasureState& measure = group.measures[m];
      ++measure.count;
      measure.sum += static_cast<double>(value);
      measure.min = std::min(measure.min, value);
      measure.max = std::max(measure.max, value);
    }
  }
}

// Sums of doubles depend a little on the order, exactly so long as all stay below 2^53.
double rounding(const MeasureState& measure) {
  if (measure.count == 0) return 0;
  const double greatest = std::max(std::abs(static_cast<double>(measure.min)),
                                   std::abs(static_cast<double>(measure.max)));
  const double sum_max = greatest * static_cast<double>(measure.count);
  return sum_max < 9e15 ? 0 : sum_max * 1e-13;
}

void expect_same_states(const AggregateStates& actual, const AggregateStates& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  auto want = expected.begin();
  for (const auto& [key, state] : actual) {
    ASSERT_TRUE(key == want->first);
    EXPECT_EQ(state.count, want->second.count);
    ASSERT_EQ(state.measures.size(), want->second.measures.size());
    for (size_t m = 0; m < state.measures.size(); ++m) {
      const MeasureState& measure = state.measures[m];
      EXPECT_EQ(measure.count, want->second.measures[m].count);
      EXPECT_EQ(measure.min, want->second.measures[m].min);
      EXPECT_EQ(measure.max, want->second.measures[m].max);
      EXPECT_NEAR(measure.sum, want->second.measures[m].sum, rounding(measure));
    }
    ++want;
  }
}

AggregateSpec random_spec(RandomRows* random) {
  AggregateSpec spec;
  if (random->random(2) == 0) spec.window_ns = kSecondNs * static_cast<int64_t>(random->random(9));
  for (uint64_t i = random->random(4); i > 0; --i) {
    spec.group_by.push_back(kGroupable[random->random(std::size(kGroupable))]);
  }
  if (random->random(2) == 0) spec.measures.push_back(ColumnId::kSeverity);
  if (random->random(2) == 0) spec.measures.push_back(ColumnId::kDuration);
  return spec;
}

TEST(AggregateSlice, AgreesWithARowByRowReference) {
  for (uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    RandomRows random(seed);
    const AggregateSpec spec = random_spec(&random);
    const auto rows = static_cast<uint32_t>(1 + random.random(200));
    AggregateStates states, expected;
    for (uint64_t part = 0; part < 3; ++part) {
      BatchSlice slice = slice_of(random_batch(seed * 3 + part, rows));
      if (part == 1) slice = slice_of(slice.batch, random_selection(seed, rows, 2));
      aggregate_slice(slice, spec, &states);
      reference_aggregate(slice, spec, &expected);
    }
    expect_same_states(states, expected);
  }
}

TEST(AggregateSlice, WithoutGroupsCountsAllRows) {
  AggregateStates states;
  aggregate_slice(slice_of(random_batch(1, 40)), {}, &states);
  aggregate_slice({}, {}, &states);
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[GroupKey{}].count, 40u);
}

TEST(MergeStates, GivesTheSameAsOneAggregation) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    RandomRows random(seed);
    const AggregateSpec spec = random_spec(&random);
    const BatchPtr batch = random_batch(seed, 100);
    AggregateStates whole, left, right;
    aggregate_slice(slice_of(batch), spec, &whole);
    std::vector<uint32_t> even, odd;
    for (uint32_t row = 0; row < 100; ++row) (row % 2 == 0 ? even : odd).push_back(row);
    aggregate_slice(slice_of(batch, even), spec, &left);
    aggregate_slice(slice_of(batch, odd), spec, &right);
    merge_states(left, &right);
    expect_same_states(right, whole);
  }
}

TEST(AggregateProjection, NamesEveryColumnThatIsRead) {
  AggregateSpec spec;
  spec.group_by = {ColumnId::kType};
  spec.measures = {ColumnId::kDuration};
  spec.filter.predicates.push_back({.column = ColumnId::kStream});
  const Projection projection = aggregate_projection(spec);
  EXPECT_TRUE(projection.has(ColumnId::kType));
  EXPECT_TRUE(projection.has(ColumnId::kDuration));
  EXPECT_TRUE(projection.has(ColumnId::kStream));
  EXPECT_FALSE(projection.has(ColumnId::kTime));
  spec.window_ns = kHourNs;
  EXPECT_TRUE(aggregate_projection(spec).has(ColumnId::kTime));
}

TEST(AggregateReader, AddsAllSlices) {
  const std::vector<BatchSlice> slices = {slice_of(random_batch(1, 10)),
                                          slice_of(random_batch(2, 15))};
  SlicesReader reader(slices);
  const auto states = aggregate_reader(&reader, {});
  ASSERT_TRUE(states.ok());
  EXPECT_EQ(states->begin()->second.count, 25u);
}

}  // namespace
}  // namespace firn
