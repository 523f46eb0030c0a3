#include "model/record_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "model/batch_format.h"
#include "model/test_rows.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

// The example of docs/formats/batch.md.
std::unique_ptr<RecordBatch> documented_batch() {
  EventRow a, b;
  a.time = 1000;
  b.time = 2000;
  a.type = b.type = "a";
  a.data = "{}";
  b.data = R"({"x":1})";
  return make_unstamped_batch({a, b});
}

TEST(RecordBatch, HasTheDocumentedBytes) {
  EXPECT_EQ(hex_encode(documented_batch()->encoded()),
            "46524e420100010302000000a8000000"
            "00000000000000000000000000000000"
            "e803000000000000d007000000000000"
            "00000000000000000000000000000000"
            "01010100020000007000000010000000"
            "05050200010000008000000009000000"
            "10050100020000009000000015000000"
            "e803000000000000d007000000000000"
            "00000000010000006100000000000000"
            "0000000002000000090000007b7d7b22"
            "78223a317d000000");
}

// An encoded batch to damage. Every Status is the one parse() gives afterwards.
class Damaged {
 public:
  explicit Damaged(ByteView bytes) : bytes_(bytes) {}

  template <typename T>
  Damaged& set(size_t offset, T value) {
    store_le<T>(bytes_.data() + offset, value);
    return *this;
  }
  Damaged& resize(size_t size) {
    bytes_.resize(size);
    return *this;
  }
  // Where the directory entry of the column begins.
  size_t entry(ColumnId id) const {
    for (size_t i = 0; i < load_le<uint8_t>(bytes_.data() + 7); ++i) {
      const size_t at = sizeof(BatchHeader) + i * sizeof(BatchColumnEntry);
      if (bytes_[at] == static_cast<char>(id)) return at;
    }
    ADD_FAILURE() << "no such column";
    return 0;
  }
  size_t payload(ColumnId id) const { return load_le<uint32_t>(bytes_.data() + entry(id) + 8); }

  std::string message() const {
    const auto parsed = RecordBatch::parse(bytes_);
    if (parsed.ok()) return "accepted";
    EXPECT_EQ(parsed.status().code(), StatusCode::kCorruption);
    return std::string(parsed.status().message());
  }

 private:
  std::string bytes_;
};

Damaged damaged() { return Damaged(documented_batch()->encoded()); }

TEST(ParseBatch, AcceptsTheUndamagedExample) { EXPECT_EQ(damaged().message(), "accepted"); }

TEST(ParseBatch, RefusesEveryLengthButTheRightOne) {
  const std::string bytes(documented_batch()->encoded());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(RecordBatch::parse(ByteView(bytes).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(RecordBatch::parse(bytes + std::string(8, '\0')).ok());
}

TEST(ParseBatch, RefusesADamagedHeader) {
  EXPECT_THAT(damaged().set<uint32_t>(0, 0).message(), HasSubstr("magic"));
  EXPECT_THAT(damaged().set<uint16_t>(4, 2).message(), HasSubstr("version 2"));
  EXPECT_THAT(damaged().set<uint8_t>(6, 9).message(), HasSubstr("dataset 9"));
  EXPECT_THAT(damaged().set<uint32_t>(8, 0).message(), HasSubstr("0 rows"));
  EXPECT_THAT(damaged().set<uint32_t>(8, kBatchRowsMax + 1).message(), HasSubstr("rows"));
  EXPECT_THAT(damaged().set<uint32_t>(12, 160).message(), HasSubstr("the header says 160"));
  EXPECT_THAT(damaged().set<uint64_t>(24, uint64_t{1} << 63).message(),
              HasSubstr("first position"));
  EXPECT_THAT(damaged().set<int64_t>(32, 999).message(), HasSubstr("time_min"));
  EXPECT_THAT(damaged().set<int64_t>(40, 1999).message(), HasSubstr("time_max"));
}

TEST(ParseBatch, RefusesADirectoryThatDoesNotHold) {
  EXPECT_THAT(damaged().set<uint8_t>(7, 255).message(), HasSubstr("directory"));
  EXPECT_THAT(damaged().set<uint8_t>(7, 2).message(), HasSubstr("not where it should be"));
  EXPECT_THAT(damaged().set<uint8_t>(0x50, 1).message(), HasSubstr("do not ascend"));
  EXPECT_THAT(damaged().set<uint8_t>(0x51, 1).message(), HasSubstr("wrong type"));
  EXPECT_THAT(damaged().set<uint8_t>(0x52, 4).message(), HasSubstr("unknown encoding"));
  EXPECT_THAT(damaged().set<uint8_t>(0x42, 3).message(), HasSubstr("wrong encoding"));
  EXPECT_THAT(damaged().set<uint32_t>(0x44, 1).message(), HasSubstr("one value per row"));
  EXPECT_THAT(damaged().set<uint32_t>(0x54, 2).message(), HasSubstr("not one value"));
  EXPECT_THAT(damaged().set<uint32_t>(0x48, 0x80).message(), HasSubstr("not where it should be"));
  EXPECT_THAT(damaged().set<uint32_t>(0x4c, 9).message(), HasSubstr("size"));
  EXPECT_THAT(damaged().set<uint32_t>(0x6c, 64).message(), HasSubstr("beyond the end"));
  EXPECT_THAT(damaged().set<uint32_t>(0x6c, 8).message(), HasSubstr("too small"));
}

TEST(ParseBatch, RefusesBytesBehindTheLastColumn) {
  EXPECT_THAT(damaged().resize(176).set<uint32_t>(12, 176).message(), HasSubstr("behind the last"));
}

TEST(ParseBatch, RefusesOffsetsThatDoNotAscend) {
  EXPECT_THAT(damaged().set<uint32_t>(0x90, 1).message(), HasSubstr("first offset"));
  EXPECT_THAT(damaged().set<uint32_t>(0x94, 10).message(), HasSubstr("offsets descend"));
  EXPECT_THAT(damaged().set<uint32_t>(0x98, 8).message(), HasSubstr("last offset"));
}

TEST(ParseBatch, RefusesAnIndexBeyondTheDictionary) {
  EventRow a, b;
  a.type = "a";
  b.type = "b";
  Damaged bytes(make_unstamped_batch({a, b, a})->encoded());
  EXPECT_EQ(bytes.message(), "accepted");
  bytes.set<uint32_t>(bytes.payload(ColumnId::kType) + 8, 2);
  EXPECT_THAT(bytes.message(), HasSubstr("column type: index"));
}

TEST(ParseBatch, RefusesPositionsThatDoNotAscend) {
  BatchBuilder builder(Dataset::kEvents);
  builder.add_rows(slice_of(make_batch({{}, {}, {}, {}}, 10), {0, 2, 3}));
  const auto batch = builder.finish();
  const size_t payload = Damaged(batch->encoded()).payload(ColumnId::kPosition);
  const size_t entry = Damaged(batch->encoded()).entry(ColumnId::kPosition);
  EXPECT_EQ(Damaged(batch->encoded()).message(), "accepted");
  EXPECT_THAT(Damaged(batch->encoded()).set<int64_t>(payload, 9).message(), HasSubstr("header"));
  EXPECT_THAT(Damaged(batch->encoded()).set<int64_t>(payload + 8, 10).message(),
              HasSubstr("positions do not ascend"));
  EXPECT_THAT(Damaged(batch->encoded()).set<int64_t>(payload + 16, -1).message(),
              HasSubstr("positions do not ascend"));
  EXPECT_THAT(
      Damaged(batch->encoded()).set<uint8_t>(entry + 2, 2).set<uint32_t>(entry + 4, 1).message(),
      HasSubstr("must be plain"));
}

TEST(ParseBatch, IgnoresAColumnOfANewerVersion) {
  Damaged bytes = damaged();
  const size_t entry = bytes.entry(ColumnId::kData);
  // Column 200 of an unknown type and encoding.
  bytes.set<uint8_t>(entry, 200).set<uint8_t>(entry + 1, 77).set<uint8_t>(entry + 2, 88);
  EXPECT_EQ(bytes.message(), "accepted");
  bytes.set<uint32_t>(entry + 12, 1000);
  EXPECT_THAT(bytes.message(), HasSubstr("column 200"));
}

TEST(ParseBatch, GivesTheRowsBack) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const BatchPtr batch = random_batch(seed, 1 + static_cast<uint32_t>(seed * 7 % 300), 100);
    auto parsed = RecordBatch::parse(batch->encoded());
    ASSERT_TRUE(parsed.ok()) << parsed.status().to_string();
    EXPECT_EQ((*parsed)->encoded(), batch->encoded());
    EXPECT_EQ((*parsed)->time_min(), batch->time_min());
    EXPECT_EQ((*parsed)->namespace_id(), 1u);
    expect_same_rows(slice_of(std::move(*parsed)), slice_of(batch));
  }
}

TEST(ParseBatch, ReadsUnalignedBytes) {
  const std::string shifted = "x" + std::string(documented_batch()->encoded());
  EXPECT_TRUE(RecordBatch::parse(ByteView(shifted).substr(1)).ok());
}

TEST(RecordBatch, AbsentColumnsAnswerWithDefaults) {
  const BatchPtr batch = make_batch({{}, {}});
  for (const ColumnSchema& column : dataset_columns(Dataset::kEvents)) {
    EXPECT_EQ(batch->has_column(column.id), column.id == ColumnId::kTime) << column.name;
  }
  EXPECT_EQ(batch->int64s(ColumnId::kDuration)[1], kAbsentInt64);
  EXPECT_EQ(batch->strings(ColumnId::kStream)[1], "");
  EXPECT_EQ(batch->strings(ColumnId::kStream).entries(), 1u);
  EXPECT_TRUE(batch->ids(ColumnId::kId)[1].is_zero());
  EXPECT_EQ(batch->uint8s(ColumnId::kSeverity)[1], 0);
}

TEST(RecordBatch, StampSetsPositionsInPlace) {
  EventRow a, b;
  a.stream = "cart-1";
  auto batch = make_unstamped_batch({a, b});
  EXPECT_EQ(batch->first_position(), 0u);
  EXPECT_TRUE(batch->is_stampable());
  const std::vector<int64_t> stream_positions = {41, kAbsentInt64};
  batch->stamp(7, 1000, stream_positions);
  EXPECT_EQ(batch->namespace_id(), 7u);
  EXPECT_EQ(batch->position(0), 1000u);
  EXPECT_EQ(batch->last_position(), 1001u);
  EXPECT_EQ(batch->int64s(ColumnId::kStreamPosition)[0], 41);
  EXPECT_EQ(batch->int64s(ColumnId::kStreamPosition)[1], kAbsentInt64);
  EXPECT_FALSE(batch->is_stampable());
  const auto parsed = RecordBatch::parse(batch->encoded());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ((*parsed)->last_position(), 1001u);
}

TEST(RecordBatch, StampWithoutStreamsTakesNoStreamPositions) {
  auto batch = make_unstamped_batch({{}, {}});
  batch->stamp(1, 5, {});
  EXPECT_EQ(batch->last_position(), 6u);
  EXPECT_FALSE(batch->has_column(ColumnId::kStreamPosition));
}

TEST(RecordBatch, ParsedBytesWithoutRoomForStreamPositionsAreNotStampable) {
  EventRow row;
  row.stream = "s";
  Damaged bytes(make_unstamped_batch({row})->encoded());
  // With one row a constant column has the same payload as a plain one.
  std::string changed(make_unstamped_batch({row})->encoded());
  changed[bytes.entry(ColumnId::kStreamPosition) + 2] = 2;
  const auto parsed = RecordBatch::parse(changed);
  ASSERT_TRUE(parsed.ok());
  EXPECT_FALSE((*parsed)->is_stampable());
}

TEST(RecordBatchDeathTest, StampTwiceIsOurMistake) {
  auto batch = make_unstamped_batch({{}});
  batch->stamp(1, 1, {});
  EXPECT_DEATH(batch->stamp(1, 2, {}), "is_stampable");
}

TEST(RecordBatch, RowBytesCountsWhatIsThere) {
  EventRow row;
  row.type = "abc";
  row.data = "{}";
  row.id = make_uuid7(1, 2, 3);
  row.severity = 9;
  const BatchPtr batch = make_batch({row, EventRow{}});
  EXPECT_EQ(batch->row_bytes(0), 8u + 3 + 2 + 16 + 1);
  EXPECT_EQ(batch->row_bytes(1), 8u);
}

TEST(BatchRecycler, TakesTheMemoryOfABatchThatNobodyHasAnyMore) {
  BatchRecycler recycler;
  EXPECT_EQ(recycler.take().capacity_bytes, 0u);
  BatchPtr batch = recycler.share(make_unstamped_batch({{}, {}}));
  const size_t bytes = batch->size_bytes();
  const BatchPtr other = batch;
  batch.reset();
  EXPECT_EQ(recycler.take().capacity_bytes, 0u);
  EXPECT_EQ(other->rows(), 2u);
  batch = recycler.share(make_unstamped_batch({{}}));
  batch.reset();
  const size_t taken = recycler.take().capacity_bytes;
  EXPECT_GT(taken, 0u);
  EXPECT_LE(taken, bytes);
  EXPECT_EQ(recycler.take().capacity_bytes, 0u);
}

TEST(BatchRecycler, ASmallBatchDoesNotKeepTheMemoryOfALargeOne) {
  const std::string text(1000, 'x');
  EventRow row;
  row.data = text;
  BatchBuilder builder(Dataset::kEvents);
  for (int i = 0; i < 1000; ++i) {
    row.severity = static_cast<uint8_t>(i % 2);
    row.data = std::string_view(text).substr(static_cast<size_t>(i) % 7);
    builder.add(row);
  }
  auto large = builder.finish();
  ASSERT_GT(large->size_bytes(), 900'000u);
  builder.reuse(std::move(large));
  builder.add(row);
  BatchRecycler recycler;
  recycler.share(builder.finish()).reset();
  EXPECT_LT(recycler.take().capacity_bytes, 10'000u);
}

TEST(BatchRecycler, BatchesOutliveIt) {
  BatchPtr batch;
  {
    BatchRecycler recycler;
    batch = recycler.share(make_unstamped_batch({{}, {}, {}}));
  }
  EXPECT_EQ(batch->rows(), 3u);
}

}  // namespace
}  // namespace firn
