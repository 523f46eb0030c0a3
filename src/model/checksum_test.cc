#include "model/checksum.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "model/test_rows.h"

namespace firn {
namespace {

TEST(RowChecksum, IsTheSameWhateverTheEncoding) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const BatchPtr batch = random_batch(seed, 60, 5);
    for (uint32_t row = 0; row < batch->rows(); ++row) {
      // Alone in a batch every column of the row is constant.
      BatchBuilder builder(Dataset::kEvents);
      builder.add_rows(slice_of(batch), row, row + 1);
      ASSERT_EQ(row_checksum(*builder.finish(), 0), row_checksum(*batch, row)) << seed;
    }
  }
}

TEST(RowChecksum, IsFixedForever) {
  // It is stored in manifests: a change of this number is a change of the format.
  EventRow row;
  row.time = 1000;
  row.type = "order.placed";
  row.severity = 9;
  row.id = make_uuid7(1, 2, 3);
  row.data = R"({"x":1})";
  EXPECT_EQ(row_checksum(*make_batch({row}, 42), 0), 4738950685354686065u);
}

TEST(RowChecksum, DependsOnEachColumn) {
  std::vector<EventRow> rows(19);
  rows[1].time = 1;
  rows[2].observed_time = 1;
  rows[3].id = make_uuid7(1, 1, 1);
  rows[4].kind = EventKind::kLog;
  rows[5].type = "x";
  rows[6].source = "x";
  rows[7].subject = "x";
  rows[8].severity = 1;
  rows[9].stream = "x";
  rows[10].stream = "x";
  rows[10].stream_position = 1;
  rows[11].correlation_id = "x";
  rows[12].trace_id = make_uuid7(1, 1, 1);
  rows[13].span_id = {1};
  rows[14].parent_id = make_uuid7(1, 1, 1);
  rows[15].duration = 1;
  rows[16].data = "x";
  rows[17].metadata = "x";
  rows[18].context = "x";
  std::set<uint64_t> sums;
  for (const EventRow& row : rows) sums.insert(row_checksum(*make_batch({row}), 0));
  EXPECT_EQ(sums.size(), rows.size());
}

TEST(RowChecksum, DependsOnThePosition) {
  EXPECT_NE(row_checksum(*make_batch({{}}, 1), 0), row_checksum(*make_batch({{}}, 2), 0));
}

TEST(RowChecksum, KeepsNeighbouringStringsApart) {
  EventRow a, b;
  a.type = "ab";
  a.source = "c";
  b.type = "a";
  b.source = "bc";
  EXPECT_NE(row_checksum(*make_batch({a}), 0), row_checksum(*make_batch({b}), 0));
}

TEST(RowsChecksum, IsTheSumOfTheRows) {
  const BatchPtr batch = random_batch(8, 100);
  const std::vector<uint32_t> rows = {3, 50, 99};
  uint64_t sum = 0;
  for (const uint32_t row : rows) sum += row_checksum(*batch, row);
  EXPECT_EQ(rows_checksum(slice_of(batch, rows)), sum);
  EXPECT_EQ(rows_checksum({}), 0u);
}

TEST(RowsChecksum, IsTheSameForOneBatchAndItsParts) {
  const BatchPtr batch = random_batch(9, 100);
  BatchBuilder builder(Dataset::kEvents);
  builder.add_rows(slice_of(batch), 0, 30);
  uint64_t sum = rows_checksum(slice_of(builder.finish()));
  builder.add_rows(slice_of(batch), 30, 100);
  sum += rows_checksum(slice_of(builder.finish()));
  EXPECT_EQ(sum, rows_checksum(slice_of(batch)));
}

}  // namespace
}  // namespace firn
