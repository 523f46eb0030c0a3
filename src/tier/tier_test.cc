#include "tier/tier.h"

#include <gtest/gtest.h>

#include "model/test_rows.h"
#include "tier/slices.h"

namespace firn {
namespace {

ChunkKey key_of(TimeNs start, TimeNs end) { return {7, Dataset::kEvents, start, end, 3}; }

TEST(ChunkKey, NameIsReadable) {
  const ChunkKey key{1, Dataset::kEvents, kTestTime, kTestTime + kDayNs, 0};
  EXPECT_EQ(key.name(), "ns1-events-20260101T000000Z-20260102T000000Z-g0");
}

TEST(ChunkKey, NameRoundTripsAtTheEdgesOfTime) {
  for (const ChunkKey& key :
       {key_of(kTestTime, kTestTime + 1), key_of(0, kDayNs), key_of(-kDayNs, 0),
        key_of(INT64_MIN, -1), key_of(5 * kMillisecondNs, INT64_MAX),
        ChunkKey{UINT32_MAX, Dataset::kEvents, 1, 2, UINT32_MAX}}) {
    const auto parsed = ChunkKey::parse(key.name());
    ASSERT_TRUE(parsed.has_value()) << key.name();
    EXPECT_EQ(*parsed, key) << key.name();
  }
}

TEST(ChunkKey, ParseRefusesEverythingElse) {
  for (const char* name : {
           "",
           "ns1-events-20260101T000000Z-20260102T000000Z",
           "ns1-events-20260101T000000Z-20260102T000000Z-g",
           "ns01-events-20260101T000000Z-20260102T000000Z-g0",
           "ns1-events-20260101T000000Z-20260102T000000Z-g0.db",
           "ns1-things-20260101T000000Z-20260102T000000Z-g0",
           "ns1-events-20261301T000000Z-20260102T000000Z-g0",
           "ns1-events-20260101T000000.0Z-20260102T000000Z-g0",
           "ns1-events-20260101T000000.1234567890Z-20260102T000000Z-g0",
           "ns4294967296-events-20260101T000000Z-20260102T000000Z-g0",
           "ns-1-events-20260101T000000Z-20260102T000000Z-g0",
       }) {
    EXPECT_FALSE(ChunkKey::parse(name).has_value()) << name;
  }
}

TEST(Slices, RowsAfterCutsAtTheWatermark) {
  const BatchPtr batch = random_batch(1, 100, 1000);
  const BatchSlice all = slice_of(batch);
  EXPECT_EQ(rows_after(all, 999).selection, nullptr);
  EXPECT_EQ(rows_after(all, 1099).batch, nullptr);
  for (const Position watermark : {1000, 1001, 1050, 1098}) {
    const BatchSlice rest = rows_after(all, watermark);
    ASSERT_EQ(rest.rows(), 1099 - watermark);
    EXPECT_EQ(batch->position(rest.row(0)), watermark + 1);
  }
  const BatchSlice some = slice_of(batch, {3, 50, 99});
  EXPECT_EQ(*rows_after(some, 1003).selection, (std::vector<uint32_t>{50, 99}));
}

TEST(Slices, WriteIsRefusedOutsideTheChunk) {
  EventRow row;
  row.time = kTestTime;
  const BatchSlice slice = slice_of(make_batch({row}, 5));
  const BatchSlice next = slice_of(make_batch({row}, 6));
  const auto check = [](ChunkKey key, std::vector<BatchSlice> slices, Position through) {
    return check_slices(key, slices, through).code();
  };
  const ChunkKey key{1, Dataset::kEvents, kTestTime, kTestTime + 1, 0};
  EXPECT_EQ(check(key, {slice, next}, 6), StatusCode::kOk);
  EXPECT_EQ(check(key, {next, slice}, 6), StatusCode::kInternal);
  EXPECT_EQ(check(key, {slice, next}, 5), StatusCode::kInternal);
  EXPECT_EQ(check({2, Dataset::kEvents, kTestTime, kTestTime + 1, 0}, {slice}, 5),
            StatusCode::kInternal);
  EXPECT_EQ(check({1, Dataset::kEvents, kTestTime + 1, kTestTime + 2, 0}, {slice}, 5),
            StatusCode::kInternal);
}

}  // namespace
}  // namespace firn
