#include <gmock/gmock.h>

#include "engine/engine.h"
#include "engine/test_engine.h"
#include "model/checksum.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class EngineParquetTest : public testing::Test {
 protected:
  EngineParquetTest() : engine_(std::move(*Engine::open(posix_env(), {}))) {}

  Status write(const std::string& name, const std::vector<BatchSlice>& slices,
               uint32_t row_group_rows = 100'000) {
    ParquetWrite write;
    write.path = directory_.file(name);
    SlicesReader rows(slices);
    write.rows = &rows;
    for (const BatchSlice& slice : slices) write.rows_about += slice.rows();
    write.metadata = {{"firn.test", "it's"}, {"b", "2"}};
    write.row_group_rows = row_group_rows;
    return engine_->write_parquet(write);
  }

  std::vector<BatchSlice> read(const std::string& name, const Filter& filter = {},
                               bool descending = false) {
    ParquetRead read;
    read.path = directory_.file(name);
    read.namespace_id = 1;
    read.filter = filter;
    read.descending = descending;
    read.has_raw_rows = true;
    const auto groups = engine_->parquet_row_groups(read.path);
    EXPECT_TRUE(groups.ok()) << groups.status().to_string();
    read.row_groups = *groups;
    auto reader = engine_->read_parquet(read);
    EXPECT_TRUE(reader.ok()) << reader.status().to_string();
    return read_all(reader->get());
  }

  // Of the answer, as text; empty when it has none.
  std::string first_row(SqlRequest request, const std::string& sql) {
    request.sql = sql;
    TextSink sink;
    const auto summary = engine_->run(request, &sink);
    EXPECT_TRUE(summary.ok()) << summary.status().to_string();
    return sink.rows.empty() ? "" : sink.rows[0];
  }

  static std::vector<uint64_t> checksums(const std::vector<BatchSlice>& slices) {
    std::vector<uint64_t> sums;
    for (const BatchSlice& slice : slices) {
      for (uint32_t i = 0; i < slice.rows(); ++i) {
        sums.push_back(row_checksum(*slice.batch, slice.row(i)));
      }
    }
    return sums;
  }

  static BatchPtr random_batch(uint64_t seed, int rows, Position first = 1) {
    RandomRows random(seed);
    std::vector<EventRow> all;
    for (int i = 0; i < rows; ++i) all.push_back(random.next());
    return make_batch(all, first);
  }

  TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

TEST(SqlCondition, ManyValuesMakeNoJoin) {
  Filter filter;
  filter.predicates = {{.column = ColumnId::kSeverity, .numbers = {9}}};
  EXPECT_EQ(*sql_condition(filter), "\"severity\" = 9");
  filter.predicates[0].numbers = {9, 0, 13};
  EXPECT_EQ(*sql_condition(filter),
            "(list_contains([9, 13]::SMALLINT[], \"severity\") OR \"severity\" IS NULL)");
}

TEST_F(EngineParquetTest, ReadsBackEveryBitOfRandomRows) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<BatchSlice> slices = {slice_of(random_batch(seed, 700))};
    const std::string name = std::to_string(seed);
    ASSERT_TRUE(write(name, slices).ok());
    EXPECT_EQ(checksums(read(name)), checksums(slices)) << "seed " << seed;
  }
}

TEST_F(EngineParquetTest, ReadsBackTextsThatAreNotUtf8) {
  EventRow row;
  row.time = kTestTime;
  row.type = "bad\xff";
  row.stream = "\xC3";
  row.data = "\xA9{}";
  EventRow plain;
  plain.time = kTestTime;
  plain.type = "bad\xEF\xBF\xBD";
  const std::vector<BatchSlice> slices = {slice_of(make_batch({row, plain}))};
  ASSERT_TRUE(write("x", slices).ok());
  EXPECT_EQ(checksums(read("x")), checksums(slices));
  Filter filter;
  filter.predicates.push_back({.column = ColumnId::kType, .texts = {"bad\xff"}});
  const auto found = read("x", filter);
  ASSERT_EQ(count_rows(found), 1u);
  EXPECT_EQ(found[0].batch->position(found[0].row(0)), 1u);
}

TEST_F(EngineParquetTest, ReadsBackExtremeNumbers) {
  EventRow row;
  row.time = INT64_MAX;
  row.observed_time = INT64_MIN + 1;
  row.duration = -1;
  row.kind = static_cast<EventKind>(200);
  row.severity = 255;
  EventRow low;
  low.time = INT64_MIN;
  low.duration = INT64_MAX;
  const std::vector<BatchSlice> slices = {
      slice_of(make_batch({row, low}, static_cast<Position>(INT64_MAX) - 10))};
  ASSERT_TRUE(write("x", slices).ok());
  EXPECT_EQ(checksums(read("x")), checksums(slices));
}

TEST_F(EngineParquetTest, KeepsOrderAcrossThreadsAndRowGroups) {
  std::vector<BatchSlice> slices;
  Position next = 1;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const BatchPtr batch = random_batch(seed, static_cast<int>(seed * 211), next);
    next = batch->last_position() + 1 + seed % 3;  // sometimes a gap
    std::vector<uint32_t> selected;
    for (uint32_t r = 0; r < batch->rows(); ++r) {
      if (r % 5 != 2) selected.push_back(r);
    }
    slices.push_back(seed % 2 == 0 ? slice_of(batch) : slice_of(batch, selected));
  }
  ASSERT_TRUE(write("x", slices, 4096).ok());
  EXPECT_EQ(checksums(read("x")), checksums(slices));
  EXPECT_GT(engine_->parquet_row_groups(directory_.file("x"))->size(), 5u);

  std::vector<BatchSlice> backwards = read("x", {}, true);
  Position before = UINT64_MAX;
  for (const BatchSlice& slice : backwards) {
    EXPECT_LT(slice.batch->position(slice.row(slice.rows() - 1)), before);
    before = slice.batch->position(slice.row(0));
  }
  std::reverse(backwards.begin(), backwards.end());
  EXPECT_EQ(checksums(backwards), checksums(slices));
}

TEST_F(EngineParquetTest, DescribesTheFile) {
  ASSERT_TRUE(write("x", {slice_of(random_batch(1, 5000, 100))}, 2048).ok());
  ASSERT_TRUE(write("none", {}).ok());
  const std::vector<std::string> paths = {directory_.file("x"), directory_.file("none")};
  const auto infos = engine_->parquet_info(paths);
  ASSERT_TRUE(infos.ok()) << infos.status().to_string();
  EXPECT_EQ(infos->at(0).rows, 5000u);
  EXPECT_EQ(infos->at(1).rows, 0u);
  for (const ParquetInfo& info : *infos) {
    EXPECT_EQ(info.find("firn.test"), "it's");
    EXPECT_EQ(info.find("nothing"), std::nullopt);
  }
  const auto groups = engine_->parquet_row_groups(paths[0]);
  ASSERT_TRUE(groups.ok()) << groups.status().to_string();
  EXPECT_EQ(groups->size(), infos->at(0).row_groups);
  EXPECT_EQ(groups->front().first, 100u);
  EXPECT_EQ(groups->back().last, 5099u);
  EXPECT_TRUE(engine_->parquet_row_groups(paths[1])->empty());
}

TEST_F(EngineParquetTest, WritesAFileWithoutRows) {
  ASSERT_TRUE(write("x", {}).ok());
  EXPECT_EQ(count_rows(read("x")), 0u);
}

TEST_F(EngineParquetTest, MergesFilesBitByBit) {
  const auto a = slice_of(random_batch(1, 3000, 1));
  const auto b = slice_of(random_batch(2, 2000, 5000));
  ASSERT_TRUE(write("a", {a}).ok());
  ASSERT_TRUE(write("empty", {}).ok());
  ASSERT_TRUE(write("b", {b}).ok());
  ParquetWrite merge;
  merge.path = directory_.file("merged");
  merge.merge = {directory_.file("a"), directory_.file("empty"), directory_.file("b")};
  merge.row_group_rows = 2048;
  ASSERT_TRUE(engine_->write_parquet(merge).ok());
  EXPECT_EQ(checksums(read("merged")), checksums({a, b}));
}

// The i-th of twelve kinds of filter, about values of the row.
Filter filter_like(int i, const EventRow& like, RandomRows& random) {
  Filter filter;
  if (i % 3 == 0) filter.time = {like.time - kSecondNs, like.time + 100 * kSecondNs};
  if (i % 4 == 1) filter.positions = {random.random(4000), 4000};
  auto& predicates = filter.predicates;
  const auto severity = static_cast<int64_t>(like.severity);
  switch (i) {
    case 0:
      predicates.push_back({.column = ColumnId::kType, .texts = {std::string(like.type), "x"}});
      break;
    case 1:
      predicates.push_back({.column = ColumnId::kTraceId, .ids = {like.trace_id}});
      break;
    case 2:
      predicates.push_back(
          {.kind = PredicateKind::kAtLeast, .column = ColumnId::kSeverity, .numbers = {severity}});
      break;
    case 3:
      predicates.push_back(
          {.kind = PredicateKind::kLess, .column = ColumnId::kSeverity, .numbers = {severity}});
      break;
    case 4:
      predicates.push_back(
          {.column = ColumnId::kKind, .numbers = {static_cast<int64_t>(like.kind), 77}});
      break;
    case 5:
      predicates.push_back({.kind = PredicateKind::kLess,
                            .column = ColumnId::kDuration,
                            .numbers = {like.duration}});
      break;
    case 6: {
      Id span{};
      std::copy(like.span_id.begin(), like.span_id.end(), span.bytes.begin());
      predicates.push_back({.column = ColumnId::kSpanId, .ids = {span}});
      break;
    }
    case 7:
      predicates.push_back({.kind = PredicateKind::kContains, .texts = {"host3"}});
      break;
    case 8:
      predicates.push_back(
          {.kind = PredicateKind::kAttribute, .key = "http.status", .texts = {"201"}});
      break;
    case 9:
      predicates.push_back({.column = ColumnId::kId, .ids = {like.id}});
      break;
    case 10:
      predicates.push_back({.column = ColumnId::kDuration, .numbers = {like.duration}});
      break;
    default:
      predicates.push_back({.column = ColumnId::kStream, .texts = {""}});
  }
  return filter;
}

TEST_F(EngineParquetTest, FiltersLikeTheModel) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    RandomRows random(seed);
    std::vector<EventRow> rows;
    for (int i = 0; i < 4000; ++i) rows.push_back(random.next());
    const BatchSlice all = slice_of(make_batch(rows, 10));
    const std::string name = std::to_string(seed);
    ASSERT_TRUE(write(name, {all}, 2048).ok());
    for (int i = 0; i < 12; ++i) {
      const EventRow& like = rows[random.random(rows.size())];
      const Filter filter = filter_like(i, like, random);
      const BatchSlice wanted = apply_filter(all, filter);
      std::vector<BatchSlice> expected;
      if (wanted.batch != nullptr) expected.push_back(wanted);
      EXPECT_EQ(checksums(read(name, filter)), checksums(expected))
          << "seed " << seed << " case " << i;
      // And as plain SQL, when that says it is the same.
      if (const auto condition = sql_condition(filter)) {
        SqlRequest request;
        EventTable table;
        table.name = "events";
        table.parquet.push_back({{directory_.file(name)}, {}, {}});
        request.event_tables = {table};
        request.sql = "SELECT count(*) FROM events WHERE " + *condition;
        TextSink sink;
        ASSERT_TRUE(engine_->run(request, &sink).ok()) << request.sql;
        EXPECT_THAT(sink.rows, ElementsAre(std::to_string(count_rows(expected)))) << request.sql;
      }
    }
  }
}

TEST_F(EngineParquetTest, ReadsOnlyColumnsThatWereAskedFor) {
  ASSERT_TRUE(write("x", {slice_of(random_batch(3, 500))}).ok());
  ParquetRead read;
  read.path = directory_.file("x");
  read.namespace_id = 1;
  read.projection = Projection::none();
  auto reader = engine_->read_parquet(read);
  ASSERT_TRUE(reader.ok());
  const auto slices = read_all(reader->get());
  ASSERT_EQ(count_rows(slices), 500u);
  EXPECT_FALSE(slices[0].batch->has_column(ColumnId::kData));
  EXPECT_EQ(slices[0].batch->last_position(), 500u);
}

TEST_F(EngineParquetTest, SkipsRowGroupsThatCannotMatch) {
  ASSERT_TRUE(write("x", {slice_of(random_batch(4, 60'000))}, 2048).ok());
  const auto bytes = [&](PositionRange positions) {
    uint64_t count = 0;
    ParquetRead read;
    read.path = directory_.file("x");
    read.namespace_id = 1;
    read.filter.positions = positions;
    read.bytes_read = &count;
    auto reader = engine_->read_parquet(read);
    read_all(reader->get());
    reader->reset();
    return count;
  };
  EXPECT_LT(bytes({30'000, 30'010}) * 3, bytes({}));
}

TEST_F(EngineParquetTest, TablesUniteFilesAndBatches) {
  ASSERT_TRUE(write("a", {slice_of(random_batch(1, 100, 1))}).ok());
  ASSERT_TRUE(write("b", {slice_of(random_batch(2, 100, 101))}).ok());
  EventTable table;
  table.name = "events";
  table.extra_columns = {"tier"};
  table.batches = std::make_shared<TestSource>(
      std::vector<BatchSlice>{slice_of(random_batch(3, 50, 201))}, std::vector<std::string>{"hot"});
  // The second file only up to position 150: the rest is the caller's business.
  table.parquet.push_back({{directory_.file("a")}, {}, {"cold"}});
  table.parquet.push_back({{directory_.file("b")}, {0, 151}, {"cold"}});
  SqlRequest request;
  request.event_tables = {table};
  request.sql = "SELECT tier, count(*), max(position) FROM events GROUP BY tier ORDER BY tier";
  TextSink sink;
  const auto summary = engine_->run(request, &sink);
  ASSERT_TRUE(summary.ok()) << summary.status().to_string();
  EXPECT_THAT(sink.rows, ElementsAre("cold|150|150", "hot|50|250"));
  EXPECT_THAT(summary->parquet_bytes, ElementsAre(Pair(directory_.file("a"), testing::Gt(0u)),
                                                  Pair(directory_.file("b"), testing::Gt(0u))));
}

TEST_F(EngineParquetTest, ReadsNoPositionsOfFilesThatBelongWholly) {
  ASSERT_TRUE(write("a", {slice_of(random_batch(1, 100, 1))}).ok());
  ASSERT_TRUE(write("b", {slice_of(random_batch(2, 100, 101))}).ok());
  SqlRequest request;
  request.event_tables.resize(1);
  EventTable& table = request.event_tables[0];
  table.name = "events";
  ParquetPart& part = table.parquet.emplace_back();
  part.paths = {directory_.file("a"), directory_.file("b")};
  const auto ask = [&](const std::string& sql) { return first_row(request, sql); };
  part.positions = {0, 201};
  EXPECT_THAT(ask("EXPLAIN (FORMAT json) SELECT count(*) FROM events"), HasSubstr("position"));
  part.whole_paths = 2;
  EXPECT_THAT(ask("EXPLAIN (FORMAT json) SELECT count(*) FROM events"),
              testing::Not(HasSubstr("position")));
  EXPECT_EQ(ask("SELECT count(*) FROM events"), "200");
  part.positions = {0, 151};
  part.whole_paths = 1;
  EXPECT_EQ(ask("SELECT count(*) FROM events"), "150");
}

TEST_F(EngineParquetTest, LeavesOutChunksThatConditionsRuleOut) {
  ASSERT_TRUE(write("a", {slice_of(random_batch(1, 100, 1))}).ok());
  ASSERT_TRUE(write("b", {slice_of(random_batch(2, 100, 101))}).ok());
  EventTable table;
  table.name = "events";
  table.extra_columns = {"tier"};
  ParquetPart part{{directory_.file("a")}, {}, {"cold"}, nullptr, "cold"};
  part.position_min = 1;
  part.position_max = 100;
  table.parquet.push_back(part);
  part.paths = {directory_.file("b")};
  part.position_min = 101;
  part.position_max = 200;
  table.parquet.push_back(part);
  SqlRequest request;
  request.event_tables = {table};
  const auto ask = [&](const std::string& sql) { return first_row(request, sql); };
  EXPECT_EQ(ask("SELECT count(*) FROM events WHERE position > 150"), "50");
  EXPECT_EQ(ask("SELECT count(*) FROM events WHERE position > 900"), "0");
  EXPECT_EQ(ask("SELECT count(*) FROM events a JOIN events b USING (position) "
                "WHERE a.position > 190 OR b.position < 11"),
            "20");
  EXPECT_THAT(ask("EXPLAIN (FORMAT json) FROM events"),
              HasSubstr("\"Tier cold\": \"2 chunks, 0 pruned\""));
  EXPECT_THAT(ask("EXPLAIN (FORMAT json) FROM events WHERE position > 150"),
              HasSubstr("\"Tier cold\": \"1 chunk, 1 pruned\""));
  EXPECT_THAT(ask("EXPLAIN (FORMAT json) FROM events WHERE position > 900"),
              HasSubstr("\"Tier cold\": \"0 chunks, 2 pruned\""));
  EXPECT_THAT(ask("EXPLAIN (ANALYZE, FORMAT json) FROM events WHERE position > 150"),
              testing::ContainsRegex("Read cold.: .[1-9][0-9]* bytes"));
}

TEST_F(EngineParquetTest, UnitesHundredsOfParts) {
  ASSERT_TRUE(write("a", {slice_of(random_batch(1, 3, 1))}).ok());
  EventTable table;
  table.name = "events";
  for (Position p = 0; p < 400; ++p) {
    table.parquet.push_back({{directory_.file("a")}, {1, 1000 + p}, {}});
  }
  SqlRequest request;
  request.event_tables = {table};
  request.sql = "SELECT count(*) FROM events WHERE position = 2";
  TextSink sink;
  const auto summary = engine_->run(request, &sink);
  ASSERT_TRUE(summary.ok()) << summary.status().to_string();
  EXPECT_THAT(sink.rows, ElementsAre("400"));
}

TEST_F(EngineParquetTest, AMissingFileIsDamage) {
  ASSERT_TRUE(write("yes", {}).ok());
  const std::vector<std::string> paths = {directory_.file("yes"), directory_.file("no")};
  EXPECT_EQ(engine_->parquet_info(paths).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(engine_->parquet_row_groups(paths[1]).status().code(), StatusCode::kCorruption);
  ParquetRead read;
  read.path = directory_.file("no");
  read.namespace_id = 1;
  EXPECT_EQ(engine_->read_parquet(read).status().code(), StatusCode::kCorruption);
  EventTable table;
  table.name = "events";
  table.parquet.push_back({{directory_.file("no")}, {}, {}});
  SqlRequest request;
  request.event_tables = {table};
  request.sql = "SELECT count(*) FROM events";
  TextSink sink;
  EXPECT_EQ(engine_->run(request, &sink).status().code(), StatusCode::kCorruption);
}

TEST_F(EngineParquetTest, DoesNotOverwrite) {
  ASSERT_TRUE(write("x", {}).ok());
  EXPECT_EQ(write("x", {}).code(), StatusCode::kConflict);
}

TEST_F(EngineParquetTest, NamesDamage) {
  ASSERT_TRUE(write("x", {slice_of(random_batch(1, 20'000))}, 4096).ok());
  const std::string content = *read_file(posix_env(), directory_.file("x"), 1 * kGiB);
  const auto damage = [&](std::string bytes) {
    ASSERT_TRUE(replace_file(posix_env(), directory_.file("y"), bytes).ok());
  };
  const std::vector<std::string> paths = {directory_.file("x"), directory_.file("y")};
  for (const std::string& bytes : {content.substr(0, content.size() / 2), std::string()}) {
    damage(bytes);
    const Status status = engine_->parquet_info(paths).status();
    EXPECT_EQ(status.code(), StatusCode::kCorruption);
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(paths[1]));
  }
}

// What a user sees of a file: rows by SQL, and rows by a reader.
struct Seen {
  Status sql, reader;
  std::vector<std::string> sql_rows;
  uint64_t reader_rows = 0;
};

TEST_F(EngineParquetTest, DamageIsNeverShownAsData) {
  ASSERT_TRUE(write("x", {slice_of(random_batch(1, 20'000))}, 4096).ok());
  const std::string path = directory_.file("x");
  const std::string content = *read_file(posix_env(), path, 1 * kGiB);
  SqlRequest request;
  EventTable table;
  table.name = "events";
  table.parquet.push_back({{path}, {}, {}});
  request.event_tables = {table};
  request.sql =
      "SELECT type, severity, count(*), sum(hash(subject)) FROM events GROUP BY ALL "
      "ORDER BY ALL";
  const auto look = [&] {
    Seen seen;
    TextSink sink;
    seen.sql = engine_->run(request, &sink).status();
    seen.sql_rows = sink.rows;
    ParquetRead read;
    read.path = path;
    read.namespace_id = 1;
    auto reader = engine_->read_parquet(read);
    seen.reader = reader.status();
    BatchSlice slice;
    while (seen.reader.ok()) {
      const auto more = (*reader)->next(&slice);
      seen.reader = more.status();
      if (!more.ok() || !*more) break;
      seen.reader_rows += slice.rows();
    }
    return seen;
  };
  // Damage of the last bytes, which say where the checksums are, has a message of its own.
  const auto says_where = testing::AnyOf(testing::StartsWith(path + ": bytes "),
                                         testing::StartsWith(path + ": has no checksums"));
  const Seen undamaged = look();
  ASSERT_TRUE(undamaged.sql.ok()) << undamaged.sql.to_string();
  ASSERT_EQ(undamaged.reader_rows, 20'000u);
  int noticed = 0;
  for (size_t at = 0; at < content.size(); at += content.size() / 40) {
    std::string bytes = content;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x04);
    ASSERT_TRUE(replace_file(posix_env(), path, bytes).ok());
    const Seen seen = look();
    EXPECT_EQ(seen.reader.code(), StatusCode::kCorruption) << seen.reader.to_string();
    EXPECT_THAT(std::string(seen.reader.message()), says_where);
    if (seen.sql.ok()) {
      EXPECT_EQ(seen.sql_rows, undamaged.sql_rows) << "byte " << at;
      continue;
    }
    ++noticed;
    EXPECT_EQ(seen.sql.code(), StatusCode::kCorruption) << seen.sql.to_string();
    EXPECT_THAT(std::string(seen.sql.message()), says_where);
  }
  EXPECT_GT(noticed, 0);
}

TEST_F(EngineParquetTest, MetadataMayBeKnownAtTheEnd) {
  // Rows that quote what is looked for.
  EventRow row;
  row.time = kTestTime;
  row.type =
      "count\x18\x04"
      "0000";
  const std::vector<BatchSlice> slices = {slice_of(make_batch({row}))};
  SlicesReader rows(slices);
  ParquetWrite write;
  write.path = directory_.file("x");
  write.rows = &rows;
  write.metadata = {{"count", "0000"}, {"same", "0000"}, {"countcount", "0000"}};
  write.identity = {"y", 1, 1};
  write.at_end = [&](ParquetMetadata* metadata, FileIdentity* identity) {
    BatchSlice none;
    EXPECT_FALSE(*rows.next(&none));
    (*metadata)[0].second = "0042";
    (*metadata)[2].second = "-043";
    identity->name = "x";
  };
  const Status status = engine_->write_parquet(write);
  ASSERT_TRUE(status.ok()) << status.to_string();
  const auto infos = engine_->parquet_info({&write.path, 1});
  ASSERT_TRUE(infos.ok()) << infos.status().to_string();
  EXPECT_THAT((*infos)[0].metadata,
              ElementsAre(Pair("count", "0042"), Pair("same", "0000"), Pair("countcount", "-043")));
  EXPECT_EQ(checksums(read("x")), checksums(slices));
}

TEST_F(EngineParquetTest, RowsKeepTheirOrderWhateverIsExpected) {
  std::vector<BatchSlice> slices;
  for (Position first = 1; first < 30'000; first += 500) {
    slices.push_back(slice_of(random_batch(first, 500, first)));
  }
  for (const uint64_t about : {0u, 10'000u, 1'000'000u}) {
    SlicesReader rows(slices);
    ParquetWrite write;
    write.path = directory_.file("x" + std::to_string(about));
    write.rows = &rows;
    write.rows_about = about;
    write.row_group_rows = 4096;
    ASSERT_TRUE(engine_->write_parquet(write).ok());
    EXPECT_EQ(checksums(read("x" + std::to_string(about))), checksums(slices)) << about;
  }
}

TEST_F(EngineParquetTest, AnErrorOfTheRowsComesBack) {
  class Failing : public BatchReader {
   public:
    explicit Failing(BatchSlice slice) : slice_(std::move(slice)) {}
    Result<bool> next(BatchSlice* out) override {
      if (++pulled_ > 20) return corruption("the rows end here");
      *out = slice_;
      return true;
    }

   private:
    const BatchSlice slice_;
    int pulled_ = 0;
  };
  Failing rows(slice_of(random_batch(1, 1000)));
  ParquetWrite write;
  write.path = directory_.file("x");
  write.rows = &rows;
  write.rows_about = 1'000'000;
  write.row_group_rows = 2048;
  const Status status = engine_->write_parquet(write);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the rows end here"));
}

TEST_F(EngineParquetTest, AFileIsReadUnderItsNameOnly) {
  ParquetWrite write;
  write.path = directory_.file("x.tmp");
  write.identity = {"x", 5, 9};
  ASSERT_TRUE(engine_->write_parquet(write).ok());
  EXPECT_EQ(engine_->parquet_info({&write.path, 1}).status().code(), StatusCode::kCorruption);
  const std::string path = directory_.file("x");
  ASSERT_TRUE(posix_env()->rename(write.path, path).ok());
  EXPECT_TRUE(engine_->parquet_info({&path, 1}).ok());
}

}  // namespace
}  // namespace firn
