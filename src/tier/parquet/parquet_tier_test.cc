#include "tier/parquet/parquet_tier.h"

#include <gmock/gmock.h>

#include "engine/engine.h"
#include "env/posix_env.h"
#include "env/test_directory.h"
#include "tier/parquet/parquet_files.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

// What is special about Parquet files; the conformance suite tests the rest.
class ParquetTierTest : public testing::Test {
 protected:
  ParquetTierTest() { open(); }

  void open() {
    tier_.reset();
    ParquetOptions options;
    options.directory = directory_.path();
    options.row_group_rows = 4096;
    options.memory_bytes = memory_bytes_;
    options.large_file_bytes = large_file_bytes_;
    options.attributes = attributes_;
    auto tier = open_parquet_tier(posix_env(), options);
    ASSERT_TRUE(tier.ok()) << tier.status().to_string();
    tier_ = std::move(*tier);
  }

  // Writes rows first .. first + rows - 1 and raises the watermark to the last of them.
  BatchSlice write(Position first, uint32_t rows, const ChunkKey& key = test_chunk()) {
    const BatchSlice slice = slice_of(keyed_batch(first, rows, first));
    const auto stats = tier_->write(key, {&slice, 1}, first + rows - 1);
    EXPECT_TRUE(stats.ok()) << stats.status().to_string();
    written_.push_back(slice);
    return slice;
  }
  void expect_all_rows() {
    EXPECT_EQ(read_sums(tier_.get(), test_chunk(), {}), sums_of(written_, {}));
    const auto verified = tier_->verify(test_chunk());
    EXPECT_TRUE(verified.ok()) << verified.status().to_string();
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    const auto entries =
        posix_env()->list_directory(parquet_chunk_directory(directory_.path(), test_chunk()));
    if (!entries.ok()) return out;
    for (const DirectoryEntry& entry : *entries) out.push_back(entry.name);
    return out;
  }
  std::string path_of(size_t file) { return tier_->files(test_chunk()).at(file).path; }
  void copy(const std::string& from, const std::string& to) {
    const auto content = read_file(posix_env(), from, 1 * kGiB);
    ASSERT_TRUE(content.ok());
    ASSERT_TRUE(replace_file(posix_env(), to, *content).ok());
  }

  TestDirectory directory_;
  uint64_t memory_bytes_ = 512 * kMiB;
  uint64_t large_file_bytes_ = 128 * kMiB;
  std::vector<AttributeColumn> attributes_;
  std::unique_ptr<Tier> tier_;
  std::vector<BatchSlice> written_;
};

TEST_F(ParquetTierTest, FilesOfAChunkMayHaveDifferentColumnsOfAttributes) {
  write(1, 50);
  for (const char* item : {"host", "n:integer", "n"}) {
    attributes_ = {*parse_attribute_column(item)};
    open();
    write(written_.back().batch->last_position() + 1, 50);
    expect_all_rows();
  }
  EXPECT_EQ(names().size(), 4u);
  ASSERT_TRUE(tier_->seal(test_chunk()).ok());
  EXPECT_EQ(names().size(), 1u);
  expect_all_rows();
}

TEST(AttributeColumns, AreNamedByKeyAndType) {
  EXPECT_EQ(parse_attribute_column("http.Status")->name, "attr_http_status");
  EXPECT_EQ(parse_attribute_column("a:text")->name, "attr_a");
  const auto typed = parse_attribute_column("http.status:integer");
  EXPECT_EQ(typed->name, "attr_http_status_integer");
  EXPECT_EQ(typed->key, "http.status");
  EXPECT_FALSE(parse_attribute_column("a:date").ok());
  EXPECT_FALSE(parse_attribute_column(":integer").ok());
  EXPECT_FALSE(parse_attribute_column("").ok());
}

TEST_F(ParquetTierTest, NamesFilesByWhatTheyAccountFor) {
  write(3, 10);
  EXPECT_EQ(names(), std::vector<std::string>{test_chunk().name() + "-p1-12-r10.parquet"});
  write(20, 5);
  EXPECT_EQ(names().size(), 2u);
  EXPECT_EQ(path_of(1), parquet_chunk_directory(directory_.path(), test_chunk()) + "/" +
                            test_chunk().name() + "-p13-24-r5.parquet");
}

TEST_F(ParquetTierTest, AWatermarkWithoutRowsIsKept) {
  ASSERT_TRUE(tier_->write(test_chunk(), {}, 50).ok());
  open();
  const BatchSlice old = slice_of(keyed_batch(1, 40, 1));
  const auto stats = tier_->write(test_chunk(), {&old, 1}, 40);
  ASSERT_TRUE(stats.ok()) << stats.status().to_string();
  EXPECT_EQ(stats->watermark, 50u);
  EXPECT_EQ(stats->rows, 0u);
  write(51, 10);
  expect_all_rows();
}

// Rows that wait for their turn must not fill the memory.
TEST_F(ParquetTierTest, SealMergesMoreThanItsMemoryHolds) {
  memory_bytes_ = 48 * kMiB;
  open();
  constexpr uint32_t kRows = 50'000;
  for (int i = 0; i < 6; ++i) write(1 + i * kRows, kRows);
  ASSERT_EQ(names().size(), 6u);
  const auto sealed = tier_->seal(test_chunk());
  ASSERT_TRUE(sealed.ok()) << sealed.status().to_string();
  EXPECT_EQ(names().size(), 1u);
  EXPECT_EQ(sealed->rows, 6 * kRows);
}

TEST_F(ParquetTierTest, SealMergesItsFiles) {
  for (Position first = 1; first <= 9001; first += 3000) write(first, 3000);
  ASSERT_TRUE(tier_->write(test_chunk(), {}, 20'000).ok());
  const auto before = tier_->verify(test_chunk());
  ASSERT_TRUE(before.ok());
  const auto after = tier_->seal(test_chunk());
  ASSERT_TRUE(after.ok()) << after.status().to_string();
  EXPECT_EQ(names(), std::vector<std::string>{test_chunk().name() + "-p1-20000-r12000.parquet"});
  EXPECT_EQ(after->checksum, before->checksum);
  EXPECT_EQ(after->rows, before->rows);
  EXPECT_EQ(after->watermark, 20'000u);
  expect_all_rows();
  open();
  expect_all_rows();
}

TEST_F(ParquetTierTest, SealLeavesLargeFilesAlone) {
  write(1, 10);
  write(11, 10);
  write(21, 5000);
  write(5021, 10);
  write(5031, 10);
  const auto size_of = [&](size_t file) {
    return *(*posix_env()->open(path_of(file), OpenMode::kRead))->size();
  };
  large_file_bytes_ = size_of(2);
  EXPECT_GT(large_file_bytes_, size_of(0) + size_of(1));
  open();
  ASSERT_TRUE(tier_->seal(test_chunk()).ok());
  EXPECT_EQ(names().size(), 3u);
  expect_all_rows();
}

TEST_F(ParquetTierTest, AScanOutlivesTheMergeAndTheDropOfItsFiles) {
  for (Position first = 1; first <= 3001; first += 1000) write(first, 1000);
  for (const bool descending : {false, true}) {
    ScanSpec spec;
    spec.order = descending ? ScanOrder::kPositionDescending : ScanOrder::kAny;
    auto merged_away = std::move(*tier_->scan(test_chunk(), spec, nullptr));
    ASSERT_TRUE(tier_->seal(test_chunk()).ok());
    auto dropped = std::move(*tier_->scan(test_chunk(), spec, nullptr));
    ASSERT_TRUE(tier_->drop(test_chunk()).ok());
    EXPECT_TRUE(tier_->files(test_chunk()).empty());
    for (auto* reader : {&merged_away, &dropped}) {
      uint64_t rows = 0;
      BatchSlice slice;
      while (true) {
        const auto more = (*reader)->next(&slice);
        ASSERT_TRUE(more.ok()) << more.status().to_string();
        if (!*more) break;
        rows += slice.rows();
      }
      EXPECT_EQ(rows, 4000u);
      reader->reset();
    }
    EXPECT_TRUE(names().empty());
    written_.clear();
    for (Position first = 1; first <= 3001; first += 1000) write(first, 1000);
  }
}

TEST_F(ParquetTierTest, AFileWrittenAgainIsSafeFromItsPredecessorsReaders) {
  write(1, 100);
  auto reader = std::move(*tier_->scan(test_chunk(), {}, nullptr));
  ASSERT_TRUE(tier_->drop(test_chunk()).ok());
  written_.clear();
  write(1, 100);
  reader.reset();
  expect_all_rows();
  open();
  expect_all_rows();
}

TEST_F(ParquetTierTest, DropLeavesNothingBehind) {
  write(1, 100);
  ASSERT_TRUE(tier_->drop(test_chunk()).ok());
  const auto left = posix_env()->list_directory(directory_.file("events"));
  ASSERT_TRUE(left.ok());
  EXPECT_TRUE(left->empty());
  EXPECT_EQ(tier_->stats().chunks, 0u);
}

TEST_F(ParquetTierTest, CollectsTemporaryFilesWhenOpened) {
  write(1, 100);
  const std::string path = path_of(0);
  copy(path, path + ".tmp");
  copy(path, parquet_chunk_directory(directory_.path(), test_chunk()) + "/notes.tmp");
  open();
  EXPECT_THAT(names(), testing::UnorderedElementsAre(test_chunk().name() + "-p1-100-r100.parquet",
                                                     "notes.tmp"));
  expect_all_rows();
}

TEST_F(ParquetTierTest, CollectsPartsThatAMergeLeftBehind) {
  write(1, 100);
  write(101, 100);
  const std::string first = path_of(0), second = path_of(1);
  copy(first, directory_.file("first"));
  copy(second, directory_.file("second"));
  ASSERT_TRUE(tier_->seal(test_chunk()).ok());
  copy(directory_.file("first"), first);
  copy(directory_.file("second"), second);
  open();
  EXPECT_EQ(names().size(), 1u);
  expect_all_rows();
}

TEST_F(ParquetTierTest, RefusesFilesThatOverlap) {
  write(1, 100);
  const std::string directory = parquet_chunk_directory(directory_.path(), test_chunk());
  copy(path_of(0), directory + "/" + test_chunk().name() + "-p50-150-r100.parquet");
  ParquetOptions options;
  options.directory = directory_.path();
  EXPECT_EQ(open_parquet_tier(posix_env(), options).status().code(), StatusCode::kCorruption);
}

TEST_F(ParquetTierTest, LeavesForeignFilesAlone) {
  write(1, 100);
  ASSERT_TRUE(posix_env()->create_directories(directory_.file("events/namespace=x/y")).ok());
  ASSERT_TRUE(replace_file(posix_env(), directory_.file("events/README"), "mine").ok());
  open();
  expect_all_rows();
  EXPECT_TRUE(*posix_env()->exists(directory_.file("events/README")));
}

TEST_F(ParquetTierTest, VerifyFindsEveryDamagedByte) {
  write(1, 5000);
  const std::string path = path_of(0);
  const std::string content = *read_file(posix_env(), path, 1 * kGiB);
  for (size_t at = 0; at < content.size(); at += content.size() / 40) {
    std::string bytes = content;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x24);
    ASSERT_TRUE(replace_file(posix_env(), path, bytes).ok());
    open();
    const auto verified = tier_->verify(test_chunk());
    EXPECT_EQ(verified.status().code(), StatusCode::kCorruption) << "byte " << at;
    EXPECT_THAT(std::string(verified.status().message()), testing::HasSubstr(path));
  }
}

TEST_F(ParquetTierTest, AMissingFileIsDamage) {
  write(1, 500);
  const std::string path = path_of(0);
  ASSERT_TRUE(posix_env()->remove(path).ok());
  auto reader = tier_->scan(test_chunk(), {}, nullptr);
  BatchSlice slice;
  const Status scanned = reader.ok() ? (*reader)->next(&slice).status() : reader.status();
  const Status verified = tier_->verify(test_chunk()).status();
  for (const Status& status : {scanned, verified}) {
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << status.to_string();
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(path));
  }
}

TEST_F(ParquetTierTest, ReadsNameDamage) {
  write(1, 5000);
  const std::string path = path_of(0);
  std::string content = *read_file(posix_env(), path, 1 * kGiB);
  content[content.size() / 3] = static_cast<char>(content[content.size() / 3] ^ 1);
  ASSERT_TRUE(replace_file(posix_env(), path, content).ok());
  open();
  auto reader = tier_->scan(test_chunk(), {}, nullptr);
  ASSERT_TRUE(reader.ok()) << reader.status().to_string();
  Status scanned;
  BatchSlice slice;
  for (bool more = true; more && scanned.ok();) {
    const auto next = (*reader)->next(&slice);
    scanned = next.status();
    more = next.ok() && *next;
  }
  AggregateSpec spec;
  for (const ColumnSchema& column : dataset_columns(Dataset::kEvents)) {
    const bool is_number = column.type == ColumnType::kInt64 || column.type == ColumnType::kUint8;
    if (!is_number) spec.group_by.push_back(column.id);
  }
  for (const Status& status : {scanned, tier_->aggregate(test_chunk(), spec, nullptr).status()}) {
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << status.to_string();
    EXPECT_THAT(std::string(status.message()),
                testing::AllOf(testing::StartsWith(path + ": bytes "),
                               testing::HasSubstr("positions 1 to 5000")));
  }
}

TEST_F(ParquetTierTest, ASwappedFileIsNamed) {
  write(1, 100);
  const std::string path = path_of(0);
  ChunkKey other = test_chunk();
  other.generation = 1;
  write(1, 100, other);
  copy(tier_->files(other).at(0).path, path);
  open();
  for (const Status& status : {tier_->verify(test_chunk()).status(),
                               tier_->aggregate(test_chunk(), {}, nullptr).status()}) {
    EXPECT_EQ(status.code(), StatusCode::kCorruption);
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("was written as"));
  }
}

TEST_F(ParquetTierTest, KeepsTextsThatAreNotUtf8) {
  EventRow row;
  row.time = kTestTime;
  row.type = "bad\xff";
  row.data = "{\"a\":\"\xC3\"}";
  written_.push_back(slice_of(make_batch({row, row})));
  ASSERT_TRUE(tier_->write(test_chunk(), written_, 2).ok());
  expect_all_rows();
  open();
  expect_all_rows();
  AggregateSpec spec;
  spec.group_by = {ColumnId::kType};
  const auto states = tier_->aggregate(test_chunk(), spec, nullptr);
  ASSERT_TRUE(states.ok());
  EXPECT_EQ(states->begin()->first.values[0], row.type);
}

TEST_F(ParquetTierTest, SkipsFilesAndRowGroupsThatCannotMatch) {
  write(1, 20'000);
  write(20'001, 20'000);
  ScanSpec spec;
  spec.filter.positions = {30'000, 30'010};
  ScanCost narrow, wide;
  read_sums(tier_.get(), test_chunk(), spec);
  for (auto* cost : {&narrow, &wide}) {
    auto reader = std::move(*tier_->scan(test_chunk(), cost == &narrow ? spec : ScanSpec(), cost));
    BatchSlice slice;
    while (*reader->next(&slice)) {
    }
  }
  EXPECT_EQ(narrow.rows_read, 10u);
  EXPECT_LT(narrow.bytes_read * 4, wide.bytes_read);
}

TEST_F(ParquetTierTest, ASmallFileIsReadOnceForLookUps) {
  write(1, 500);
  write(501, 500);
  const auto bytes_of = [this](const ScanSpec& spec) {
    ScanCost cost;
    EXPECT_EQ(read_sums(tier_.get(), test_chunk(), spec), sums_of(written_, spec.filter));
    auto reader = std::move(*tier_->scan(test_chunk(), spec, &cost));
    BatchSlice slice;
    while (*reader->next(&slice)) EXPECT_GT(slice.rows(), 0u);
    return cost.bytes_read;
  };
  ScanSpec all;
  EXPECT_GT(bytes_of(all), 0u);
  EXPECT_GT(bytes_of(all), 0u);
  for (const char* stream : {"order-1", "order-2", "none"}) {
    ScanSpec spec;
    spec.filter.predicates = {equal_text(ColumnId::kStream, stream)};
    spec.order = ScanOrder::kPositionDescending;
    EXPECT_EQ(bytes_of(spec), 0u) << stream;
  }
}

TEST_F(ParquetTierTest, LookUpsDoNotSeeTheFileThatHadTheNameBefore) {
  ScanSpec spec;
  spec.filter.predicates = {equal_text(ColumnId::kStream, "order-1")};
  for (uint64_t seed : {1, 2}) {
    const BatchSlice slice = slice_of(keyed_batch(seed, 500, 1));
    ASSERT_TRUE(tier_->write(test_chunk(), {&slice, 1}, 500).ok());
    EXPECT_EQ(read_sums(tier_.get(), test_chunk(), spec), sums_of({slice}, spec.filter));
    ASSERT_TRUE(tier_->drop(test_chunk()).ok());
  }
}

TEST_F(ParquetTierTest, ALargeFileIsNotKept) {
  write(1, 20'000);
  ScanSpec spec;
  spec.filter.predicates = {equal_text(ColumnId::kStream, "order-1")};
  read_sums(tier_.get(), test_chunk(), spec);
  ScanCost cost;
  auto reader = std::move(*tier_->scan(test_chunk(), spec, &cost));
  BatchSlice slice;
  ASSERT_TRUE(*reader->next(&slice));
  EXPECT_GT(cost.bytes_read, 0u);
}

TEST_F(ParquetTierTest, ShowsHivePartitionsToOtherReaders) {
  write(1, 100);
  EXPECT_THAT(path_of(0), testing::HasSubstr("/events/namespace=1/date=2025-12-31/"));
}

TEST_F(ParquetTierTest, RefusesToOpenWithoutADirectory) {
  EXPECT_EQ(open_parquet_tier(posix_env(), {}).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace firn
