#include "tier/parquet/file_rows.h"

#include <gtest/gtest.h>

#include "tier/tier_test_util.h"

namespace firn {
namespace {

// Slices of 100 rows from position 1 on.
std::vector<BatchSlice> slices_of(int count) {
  std::vector<BatchSlice> slices;
  for (int i = 0; i < count; ++i) {
    const auto first = static_cast<Position>(1 + 100 * i);
    slices.push_back(slice_of(keyed_batch(first, 100, first)));
  }
  return slices;
}

uint64_t take_file(FileRows* rows) {
  rows->begin_file();
  BatchSlice slice;
  while (true) {
    const auto more = rows->next(&slice);
    EXPECT_TRUE(more.ok()) << more.status().to_string();
    if (!more.ok() || !*more) return rows->stats().rows;
  }
}

TEST(FileRows, AFileEndsWhenItIsLarge) {
  const auto slices = slices_of(5);
  SlicesReader reader(slices);
  const uint64_t two_slices = slices[0].size_bytes() + slices[1].size_bytes();
  FileRows rows(test_chunk(), {.reader = &reader, .through = 600}, 0, two_slices);
  EXPECT_EQ(take_file(&rows), 200u);
  EXPECT_EQ(rows.last(), 200u);
  EXPECT_EQ(rows.stats().position_max, 200u);
  EXPECT_FALSE(rows.has_ended());
  EXPECT_EQ(take_file(&rows), 200u);
  EXPECT_EQ(rows.stats().position_min, 201u);
  EXPECT_EQ(take_file(&rows), 100u);
  EXPECT_TRUE(rows.has_ended());
  EXPECT_EQ(rows.last(), 600u);
}

TEST(FileRows, AFullFileThatTookTheLastRowIsTheLast) {
  const auto slices = slices_of(2);
  SlicesReader reader(slices);
  FileRows rows(test_chunk(), {.reader = &reader, .through = 200}, 0,
                slices[0].size_bytes() + slices[1].size_bytes());
  EXPECT_EQ(take_file(&rows), 200u);
  EXPECT_TRUE(rows.has_ended());
}

TEST(FileRows, RowsBelowTheWatermarkAreLeftOut) {
  const auto slices = slices_of(3);
  SlicesReader reader(slices);
  FileRows rows(test_chunk(), {.reader = &reader, .through = 300}, 150);
  EXPECT_EQ(take_file(&rows), 150u);
  EXPECT_EQ(rows.stats().position_min, 151u);
  EXPECT_TRUE(rows.has_ended());
}

TEST(FileRows, RowsOutOfOrderAreRefused) {
  auto slices = slices_of(2);
  std::swap(slices[0], slices[1]);
  SlicesReader reader(slices);
  FileRows rows(test_chunk(), {.reader = &reader, .through = 300}, 0);
  BatchSlice slice;
  Result<bool> more = rows.next(&slice);
  while (more.ok() && *more) more = rows.next(&slice);
  EXPECT_EQ(more.status().code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace firn
