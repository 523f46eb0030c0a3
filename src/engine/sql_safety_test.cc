#include <gmock/gmock.h>

#include "engine/engine.h"
#include "engine/test_engine.h"

namespace firn {
namespace {

// What a user may not do through SQL, each in as many spellings as there are doors.
class SqlSafetyTest : public testing::Test {
 protected:
  SqlSafetyTest() : engine_(std::move(*Engine::open(posix_env(), {}))) {
    EventRow row;
    row.time = kTestTime;
    row.data = "{}";
    const BatchSlice slice = slice_of(make_batch({row}));
    path_ = directory_.file("x.parquet");
    other_path_ = directory_.file("other.parquet");
    for (const std::string& path : {path_, other_path_}) {
      ParquetWrite write;
      write.path = path;
      SlicesReader rows({&slice, 1});
      write.rows = &rows;
      EXPECT_TRUE(engine_->write_parquet(write).ok());
    }
    EventTable table;
    table.name = "events";
    table.parquet.push_back({{path_}, {}, {}});
    request_.event_tables = {table};
    EXPECT_TRUE(run("SELECT count(*) FROM events").ok());
  }

  Status run(const std::string& sql) {
    request_.sql = sql;
    TextSink sink;
    return engine_->run(request_, &sink).status();
  }

  TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
  std::string path_, other_path_;
  SqlRequest request_;
};

TEST_F(SqlSafetyTest, RefusesOtherStatements) {
  for (const char* sql : {"COPY (SELECT 1) TO '/tmp/firn_escape.csv'",
                          "COPY events TO 'x.parquet'",
                          "ATTACH '/tmp/x.db' AS x",
                          "ATTACH ':memory:' AS x",
                          "DETACH memory",
                          "INSTALL httpfs",
                          "LOAD httpfs",
                          "LOAD '/tmp/x.duckdb_extension'",
                          "PRAGMA database_list",
                          "PRAGMA enable_profiling",
                          "SET threads = 1",
                          "SET enable_external_access = true",
                          "RESET threads",
                          "CREATE TABLE t (a INT)",
                          "CREATE VIEW v AS SELECT 1",
                          "CREATE TEMP TABLE t AS SELECT 1",
                          "CREATE MACRO m() AS 1",
                          "CREATE FUNCTION f(a) AS TABLE SELECT * FROM read_csv(a)",
                          "CREATE SECRET (TYPE s3)",
                          "CREATE TYPE e AS ENUM ('a')",
                          "CREATE SEQUENCE s",
                          "DROP TABLE events",
                          "INSERT INTO events VALUES (1)",
                          "DELETE FROM events",
                          "UPDATE events SET type = ''",
                          "EXPORT DATABASE '/tmp/x'",
                          "IMPORT DATABASE '/tmp/x'",
                          "CHECKPOINT",
                          "VACUUM",
                          "BEGIN",
                          "COMMIT",
                          "USE memory",
                          "PREPARE p AS SELECT 1",
                          "EXECUTE p",
                          "DEALLOCATE p",
                          "CALL pragma_version()",
                          "ALTER TABLE events ADD COLUMN a INT",
                          "ANALYZE",
                          "EXPLAIN COPY (SELECT 1) TO '/tmp/firn_escape.csv'",
                          "EXPLAIN ANALYZE CREATE TABLE t (a INT)",
                          "SELECT 1; SELECT 2",
                          "SELECT 1; COPY (SELECT 1) TO '/tmp/firn_escape.csv'",
                          "COMMENT ON TABLE events IS 'x'",
                          "MERGE INTO events USING events ON true"}) {
    const Status status = run(sql);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << sql << ": " << status.to_string();
  }
  EXPECT_FALSE(*posix_env()->exists("/tmp/firn_escape.csv"));
}

TEST_F(SqlSafetyTest, ReadsNoFiles) {
  const std::string own = "'firn-env://" + path_ + "'";
  const std::string other = "'firn-env://" + other_path_ + "'";
  for (const std::string& table :
       std::vector<std::string>{"read_csv('/etc/passwd')",
                                "read_csv_auto('/etc/passwd')",
                                "'/etc/passwd'",
                                "\"/etc/passwd\"",
                                "'/etc/*'",
                                "read_text('/etc/passwd')",
                                "read_blob('/etc/passwd')",
                                "glob('*')",
                                "glob('/etc/*')",
                                "read_json('/etc/passwd')",
                                "read_ndjson('/etc/passwd')",
                                "read_json_objects('/etc/passwd')",
                                "read_parquet('" + path_ + "')",
                                "read_parquet(" + own + ")",
                                "read_parquet(" + other + ")",
                                "parquet_scan(" + own + ")",
                                "parquet_metadata(" + own + ")",
                                "parquet_schema(" + own + ")",
                                "parquet_kv_metadata(" + own + ")",
                                "parquet_file_metadata(" + own + ")",
                                "sniff_csv('/etc/passwd')",
                                own,
                                other,
                                "'" + path_ + "'",
                                "read_parquet(['/etc/passwd'])",
                                "'https://example.com/x.parquet'",
                                "'s3://bucket/x.parquet'",
                                "read_csv('https://example.com/x.csv')",
                                "query('SELECT * FROM read_csv(''/etc/passwd'')')",
                                "query_table('/etc/passwd')",
                                "firn_scan('events')",
                                "firn_parquet(" + own + ")",
                                "read_parquet('firn-env://answer')",
                                "firn_values('events')"}) {
    for (const std::string& sql :
         {"SELECT * FROM " + table, "SELECT (SELECT count(*) FROM " + table + ")",
          "WITH x AS (SELECT * FROM " + table + ") SELECT * FROM x",
          "SELECT * FROM events WHERE EXISTS (FROM " + table + ")",
          "SELECT 1 UNION ALL SELECT 1 FROM " + table, "DESCRIBE SELECT * FROM " + table,
          "SUMMARIZE FROM " + table, "EXPLAIN SELECT * FROM " + table,
          "EXPLAIN ANALYZE SELECT * FROM " + table,
          "SELECT * FROM events JOIN " + table + " ON true",
          "SELECT * FROM events, LATERAL (SELECT * FROM " + table + ")",
          "PIVOT (FROM " + table + ") ON 1 USING count(*)",
          "SELECT [x FOR x IN (SELECT list(1) FROM " + table + ")]",
          "SELECT * FROM (VALUES ((SELECT count(*) FROM " + table + ")))",
          "SELECT 1 LIMIT (SELECT count(*) FROM " + table + ")",
          "SELECT 1 ORDER BY (SELECT count(*) FROM " + table + ")",
          "SELECT count(*) FILTER ((SELECT true FROM " + table + ")) FROM events",
          "SELECT sum(1) OVER (PARTITION BY (SELECT 1 FROM " + table + ")) FROM events",
          "FROM events SELECT 1 QUALIFY (SELECT true FROM " + table + ")"}) {
      const Status status = run(sql);
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << sql << ": " << status.to_string();
    }
  }
}

TEST_F(SqlSafetyTest, TellsNothingOfTheProcess) {
  for (const char* sql :
       {"FROM duckdb_settings()", "FROM duckdb_tables", "FROM pg_catalog.pg_tables",
        "FROM information_schema.tables", "FROM sqlite_master", "SELECT current_setting('threads')",
        "SELECT getenv('PATH')", "FROM duckdb_memory()", "FROM duckdb_secrets()",
        "FROM duckdb_logs()", "SELECT write_log('x')", "FROM pragma_version()",
        "WITH duckdb_tables AS (SELECT 1) SELECT * FROM (SELECT 1), main.duckdb_tables",
        "WITH duckdb_tables AS (SELECT 1) FROM duckdb_tables", "FROM system.main.duckdb_views",
        "SHOW DATABASES", "SHOW TABLES FROM main", "FROM test_all_types()",
        "FROM enable_logging()"}) {
    const Status status = run(sql);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << sql << ": " << status.to_string();
  }
}

TEST_F(SqlSafetyTest, AllowsFunctionsThatReadNothing) {
  for (const char* sql :
       {"FROM range(3)", "FROM generate_series(1, 3)", "SELECT unnest([1, 2])",
        "FROM unnest([1, 2])", "FROM json_each('[1,2]')", "FROM events, json_each(events.data)",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL "
        "SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t",
        "WITH a AS (SELECT 1 AS n), b AS (SELECT * FROM a) SELECT * FROM b",
        "SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a)",
        "SELECT (WITH a AS (SELECT 1 AS n) SELECT n FROM a)", "VALUES (1), (2)", "TABLE events",
        "FROM events ANTI JOIN range(0) r ON true", "SELECT list(type ORDER BY time) FROM events",
        "SELECT time_bucket(INTERVAL '1 hour', time), count(*) FROM events GROUP BY ALL"}) {
    const Status status = run(sql);
    EXPECT_TRUE(status.ok()) << sql << ": " << status.to_string();
  }
}

TEST_F(SqlSafetyTest, DoesNotSeeFilesOfOtherTables) {
  request_.event_tables[0].parquet[0].paths = {path_, other_path_};
  request_.sql = "SELECT count(*) FROM events";
  TextSink sink;
  ASSERT_TRUE(engine_->run(request_, &sink).ok());
  EXPECT_EQ(sink.rows, std::vector<std::string>{"2"});
  EXPECT_NE(run("SELECT filename FROM events").code(), StatusCode::kOk);
  EXPECT_NE(run("SELECT file_row_number FROM events").code(), StatusCode::kOk);
}

TEST_F(SqlSafetyTest, RefusesLongAndBrokenStatements) {
  EXPECT_EQ(run("SELECT '" + std::string(70'000, 'x') + "'").code(), StatusCode::kTooLarge);
  EXPECT_EQ(run("SELECT '\xff'").code(), StatusCode::kInvalidArgument);
  std::string deep = "SELECT ";
  for (int i = 0; i < 20'000; ++i) deep += "(";
  EXPECT_EQ(run(deep).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace firn
