#include "tier/blocks/series_group.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tier/blocks/test_samples.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

std::vector<BatchPtr> divide(SeriesGroup* group, uint32_t rows_max, uint64_t bytes_max) {
  std::vector<BatchPtr> blocks;
  BatchBuilder builder(Dataset::kSamples);
  const Status status = group->divide(rows_max, bytes_max, &builder, [&] {
    blocks.push_back(builder.finish());
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(group->rows(), 0u);
  return blocks;
}

std::set<std::string> series_of(const RecordBatch& batch) {
  std::set<std::string> series;
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    series.emplace(batch.strings(ColumnId::kSeries)[row]);
  }
  return series;
}

RowSums sums_of_all(const std::vector<BatchPtr>& batches) {
  RowSums sums;
  for (const BatchPtr& batch : batches) add_sums(slice_of(batch), &sums);
  return sums;
}

TEST(SeriesGroup, BlocksDivideTheSeriesInTheirOrder) {
  RegularSamples samples(50);
  SeriesGroup group;
  const std::vector<BatchSlice> slices = samples.next(40);
  for (const BatchSlice& slice : slices) group.add(slice);
  EXPECT_EQ(group.rows(), 2000u);
  const std::vector<BatchPtr> blocks = divide(&group, 300, UINT64_MAX);
  ASSERT_EQ(blocks.size(), 8u);  // seven series of 40 points each, and one
  std::string last;
  for (const BatchPtr& block : blocks) {
    EXPECT_LE(block->rows(), 300u);
    const std::set<std::string> series = series_of(*block);
    EXPECT_EQ(block->rows(), series.size() * 40);
    EXPECT_LT(last, *series.begin());
    last = *series.rbegin();
  }
  EXPECT_EQ(sums_of_all(blocks), sums_of(slices, Filter()));
}

TEST(SeriesGroup, ASeriesLargerThanABlockHasSeveralByPosition) {
  RegularSamples samples(2);
  SeriesGroup group;
  const std::vector<BatchSlice> slices = samples.next(250);
  for (const BatchSlice& slice : slices) group.add(slice);
  const std::vector<BatchPtr> blocks = divide(&group, 100, UINT64_MAX);
  ASSERT_EQ(blocks.size(), 6u);
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(series_of(*blocks[i]).size(), 1u);
    if (i % 3 != 0) {
      EXPECT_GT(blocks[i]->first_position(), blocks[i - 1]->last_position());
    }
  }
  EXPECT_EQ(sums_of_all(blocks), sums_of(slices, Filter()));
}

TEST(SeriesGroup, BlocksOfLargeDocumentsStayBounded) {
  BatchBuilder builder(Dataset::kSamples);
  const std::string document(1000, 'x');
  const std::vector<std::string> series = sample_series(10);
  for (uint32_t i = 0; i < 400; ++i) {
    EventRow row;
    row.time = kTestTime;
    row.series = series[i % 10];
    row.data = document;
    builder.add(row);
  }
  SeriesGroup group;
  group.add(slice_of(stamped(builder.finish())));
  const std::vector<BatchPtr> blocks = divide(&group, 400, 20'000);
  EXPECT_GE(blocks.size(), 20u);
  uint32_t rows = 0;
  for (const BatchPtr& block : blocks) {
    EXPECT_LE(block->rows(), 20u);
    rows += block->rows();
  }
  EXPECT_EQ(rows, 400u);
}

TEST(SeriesGroup, BlocksOfAnEarlierGroupAreDividedAgain) {
  RegularSamples samples(30);
  SeriesGroup group;
  std::vector<BatchSlice> slices = samples.next(20);
  for (const BatchSlice& slice : slices) group.add(slice);
  for (const BatchPtr& block : divide(&group, 100, UINT64_MAX)) group.add(slice_of(block));
  for (const BatchSlice& slice : samples.next(20)) {
    slices.push_back(slice);
    group.add(slice);
  }
  const std::vector<BatchPtr> blocks = divide(&group, 200, UINT64_MAX);
  EXPECT_EQ(blocks.size(), 6u);
  EXPECT_EQ(sums_of_all(blocks), sums_of(slices, Filter()));
}

TEST(SeriesGroup, AFailureOfABlockEndsTheDivision) {
  RegularSamples samples(30);
  SeriesGroup group;
  for (const BatchSlice& slice : samples.next(20)) group.add(slice);
  BatchBuilder builder(Dataset::kSamples);
  int calls = 0;
  const Status status = group.divide(100, UINT64_MAX, &builder, [&] {
    return ++calls == 2 ? no_space("full") : (builder.finish(), Status());
  });
  EXPECT_EQ(status.code(), StatusCode::kNoSpace);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace firn
