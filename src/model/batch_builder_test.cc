#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/batch_format.h"
#include "model/record_batch.h"
#include "model/test_rows.h"

namespace firn {
namespace {

// Everything a builder makes must also satisfy the reader.
std::unique_ptr<RecordBatch> finish_checked(BatchBuilder* builder) {
  auto batch = builder->finish();
  const auto parsed = RecordBatch::parse(batch->encoded());
  EXPECT_TRUE(parsed.ok()) << parsed.status().to_string();
  return batch;
}

TEST(BatchBuilder, KeepsEveryRow) {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    RandomRows generator(seed);
    BatchBuilder builder(Dataset::kEvents);
    std::vector<EventRow> rows;
    for (uint32_t i = 0; i < 1 + seed * 5; ++i) {
      rows.push_back(generator.next());
      builder.add(rows.back());
    }
    EXPECT_EQ(builder.rows(), rows.size());
    const auto batch = finish_checked(&builder);
    ASSERT_EQ(batch->rows(), rows.size());
    for (uint32_t i = 0; i < rows.size(); ++i) {
      ASSERT_TRUE(event_row(*batch, i) == rows[i]) << "seed " << seed << " row " << i;
    }
  }
}

TEST(BatchBuilder, DefinitionsThatAreNotLookedForAreTheSameRows) {
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) names.push_back("series-" + std::to_string(i));
  for (const uint32_t rows : {1, 2, 200}) {
    BatchBuilder looked_for(Dataset::kSeries), distinct(Dataset::kSeries);
    for (uint32_t i = 0; i < rows; ++i) {
      EventRow row;
      row.series = names[i];
      row.name = "up";
      looked_for.add(row);
      distinct.add_definition(row);
      EXPECT_EQ(distinct.series(), i + 1);
    }
    EXPECT_EQ(finish_checked(&distinct)->encoded(), finish_checked(&looked_for)->encoded());
  }
}

TEST(BatchBuilder, WhatWasNotLookedForIsFoundLater) {
  BatchBuilder builder(Dataset::kSeries);
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("series-" + std::to_string(i));
  EventRow row;
  for (const std::string& name : names) {
    row.series = name;
    builder.add_definition(row);
  }
  for (const std::string& name : names) {
    row.series = name;
    builder.add(row);
  }
  EXPECT_EQ(builder.series(), 100u);
  const auto batch = finish_checked(&builder);
  for (uint32_t i = 0; i < 200; ++i) EXPECT_EQ(event_row(*batch, i).series, names[i % 100]);
}

TEST(BatchBuilder, StartsAnewAfterFinish) {
  BatchBuilder builder(Dataset::kEvents);
  EventRow row;
  row.type = "first";
  row.data = "{}";
  row.stream = "s";
  builder.add(row);
  row.type = "other";
  builder.add(row);
  builder.finish();
  EXPECT_EQ(builder.rows(), 0u);
  EventRow plain;
  plain.type = "second";
  builder.add(plain);
  const auto batch = finish_checked(&builder);
  EXPECT_EQ(batch->rows(), 1u);
  EXPECT_EQ(batch->encoded(), make_unstamped_batch({plain})->encoded());
}

TEST(BatchBuilder, CopiesValuesThatTheCallerOverwrites) {
  BatchBuilder builder(Dataset::kEvents);
  std::string scratch = "one";
  EventRow row;
  row.type = scratch;
  builder.add(row);
  scratch = "two";
  row.type = scratch;
  builder.add(row);
  const auto batch = builder.finish();
  EXPECT_EQ(batch->strings(ColumnId::kType)[0], "one");
  EXPECT_EQ(batch->strings(ColumnId::kType)[1], "two");
}

TEST(BatchBuilder, StoresARepeatedStringOnce) {
  BatchBuilder builder(Dataset::kEvents);
  for (int i = 0; i < 100; ++i) {
    EventRow row;
    row.type = i % 3 == 0 ? "a" : (i % 3 == 1 ? "b" : "c");
    builder.add(row);
  }
  EXPECT_EQ(builder.finish()->strings(ColumnId::kType).entries(), 3u);
}

TEST(BatchBuilder, FindsEachOfManyDistinctStrings) {
  BatchBuilder builder(Dataset::kEvents);
  for (int i = 0; i < 20'000; ++i) {
    EventRow row;
    const std::string stream = "stream-" + std::to_string(i * 7919 % 5000);
    row.stream = stream;
    builder.add(row);
  }
  const auto batch = finish_checked(&builder);
  EXPECT_EQ(batch->strings(ColumnId::kStream).entries(), 5000u);
  EXPECT_EQ(batch->strings(ColumnId::kStream)[19'999],
            "stream-" + std::to_string(19'999 * 7919 % 5000));
}

TEST(BatchBuilder, LeavesOutColumnsThatHoldOnlyDefaults) {
  BatchBuilder builder(Dataset::kEvents);
  builder.add({});
  builder.add({});
  const auto batch = builder.finish();
  EXPECT_FALSE(batch->has_column(ColumnId::kType));
  EXPECT_FALSE(batch->has_column(ColumnId::kStreamPosition));
  EXPECT_EQ(batch->size_bytes(), sizeof(BatchHeader) + sizeof(BatchColumnEntry) + 8);
}

TEST(BatchBuilder, KeepsOneValueOfAConstantColumn) {
  EventRow row;
  row.severity = 9;
  row.data = "{}";
  const auto batch = make_unstamped_batch({row, row, row});
  EXPECT_TRUE(batch->uint8s(ColumnId::kSeverity).is_constant());
  EXPECT_TRUE(batch->int64s(ColumnId::kTime).is_constant());
  EXPECT_EQ(batch->strings(ColumnId::kData).entries(), 1u);
  EXPECT_EQ(batch->strings(ColumnId::kData)[2], "{}");
}

TEST(BatchBuilder, ReservesStreamPositionsForEveryRow) {
  EventRow a;
  a.stream = "s";
  const auto batch = make_unstamped_batch({EventRow{}, a, a});
  ASSERT_TRUE(batch->has_column(ColumnId::kStreamPosition));
  EXPECT_FALSE(batch->int64s(ColumnId::kStreamPosition).is_constant());
  EXPECT_EQ(batch->int64s(ColumnId::kStreamPosition)[2], kAbsentInt64);
}

TEST(BatchBuilder, DropsAStreamPositionWithoutAStream) {
  EventRow row;
  row.stream_position = 5;
  EXPECT_FALSE(make_unstamped_batch({row})->has_column(ColumnId::kStreamPosition));
}

TEST(BatchBuilder, SaysItsSize) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    RandomRows generator(seed);
    BatchBuilder builder(Dataset::kEvents);
    for (int i = 0; i < 200; ++i) builder.add(generator.next());
    const size_t estimate = builder.size_bytes();
    EXPECT_EQ(builder.finish()->size_bytes(), estimate);
  }
}

TEST(BatchBuilder, MovesWithItsRows) {
  BatchBuilder from(Dataset::kEvents);
  from.add({});
  BatchBuilder to = std::move(from);
  EXPECT_EQ(to.rows(), 1u);
  EXPECT_EQ(to.finish()->rows(), 1u);
}

TEST(AddRows, OfAWholeBatchGivesTheSameBytes) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const BatchPtr batch = random_batch(seed, 150, 77, 3);
    BatchBuilder builder(Dataset::kEvents);
    builder.add_rows(slice_of(batch));
    EXPECT_EQ(finish_checked(&builder)->encoded(), batch->encoded()) << "seed " << seed;
  }
}

TEST(AddRows, JoinsBatchesOfDifferentShape) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const BatchSlice parts[3] = {
        slice_of(random_batch(seed, 60, 1)),
        slice_of(random_batch(seed + 1000, 90, 61), random_selection(seed, 90, 3)),
        slice_of(random_batch_with_gaps(seed + 2000, 80, 500))};
    BatchBuilder builder(Dataset::kEvents);
    for (const BatchSlice& part : parts) builder.add_rows(part);
    const BatchPtr joined = finish_checked(&builder);
    uint32_t row = 0;
    for (const BatchSlice& part : parts) {
      std::vector<uint32_t> rows;
      for (uint32_t i = 0; i < part.rows(); ++i) rows.push_back(row++);
      expect_same_rows(slice_of(joined, rows), part);
    }
    EXPECT_EQ(joined->rows(), row);
  }
}

TEST(AddRows, TakesPartOfASlice) {
  const BatchSlice slice = slice_of(random_batch(5, 500, 1), random_selection(6, 500, 2));
  BatchBuilder builder(Dataset::kEvents);
  std::vector<uint32_t> expected;
  for (uint32_t begin = 0; begin < slice.rows(); begin += 40) {
    const uint32_t end = std::min(begin + 17, slice.rows());
    builder.add_rows(slice, begin, end);
    for (uint32_t i = begin; i < end; ++i) expected.push_back(slice.row(i));
  }
  builder.add_rows(slice, slice.rows(), slice.rows());
  expect_same_rows(slice_of(finish_checked(&builder)), slice_of(slice.batch, expected));
}

TEST(AddRows, TakesAFewRowsOfALargeDictionary) {
  std::vector<EventRow> rows(1000);
  std::vector<std::string> streams;
  for (int i = 0; i < 1000; ++i) streams.push_back("stream" + std::to_string(i));
  for (size_t i = 0; i < 1000; ++i) rows[i].stream = streams[i];
  const BatchPtr batch = make_batch(rows);
  BatchBuilder builder(Dataset::kEvents);
  builder.add_rows(slice_of(batch), 990, 1000);
  const auto part = finish_checked(&builder);
  EXPECT_EQ(part->strings(ColumnId::kStream).entries(), 10u);
  EXPECT_EQ(part->strings(ColumnId::kStream)[9], "stream999");
}

TEST(AddRows, ForgetsGapsThatAreFilled) {
  const BatchPtr batch = random_batch_with_gaps(3, 100);
  ASSERT_FALSE(batch->has_contiguous_positions());
  uint32_t run = 0;  // rows at the start of the batch without a gap
  while (batch->position(run + 1) == batch->position(run) + 1) ++run;
  BatchBuilder builder(Dataset::kEvents);
  builder.add_rows(slice_of(batch), 0, run + 1);
  EXPECT_TRUE(finish_checked(&builder)->has_contiguous_positions());
}

TEST(AddRows, NoticesWhenTheRowsLeftAreAllTheSame) {
  EventRow a, b;
  a.data = a.type = "same";
  b.data = b.type = "other";
  a.severity = 1;
  b.severity = 2;
  const BatchPtr batch = make_batch({a, a, b});
  BatchBuilder builder(Dataset::kEvents);
  builder.add_rows(slice_of(batch), 0, 2);
  EXPECT_EQ(finish_checked(&builder)->encoded(), make_batch({a, a})->encoded());
}

TEST(AddRowsDeathTest, PositionsMustAscend) {
  const BatchPtr batch = make_batch({{}, {}});
  BatchBuilder builder(Dataset::kEvents);
  builder.add_rows(slice_of(batch));
  EXPECT_DEATH(builder.add_rows(slice_of(batch)), "last_position");
}

TEST(BatchBuilder, PicksRowsOutOfSeveralBatches) {
  for (const Dataset dataset : kDatasets) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const BatchPtr all = random_batch(seed, 300, 10, 1, dataset);
      std::vector<BatchBuilder> parts;
      for (int i = 0; i < 3; ++i) parts.emplace_back(dataset);
      std::mt19937_64 random(seed);
      std::vector<RowRef> rows;
      for (uint32_t row = 0; row < all->rows(); ++row) {
        const auto part = static_cast<uint32_t>(row < 3 ? row : random() % 3);
        rows.push_back({part, parts[part].rows()});
        parts[part].add_rows(slice_of(all), row, row + 1);
      }
      std::vector<BatchPtr> batches;
      for (BatchBuilder& part : parts) batches.push_back(part.finish());
      BatchBuilder builder(dataset);
      const std::span<const RowRef> picked(rows);
      builder.add_rows(batches, picked.first(100));
      builder.add_rows(batches, picked.subspan(100));
      const BatchPtr joined = builder.finish();
      expect_same_rows(slice_of(joined), slice_of(all));
      EXPECT_TRUE(joined->has_contiguous_positions());
      EXPECT_TRUE(RecordBatch::parse(joined->encoded()).ok());
    }
  }
}

TEST(TakeRows, MakesAnUnstampedBatchOfThem) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto source = random_unstamped_batch(seed, 100);
    const std::vector<uint32_t> rows = random_selection(seed, 100, 3);
    const auto taken = take_rows(*source, rows);
    ASSERT_EQ(taken->rows(), rows.size());
    EXPECT_EQ(taken->first_position(), 0u);
    EXPECT_TRUE(taken->is_stampable());
    EXPECT_TRUE(RecordBatch::parse(taken->encoded()).ok());
    for (uint32_t i = 0; i < rows.size(); ++i) {
      ASSERT_TRUE(event_row(*taken, i) == event_row(*source, rows[i])) << "seed " << seed;
    }
  }
}

TEST(TakeRows, OfAStampedBatchForgetsTheStamp) {
  EventRow row;
  row.stream = "s";
  row.stream_position = 12;
  const BatchPtr batch = make_batch({row, EventRow{}, row}, 50, 9);
  const std::vector<uint32_t> rows = {0, 2};
  const auto taken = take_rows(*batch, rows);
  EXPECT_EQ(taken->namespace_id(), 0u);
  EXPECT_EQ(taken->first_position(), 0u);
  EXPECT_EQ(taken->int64s(ColumnId::kStreamPosition)[1], kAbsentInt64);
  EXPECT_TRUE(taken->is_stampable());
}

TEST(BatchBuilder, MemoryOfAnOldBatchServesTheNextOneThatFits) {
  BatchBuilder builder(Dataset::kEvents);
  EventRow row;
  row.type = "first";
  const std::string first(1000, 'x'), third(1000, 'y');
  row.data = first;
  builder.add(row);
  std::unique_ptr<RecordBatch> old = builder.finish();
  const char* const memory = old->encoded().data();
  builder.reuse(std::move(old));
  row.type = "second";
  row.data = "short";
  builder.add(row);
  std::unique_ptr<RecordBatch> next = builder.finish();
  EXPECT_EQ(next->encoded().data(), memory);
  EXPECT_EQ(event_row(*next, 0).data, "short");
  // What is shorter than the memory it lies in still has its own size, and the memory all of it.
  EXPECT_LT(next->size_bytes(), 1000u);
  builder.reuse(std::move(next));
  row.data = third;
  builder.add(row);
  next = builder.finish();
  EXPECT_EQ(next->encoded().data(), memory);
  EXPECT_TRUE(RecordBatch::parse(next->encoded()).ok());
}

TEST(BatchBuilder, ABatchThatDoesNotFitGetsMemoryOfItsOwn) {
  BatchBuilder builder(Dataset::kEvents);
  EventRow row;
  row.type = "t";
  builder.add(row);
  builder.reuse(builder.finish());
  const std::string large(5000, 'z');
  row.data = large;
  builder.add(row);
  const std::unique_ptr<RecordBatch> batch = builder.finish();
  EXPECT_EQ(event_row(*batch, 0).data, row.data);
}

}  // namespace
}  // namespace firn
