#include "model/packed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "model/checksum.h"
#include "model/packed_format.h"
#include "model/test_rows.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

UnpackMemory scratch;

BatchPtr unpack(const RecordBatch& batch, const std::vector<PackedColumn>& columns) {
  auto unpacked =
      unpack_columns(batch.dataset(), batch.namespace_id(), batch.rows(), columns, &scratch);
  if (!unpacked.ok()) {
    ADD_FAILURE() << unpacked.status().to_string();
    return nullptr;
  }
  return std::move(*unpacked);
}

void expect_round_trip(const BatchPtr& batch) {
  const BatchPtr unpacked = unpack(*batch, pack_columns(*batch));
  ASSERT_NE(unpacked, nullptr);
  expect_same_rows(slice_of(unpacked), slice_of(batch));
  EXPECT_EQ(rows_checksum(slice_of(unpacked)), rows_checksum(slice_of(batch)));
  EXPECT_EQ(unpacked->time_min(), batch->time_min());
  EXPECT_EQ(unpacked->time_max(), batch->time_max());
  EXPECT_EQ(unpacked->namespace_id(), batch->namespace_id());
}

const PackedColumn& column_of(const std::vector<PackedColumn>& columns, ColumnId id) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const PackedColumn& column) { return column.id == id; });
  EXPECT_NE(found, columns.end());
  return *found;
}

PackedTransform transform_of(const std::vector<PackedColumn>& columns, ColumnId id) {
  return static_cast<PackedTransform>(column_of(columns, id).bytes[1]);
}

TEST(PackColumns, RoundTripsRandomBatches) {
  for (uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    expect_round_trip(random_batch(seed, 1 + static_cast<uint32_t>(seed * 13 % 700), 1000, 5));
    expect_round_trip(random_batch_with_gaps(seed, 100));
  }
}

TEST(PackColumns, RoundTripsRandomSamplesAndSeries) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    for (const Dataset dataset : {Dataset::kSamples, Dataset::kSeries, Dataset::kRollups2}) {
      const auto rows = 1 + static_cast<uint32_t>(seed * 13 % 700);
      expect_round_trip(random_batch(seed, rows, 1000, 5, dataset));
      expect_round_trip(random_batch_with_gaps(seed, 100, 1, dataset));
    }
  }
}

namespace {

// `points` of each of `count` series, in turn as a scrape gives them, packed; the bytes per sample.
double packed_sample_bytes(uint32_t count, uint32_t points,
                           const std::function<double(uint32_t series, uint32_t point)>& value) {
  BatchBuilder builder(Dataset::kSamples);
  std::vector<std::string> series;
  for (uint32_t i = 0; i < count; ++i) series.push_back(Id{}.to_hex() + std::to_string(i));
  for (uint32_t point = 0; point < points; ++point) {
    for (uint32_t i = 0; i < count; ++i) {
      EventRow row;
      row.time = kTestTime + point * 10 * kSecondNs + i % 7 * 500 * kMillisecondNs;
      row.series = series[i];
      row.value = Float64::of(value(i, point));
      builder.add(row);
    }
  }
  const BatchPtr batch = stamped(builder.finish());
  size_t bytes = 0;
  const std::vector<PackedColumn> packed = pack_columns(*batch);
  for (const PackedColumn& column : packed) bytes += column.bytes.size();
  expect_round_trip(batch);
  return static_cast<double>(bytes) / batch->rows();
}

}  // namespace

TEST(PackColumns, RegularGaugesTakeLessThanOneAndAHalfBytes) {
  std::mt19937_64 random(1);
  std::vector<double> levels(100, 500);
  const auto walk = [&](uint32_t series, uint32_t) {
    levels[series] += static_cast<double>(random() % 41) - 20;
    return levels[series] / 10;
  };
  EXPECT_LT(packed_sample_bytes(100, 300, walk), 1.5);
  const auto as_float32 = [&](uint32_t series, uint32_t point) {
    return static_cast<double>(static_cast<float>(walk(series, point)));
  };
  EXPECT_LT(packed_sample_bytes(100, 300, as_float32), 1.5);
}

namespace {

// Samples of three series, of which two tell with each how much of what is used.
BatchPtr samples_with_metadata(uint32_t rows) {
  BatchBuilder builder(Dataset::kSamples);
  std::mt19937_64 random(3);
  uint64_t used[] = {1'000'000, 2'000'000};
  for (uint32_t i = 0; i < rows; ++i) {
    EventRow row;
    row.time = kTestTime + i * kSecondNs;
    row.series = std::string_view("abc").substr(i % 3, 1);
    row.value = Float64::of(i);
    std::string metadata;
    if (i % 3 < 2) {
      uint64_t& bytes = used[i % 3];
      bytes += random() % 201 - 100;
      metadata = R"({"total":17179869184,"used":)" + std::to_string(bytes * 4096) + "}";
    }
    row.metadata = metadata;
    builder.add(row);
  }
  return stamped(builder.finish());
}

}  // namespace

TEST(PackColumns, MetadataThatDiffersInNumbersTakesTheirDifferences) {
  const BatchPtr batch = samples_with_metadata(3000);
  const std::vector<PackedColumn> packed = pack_columns(*batch);
  ASSERT_EQ(transform_of(packed, ColumnId::kMetadata), PackedTransform::kNumbers);
  EXPECT_LT(column_of(packed, ColumnId::kMetadata).bytes.size(), 2000 * 3);
  expect_round_trip(batch);
}

TEST(UnpackRows, TakesTextsOfNumbersApart) {
  const BatchPtr batch = samples_with_metadata(100);
  UnpackMemory memory;
  const std::vector<uint32_t> selected{0, 2, 50, 99};
  const auto some = unpack_rows(Dataset::kSamples, 1, 100, pack_columns(*batch), selected, &memory);
  ASSERT_TRUE(some.ok()) << some.status().to_string();
  for (uint32_t i = 0; i < selected.size(); ++i) {
    EXPECT_EQ((*some)->strings(ColumnId::kMetadata)[i],
              batch->strings(ColumnId::kMetadata)[selected[i]]);
  }
}

TEST(UnpackColumns, RefusesNumbersThatAreNotThoseOfItsTexts) {
  const BatchPtr batch = samples_with_metadata(99);
  std::vector<PackedColumn> columns = pack_columns(*batch);
  auto metadata = std::find_if(columns.begin(), columns.end(), [](const PackedColumn& column) {
    return column.id == ColumnId::kMetadata;
  });
  ASSERT_EQ(transform_of(columns, ColumnId::kMetadata), PackedTransform::kNumbers);
  const std::string good = metadata->bytes;
  const auto message = [&](size_t offset, uint32_t value) {
    metadata->bytes = good;
    store_le<uint32_t>(metadata->bytes.data() + offset, value);
    const auto header = load_le<PackedHeader>(metadata->bytes.data());
    store_le<uint32_t>(metadata->bytes.data() + sizeof(header),
                       packed_checksum(metadata->id, header,
                                       ByteView(metadata->bytes).substr(kPackedPayloadOffset)));
    return unpack_columns(Dataset::kSamples, 1, 99, columns, &scratch).status().to_string();
  };
  const auto raw_bytes = load_le<uint32_t>(good.data() + 12);
  EXPECT_THAT(message(12, raw_bytes + 1), HasSubstr("do not fit its texts"));
  EXPECT_THAT(message(12, raw_bytes - 1), HasSubstr("do not fit its texts"));
  EXPECT_THAT(message(12, 99 * 4 - 1), HasSubstr("size"));
  EXPECT_THAT(message(8, 7), HasSubstr("another column of series"));
  EXPECT_THAT(message(kPackedPayloadOffset, 0), HasSubstr("zstd"));
}

TEST(PackColumns, WhatIsSaidOfASeriesTakesLittle) {
  BatchBuilder builder(Dataset::kSamples);
  for (uint32_t i = 0; i < 5'000; ++i) {
    const uint32_t series = i * 7 % 100, round = i / 100;
    EventRow row;
    row.time = kTestTime + round * 10 * kSecondNs + round * round % 17 * kMillisecondNs;
    const std::string name = std::to_string(series);
    row.series = name;
    row.value = Float64::of(1);
    row.integer = series % 3 == 0 ? 1 : 0;
    row.start_time = series % 3 == 0 ? kTestTime : kAbsentInt64;
    builder.add(row);
  }
  const BatchPtr batch = stamped(builder.finish());
  const std::vector<PackedColumn> packed = pack_columns(*batch);
  for (const ColumnId id : {ColumnId::kTime, ColumnId::kInteger, ColumnId::kStartTime}) {
    EXPECT_LT(column_of(packed, id).bytes.size(), 400u) << static_cast<int>(id);
  }
  EXPECT_EQ(transform_of(packed, ColumnId::kInteger), PackedTransform::kSeriesBytes);
  expect_round_trip(batch);
}

TEST(PackColumns, PositionsAmongThoseOfOtherSeriesAreKept) {
  BatchBuilder builder(Dataset::kSamples);
  Position position = 5;
  for (uint32_t i = 0; i < 3'000; ++i) {
    const std::string name = std::to_string(i % 10);
    EventRow row;
    row.time = kTestTime + i / 10 * kSecondNs;
    row.series = name;
    builder.add_stamped(row, 1, position);
    position += i % 10 * 7 + 1;
  }
  const BatchPtr batch = builder.finish();
  const std::vector<PackedColumn> packed = pack_columns(*batch);
  EXPECT_EQ(transform_of(packed, ColumnId::kPosition), PackedTransform::kSeriesGaps);
  EXPECT_LT(column_of(packed, ColumnId::kPosition).bytes.size(), 150u);
  expect_round_trip(batch);
}

TEST(PackColumns, CountersAndConstantsTakeLittle) {
  const auto counter = [](uint32_t series, uint32_t point) { return 1e6 * series + 3.0 * point; };
  EXPECT_LT(packed_sample_bytes(50, 400, counter), 0.2);
  EXPECT_LT(packed_sample_bytes(50, 400, [](uint32_t series, uint32_t) { return series + 0.25; }),
            0.2);
}

TEST(PackColumns, RandomBitsOfFloatsTakeNoMoreThanTheyAre) {
  std::mt19937_64 random(1);
  EXPECT_LT(packed_sample_bytes(
                10, 500, [&](uint32_t, uint32_t) { return std::bit_cast<double>(random()); }),
            8.6);
}

TEST(PackColumns, GivesTheSameBytesBack) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const BatchPtr batch = random_batch(seed, 200, 9);
    EXPECT_EQ(unpack(*batch, pack_columns(*batch))->encoded(), batch->encoded());
  }
}

TEST(PackColumns, RoundTripsAnUnstampedBatch) {
  const BatchPtr batch = random_unstamped_batch(3, 100);
  expect_round_trip(batch);
  for (const PackedColumn& column : pack_columns(*batch)) EXPECT_NE(column.id, ColumnId::kPosition);
}

TEST(PackColumns, RoundTripsDictionariesOfEveryIndexWidth) {
  for (const uint32_t distinct : {2u, 256u, 257u, 65'536u, 65'537u}) {
    BatchBuilder builder(Dataset::kEvents);
    for (uint32_t i = 0; i < distinct + 10; ++i) {
      EventRow row;
      const std::string stream = "s" + std::to_string(i % distinct);
      row.stream = stream;
      builder.add(row);
    }
    expect_round_trip(stamped(builder.finish()));
  }
}

TEST(PackColumns, RoundTripsExtremeIntegers) {
  std::vector<EventRow> rows;
  for (const int64_t value : {INT64_MAX, INT64_MIN + 1, int64_t{0}, INT64_MAX, int64_t{-1}}) {
    EventRow row;
    row.time = value;
    row.duration = value;
    rows.push_back(row);
  }
  rows[2].duration = kAbsentInt64;
  expect_round_trip(make_batch(rows));
}

TEST(PackColumns, RoundTripsOrderedAndRandomIds) {
  std::vector<EventRow> rows;
  for (uint64_t i = 0; i < 500; ++i) {
    EventRow row;
    row.id = make_uuid7(1'700'000'000'000 + i * 37, 0, 0);
    row.trace_id = make_uuid7(i * 0x9e3779b97f4a7c15, i * 0xc2b2ae3d27d4eb4f, ~i);
    rows.push_back(row);
  }
  const BatchPtr batch = make_batch(rows);
  const auto columns = pack_columns(*batch);
  EXPECT_EQ(transform_of(columns, ColumnId::kId), PackedTransform::kOrdered);
  EXPECT_EQ(transform_of(columns, ColumnId::kTraceId), PackedTransform::kShuffle);
  expect_round_trip(batch);
}

TEST(PackColumns, ContiguousPositionsTakeAFewBytes) {
  const BatchPtr batch = random_batch(1, 4000, 123'456'789);
  const auto columns = pack_columns(*batch);
  EXPECT_EQ(transform_of(columns, ColumnId::kPosition), PackedTransform::kSequence);
  EXPECT_EQ(column_of(columns, ColumnId::kPosition).bytes.size(), 36u);
}

TEST(PackColumns, LeavesOutDefaults) {
  EventRow row;
  row.stream = "s";  // with a reserved but empty stream position column
  const auto columns = pack_columns(*make_unstamped_batch({row, row}));
  ASSERT_EQ(columns.size(), 2u);
  EXPECT_EQ(columns[0].id, ColumnId::kTime);
  EXPECT_EQ(columns[1].id, ColumnId::kStream);
}

TEST(PackColumns, StoresBytesThatDoNotShrinkAsTheyAre) {
  EventRow a, b;
  a.data = "q";
  b.data = "w";
  const auto columns = pack_columns(*make_batch({a, b}));
  EXPECT_EQ(column_of(columns, ColumnId::kData).bytes[2],
            static_cast<char>(PackedCompression::kNone));
}

TEST(UnpackColumns, GivesOnlyTheColumnsAskedFor) {
  const BatchPtr batch = random_batch(4, 100, 7);
  auto columns = pack_columns(*batch);
  std::erase_if(columns, [](const PackedColumn& column) {
    return column.id != ColumnId::kPosition && column.id != ColumnId::kTime;
  });
  std::reverse(columns.begin(), columns.end());  // any order
  const BatchPtr some = unpack(*batch, columns);
  EXPECT_EQ(some->first_position(), 7u);
  EXPECT_EQ(some->int64s(ColumnId::kTime)[99], batch->int64s(ColumnId::kTime)[99]);
  EXPECT_FALSE(some->has_column(ColumnId::kData));
}

TEST(UnpackColumns, WithoutAnyColumnGivesAbsentRows) {
  const auto batch = unpack_columns(Dataset::kEvents, 1, 10, {}, &scratch);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ((*batch)->rows(), 10u);
  EXPECT_EQ((*batch)->time_min(), kAbsentInt64);
}

TEST(UnpackColumns, IgnoresAColumnOfANewerVersion) {
  const BatchPtr batch = random_batch(4, 100, 7);
  auto columns = pack_columns(*batch);
  columns.push_back({static_cast<ColumnId>(99), "anything"});
  expect_same_rows(slice_of(unpack(*batch, columns)), slice_of(batch));
}

TEST(UnpackRows, GivesTheSameRowsAsUnpackingAllOfThem) {
  UnpackMemory memory;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    for (const Dataset dataset : {Dataset::kEvents, Dataset::kSamples, Dataset::kRollups2}) {
      const BatchPtr batch = seed % 2 == 0 ? random_batch(seed, 300, 1000, 5, dataset)
                                           : random_batch_with_gaps(seed, 300, 1, dataset);
      std::vector<uint32_t> selected;
      const auto step = static_cast<uint32_t>(seed % 30);
      for (uint32_t row = step % 7; row < batch->rows(); row += 1 + row % 5 * step) {
        selected.push_back(row);
      }
      auto rows = unpack_rows(dataset, batch->namespace_id(), batch->rows(), pack_columns(*batch),
                              selected, &memory);
      ASSERT_TRUE(rows.ok()) << rows.status().to_string();
      expect_same_rows(slice_of(BatchPtr(std::move(*rows))), slice_of(batch, selected));
    }
  }
}

TEST(UnpackRows, OfADictionaryKeepsOnlyTheirEntries) {
  std::vector<EventRow> rows(100);
  std::vector<std::string> types;
  for (size_t i = 0; i < 10; ++i) types.push_back("type" + std::to_string(i));
  for (size_t i = 0; i < rows.size(); ++i) rows[i].type = types[i % 10];
  const BatchPtr batch = make_batch(rows);
  UnpackMemory memory;
  const std::vector<uint32_t> selected{3, 13, 27};
  const auto some = unpack_rows(Dataset::kEvents, 1, 100, pack_columns(*batch), selected, &memory);
  ASSERT_TRUE(some.ok()) << some.status().to_string();
  EXPECT_EQ((*some)->strings(ColumnId::kType).entries(), 2u);
  EXPECT_EQ((*some)->strings(ColumnId::kType)[1], "type3");
}

// A packed column to damage; the checksum is made right again unless it is what is tested.
class DamagedColumn {
 public:
  explicit DamagedColumn(PackedColumn column) : column_(std::move(column)) {}
  template <typename T>
  DamagedColumn& set(size_t offset, T value) {
    store_le<T>(column_.bytes.data() + offset, value);
    return *this;
  }
  DamagedColumn& payload(std::string payload) {
    column_.bytes.resize(kPackedPayloadOffset);
    column_.bytes += payload;
    return *this;
  }
  std::string message(uint32_t rows) {
    const auto header = load_le<PackedHeader>(column_.bytes.data());
    set<uint32_t>(16, packed_checksum(column_.id, header,
                                      ByteView(column_.bytes).substr(kPackedPayloadOffset)));
    return message_as_it_is(rows);
  }
  std::string message_as_it_is(uint32_t rows) const {
    const auto batch = unpack_columns(Dataset::kEvents, 1, rows, {column_}, &scratch);
    if (batch.ok()) return "accepted";
    EXPECT_EQ(batch.status().code(), StatusCode::kCorruption);
    return std::string(batch.status().message());
  }
  PackedColumn column_;
};

DamagedColumn damaged(ColumnId id) {
  std::vector<EventRow> rows(3);
  rows[0].time = 5;
  rows[0].type = "a";
  rows[1].type = "b";
  rows[0].data = "x";
  rows[1].data = "yz";
  rows[2].id = make_uuid7(1, 2, 3);
  rows[2].severity = 2;
  return DamagedColumn(column_of(pack_columns(*make_batch(rows)), id));
}

TEST(UnpackColumns, RefusesADamagedHeader) {
  EXPECT_EQ(damaged(ColumnId::kTime).message(3), "accepted");
  EXPECT_THAT(damaged(ColumnId::kTime).message(4), HasSubstr("time: 3 rows instead of 4"));
  EXPECT_THAT(damaged(ColumnId::kTime).set<uint8_t>(0, 2).message(3), HasSubstr("version 2"));
  EXPECT_THAT(damaged(ColumnId::kTime).set<uint8_t>(1, 12).message(3), HasSubstr("transform"));
  EXPECT_THAT(damaged(ColumnId::kTime).set<uint8_t>(1, 8).message(3), HasSubstr("transform"));
  EXPECT_THAT(damaged(ColumnId::kTime).set<uint8_t>(2, 2).message(3), HasSubstr("compression"));
  EXPECT_THAT(damaged(ColumnId::kTime).set<uint8_t>(3, 5).message(3), HasSubstr("wrong type"));
  EXPECT_THAT(damaged(ColumnId::kTime).set<uint32_t>(12, 16).message(3), HasSubstr("size"));
  EXPECT_THAT(damaged(ColumnId::kData).set<uint32_t>(12, 11).message(3), HasSubstr("size"));
  EXPECT_THAT(damaged(ColumnId::kData).set<uint32_t>(12, 1u << 31).message(3),
              HasSubstr("too large"));
  EXPECT_THAT(damaged(ColumnId::kType).set<uint32_t>(8, UINT32_MAX).message(3), HasSubstr("size"));
}

TEST(UnpackColumns, RefusesValuesWithoutTheirSeries) {
  std::vector<EventRow> rows(100);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i] = {.time = kTestTime, .series = i % 2 == 0 ? "a" : "b"};
    rows[i].value = Float64::of(static_cast<double>(i % 7) / 10);
  }
  std::vector<PackedColumn> columns = pack_columns(*make_batch(rows, 1, 1, Dataset::kSamples));
  ASSERT_EQ(transform_of(columns, ColumnId::kValue), PackedTransform::kDecimal);
  std::erase_if(columns, [](const PackedColumn& column) { return column.id == ColumnId::kSeries; });
  const auto unpacked = unpack_columns(Dataset::kSamples, 1, 100, columns, &scratch);
  EXPECT_THAT(unpacked.status().to_string(), HasSubstr("another column of series"));
}

TEST(UnpackColumns, RefusesEveryChangedBit) {
  const DamagedColumn whole = damaged(ColumnId::kData);
  for (size_t bit = 0; bit < whole.column_.bytes.size() * 8; ++bit) {
    DamagedColumn flipped = whole;
    flipped.column_.bytes[bit / 8] =
        static_cast<char>(flipped.column_.bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(flipped.message_as_it_is(3), "accepted") << "bit " << bit;
  }
}

TEST(UnpackColumns, RefusesEveryShorterLength) {
  const DamagedColumn whole = damaged(ColumnId::kData);
  for (size_t size = 0; size < whole.column_.bytes.size(); ++size) {
    DamagedColumn shorter = whole;
    shorter.column_.bytes.resize(size);
    EXPECT_NE(shorter.message_as_it_is(3), "accepted") << size;
  }
}

TEST(UnpackColumns, RefusesAColumnStoredUnderAnotherName) {
  DamagedColumn column = damaged(ColumnId::kData);
  column.column_.id = ColumnId::kMetadata;
  EXPECT_THAT(column.message_as_it_is(3), HasSubstr("metadata: checksum"));
}

TEST(UnpackColumns, RefusesTheSameColumnTwice) {
  const PackedColumn column = damaged(ColumnId::kData).column_;
  const auto batch = unpack_columns(Dataset::kEvents, 1, 3, {column, column}, &scratch);
  ASSERT_FALSE(batch.ok());
  EXPECT_THAT(batch.status().message(), HasSubstr("twice"));
}

TEST(UnpackColumns, RefusesARowCountThatCannotBe) {
  EXPECT_FALSE(unpack_columns(Dataset::kEvents, 1, 0, {}, &scratch).ok());
  EXPECT_FALSE(unpack_columns(Dataset::kEvents, 1, UINT32_MAX, {}, &scratch).ok());
  EXPECT_FALSE(unpack_columns(static_cast<Dataset>(7), 1, 1, {}, &scratch).ok());
}

TEST(UnpackColumns, RefusesAPayloadThatDoesNotDecompress) {
  EXPECT_THAT(damaged(ColumnId::kData).payload("short").message(3), HasSubstr("payload size"));
  EXPECT_THAT(damaged(ColumnId::kData).set<uint8_t>(2, 1).message(3), HasSubstr("column data"));
}

TEST(UnpackColumns, RefusesLengthsThatDoNotAddUp) {
  // Three lengths as planes, then the bytes; the first length one too large.
  DamagedColumn column = damaged(ColumnId::kData);
  column.payload(std::string("\2\2\0\0\0\0\0\0\0\0\0\0xyz", 15));
  EXPECT_THAT(column.message(3), HasSubstr("do not add up"));
}

TEST(UnpackColumns, RefusesAnIndexBeyondTheDictionary) {
  // Indexes 0 1 3 of three entries of lengths 1 1 0.
  DamagedColumn column = damaged(ColumnId::kType);
  column.payload(std::string("\0\1\3\1\1\0\0\0\0\0\0\0\0\0\0ab", 17)).set<uint8_t>(2, 0);
  EXPECT_THAT(column.message(3), HasSubstr("column type: index"));
}

TEST(UnpackColumns, RefusesPositionsThatDoNotAscend) {
  std::string sequence(16, '\0');
  store_le<int64_t>(sequence.data(), 10);
  store_le<int64_t>(sequence.data() + 8, -1);
  EXPECT_THAT(damaged(ColumnId::kPosition).payload(sequence).set<uint8_t>(2, 0).message(3),
              HasSubstr("position: positions do not ascend"));
}

}  // namespace
}  // namespace firn
