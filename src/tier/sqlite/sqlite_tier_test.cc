#include "tier/sqlite/sqlite_tier.h"

#include <gtest/gtest.h>

#include "env/posix_env.h"
#include "env/sqlite_db.h"
#include "env/test_directory.h"
#include "tier/sqlite/chunk_meta.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

class SqliteTierTest : public testing::Test {
 protected:
  SqliteTierTest() { options_.directory = directory_.file("warm"); }
  void SetUp() override { open(); }

  void open() {
    tier_.reset();
    auto tier = open_sqlite_tier(posix_env(), options_);
    ASSERT_TRUE(tier.ok()) << tier.status().to_string();
    tier_ = std::move(tier).value();
  }
  ChunkStats write(std::vector<BatchSlice> slices) {
    const auto stats = tier_->write(key_, slices, slices.back().batch->last_position());
    EXPECT_TRUE(stats.ok()) << stats.status().to_string();
    return stats.ok() ? *stats : ChunkStats();
  }
  std::string path() const { return tier_->files(key_)[0].path; }
  bool exists(const std::string& file) { return *posix_env()->exists(file); }

  // Runs SQL on the chunk's file, which nobody else has open then.
  void sql(const std::string& statement) {
    tier_.reset();
    {
      auto db = SqliteDb::open(posix_env(), join_path(options_.directory, key_.name() + ".db"), {});
      ASSERT_TRUE(db.ok()) << db.status().to_string();
      const Status status = (*db)->exec(statement);
      ASSERT_TRUE(status.ok()) << status.to_string();
    }
    open();
  }
  int64_t query(const std::string& statement) {
    auto db = SqliteDb::open(posix_env(), path(), {.read_only = true});
    EXPECT_TRUE(db.ok()) << db.status().to_string();
    const auto value = query_integer(db->get(), statement);
    EXPECT_TRUE(value.ok()) << value.status().to_string();
    return value.ok() ? *value : -1;
  }
  // Reads everything; the failure, if any.
  Status read_all(const ScanSpec& spec = {}) {
    auto reader = tier_->scan(key_, spec, nullptr);
    if (!reader.ok()) return reader.status();
    BatchSlice slice;
    while (true) {
      const auto more = (*reader)->next(&slice);
      if (!more.ok()) return more.status();
      if (!*more) return Status();
    }
  }
  void expect_damage(const Status& status, std::string_view mentions) {
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << status.to_string();
    EXPECT_NE(status.message().find(mentions), std::string_view::npos) << status.to_string();
    EXPECT_NE(status.message().find(key_.name()), std::string_view::npos) << status.to_string();
  }

  TestDirectory directory_;
  SqliteTierOptions options_;
  const ChunkKey key_ = test_chunk();
  std::unique_ptr<Tier> tier_;
};

TEST_F(SqliteTierTest, SmallWritesEndInFullBlocks) {
  Position position = 1;
  for (uint64_t i = 0; i < 1000; ++i) {
    write({slice_of(keyed_batch(i, 10, position))});
    position += 10;
  }
  // 10,000 rows: two full blocks and a short tail.
  EXPECT_LE(query("SELECT count(*) FROM blocks"), 2 + 12);
  EXPECT_GE(query("SELECT max(rows) FROM blocks"), 4096);
  const auto stats = tier_->verify(key_);
  ASSERT_TRUE(stats.ok()) << stats.status().to_string();
  EXPECT_EQ(stats->rows, 10'000u);
}

TEST_F(SqliteTierTest, BlocksOfBigRowsStayBounded) {
  std::vector<EventRow> rows(60);
  const std::string text(700'000, 'x');
  for (EventRow& row : rows) {
    row.time = kTestTime;
    row.data = text;
  }
  rows[30].data = {};
  const BatchPtr batch = make_batch(rows);
  write({slice_of(batch)});
  EXPECT_LE(query("SELECT max(raw_bytes) FROM blocks"),
            static_cast<int64_t>(kBlockRawBytesMax + kMiB));
  EXPECT_TRUE(tier_->verify(key_).ok());
}

TEST_F(SqliteTierTest, SealedFileStandsAlone) {
  write({slice_of(keyed_batch(1, 5000, 1))});
  EXPECT_TRUE(exists(path() + "-wal"));
  ASSERT_TRUE(tier_->seal(key_).ok());
  EXPECT_FALSE(exists(path() + "-wal"));
  EXPECT_EQ(read_sums(tier_.get(), key_, {}).size(), 5000u);
  EXPECT_FALSE(exists(path() + "-wal"));
  // Sealing is about form: a write afterwards is still right.
  write({slice_of(keyed_batch(2, 10, 5001))});
  EXPECT_EQ(read_sums(tier_.get(), key_, {}).size(), 5010u);
}

TEST_F(SqliteTierTest, SealWhileReadingLeavesTheReaderAlone) {
  write({slice_of(keyed_batch(1, 5000, 1))});
  auto reader = tier_->scan(key_, {}, nullptr);
  ASSERT_TRUE(reader.ok());
  const auto sealed = tier_->seal(key_);
  ASSERT_TRUE(sealed.ok()) << sealed.status().to_string();
  BatchSlice slice;
  uint64_t rows = 0;
  while (*(*reader)->next(&slice)) rows += slice.rows();
  EXPECT_EQ(rows, 5000u);
}

TEST_F(SqliteTierTest, ScanSeesOneWrite) {
  write({slice_of(keyed_batch(1, 100, 1))});
  auto reader = tier_->scan(key_, {}, nullptr);
  ASSERT_TRUE(reader.ok());
  // Takes up the block that the reader has not read yet.
  write({slice_of(keyed_batch(2, 100, 101))});
  BatchSlice slice;
  uint64_t rows = 0;
  while (true) {
    const auto more = (*reader)->next(&slice);
    ASSERT_TRUE(more.ok()) << more.status().to_string();
    if (!*more) break;
    rows += slice.rows();
  }
  EXPECT_EQ(rows, 100u);
  EXPECT_EQ(read_sums(tier_.get(), key_, {}).size(), 200u);
}

TEST_F(SqliteTierTest, DropWaitsForReaders) {
  write({slice_of(keyed_batch(1, 100, 1))});
  auto reader = tier_->scan(key_, {}, nullptr);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(tier_->drop(key_).code(), StatusCode::kUnavailable);
  reader->reset();
  EXPECT_TRUE(tier_->drop(key_).ok());
  EXPECT_FALSE(exists(path()));
}

TEST_F(SqliteTierTest, ForeignFilesAreIgnoredAndKept) {
  const std::string foreign = join_path(options_.directory, "notes.db");
  ASSERT_TRUE(replace_file(posix_env(), foreign, "mine").ok());
  write({slice_of(keyed_batch(1, 10, 1))});
  EXPECT_EQ(*tier_->list(), std::vector<ChunkKey>{key_});
  ASSERT_TRUE(tier_->drop(key_).ok());
  EXPECT_TRUE(tier_->list()->empty());
  EXPECT_TRUE(exists(foreign));
}

TEST_F(SqliteTierTest, LayoutFollowsTheFile) {
  write({slice_of(keyed_batch(1, 100, 1))});
  options_.layout = SqliteLayout::kRows;
  open();
  write({slice_of(keyed_batch(2, 100, 101))});
  EXPECT_EQ(read_sums(tier_.get(), key_, {}).size(), 200u);
  EXPECT_GT(query("SELECT count(*) FROM blocks"), 0);
}

TEST_F(SqliteTierTest, ManyChunksWithFewOpenFiles) {
  options_.open_files_max = 3;
  options_.cache_bytes_max = 1;
  open();
  std::vector<ChunkKey> keys;
  for (NamespaceId id = 1; id <= 12; ++id) {
    ChunkKey key = key_;
    key.namespace_id = id;
    keys.push_back(key);
    const std::vector<BatchSlice> slices = {
        slice_of(stamped(random_unstamped_batch(id, 20), 1, id))};
    ASSERT_TRUE(tier_->write(key, slices, 20).ok());
  }
  for (int round = 0; round < 2; ++round) {
    for (const ChunkKey& key : keys) EXPECT_EQ(read_sums(tier_.get(), key, {}).size(), 20u);
  }
  EXPECT_EQ(tier_->stats().rows, 240u);
}

TEST_F(SqliteTierTest, LookupTouchesFewBlocks) {
  std::vector<BatchPtr> batches;
  for (uint64_t i = 0; i < 20; ++i) {
    batches.push_back(keyed_batch(i, 4096, 1 + i * 4096));
    write({slice_of(batches.back())});
  }
  ScanSpec spec;
  spec.projection = Projection::none();
  const auto blocks_read = [&](Predicate predicate) {
    spec.filter.predicates = {std::move(predicate)};
    ScanCost cost;
    auto reader = tier_->scan(key_, spec, &cost);
    EXPECT_TRUE(reader.ok());
    BatchSlice slice;
    EXPECT_TRUE(*(*reader)->next(&slice));
    while (*(*reader)->next(&slice)) {
    }
    EXPECT_EQ(cost.blocks_read + cost.blocks_pruned, 20u);
    return cost.blocks_read;
  };
  const RecordBatch& batch = *batches[13];
  EXPECT_LE(blocks_read(equal_id(ColumnId::kId, batch.ids(ColumnId::kId)[100])), 3u);
  EXPECT_LE(blocks_read(equal_id(ColumnId::kTraceId, batch.ids(ColumnId::kTraceId)[100])), 3u);
  EXPECT_LE(blocks_read(equal_text(ColumnId::kCorrelationId, "c13-70")), 3u);
}

TEST_F(SqliteTierTest, PromotedAttributePrunesBlocks) {
  options_.promoted_attributes = {"cluster"};
  open();
  Position position = 1;
  for (int i = 0; i < 10; ++i) {
    const std::string context = R"({"cluster":"c)" + std::to_string(i) + R"("})";
    std::vector<EventRow> rows(4096);
    for (EventRow& row : rows) {
      row.time = kTestTime;
      row.context = context;
    }
    write({slice_of(make_batch(rows, position))});
    position += rows.size();
  }
  ScanSpec spec;
  Predicate predicate;
  predicate.kind = PredicateKind::kAttribute;
  predicate.key = "cluster";
  predicate.texts = {"c4"};
  spec.filter.predicates = {predicate};
  ScanCost cost;
  auto reader = tier_->scan(key_, spec, &cost);
  ASSERT_TRUE(reader.ok());
  BatchSlice slice;
  ASSERT_TRUE(*(*reader)->next(&slice));
  EXPECT_EQ(slice.rows(), 4096u);
  EXPECT_EQ(cost.blocks_pruned, 9u);
}

TEST_F(SqliteTierTest, ProjectionReadsFewerBytes) {
  write({slice_of(keyed_batch(1, 4096, 1))});
  const auto bytes_read = [&](Projection projection) {
    ScanSpec spec;
    spec.projection = projection;
    ScanCost cost;
    auto reader = tier_->scan(key_, spec, &cost);
    EXPECT_TRUE(reader.ok());
    BatchSlice slice;
    EXPECT_TRUE(*(*reader)->next(&slice));
    return cost.bytes_read;
  };
  EXPECT_LT(5 * bytes_read(Projection::none().add(ColumnId::kType)), bytes_read(Projection::all()));
}

TEST_F(SqliteTierTest, NewerVersionIsRefusedByName) {
  write({slice_of(keyed_batch(1, 10, 1))});
  sql("UPDATE meta SET value = '4' WHERE key = 'format_version'");
  const Status status = read_all();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("format version 4"), std::string_view::npos);
  EXPECT_EQ(tier_->write(key_, std::vector{slice_of(keyed_batch(2, 10, 11))}, 20).status().code(),
            StatusCode::kUnsupported);
}

TEST_F(SqliteTierTest, RenamedFileIsRefused) {
  write({slice_of(keyed_batch(1, 10, 1))});
  ASSERT_TRUE(tier_->seal(key_).ok());
  ChunkKey other = key_;
  other.generation = 1;
  const std::string from = path();
  tier_.reset();
  ASSERT_TRUE(posix_env()->rename(from, join_path(options_.directory, other.name() + ".db")).ok());
  open();
  EXPECT_EQ(tier_->scan(other, {}, nullptr).status().code(), StatusCode::kCorruption);
}

TEST_F(SqliteTierTest, DamagedMetaIsReported) {
  write({slice_of(keyed_batch(1, 10, 1))});
  sql("UPDATE meta SET value = '11' WHERE key = 'watermark'");
  expect_damage(read_all(), "crc");
  expect_damage(tier_->verify(key_).status(), "crc");
}

TEST_F(SqliteTierTest, DamagedColumnNamesBlockAndPositions) {
  write({slice_of(keyed_batch(1, 4096, 1)), slice_of(keyed_batch(2, 4096, 4097))});
  sql("UPDATE columns SET data = zeroblob(length(data)) WHERE id = 2 * 64 + 3");
  expect_damage(read_all(), "block 2 (positions 4097 to 8192)");
  expect_damage(tier_->verify(key_).status(), "block 2 (positions 4097 to 8192)");
  // A query that does not need the block is not disturbed.
  ScanSpec spec;
  spec.filter.positions = {1, 4000};
  EXPECT_TRUE(read_all(spec).ok());
}

TEST_F(SqliteTierTest, MissingColumnIsDamage) {
  write({slice_of(keyed_batch(1, 100, 1))});
  sql("DELETE FROM columns WHERE id = 1 * 64 + 9");
  expect_damage(read_all(), "block 1 (positions 1 to 100)");
}

TEST_F(SqliteTierTest, ColumnOfAnotherBlockIsFoundByVerification) {
  write({slice_of(keyed_batch(1, 4096, 1)), slice_of(keyed_batch(2, 4096, 4097))});
  sql("UPDATE columns SET data = (SELECT data FROM columns WHERE id = 64 + 3) WHERE id = 128 + 3");
  expect_damage(tier_->verify(key_).status(), "block 2");
}

TEST_F(SqliteTierTest, DamagedHeaderIsReported) {
  write({slice_of(keyed_batch(1, 100, 1))});
  sql("UPDATE blocks SET time_max = time_min");
  expect_damage(read_all(), "block 1");
}

TEST_F(SqliteTierTest, MissingBlockIsReported) {
  write({slice_of(keyed_batch(1, 4096, 1)), slice_of(keyed_batch(2, 4096, 4097))});
  sql("DELETE FROM blocks WHERE id = 1");
  expect_damage(read_all(), "meta counts");
  EXPECT_EQ(tier_->verify(key_).status().code(), StatusCode::kCorruption);
}

TEST_F(SqliteTierTest, DamagedFilterIsReportedNotBelieved) {
  write({slice_of(keyed_batch(1, 100, 1))});
  sql("UPDATE filters SET data = zeroblob(length(data))");
  ScanSpec spec;
  spec.filter.predicates = {equal_text(ColumnId::kStream, "order-1")};
  expect_damage(read_all(spec), "filter 9");
  sql("DELETE FROM filters");
  expect_damage(read_all(spec), "filter 9");
  EXPECT_TRUE(read_all().ok()) << "a scan of everything does not need filters";
  EXPECT_EQ(tier_->verify(key_).status().code(), StatusCode::kCorruption);
}

TEST_F(SqliteTierTest, EveryDamagedByteIsExactOrReported) {
  write({slice_of(keyed_batch(1, 1000, 1))});
  ASSERT_TRUE(tier_->seal(key_).ok());
  const RowSums expected = read_sums(tier_.get(), key_, {});
  const std::string file = path();
  tier_.reset();
  const std::string intact = *read_file(posix_env(), file, 64 * kMiB);
  uint64_t reported = 0, verified = 0, cases = 0;
  for (size_t at = 0; at < intact.size(); at += 1009, ++cases) {
    std::string damaged = intact;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    ASSERT_TRUE(replace_file(posix_env(), file, damaged).ok());
    open();
    RowSums found;
    auto reader = tier_->scan(key_, {}, nullptr);
    Status status = reader.status();
    BatchSlice slice;
    while (status.ok()) {
      const auto more = (*reader)->next(&slice);
      status = more.status();
      if (!status.ok() || !*more) break;
      add_sums(slice, &found);
    }
    if (status.ok()) {
      ASSERT_EQ(found, expected) << "byte " << at;
    }
    reported += status.ok() ? 0 : 1;
    if (reader.ok()) reader->reset();
    verified += tier_->verify(key_).ok() ? 0 : 1;
    tier_.reset();
  }
  // What is not reported lies in free pages, indexes that the read did not use, or SQLite's own
  // statistics.
  EXPECT_GT(reported, cases / 4);
  EXPECT_GE(verified, reported);
}

class RowsLayoutTest : public SqliteTierTest {
 protected:
  RowsLayoutTest() { options_.layout = SqliteLayout::kRows; }
};

TEST_F(RowsLayoutTest, CanBeQueriedAsPlainTables) {
  std::vector<EventRow> rows(2);
  rows[0].time = kTestTime + 5;
  rows[0].kind = EventKind::kLog;
  rows[0].type = "user.created";
  rows[0].id = *Id::parse("0190f3b2-0000-7000-8000-000000000001");
  rows[0].context = R"({"resource":{"attributes":{"k8s.namespace.name":"shop"}},"cluster":"eu"})";
  rows[1].time = -1;
  rows[1].context = "not json";
  ChunkKey wide = key_;
  wide.start = INT64_MIN;
  ASSERT_TRUE(tier_->write(wide, std::vector{slice_of(make_batch(rows))}, 2).ok());
  auto db = SqliteDb::open(posix_env(), tier_->files(wide)[0].path, {.read_only = true});
  ASSERT_TRUE(db.ok());
  // As in the sqlite3 shell; our own connections do not trust what a schema calls.
  ASSERT_TRUE((*db)->exec("PRAGMA trusted_schema = ON").ok());
  auto select = (*db)->prepare(
      "SELECT time, id, type, namespace, cluster, kind FROM unified_events ORDER BY position");
  ASSERT_TRUE(select.ok()) << select.status().to_string();
  ASSERT_TRUE(*select->step());
  EXPECT_EQ(select->column_text(0), "2026-01-01T00:00:00.000000005Z");
  EXPECT_EQ(select->column_text(1), "0190f3b2-0000-7000-8000-000000000001");
  EXPECT_EQ(select->column_text(2), "user.created");
  EXPECT_EQ(select->column_text(3), "shop");
  EXPECT_EQ(select->column_text(4), "eu");
  EXPECT_EQ(select->column_text(5), "log");
  ASSERT_TRUE(*select->step());
  EXPECT_EQ(select->column_text(0), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(select->column_text(5), "event");
}

TEST_F(RowsLayoutTest, ChangedRowIsFoundByVerification) {
  write({slice_of(keyed_batch(1, 500, 1))});
  sql("UPDATE events SET type = 'forged' WHERE position = 250");
  expect_damage(tier_->verify(key_).status(), "positions 1 to 500");
}

TEST_F(RowsLayoutTest, DescendingPagesCoverEverything) {
  Position position = 1;
  for (uint64_t i = 0; i < 5; ++i) {
    write({slice_of(keyed_batch(i, 2500, position))});
    position += 3000;
  }
  ScanSpec spec;
  spec.order = ScanOrder::kPositionDescending;
  const auto ranges = slice_ranges(tier_.get(), key_, spec);
  EXPECT_GT(ranges.size(), 2u);
  EXPECT_EQ(read_sums(tier_.get(), key_, spec), read_sums(tier_.get(), key_, {}));
}

}  // namespace
}  // namespace firn
