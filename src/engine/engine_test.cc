#include "engine/engine.h"

#include <gmock/gmock.h>

#include <thread>

#include "engine/test_engine.h"

namespace firn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EngineTest : public testing::Test {
 protected:
  EngineTest() {
    auto opened = Engine::open(posix_env(), {});
    EXPECT_TRUE(opened.ok()) << opened.status().to_string();
    engine_ = std::move(*opened);
  }

  // A table `events` over the rows.
  std::shared_ptr<TestSource> events(const std::vector<EventRow>& rows) {
    return events(std::vector<BatchSlice>{slice_of(make_batch(rows))});
  }
  std::shared_ptr<TestSource> events(std::vector<BatchSlice> slices) {
    auto source = std::make_shared<TestSource>(std::move(slices));
    EventTable table;
    table.name = "events";
    table.batches = source;
    request_.event_tables = {table};
    return source;
  }

  Status run(const std::string& sql) {
    request_.sql = sql;
    sink_ = TextSink();
    auto result = engine_->run(request_, &sink_);
    if (result.ok()) summary_ = *result;
    return result.status();
  }
  std::vector<std::string> rows(const std::string& sql) {
    const Status status = run(sql);
    EXPECT_TRUE(status.ok()) << sql << ": " << status.to_string();
    return sink_.rows;
  }

  std::unique_ptr<Engine> engine_;
  SqlRequest request_;
  TextSink sink_;
  SqlSummary summary_;
};

EventRow event(std::string_view type, TimeNs time = kTestTime) {
  EventRow row;
  row.time = time;
  row.type = type;
  return row;
}

TEST_F(EngineTest, ComputesWithoutTables) {
  EXPECT_THAT(rows("SELECT 1 + 1 AS two, 'x', NULL, true, 1.5::DOUBLE"),
              ElementsAre("2|x|-|true|1.500000"));
  EXPECT_EQ(sink_.names[0], "two");
  EXPECT_EQ(sink_.types[0], "INTEGER");
  EXPECT_EQ(summary_.rows, 1u);
}

// Unused columns go before DuckDB's own passes see the plan, so each form of one is tried.
TEST_F(EngineTest, UnusedColumnsGoFromEveryFormOfStatement) {
  const auto source = events({event("a"), event("a"), event("b", kTestTime + 1)});
  const std::vector<std::pair<std::string, std::vector<std::string>>> statements = {
      {"SELECT count(*) FROM events", {"3"}},
      {"SELECT e.type, count(*) FROM events e JOIN events f USING (type) GROUP BY ALL ORDER BY 1",
       {"a|4", "b|1"}},
      {"SELECT DISTINCT type FROM events e WHERE EXISTS (SELECT 1 FROM events f WHERE f.time > "
       "e.time)",
       {"a"}},
      {"SELECT DISTINCT type, (SELECT count(*) FROM events f WHERE f.type = e.type) FROM events e "
       "ORDER BY 1",
       {"a|2", "b|1"}},
      {"WITH t AS MATERIALIZED (SELECT * FROM events) SELECT max(t.position) FROM t, t AS u WHERE "
       "t.position = u.position",
       {"3"}},
      {"WITH RECURSIVE t(n) AS (SELECT min(position) FROM events UNION ALL SELECT n + 1 FROM t "
       "WHERE n + 1 IN (SELECT position FROM events)) SELECT max(n) FROM t",
       {"3"}},
      {"SELECT type FROM events QUALIFY row_number() OVER (PARTITION BY type ORDER BY position) = "
       "2",
       {"a"}},
      {"SELECT type FROM (SELECT * FROM events UNION ALL SELECT * FROM events) EXCEPT SELECT 'a'",
       {"b"}},
      {"SELECT l.n FROM (SELECT DISTINCT type FROM events) e, LATERAL (SELECT count(*) AS n FROM "
       "events f WHERE f.type <> e.type) l ORDER BY 1",
       {"1", "2"}},
      {"SELECT position FROM events ORDER BY time DESC, position LIMIT 1", {"3"}},
  };
  for (const auto& [sql, expected] : statements) EXPECT_EQ(rows(sql), expected) << sql;
  EXPECT_GT(source->opened, 0);
}

TEST_F(EngineTest, DeliversColumnsOfAnEmptyAnswer) {
  EXPECT_THAT(rows("SELECT 1 AS a WHERE false"), ElementsAre());
  EXPECT_THAT(sink_.names, ElementsAre("a"));
}

TEST_F(EngineTest, DeliversEveryKindOfValue) {
  EXPECT_THAT(
      rows("SELECT 18446744073709551615::UBIGINT, 5::UBIGINT, 7::HUGEINT, 1.25::DECIMAL(5,2),"
           " DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05', make_timestamp_ns(1),"
           " '\\x01'::BLOB, 'infinity'::TIMESTAMP"),
      ElementsAre("18446744073709551615|5|7|1.25|2026-01-02|2026-01-02T03:04:05Z|"
                  "1970-01-01T00:00:00.000000001Z|\\x01|infinity"));
}

TEST_F(EngineTest, DeliversNestedValuesAsJson) {
  EXPECT_THAT(rows("SELECT [1, NULL], {'a': 'q\"', 'b': [true]}, MAP {'k': 2}"),
              ElementsAre("[1,null]|{\"a\":\"q\\\"\",\"b\":[true]}|{\"k\":2}"));
}

TEST_F(EngineTest, ShowsEveryColumnOfAnEvent) {
  EventRow row;
  row.time = kTestTime + 1;
  row.observed_time = kTestTime + 2;
  row.id = *Id::parse("0190f3b2-0000-7000-8000-0000000000ff");
  row.kind = EventKind::kSpan;
  row.type = "t";
  row.source = "s";
  row.subject = "u";
  row.severity = 9;
  row.stream = "st";
  row.stream_position = 4;
  row.correlation_id = "c";
  row.trace_id = *Id::parse("0102030405060708090a0b0c0d0e0f10");
  row.span_id = {1, 2, 3, 4, 5, 6, 7, 255};
  row.parent_id = row.trace_id;
  row.duration = 77;
  row.data = "{\"a\":1}";
  row.metadata = "{}";
  row.context = "{\"k\":\"v\"}";
  events({row});
  EXPECT_THAT(rows("FROM events"),
              ElementsAre("1|2026-01-01T00:00:00.000000001Z|2026-01-01T00:00:00.000000002Z|"
                          "0190f3b2-0000-7000-8000-0000000000ff|span|t|s|u|9|st|4|c|"
                          "0102030405060708090a0b0c0d0e0f10|01020304050607ff|"
                          "0102030405060708090a0b0c0d0e0f10|77|{\"a\":1}|{}|{\"k\":\"v\"}"));
}

TEST_F(EngineTest, ExplainNamesTiersAndChunks) {
  events({event("a"), event("b")})->plans = {{"hot", 1, 0}, {"warm", 2, 3}};
  const std::string plan = rows("EXPLAIN (FORMAT json) FROM events")[0];
  EXPECT_THAT(plan, HasSubstr("\"Dataset\": \"events\""));
  EXPECT_THAT(plan, HasSubstr("\"Tier hot\": \"1 chunk, 0 pruned\""));
  EXPECT_THAT(plan, HasSubstr("\"Tier warm\": \"2 chunks, 3 pruned\""));
}

TEST_F(EngineTest, ShowsAbsentValuesAsNull) {
  events({event("")});
  EXPECT_THAT(rows("FROM events"),
              ElementsAre("1|2026-01-01T00:00:00Z|-|-|event|-|-|-|-|-|-|-|-|-|-|-|-|-|-"));
}

TEST_F(EngineTest, ReadsJsonInsideOfEvents) {
  EventRow row = event("t");
  row.data = R"({"amount":12,"who":{"name":"x"}})";
  events({row});
  EXPECT_THAT(rows("SELECT data->>'$.who.name', (data->>'$.amount')::INT + 1 FROM events"),
              ElementsAre("x|13"));
}

TEST_F(EngineTest, ReplacesWhatIsNotUtf8) {
  EventRow row = event("ok\xff!");
  row.data = "fine";
  events({row});
  EXPECT_THAT(rows("SELECT type, data FROM events"), ElementsAre("ok\xEF\xBF\xBD!|fine"));
}

TEST_F(EngineTest, ReadsManyBatchesInParallel) {
  std::vector<BatchSlice> slices;
  Position next = 1;
  for (int b = 0; b < 50; ++b) {
    std::vector<EventRow> batch_rows(static_cast<size_t>(b * 97 + 1),
                                     event(b % 2 ? "odd" : "even"));
    slices.push_back(slice_of(make_batch(batch_rows, next)));
    next += batch_rows.size();
  }
  events(std::move(slices));
  EXPECT_THAT(rows("SELECT type, count(*), min(position), max(position) FROM events GROUP BY 1 "
                   "ORDER BY 1"),
              ElementsAre("even|58225|1|" + std::to_string(next - 1 - (49 * 97 + 1)),
                          "odd|60650|2|" + std::to_string(next - 1)));
  EXPECT_THAT(rows("SELECT count(*), sum(position) FROM events"),
              ElementsAre(std::to_string(next - 1) + "|" + std::to_string((next - 1) * next / 2)));
}

TEST_F(EngineTest, AgreesWithTheBatchesOnRandomRows) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    RandomRows random(seed);
    std::vector<EventRow> all;
    for (int i = 0; i < 3000; ++i) all.push_back(random.next());
    const BatchPtr batch = make_batch(all);
    std::vector<uint32_t> selected;
    for (uint32_t i = 0; i < batch->rows(); ++i) {
      if (random.random(3) != 0) selected.push_back(i);
    }
    events({slice_of(batch, selected)});
    const auto lines = rows(
        "SELECT position, type, severity, trace_id, duration, length(data) FROM events "
        "ORDER BY position");
    ASSERT_EQ(lines.size(), selected.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      const EventRow& row = all[selected[i]];
      const auto number = [](int64_t n) { return n == kAbsentInt64 ? "-" : std::to_string(n); };
      ASSERT_EQ(lines[i], std::to_string(selected[i] + 1) + "|" +
                              (row.type.empty() ? "-" : std::string(row.type)) + "|" +
                              (row.severity == 0 ? "-" : std::to_string(row.severity)) + "|" +
                              (row.trace_id.is_zero() ? "-" : row.trace_id.to_hex()) + "|" +
                              number(row.duration) + "|" +
                              (row.data.empty() ? "-" : std::to_string(row.data.size())))
          << "seed " << seed;
    }
  }
}

TEST_F(EngineTest, AsksTheSourceOnlyForWhatItNeeds) {
  auto source = events({event("a"), event("b")});
  rows("SELECT subject FROM events WHERE type = 'a'");
  EXPECT_TRUE(source->last_projection.has(ColumnId::kType));
  EXPECT_TRUE(source->last_projection.has(ColumnId::kSubject));
  EXPECT_FALSE(source->last_projection.has(ColumnId::kData));
  ASSERT_EQ(source->last_filter.predicates.size(), 1u);
  EXPECT_THAT(source->last_filter.predicates[0].texts, ElementsAre("a"));
}

TEST_F(EngineTest, ChecksRowsThatTheSourceShouldNotHaveDelivered) {
  events({event("a"), event("b"), event("a")});
  EXPECT_THAT(rows("SELECT position FROM events WHERE type = 'b'"), ElementsAre("2"));
}

TEST_F(EngineTest, PushesRangesOfTimeAndPosition) {
  auto source = events({event("a"), event("b", kTestTime + kHourNs)});
  EXPECT_THAT(rows("SELECT position FROM events WHERE time >= '2026-01-01 00:30:00' "
                   "AND time < TIMESTAMP '2026-01-02' AND position BETWEEN 2 AND 9"),
              ElementsAre("2"));
  EXPECT_EQ(source->last_filter.time.from, kTestTime + 30 * kMinuteNs);
  EXPECT_LE(source->last_filter.time.to, kTestTime + kDayNs + 2 * kSecondNs);
  EXPECT_EQ(source->last_filter.positions.from, 2u);
  EXPECT_EQ(source->last_filter.positions.to, 10u);
}

// Conditions about values of the row, as people write them.
std::vector<std::string> conditions_like(const EventRow& row) {
  const auto text = [](std::string_view value) {
    return sql_quote(value.find('\0') == std::string_view::npos ? value : "zero");
  };
  const auto hex = [](const Id& id) { return sql_quote(id.to_hex()); };
  const std::string time = "make_timestamp_ns(" + std::to_string(row.time) + ")";
  const std::string severity = std::to_string(row.severity);
  const std::string duration = std::to_string(std::max<int64_t>(row.duration, -5));
  return {
      "time >= " + time,
      "time::TIMESTAMP <= " + time + "::TIMESTAMP",
      "time::DATE = " + time + "::DATE",
      time + " > time",
      "position BETWEEN 100 AND 900",
      "position <> 5",
      "500 <= position",
      "position IN (1, 7, 900)",
      "severity >= " + severity,
      "severity < " + severity,
      "severity <= " + severity + " AND severity > 1",
      "severity = " + severity + " OR type = " + text(row.type),
      "severity IN (0, 3, " + severity + ")",
      "severity IS NULL",
      "duration > " + duration,
      "duration <= " + duration,
      "duration = " + duration + "::DOUBLE",
      "stream_position >= 500",
      "type = " + text(row.type),
      "type <> " + text(row.type),
      "type IN (" + text(row.type) + ", 'type1', '')",
      "type LIKE 'type1%'",
      "upper(type) = upper(" + text(row.type) + ")",
      "stream = " + text(row.stream) + " AND source = " + text(row.source),
      "stream > " + text(row.stream),
      "trace_id = " + hex(row.trace_id),
      "trace_id = upper(" + hex(row.trace_id) + ")",
      "id = " + sql_quote(row.id.to_uuid()),
      "id IN (" + hex(row.id) + ", " + sql_quote(row.id.to_uuid()) + ")",
      "parent_id IS NOT NULL AND parent_id <> " + hex(row.parent_id),
      "kind = " + sql_quote(event_kind_name(row.kind)),
      "kind IN ('log', 'nothing')",
      "NOT (kind = 'log')",
      "correlation_id = " + text(row.correlation_id),
      "subject IS NOT DISTINCT FROM " + text(row.subject),
      "data LIKE '%host3%'",
  };
}

// A source that delivers exactly what was pushed must give the same answers as one that delivers
// everything: what is pushed may only leave out rows that the statement leaves out.
TEST_F(EngineTest, WhatIsPushedNeverLosesRows) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    RandomRows random(seed);
    std::vector<EventRow> all;
    for (int i = 0; i < 1000; ++i) all.push_back(random.next());
    const BatchPtr batch = make_batch(all);
    const auto conditions = conditions_like(all[random.random(all.size())]);
    for (size_t i = 0; i < conditions.size(); ++i) {
      const std::string sql = "SELECT count(*), sum(position) FROM events WHERE " + conditions[i] +
                              (i % 2 == 0 ? "" : " AND (" + conditions[i / 2] + ")");
      events({slice_of(batch)});
      const auto expected = rows(sql);
      events({slice_of(batch)})->apply_filters = true;
      EXPECT_EQ(rows(sql), expected) << "seed " << seed << ": " << sql;
    }
  }
}

TEST_F(EngineTest, PushesTimesRelativeToNow) {
  auto source = events({event("a")});
  rows("SELECT position FROM events WHERE time > now() - INTERVAL 1 HOUR");
  EXPECT_GT(source->last_filter.time.from, posix_env()->now() - 2 * kHourNs);
}

TEST_F(EngineTest, ComparesTimesWithWhatPeopleWrite) {
  events({event("a")});
  for (const char* condition :
       {"time = '2026-01-01'", "time = '2026-01-01T00:00:00Z'", "time = DATE '2026-01-01'",
        "time = '2026-01-01T01:00:00+01:00'", "time::DATE = '2026-01-01'",
        "time = TIMESTAMP '2026-01-01 00:00:00'", "epoch_ns(time) = 1767225600000000000",
        "date_trunc('hour', time) = '2026-01-01'", "time < current_timestamp",
        "time BETWEEN '2025-12-31' AND now()", "time = make_timestamp_ns(1767225600000000000)"}) {
    EXPECT_THAT(rows(std::string("SELECT type FROM events WHERE ") + condition), ElementsAre("a"))
        << condition;
  }
}

TEST_F(EngineTest, PushesIdsNumbersAndLists) {
  auto source = events({event("a")});
  rows(
      "SELECT 1 FROM events WHERE trace_id = '0102030405060708090a0b0c0d0e0f10' AND "
      "severity >= 9 AND stream IN ('x', 'y') AND kind = 'log'");
  std::vector<ColumnId> columns;
  for (const Predicate& predicate : source->last_filter.predicates) {
    columns.push_back(predicate.column);
  }
  EXPECT_THAT(columns, testing::UnorderedElementsAre(ColumnId::kTraceId, ColumnId::kSeverity,
                                                     ColumnId::kStream, ColumnId::kKind));
}

TEST_F(EngineTest, PushesParametersLikeConstants) {
  auto source = events({event("a"), event("b")});
  request_.parameters = {std::string("b"), SqlTime{kTestTime}, int64_t{1}};
  EXPECT_THAT(rows("SELECT position FROM events WHERE type = ? AND time = ? LIMIT ?"),
              ElementsAre("2"));
  ASSERT_FALSE(source->last_filter.predicates.empty());
  EXPECT_THAT(source->last_filter.predicates[0].texts, ElementsAre("b"));
  EXPECT_EQ(source->last_filter.time.from, kTestTime);
}

TEST_F(EngineTest, NumbersParameters) {
  request_.parameters = {int64_t{1}, std::string("it's"), std::monostate()};
  EXPECT_THAT(rows("SELECT $2, $1, $3, $1"), ElementsAre("it's|1|-|1"));
}

TEST_F(EngineTest, RefusesTooFewAndTooManyParameters) {
  EXPECT_EQ(run("SELECT ?").code(), StatusCode::kInvalidArgument);
  request_.parameters = {int64_t{1}};
  EXPECT_EQ(run("SELECT 1").code(), StatusCode::kInvalidArgument);
}

TEST_F(EngineTest, AddsExtraColumns) {
  EventTable table;
  table.name = "Events";
  table.extra_columns = {"tier"};
  table.batches = std::make_shared<TestSource>(
      std::vector<BatchSlice>{slice_of(make_batch({event("a")}))}, std::vector<std::string>{"hot"});
  request_.event_tables = {table};
  EXPECT_THAT(rows("SELECT type, tier FROM events"), ElementsAre("a|hot"));
  EXPECT_THAT(rows("SELECT count(*) FROM EVENTS WHERE tier = 'cold'"), ElementsAre("0"));
}

TEST_F(EngineTest, ReadsValueTables) {
  ValueTable table;
  table.name = "chunks";
  table.columns = {{"name", SqlColumnType::kText},
                   {"rows", SqlColumnType::kInt64},
                   {"start", SqlColumnType::kTime},
                   {"ratio", SqlColumnType::kDouble},
                   {"sealed", SqlColumnType::kBoolean}};
  table.load = []() -> Result<std::vector<std::vector<SqlScalar>>> {
    return std::vector<std::vector<SqlScalar>>{
        {std::string("a"), int64_t{5}, SqlTime{kTestTime}, 0.5, true},
        {std::string("b"), std::monostate(), std::monostate(), 1.5, false}};
  };
  request_.value_tables = {table};
  EXPECT_THAT(rows("FROM chunks ORDER BY name"),
              ElementsAre("a|5|2026-01-01T00:00:00Z|0.500000|true", "b|-|-|1.500000|false"));
  EXPECT_THAT(rows("SELECT sealed FROM chunks WHERE rows = 5"), ElementsAre("true"));
}

TEST_F(EngineTest, JoinsATableWithItself) {
  auto source = events({event("a"), event("b")});
  EXPECT_THAT(rows("WITH x AS (SELECT * FROM events WHERE type = 'a') "
                   "SELECT count(*) FROM x, events e"),
              ElementsAre("2"));
  EXPECT_EQ(source->opened, 2);
}

TEST_F(EngineTest, DescribesAndExplains) {
  events({event("a")});
  EXPECT_THAT(rows("DESCRIBE events").at(1), HasSubstr("time|TIMESTAMP_NS"));
  EXPECT_EQ(rows("SUMMARIZE events").size(), 19u);
  EXPECT_THAT(rows("EXPLAIN SELECT * FROM events").at(0), HasSubstr("FIRN_SCAN"));
  EXPECT_THAT(rows("SHOW TABLES"), ElementsAre("events"));
}

TEST_F(EngineTest, PassesOnWhatASourceReturned) {
  events({event("a")})->failure = unavailable("the backend is away");
  const Status status = run("SELECT count(type) FROM events");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "the backend is away");
}

TEST_F(EngineTest, PassesOnWhatTheSinkReturned) {
  struct Failing : TextSink {
    Status row(std::span<const SqlValue>) override { return cancelled("enough"); }
  } sink;
  request_.sql = "SELECT 1";
  EXPECT_EQ(engine_->run(request_, &sink).status().message(), "enough");
}

TEST_F(EngineTest, LimitsRows) {
  request_.rows_limit = 10;
  EXPECT_EQ(rows("FROM range(10)").size(), 10u);
  EXPECT_EQ(run("FROM range(11)").code(), StatusCode::kTooLarge);
}

TEST_F(EngineTest, LimitsTime) {
  request_.time_limit_ns = 100 * kMillisecondNs;
  const TimeNs start = posix_env()->monotonic();
  EXPECT_EQ(run("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b").code(),
            StatusCode::kDeadlineExceeded);
  EXPECT_LT(posix_env()->monotonic() - start, 20 * kSecondNs);
  EXPECT_THAT(rows("SELECT 1"), ElementsAre("1"));
}

TEST_F(EngineTest, LimitsTimeInsideOfASource) {
  auto source = events({event("a")});
  source->repeat = UINT64_MAX;
  request_.time_limit_ns = 100 * kMillisecondNs;
  EXPECT_EQ(run("SELECT count(type) FROM events WHERE type = 'b'").code(),
            StatusCode::kDeadlineExceeded);
}

TEST_F(EngineTest, LimitsMemory) {
  EngineOptions options;
  options.memory_bytes = 20 * kMiB;
  engine_ = std::move(*Engine::open(posix_env(), options));
  EXPECT_EQ(run("SELECT range::VARCHAR || 'xxxxxxxxxxxxxxxxxxxx' AS t FROM range(10000000) "
                "ORDER BY t DESC")
                .code(),
            StatusCode::kTooLarge);
  EXPECT_THAT(rows("SELECT 1"), ElementsAre("1"));
}

TEST_F(EngineTest, SpillsToItsDirectoryOnly) {
  TestDirectory directory;
  EngineOptions options;
  options.memory_bytes = 60 * kMiB;
  options.temp_directory = directory.file("spill");
  engine_ = std::move(*Engine::open(posix_env(), options));
  request_.rows_limit = 5;
  EXPECT_THAT(rows("SELECT count(*), max(t) FROM (SELECT range::VARCHAR || 'xxxxxxxxxxxxxxxxxxxx' "
                   "AS t FROM range(3000000) ORDER BY t DESC OFFSET 1)"),
              ElementsAre("2999999|99xxxxxxxxxxxxxxxxxxxx"));
}

TEST_F(EngineTest, SpillingLeavesTheReserveFree) {
  TestDirectory directory;
  EngineOptions options;
  options.memory_bytes = 60 * kMiB;
  options.temp_directory = directory.file("spill");
  options.temp_reserve_bytes = uint64_t{1} << 60;
  engine_ = std::move(*Engine::open(posix_env(), options));
  const Status status =
      run("SELECT count(*), max(t) FROM (SELECT range::VARCHAR || 'xxxxxxxxxxxxxxxxxxxx' "
          "AS t FROM range(3000000) ORDER BY t DESC OFFSET 1)");
  EXPECT_EQ(status.code(), StatusCode::kNoSpace) << status.to_string();
  EXPECT_THAT(rows("SELECT 1"), ElementsAre("1"));
}

TEST_F(EngineTest, CanBeCancelled) {
  request_.control = std::make_shared<QueryControl>();
  std::thread canceller([control = request_.control] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    control->cancel();
  });
  EXPECT_EQ(run("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b").code(),
            StatusCode::kCancelled);
  canceller.join();
  EXPECT_EQ(run("SELECT 1").code(), StatusCode::kCancelled) << "it stays cancelled";
}

TEST_F(EngineTest, NamesErrorsOfStatements) {
  events({event("a")});
  EXPECT_THAT(std::string(run("SELEC 1").message()), HasSubstr("syntax error"));
  EXPECT_EQ(run("SELECT nothing FROM events").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(run("SELECT 'x'::INT").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(run("SELECT type::INT FROM events").code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(run("SELECT * FROM event").message()), HasSubstr("events"));
  EXPECT_EQ(run("").code(), StatusCode::kInvalidArgument);
}

TEST_F(EngineTest, RunsFromManyThreads) {
  events({event("a"), event("b")});
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      SqlRequest request = request_;
      request.sql = "SELECT count(*) FROM events WHERE type = 'a'";
      for (int i = 0; i < 20; ++i) {
        TextSink sink;
        if (engine_->run(request, &sink).ok() && sink.rows == std::vector<std::string>{"1"}) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 80);
}

}  // namespace
}  // namespace firn
