#include "tier/blocks/position_merge.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/test_rows.h"

namespace firn {
namespace {

// The rows of `batch` in three slices, in turn and at random.
std::vector<BatchSlice> scattered(const BatchPtr& batch, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<uint32_t>> rows(3);
  for (uint32_t row = 0; row < batch->rows(); ++row) rows[random() % 3].push_back(row);
  std::vector<BatchSlice> slices;
  for (auto& selection : rows) slices.push_back(slice_of(batch, std::move(selection)));
  return slices;
}

BatchPtr joined(std::vector<BatchSlice> slices, bool descending) {
  if (descending) std::reverse(slices.begin(), slices.end());
  BatchBuilder builder(Dataset::kSamples);
  for (const BatchSlice& slice : slices) builder.add_rows(slice);
  return builder.finish();
}

TEST(PositionMerge, GivesRowsInTheirOrderEitherWay) {
  for (const bool descending : {false, true}) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      const BatchPtr batch = random_batch_with_gaps(seed, 1000, 5, Dataset::kSamples);
      PositionMerge merge(Dataset::kSamples, descending, 128);
      for (BatchSlice& slice : scattered(batch, seed)) merge.add(std::move(slice));
      std::vector<BatchSlice> found;
      BatchSlice slice;
      while (merge.next(&slice)) {
        EXPECT_LE(slice.rows(), 128u);
        found.push_back(slice);
      }
      // Building the batch checks that positions ascend.
      expect_same_rows(slice_of(joined(std::move(found), descending)), slice_of(batch));
    }
  }
}

TEST(PositionMerge, OneSliceComesAsItIs) {
  const BatchPtr batch = random_batch(1, 300, 7, 1, Dataset::kSamples);
  PositionMerge merge(Dataset::kSamples, false, 100);
  merge.add(slice_of(batch));
  BatchSlice slice;
  ASSERT_TRUE(merge.next(&slice));
  EXPECT_EQ(slice.batch, batch);
  EXPECT_FALSE(merge.next(&slice));
}

TEST(PositionMerge, TakesTheNextSlicesWhenItHasGivenAll) {
  PositionMerge merge(Dataset::kSamples, false, 100);
  Position position = 1;
  for (uint64_t seed = 1; seed <= 3; ++seed, position += 50) {
    const BatchPtr batch = random_batch(seed, 50, position, 1, Dataset::kSamples);
    for (BatchSlice& slice : scattered(batch, seed)) merge.add(std::move(slice));
    BatchSlice slice;
    ASSERT_TRUE(merge.next(&slice));
    expect_same_rows(slice, slice_of(batch));
    EXPECT_FALSE(merge.next(&slice));
  }
}

}  // namespace
}  // namespace firn
