// The part of the suite over every backend that is about samples and series.

#include "tier/test_conformance.h"

namespace firn {
namespace {

TEST_P(Conformance, SamplesAndSeriesReadBackEveryColumn) {
  for (const Dataset dataset :
       {Dataset::kSamples, Dataset::kSeries, Dataset::kRollups1, Dataset::kRollups3}) {
    ChunkKey key = key_;
    key.dataset = dataset;
    Position position = 1;
    for (uint64_t seed = 0; seed < 12; ++seed) {
      write(key, {slice_of(random_batch(seed, 200, position, 1, dataset))});
      position += 200;
    }
    expect_intact(key);
    ScanSpec spec;
    spec.order = ScanOrder::kPositionAscending;
    auto reader = tier_->scan(key, spec, nullptr);
    ASSERT_TRUE(reader.ok());
    BatchBuilder actual(dataset), expected(dataset);
    BatchSlice slice;
    while (true) {
      const auto more = (*reader)->next(&slice);
      ASSERT_TRUE(more.ok()) << more.status().to_string();
      if (!*more) break;
      actual.add_rows(slice);
    }
    for (const BatchSlice& written : expected_[key]) expected.add_rows(written);
    expect_same_rows(slice_of(actual.finish()), slice_of(expected.finish()));
  }
  const auto chunks = tier_->list();
  ASSERT_TRUE(chunks.ok());
  EXPECT_EQ(chunks->size(), 4u);
}

TEST_P(Conformance, FloatsThatLookEqualKeepTheirBits) {
  ChunkKey key = key_;
  key.dataset = Dataset::kSamples;
  std::vector<EventRow> rows(400);
  for (size_t i = 0; i < rows.size(); ++i) {
    constexpr uint64_t kBits[] = {0,  // 0.0 and -0.0
                                  0x8000000000000000,
                                  0x7ff8000000000000,
                                  0xfff8000000000000,
                                  0x7ff0000000000002,  // the staleness marker of Prometheus
                                  0x7ff0000000000000,
                                  0x3ff0000000000000};
    rows[i] = {.time = kTestTime, .series = "a"};
    rows[i].value.bits = kBits[i % std::size(kBits)];
  }
  write(key, {slice_of(make_batch(rows, 1, 1, Dataset::kSamples))});
  expect_intact(key);
}

TEST_P(Conformance, SamplesOfOneSeriesAreFound) {
  ChunkKey key = key_;
  key.dataset = Dataset::kSamples;
  write(key, {slice_of(random_batch(3, 40'000, 1, 1, Dataset::kSamples))});
  write(key, {slice_of(random_batch(4, 5'000, 40'001, 1, Dataset::kSamples))});
  for (const char* series : {"00112233445566778899aabbccddee17", "nothing"}) {
    Filter filter;
    filter.predicates.push_back(equal_text(ColumnId::kSeries, series));
    expect_filter_agrees(key, filter, series);
    filter.time.from = kTestTime + 1000 * kSecondNs;
    filter.positions = {20'000, 44'000};
    expect_filter_agrees(key, filter, series);
  }
}

TEST_P(Conformance, SamplesComeInTheOrderAskedFor) {
  ChunkKey key = key_;
  key.dataset = Dataset::kSamples;
  Position position = 1;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const uint32_t rows = seed == 0 ? 70'000 : 3'000;
    write(key, {slice_of(random_batch(seed, rows, position, 1, Dataset::kSamples))});
    position += rows;
  }
  for (const ScanOrder order : {ScanOrder::kPositionAscending, ScanOrder::kPositionDescending}) {
    for (const Position from : {1, 69'000}) {
      ScanSpec spec;
      spec.order = order;
      spec.filter.positions.from = from;
      step();
      auto ranges = slice_ranges(tier_.get(), key, spec);
      ASSERT_FALSE(ranges.empty());
      if (order == ScanOrder::kPositionDescending) std::reverse(ranges.begin(), ranges.end());
      EXPECT_EQ(ranges.front().first, from);
      EXPECT_EQ(ranges.back().second, position - 1);
      for (size_t i = 1; i < ranges.size(); ++i) {
        EXPECT_GT(ranges[i].first, ranges[i - 1].second);
      }
      EXPECT_EQ(read(key, spec), sums_of(expected_[key], spec.filter));
    }
  }
}

TEST_P(Conformance, ValuesAndTimesAreReadWithoutTheirSeries) {
  ChunkKey key = key_;
  key.dataset = Dataset::kSamples;
  const BatchPtr batch = random_batch(5, 3'000, 1, 1, Dataset::kSamples);
  write(key, {slice_of(batch)});
  step();
  ScanSpec spec;
  spec.projection = Projection::none().add(ColumnId::kValue).add(ColumnId::kTime);
  spec.order = ScanOrder::kPositionAscending;
  auto reader = tier_->scan(key, spec, nullptr);
  ASSERT_TRUE(reader.ok()) << reader.status().to_string();
  BatchSlice slice;
  uint32_t row = 0;
  while (true) {
    const auto more = (*reader)->next(&slice);
    ASSERT_TRUE(more.ok()) << more.status().to_string();
    if (!*more) break;
    for (uint32_t i = 0; i < slice.rows(); ++i, ++row) {
      const uint32_t at = slice.row(i);
      ASSERT_EQ(slice.batch->float64s(ColumnId::kValue)[at],
                batch->float64s(ColumnId::kValue)[row]);
      ASSERT_EQ(slice.batch->int64s(ColumnId::kTime)[at], batch->int64s(ColumnId::kTime)[row]);
    }
  }
  EXPECT_EQ(row, batch->rows());
}

}  // namespace
}  // namespace firn
