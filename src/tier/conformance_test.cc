// One suite over every backend, and for durable ones again with the tier closed and opened between
// all steps.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tier/test_conformance.h"

namespace firn {
namespace {

TEST_P(Conformance, ReadsBackEveryColumn) {
  Position position = 1;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    write(key_, {slice_of(random_batch(seed, 50, position))});
    position += 50;
  }
  expect_intact(key_);
  // Row by row and value by value, not only by checksum.
  auto reader = tier_->scan(key_, {}, nullptr);
  ASSERT_TRUE(reader.ok());
  BatchBuilder actual(Dataset::kEvents), expected(Dataset::kEvents);
  BatchSlice slice;
  while (true) {
    const auto more = (*reader)->next(&slice);
    ASSERT_TRUE(more.ok()) << more.status().to_string();
    if (!*more) break;
    actual.add_rows(slice);
  }
  for (const BatchSlice& written : expected_[key_]) expected.add_rows(written);
  expect_same_rows(slice_of(actual.finish()), slice_of(expected.finish()));
}

TEST_P(Conformance, UnknownChunkIsNotFound) {
  EXPECT_EQ(tier_->scan(key_, {}, nullptr).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(tier_->aggregate(key_, {}, nullptr).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(tier_->seal(key_).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(tier_->verify(key_).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(tier_->drop(key_).ok());
  ASSERT_TRUE(tier_->list().ok());
  EXPECT_TRUE(tier_->list()->empty());
}

TEST_P(Conformance, WriteReportsWhatTheChunkHolds) {
  const BatchPtr first = random_batch(1, 100, 11), second = random_batch(2, 50, 200);
  ChunkStats stats = write(key_, {slice_of(first)}, 110);
  EXPECT_EQ(stats.rows, 100u);
  EXPECT_EQ(stats.watermark, 110u);
  stats = write(key_, {slice_of(second)}, 300);
  EXPECT_EQ(stats.rows, 150u);
  EXPECT_EQ(stats.watermark, 300u);
  EXPECT_EQ(stats.position_min, 11u);
  EXPECT_EQ(stats.position_max, 249u);
  EXPECT_EQ(stats.time_min, std::min(first->time_min(), second->time_min()));
  EXPECT_EQ(stats.time_max, std::max(first->time_max(), second->time_max()));
}

TEST_P(Conformance, RepeatedWriteIsNoOp) {
  const std::vector<BatchSlice> slices = {slice_of(random_batch(1, 100, 1)),
                                          slice_of(random_batch(2, 100, 101))};
  const ChunkStats first = write(key_, slices);
  step();
  const auto again = tier_->write(key_, slices, 200);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->rows, first.rows);
  EXPECT_EQ(again->watermark, 200u);
  expect_intact(key_);
}

TEST_P(Conformance, RowsAtOrBelowTheWatermarkAreSkipped) {
  const BatchPtr batch = random_batch(3, 200, 1);
  std::vector<uint32_t> first_half(100), all(200);
  for (uint32_t i = 0; i < 200; ++i) all[i] = i;
  std::copy_n(all.begin(), 100, first_half.begin());
  step();
  ASSERT_TRUE(tier_->write(key_, std::vector{slice_of(batch, first_half)}, 100).ok());
  // The second write brings the whole batch, of which half is there already.
  write(key_, {slice_of(batch)}, 200);
  expect_intact(key_);
}

TEST_P(Conformance, WatermarkMayRunAheadOfRows) {
  write(key_, {slice_of(random_batch(4, 10, 1))}, 50);
  step();
  auto stats = tier_->write(key_, {}, 80);
  ASSERT_TRUE(stats.ok()) << stats.status().to_string();
  EXPECT_EQ(stats->watermark, 80u);
  EXPECT_EQ(stats->rows, 10u);
  // Rows that the watermark has passed are not the chunk's any more.
  step();
  stats = tier_->write(key_, std::vector{slice_of(random_batch(5, 10, 60))}, 80);
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->rows, 10u);
  expect_intact(key_);
  EXPECT_EQ(tier_->verify(key_)->watermark, 80u);
}

TEST_P(Conformance, ChunkThatLostItsEndIsDamage) {
  write(key_, {slice_of(random_batch(1, 20, 1))}, 30);
  ScanSpec spec;
  AggregateSpec aggregate;
  spec.complete_through = aggregate.complete_through = 30;
  EXPECT_EQ(read(key_, spec).size(), 20u);
  EXPECT_TRUE(tier_->aggregate(key_, aggregate, nullptr).ok());
  // The chunks of the others cannot get shorter.
  if (GetParam().backend != std::string_view("sqlite") && !on_server()) return;
  spec.complete_through = aggregate.complete_through = 31;
  EXPECT_EQ(tier_->scan(key_, spec, nullptr).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(tier_->aggregate(key_, aggregate, nullptr).status().code(), StatusCode::kCorruption);
}

TEST_P(Conformance, PositionsMayHaveGaps) {
  write(key_, {slice_of(random_batch_with_gaps(6, 500, 1))});
  write(key_, {slice_of(random_batch(7, 500, 1000), random_selection(8, 500, 3))});
  expect_intact(key_);
  for (const PositionRange range : {PositionRange{100, 300}, PositionRange{400, 1100},
                                    PositionRange{600, 900}, PositionRange{1499, UINT64_MAX}}) {
    Filter filter;
    filter.positions = range;
    expect_filter_agrees(key_, filter, std::to_string(range.from));
  }
}

TEST_P(Conformance, ManySmallWrites) {
  Position position = 1;
  for (int i = 0; i < repeat(120); ++i) {
    const auto seed = static_cast<uint64_t>(i);
    const auto rows = static_cast<uint32_t>(1 + seed % 7);
    write(key_, {slice_of(random_batch(seed % 5, rows, position))});
    position += rows;
  }
  expect_intact(key_);
}

TEST_P(Conformance, AStreamIsWrittenInPieces) {
  write(key_, {slice_of(random_batch(1, 300, 1))});
  std::vector<BatchSlice> slices;
  for (Position first = 201; first < 6'201; first += 100) {
    slices.push_back(slice_of(random_batch(first, 100, first)));
  }
  SlicesReader reader(slices);
  step();
  // The first hundred rows are at or below the watermark.
  const auto stats = tier_->write_all(
      key_, {.reader = &reader, .through = 7'000, .rows = 100, .raw_bytes = 1, .piece_bytes = 1});
  ASSERT_TRUE(stats.ok()) << stats.status().to_string();
  EXPECT_EQ(stats->rows, 6'200u);
  EXPECT_EQ(stats->watermark, 7'000u);
  expected_[key_].insert(expected_[key_].end(), slices.begin() + 1, slices.end());
  expect_intact(key_);
}

TEST_P(Conformance, AStreamThatFailsLeavesItsBeginning) {
  class Failing : public SlicesReader {
   public:
    using SlicesReader::SlicesReader;
    Result<bool> next(BatchSlice* out) override {
      FIRN_ASSIGN(const bool more, SlicesReader::next(out));
      if (!more) return cancelled("enough");
      return true;
    }
  };
  const std::vector<BatchSlice> slices = {slice_of(random_batch(1, 300, 1)),
                                          slice_of(random_batch(2, 300, 301))};
  Failing reader(slices);
  RowStream stream{.reader = &reader, .through = 700, .rows = 600, .piece_bytes = 1};
  EXPECT_EQ(tier_->write_all(key_, stream).status().code(), StatusCode::kCancelled);
  step();
  const auto left = tier_->write(key_, {}, 0);
  EXPECT_LT(left.ok() ? left->watermark : 0, 700u);
  SlicesReader again(slices);
  stream.reader = &again;
  step();
  ASSERT_TRUE(tier_->write_all(key_, stream).ok());
  expected_[key_] = slices;
  expect_intact(key_);
}

TEST_P(Conformance, MoreRowsThanABlock) {
  write(key_, {slice_of(random_batch(1, 10'000, 1)), slice_of(random_batch(2, 100, 10'001))});
  write(key_, {slice_of(random_batch(3, 5'000, 20'000))});
  expect_intact(key_);
  Filter filter;
  filter.positions = {4'000, 21'000};
  expect_filter_agrees(key_, filter, "across blocks");
}

TEST_P(Conformance, FiltersAgreeWithTheReference) {
  RandomFilters filters(99);
  Position position = 1;
  for (uint64_t seed = 20; seed < 28; ++seed) {
    const BatchPtr batch = random_batch(seed, 400, position);
    write(key_, {slice_of(batch)});
    filters.learn(*batch);
    position += 450;
  }
  for (int i = 0; i < repeat(200); ++i) {
    std::string what;
    const Filter filter = filters.next(&what);
    expect_filter_agrees(key_, filter, what);
  }
}

TEST_P(Conformance, CategoriesAgreeWithTheReference) {
  BatchBuilder builder(Dataset::kEvents);
  for (uint32_t i = 0; i < 600; ++i) {
    constexpr const char* kStreams[] = {"a-1",  "a", "a-b-c", "a.",  "a,",
                                        "ab-1", "",  "-a",    "A-1", "a'-1"};
    EventRow row;
    row.time = kTestTime + i;
    row.stream = kStreams[i % std::size(kStreams)];
    builder.add(row);
  }
  const std::vector<int64_t> stream_positions(600, kAbsentInt64);
  auto batch = builder.finish();
  batch->stamp(key_.namespace_id, 1, stream_positions);
  write(key_, {slice_of(BatchPtr(std::move(batch)))});
  for (const char* category : {"a", "a-b", "", "a'", "nothing"}) {
    Filter filter;
    filter.predicates = {
        {.kind = PredicateKind::kCategory, .column = ColumnId::kStream, .texts = {category}}};
    expect_filter_agrees(key_, filter, category);
    filter.predicates[0].texts.push_back("A");
    expect_filter_agrees(key_, filter, category);
  }
}

TEST_P(Conformance, LookupsFindTheirRows) {
  Position position = 1;
  std::vector<BatchPtr> batches;
  for (uint64_t i = 0; i < 20; ++i) {
    batches.push_back(keyed_batch(i, 1000, position));
    write(key_, {slice_of(batches.back())});
    position += 1000;
  }
  for (int repeated = 0; repeated < repeat(20); ++repeated) {
    const auto i = static_cast<uint32_t>(19 - repeated);
    const RecordBatch& batch = *batches[i];
    const uint32_t row = i * 37;
    Filter filter;
    filter.predicates = {equal_id(ColumnId::kId, batch.ids(ColumnId::kId)[row])};
    expect_filter_agrees(key_, filter, "id");
    filter.predicates = {equal_id(ColumnId::kTraceId, batch.ids(ColumnId::kTraceId)[row])};
    expect_filter_agrees(key_, filter, "trace");
    filter.predicates = {
        equal_text(ColumnId::kStream, std::string(batch.strings(ColumnId::kStream)[row]))};
    expect_filter_agrees(key_, filter, "stream");
    filter.predicates = {equal_text(ColumnId::kCorrelationId,
                                    std::string(batch.strings(ColumnId::kCorrelationId)[row]))};
    expect_filter_agrees(key_, filter, "correlation id");
  }
  Filter nothing;
  nothing.predicates = {equal_text(ColumnId::kStream, "no such stream")};
  expect_filter_agrees(key_, nothing, "absent stream");
}

TEST_P(Conformance, ManyValuesFindTheirRowsInOrder) {
  constexpr uint32_t kRows = 6000;
  const BatchPtr batch = keyed_batch(7, kRows, 1);
  write(key_, {slice_of(batch)});
  for (const uint32_t count : {2u, 5u, 40u, 600u}) {
    Filter filter;
    filter.positions = {2, kRows};
    filter.time = {kTestTime - kDayNs, kTestTime + kDayNs};
    filter.predicates = {{.column = ColumnId::kId}};
    // Neither ascending nor from one part of the chunk.
    for (uint32_t i = 0; i < count; ++i) {
      filter.predicates[0].ids.push_back(batch->ids(ColumnId::kId)[i * 3571 % kRows]);
    }
    expect_filter_agrees(key_, filter, std::to_string(count) + " ids");
    filter.predicates = {{.column = ColumnId::kCorrelationId}};
    for (uint32_t i = 0; i < count; ++i) {
      filter.predicates[0].texts.emplace_back(
          batch->strings(ColumnId::kCorrelationId)[i * 3571 % kRows]);
    }
    expect_filter_agrees(key_, filter, std::to_string(count) + " correlation ids");
    filter.predicates = {{.column = ColumnId::kSeverity}};
    for (uint32_t i = 0; i < count && i < 20; ++i) {
      filter.predicates[0].numbers.push_back(static_cast<int64_t>(20 - i));
    }
    expect_filter_agrees(key_, filter, std::to_string(count) + " severities");
  }
}

TEST_P(Conformance, ProjectionDeliversWhatIsAsked) {
  write(key_, {slice_of(random_batch(31, 3000, 1)), slice_of(random_batch(32, 3000, 3001))});
  for (const ColumnSchema& column : dataset_columns(Dataset::kEvents)) {
    ScanSpec spec;
    spec.projection = Projection::none().add(column.id);
    spec.filter.positions = {500, 5500};
    step();
    auto reader = tier_->scan(key_, spec, nullptr);
    ASSERT_TRUE(reader.ok());
    Position next = 500;
    BatchSlice slice;
    while (true) {
      const auto more = (*reader)->next(&slice);
      ASSERT_TRUE(more.ok()) << column.name << ": " << more.status().to_string();
      if (!*more) break;
      for (uint32_t i = 0; i < slice.rows(); ++i, ++next) {
        ASSERT_EQ(slice.batch->position(slice.row(i)), next);
        const BatchPtr& source = expected_[key_][next <= 3000 ? 0 : 1].batch;
        const auto source_row = static_cast<uint32_t>((next - 1) % 3000);
        ASSERT_EQ(column_text(*slice.batch, slice.row(i), column),
                  column_text(*source, source_row, column))
            << column.name << " at " << next;
      }
    }
    EXPECT_EQ(next, 5500u) << column.name;
  }
}

TEST_P(Conformance, SlicesComeInTheOrderAskedFor) {
  Position position = 1;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    write(key_, {slice_of(random_batch(seed, 700, position))});
    position += 701;
  }
  for (const ScanOrder order : {ScanOrder::kPositionAscending, ScanOrder::kPositionDescending}) {
    for (const bool selective : {false, true}) {
      ScanSpec spec;
      spec.order = order;
      if (selective) {
        spec.filter.predicates = {equal_text(ColumnId::kType, "type3"),
                                  equal_text(ColumnId::kStream, "stream1")};
        spec.filter.predicates[0].texts.push_back("type");
        spec.filter.predicates[1].texts.push_back("stream");
      }
      step();
      const auto ranges = slice_ranges(tier_.get(), key_, spec);
      if (!selective) {
        ASSERT_FALSE(ranges.empty());
      }
      for (size_t i = 1; i < ranges.size(); ++i) {
        if (order == ScanOrder::kPositionAscending) {
          ASSERT_GT(ranges[i].first, ranges[i - 1].second);
        } else {
          ASSERT_LT(ranges[i].second, ranges[i - 1].first);
        }
      }
      EXPECT_EQ(read(key_, spec), sums_of(expected_[key_], spec.filter));
    }
  }
}

TEST_P(Conformance, LateRowsKeepTheirTime) {
  std::vector<EventRow> rows(3);
  rows[0].time = kTestTime + kHourNs;
  rows[1].time = kTestTime - kHourNs;
  rows[2].time = kTestTime;
  write(key_, {slice_of(make_batch(rows, 1))});
  std::vector<EventRow> later(1);
  later[0].time = key_.start;
  write(key_, {slice_of(make_batch(later, 10))});
  Filter filter;
  filter.time = {key_.start, kTestTime};
  expect_filter_agrees(key_, filter, "late rows only");
  EXPECT_EQ(read(key_, ScanSpec{.filter = filter}).size(), 2u);
  expect_intact(key_);
}

TEST_P(Conformance, BigRows) {
  std::string text(900 * 1024, 'x');
  Position position = 1;
  for (int batch = 0; batch < 3; ++batch) {
    std::vector<EventRow> rows(12);
    for (EventRow& row : rows) {
      row.time = kTestTime;
      row.data = text;
      text[text.size() / 2]++;
    }
    const BatchPtr built = make_batch(rows, position);
    write(key_, {slice_of(built)});
    position += rows.size();
  }
  expect_intact(key_);
}

TEST_P(Conformance, OddStringsSurvive) {
  const std::vector<std::string> odd = {std::string("nul\0inside", 10),
                                        std::string(1, '\0'),
                                        "\xc3\xa9\xf0\x9f\x8f\x94",
                                        "\xff\xfe not utf-8",
                                        "'; --",
                                        R"({"a":"\u0000","b":18446744073709551615})",
                                        "%_*?\\"};
  std::vector<EventRow> rows(odd.size());
  for (size_t i = 0; i < odd.size(); ++i) {
    rows[i].time = kTestTime;
    rows[i].type = rows[i].source = rows[i].subject = rows[i].stream = odd[i];
    rows[i].stream_position = static_cast<int64_t>(i);
    rows[i].correlation_id = rows[i].data = rows[i].metadata = rows[i].context = odd[i];
  }
  write(key_, {slice_of(make_batch(rows, 1))});
  expect_intact(key_);
  for (const std::string& text : odd) {
    for (const ColumnId column : {ColumnId::kType, ColumnId::kStream, ColumnId::kCorrelationId}) {
      Filter filter;
      filter.predicates = {equal_text(column, text)};
      expect_filter_agrees(key_, filter, text);
      EXPECT_EQ(read(key_, ScanSpec{.filter = filter}).size(), 1u);
    }
  }
}

TEST_P(Conformance, AggregateEqualsTheSumOverRows) {
  write(key_, {slice_of(random_batch(50, 3000, 1)), slice_of(random_batch(51, 3000, 3001))});
  AggregateSpec spec;
  spec.filter.positions = {200, 5000};
  spec.window_ns = 10 * kMinuteNs;
  spec.group_by = {ColumnId::kType, ColumnId::kKind};
  spec.measures = {ColumnId::kDuration, ColumnId::kSeverity};
  AggregateStates expected;
  for (const BatchSlice& slice : expected_[key_]) {
    const BatchSlice matching = apply_filter(slice, spec.filter);
    if (matching.batch != nullptr) aggregate_slice(matching, spec, &expected);
  }
  step();
  const auto states = tier_->aggregate(key_, spec, nullptr);
  ASSERT_TRUE(states.ok()) << states.status().to_string();
  ASSERT_EQ(states->size(), expected.size());
  for (const auto& [group, state] : expected) {
    ASSERT_TRUE(states->contains(group));
    const GroupState& actual = states->at(group);
    EXPECT_EQ(actual.count, state.count);
    for (size_t i = 0; i < state.measures.size(); ++i) {
      EXPECT_EQ(actual.measures[i].count, state.measures[i].count);
      EXPECT_EQ(actual.measures[i].min, state.measures[i].min);
      EXPECT_EQ(actual.measures[i].max, state.measures[i].max);
    }
  }
}

TEST_P(Conformance, SealedChunkHoldsTheSameRows) {
  Position position = 1;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    write(key_, {slice_of(random_batch(seed, 300, position))}, position + 400);
    position += 500;
  }
  step();
  const auto before = tier_->verify(key_);
  ASSERT_TRUE(before.ok());
  step();
  const auto sealed = tier_->seal(key_);
  ASSERT_TRUE(sealed.ok()) << sealed.status().to_string();
  EXPECT_EQ(sealed->rows, before->rows);
  EXPECT_EQ(sealed->checksum, before->checksum);
  EXPECT_EQ(sealed->watermark, before->watermark);
  expect_intact(key_);
  step();
  EXPECT_TRUE(tier_->seal(key_).ok()) << "sealing twice";
  expect_intact(key_);
}

TEST_P(Conformance, LookupInASealedChunk) {
  for (uint64_t i = 0; i < 5; ++i) {
    write(key_, {slice_of(keyed_batch(i, 4096, 1 + i * 4096))});
  }
  step();
  ASSERT_TRUE(tier_->seal(key_).ok());
  const BatchPtr batch = expected_[key_][3].batch;
  ScanSpec spec;
  spec.filter.predicates = {equal_id(ColumnId::kId, batch->ids(ColumnId::kId)[17])};
  spec.projection = Projection::none();
  ScanCost cost;
  auto reader = tier_->scan(key_, spec, &cost);
  ASSERT_TRUE(reader.ok());
  BatchSlice slice;
  ASSERT_TRUE(*(*reader)->next(&slice));
  EXPECT_EQ(slice.rows(), 1u);
  EXPECT_GT(cost.blocks_read + cost.rows_read, 0u);
}

TEST_P(Conformance, ChunksAreSeparate) {
  ChunkKey other = key_;
  other.start = key_.end;
  other.end = key_.end + kDayNs;
  ChunkKey tenant = key_;
  tenant.namespace_id = 2;
  std::vector<EventRow> rows(1);
  rows[0].time = other.start;
  write(key_, {slice_of(random_batch(1, 20, 1))});
  write(other, {slice_of(make_batch(rows, 21))});
  write(tenant, {slice_of(random_batch(2, 30, 1, 2))});
  for (const ChunkKey& key : {key_, other, tenant}) expect_intact(key);
  step();
  std::vector<ChunkKey> keys = {key_, other, tenant};
  std::sort(keys.begin(), keys.end());
  const auto listed = tier_->list();
  ASSERT_TRUE(listed.ok());
  std::vector<ChunkKey> found = *listed;
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, keys);
  EXPECT_EQ(tier_->stats().chunks, 3u);
  EXPECT_EQ(tier_->stats().rows, 51u);
  EXPECT_GT(tier_->stats().bytes, 0u);
}

TEST_P(Conformance, DroppedChunkIsGone) {
  ChunkKey other = key_;
  other.namespace_id = 2;
  write(key_, {slice_of(random_batch(1, 20, 1))});
  write(other, {slice_of(random_batch(2, 20, 1, 2))});
  step();
  ASSERT_TRUE(tier_->drop(key_).ok());
  step();
  EXPECT_EQ(tier_->scan(key_, {}, nullptr).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(*tier_->list(), std::vector<ChunkKey>{other});
  expect_intact(other);
  // The key can be used again, from nothing.
  expected_[key_].clear();
  write(key_, {slice_of(random_batch(3, 5, 1))});
  expect_intact(key_);
}

TEST_P(Conformance, ReadersSeeWholeWritesWhileRowsArrive) {
  constexpr int kWrites = 60;
  constexpr uint32_t kRows = 50;
  write(key_, {slice_of(random_batch(0, kRows, 1))});
  std::atomic<Position> published{kRows};
  std::atomic<bool> failed{false};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&, r] {
      ScanSpec spec;
      spec.order = r == 0 ? ScanOrder::kPositionDescending : ScanOrder::kPositionAscending;
      spec.projection = Projection::none();
      while (published.load() < (kWrites + 1) * kRows && !failed.load()) {
        const Position through = published.load();
        spec.filter.positions = {0, through + 1};
        uint64_t rows = 0;
        for (const auto& [first, last] : slice_ranges(tier_.get(), key_, spec)) {
          rows += last - first + 1;
        }
        if (rows != through) failed.store(true);
      }
    });
  }
  for (int i = 1; i <= kWrites && !failed.load(); ++i) {
    const Position first = 1 + static_cast<Position>(i) * kRows;
    const std::vector<BatchSlice> slices = {slice_of(random_batch(3, kRows, first))};
    const auto stats = tier_->write(key_, slices, first + kRows - 1);
    ASSERT_TRUE(stats.ok()) << stats.status().to_string();
    expected_[key_].push_back(slices[0]);
    published.store(first + kRows - 1);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(failed.load());
  expect_intact(key_);
}

TEST_P(Conformance, ACompressedChunkIsLikeAnyOther) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Status created = tier_->create_compressed(key_);
    ASSERT_TRUE(created.ok()) << created.to_string();
    step();
  }
  write(key_, {slice_of(random_batch(1, 300, 1))});
  write(key_, {slice_of(random_batch(2, 200, 301))});
  ASSERT_TRUE(tier_->seal(key_).ok());
  step();
  const Result<bool> compressed = tier_->is_compressed(key_);
  EXPECT_TRUE(compressed.ok() && *compressed) << compressed.status().to_string();
  expect_intact(key_);
}

constexpr Backend kBackends[] = {
    {"memory", "memory", "", false},
    {"sqlite_blocks", "sqlite", "blocks", false},
    {"sqlite_blocks_restarted", "sqlite", "blocks", true},
    {"sqlite_rows", "sqlite", "rows", false},
    {"sqlite_rows_restarted", "sqlite", "rows", true},
    {"parquet", "parquet", "", false},
    {"parquet_restarted", "parquet", "", true},
    {"parquet_s3", "parquet", "", false, true},
    {"parquet_s3_restarted", "parquet", "", true, true},
    {"postgres_rows", "postgres", "rows", false},
    {"postgres_rows_restarted", "postgres", "rows", true},
    {"postgres_blocks", "postgres", "blocks", false},
    {"postgres_blocks_restarted", "postgres", "blocks", true},
};

INSTANTIATE_TEST_SUITE_P(Tier, Conformance, testing::ValuesIn(kBackends),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace firn
