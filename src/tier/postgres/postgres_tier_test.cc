#include "tier/postgres/postgres_tier.h"

#include <gtest/gtest.h>

#include <thread>

#include "env/posix_env.h"
#include "env/test_postgres.h"
#include "tier/postgres/schema.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

class PostgresTierTest : public testing::TestWithParam<PostgresLayout> {
 protected:
  void SetUp() override {
    server_ = TestPostgres::shared();
    if (server_ == nullptr) GTEST_SKIP() << "no PostgreSQL here";
    options_.server.dsn = server_->dsn();
    options_.schema = TestPostgres::new_schema();
    options_.owner = "store/warm";
    options_.layout = GetParam();
  }

  Status try_open() {
    tier_.reset();
    auto tier = open_postgres_tier(posix_env(), options_);
    if (tier.ok()) tier_ = std::move(*tier);
    return tier.status();
  }
  void open() { ASSERT_TRUE(try_open().ok()) << try_open().to_string(); }
  Status write(Position first, uint32_t rows) {
    const std::vector<BatchSlice> slices = {slice_of(keyed_batch(first, rows, first))};
    return tier_->write(key_, slices, first + rows - 1).status();
  }
  // Settings of the whole server, in effect for sessions to come.
  void set_server(const std::string& name, const std::string& value) {
    server_->run("ALTER SYSTEM SET " + name + " = " + value);
    server_->run("SELECT pg_reload_conf()");
    while (server_->text("SELECT current_setting('" + name + "')") !=
           (value == "''" ? "" : value)) {
    }
  }
  std::string table() const { return tier_->files(key_).at(0).path; }
  std::string message(const Status& status) const { return std::string(status.message()); }

  TestPostgres* server_ = nullptr;
  PostgresTierOptions options_;
  std::unique_ptr<Tier> tier_;
  const ChunkKey key_ = test_chunk();
};

TEST_P(PostgresTierTest, WeakSessionSettingIsRefusedByName) {
  options_.server.dsn += " options='-c synchronous_commit=off'";
  const Status status = try_open();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(message(status).find("synchronous_commit = off"), std::string::npos) << message(status);
  EXPECT_EQ(server_->number("SELECT count(*) FROM pg_namespace WHERE nspname = '" +
                            options_.schema + "'"),
            0);
}

TEST_P(PostgresTierTest, WeakServerSettingIsRefusedByName) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  for (const std::string name : {"fsync", "full_page_writes"}) {
    set_server(name, "off");
    const Status status = try_open();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(message(status).find(name + " = off"), std::string::npos) << message(status);
    set_server(name, "on");
  }
  // Commits of `local` do not wait for the standby that is not there.
  set_server("synchronous_standby_names", "nobody");
  options_.server.dsn += " options='-c synchronous_commit=local'";
  const Status status = try_open();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(message(status).find("synchronous_commit = local"), std::string::npos);
  set_server("synchronous_standby_names", "''");
  open();
  EXPECT_EQ(tier_->verify(key_)->rows, 10u);
}

TEST_P(PostgresTierTest, SettingThatBecomesWeakStopsWrites) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  set_server("fsync", "off");
  Status status;
  // The session that writes learns of it at its own time.
  for (Position first = 11; status.ok(); first += 10) status = write(first, 10);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.to_string();
  set_server("fsync", "on");
  EXPECT_TRUE(tier_->verify(key_).ok());
}

TEST_P(PostgresTierTest, SettingThatBecomesWeakAfterTheCheckDoesNotCount) {
  open();
  const SessionPool pool(posix_env(), options_);
  auto session = PostgresConnection::open(options_.server);
  ASSERT_TRUE(session.ok()) << session.status().to_string();
  ASSERT_TRUE((*session)->exec("BEGIN").ok());
  ASSERT_TRUE(check_durability(session->get(), pool, "").ok());
  set_server("synchronous_commit", "off");
  const auto setting = (*session)->query("SELECT current_setting('synchronous_commit')");
  EXPECT_EQ(setting->bytes(0, 0), "on");
  set_server("synchronous_commit", "on");
}

TEST_P(PostgresTierTest, ServerThatTriesSyncsAgainIsRefused) {
  for (const std::string value : {"on", "off"}) {
    server_->run("ALTER SYSTEM SET data_sync_retry = " + value);
    server_->shut_down();
    server_->boot();
    const Status status = try_open();
    EXPECT_EQ(status.ok(), value == "off") << status.to_string();
    EXPECT_EQ(message(status).find("data_sync_retry") != std::string::npos, value == "on");
  }
}

TEST_P(PostgresTierTest, UnloggedTableIsRefused) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  server_->run("ALTER TABLE " + table() + " SET UNLOGGED");
  const Status status = write(11, 10);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(message(status).find("unlogged"), std::string::npos) << message(status);
  server_->run("ALTER TABLE " + table() + " SET LOGGED");
  EXPECT_TRUE(write(11, 10).ok());
}

TEST_P(PostgresTierTest, NewerSchemaIsRefusedByName) {
  open();
  server_->run("UPDATE " + options_.schema +
               ".settings SET value = '1000' WHERE key = "
               "'format_version'");
  const Status status = try_open();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(message(status).find("newer Firn"), std::string::npos) << message(status);
}

TEST_P(PostgresTierTest, SchemaOfAnotherStoreIsRefused) {
  open();
  options_.owner = "other/warm";
  const Status status = try_open();
  EXPECT_EQ(status.code(), StatusCode::kConflict) << status.to_string();
}

TEST_P(PostgresTierTest, SchemaThatGotAnotherOwnerIsRefusedEachTime) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  server_->run("UPDATE " + options_.schema + ".settings SET value = 'other' WHERE key = 'owner'");
  server_->shut_down();
  server_->boot();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(tier_->scan(key_, {}, nullptr).status().code(), StatusCode::kConflict);
    EXPECT_EQ(write(11, 1).code(), StatusCode::kConflict);
    EXPECT_EQ(tier_->drop(key_).code(), StatusCode::kConflict);
  }
  EXPECT_EQ(server_->number("SELECT count(*) FROM " + options_.schema + ".chunks"), 1);
}

TEST_P(PostgresTierTest, StandbyIsAServerThatIsAway) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  server_->shut_down();
  server_->set_standby(true);
  server_->boot();
  const std::string dsn = options_.server.dsn;
  for (const std::string attributes : {"", " target_session_attrs=any"}) {
    options_.server.dsn = dsn + attributes;
    open();
    // It may lack rows that the primary has: a chunk must not look shorter than it is.
    EXPECT_EQ(tier_->scan(key_, {}, nullptr).status().code(), StatusCode::kUnavailable);
    EXPECT_EQ(tier_->list().status().code(), StatusCode::kUnavailable);
    EXPECT_EQ(write(11, 1).code(), StatusCode::kUnavailable);
  }
  server_->shut_down();
  server_->set_standby(false);
  server_->boot();
  open();
  EXPECT_TRUE(write(11, 1).ok());
}

TEST_P(PostgresTierTest, TwoSessionsDoNotWriteTheSameSchema) {
  open();
  const std::unique_ptr<Tier> first = std::move(tier_);
  open();
  EXPECT_EQ(write(1, 10).code(), StatusCode::kUnavailable);
}

TEST_P(PostgresTierTest, ServerThatIsAwayIsFoundAgain) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  server_->shut_down();
  EXPECT_EQ(write(11, 10).code(), StatusCode::kUnavailable);
  EXPECT_EQ(tier_->list().status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(tier_->stats().rows, 10u) << "as known";
  ASSERT_TRUE(try_open().ok()) << "also at the start";
  EXPECT_EQ(tier_->scan(key_, {}, nullptr).status().code(), StatusCode::kUnavailable);
  server_->boot();
  Status status = unavailable("not tried");
  while (status.code() == StatusCode::kUnavailable) status = write(11, 10);
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(tier_->verify(key_)->rows, 20u);
}

TEST_P(PostgresTierTest, RestartedServerCostsNoError) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  EXPECT_EQ(read_sums(tier_.get(), key_, {}).size(), 10u);
  server_->shut_down();
  server_->boot();
  EXPECT_EQ(read_sums(tier_.get(), key_, {}).size(), 10u);
  EXPECT_TRUE(write(11, 10).ok());
}

TEST_P(PostgresTierTest, AnswerThatTakesTooLongIsThatReadersFailureAlone) {
  options_.server.answer_timeout_ns = kSecondNs;
  open();
  ASSERT_TRUE(write(1, 10).ok());
  ChunkKey other = key_;
  ++other.generation;
  const std::vector<BatchSlice> slices = {slice_of(keyed_batch(1, 10, 1))};
  ASSERT_TRUE(tier_->write(other, slices, 10).ok());
  const auto read = [&](const ChunkKey& key) {
    const auto reader = tier_->scan(key, {}, nullptr);
    BatchSlice slice;
    return reader.ok() ? (*reader)->next(&slice).status() : reader.status();
  };
  auto locker = PostgresConnection::open({.dsn = server_->dsn()});
  ASSERT_TRUE((*locker)->exec("BEGIN; LOCK TABLE " + table() + " IN ACCESS EXCLUSIVE MODE").ok());
  EXPECT_EQ(read(key_).code(), StatusCode::kUnavailable);
  EXPECT_TRUE(read(other).ok());
}

TEST_P(PostgresTierTest, ChunkThatIsReadIsDroppedLater) {
  open();
  ASSERT_TRUE(write(1, 10'000).ok());
  auto reader = tier_->scan(key_, {}, nullptr);
  ASSERT_TRUE(reader.ok());
  BatchSlice slice;
  ASSERT_TRUE((*reader)->next(&slice).ok());
  EXPECT_EQ(tier_->drop(key_).code(), StatusCode::kUnavailable);
  reader->reset();
  EXPECT_TRUE(tier_->drop(key_).ok());
  EXPECT_EQ(server_->number("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = "
                            "c.relnamespace WHERE relkind = 'r' AND nspname = '" +
                            options_.schema + "'"),
            2)
      << "settings and chunks";
}

TEST_P(PostgresTierTest, PresentChunksKeepTheirLayout) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  const std::string before = table();
  options_.layout =
      GetParam() == PostgresLayout::kRows ? PostgresLayout::kBlocks : PostgresLayout::kRows;
  open();
  ASSERT_TRUE(write(11, 10).ok());
  EXPECT_EQ(table(), before);
  EXPECT_EQ(tier_->verify(key_)->rows, 20u);
}

TEST_P(PostgresTierTest, ChangedCountsAreDamage) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  server_->run("UPDATE " + options_.schema + ".chunks SET watermark = 100");
  EXPECT_EQ(tier_->scan(key_, {}, nullptr).status().code(), StatusCode::kCorruption);
  EXPECT_EQ(write(11, 10).code(), StatusCode::kCorruption);
  EXPECT_TRUE(tier_->drop(key_).ok()) << "which asks for no counts";
}

TEST_P(PostgresTierTest, ChangedDataIsFoundByVerification) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  server_->run(GetParam() == PostgresLayout::kRows
                   ? "UPDATE " + table() + " SET type = 'x' WHERE position = 3"
                   : "UPDATE " + table() + " SET c16 = set_byte(c16, 20, 255 - get_byte(c16, 20))");
  const auto verified = tier_->verify(key_);
  EXPECT_EQ(verified.status().code(), StatusCode::kCorruption) << verified.status().to_string();
  EXPECT_NE(message(verified.status()).find(table().substr(options_.schema.size() + 1)),
            std::string::npos);
}

TEST_P(PostgresTierTest, LostRowIsFoundByVerification) {
  open();
  ASSERT_TRUE(write(1, 10'000).ok());
  server_->run("DELETE FROM " + table() + " WHERE ctid = (SELECT min(ctid) FROM " + table() + ")");
  EXPECT_EQ(tier_->verify(key_).status().code(), StatusCode::kCorruption);
}

TEST_P(PostgresTierTest, SelectiveScansReadLittle) {
  open();
  ASSERT_TRUE(write(1, 20'000).ok());
  ASSERT_TRUE(tier_->seal(key_).ok());
  const BatchPtr batch = keyed_batch(1, 20'000, 1);
  ScanSpec spec;
  spec.filter.predicates = {equal_id(ColumnId::kId, batch->ids(ColumnId::kId)[7777])};
  ScanCost cost;
  auto reader = tier_->scan(key_, spec, &cost);
  ASSERT_TRUE(reader.ok());
  BatchSlice slice;
  ASSERT_TRUE(*(*reader)->next(&slice));
  EXPECT_EQ(slice.rows(), 1u);
  EXPECT_LE(cost.rows_read, GetParam() == PostgresLayout::kRows ? 1u : 8192u);
}

TEST_P(PostgresTierTest, AggregatesOverTextsThatAreReplacedStayApart) {
  open();
  std::vector<EventRow> rows(4);
  const std::string types[] = {"a\xff", "a\xfe", "a\xEF\xBF\xBD", std::string("a\0", 2)};
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].time = kTestTime;
    rows[i].type = types[i];
    rows[i].duration = static_cast<int64_t>(i);
  }
  ASSERT_TRUE(tier_->write(key_, std::vector{slice_of(make_batch(rows))}, 4).ok());
  AggregateSpec spec;
  spec.group_by = {ColumnId::kType};
  spec.measures = {ColumnId::kDuration};
  EXPECT_EQ(tier_->aggregate(key_, spec, nullptr)->size(), 4u);
  spec.group_by = {};
  spec.filter.predicates = {equal_text(ColumnId::kType, types[2])};
  const auto states = tier_->aggregate(key_, spec, nullptr);
  ASSERT_EQ(states->size(), 1u);
  EXPECT_EQ(states->begin()->second.count, 1u);
  EXPECT_EQ(states->begin()->second.measures[0].sum, 2);
}

INSTANTIATE_TEST_SUITE_P(Layouts, PostgresTierTest,
                         testing::Values(PostgresLayout::kRows, PostgresLayout::kBlocks),
                         [](const auto& test) {
                           return test.param == PostgresLayout::kRows ? "rows" : "blocks";
                         });

using PostgresRowsTest = PostgresTierTest;

TEST_P(PostgresRowsTest, ViewsShowWhatPeopleKnow) {
  open();
  std::vector<EventRow> rows(2);
  rows[0].time = kTestTime + 123'456'789;
  rows[0].type = "pod.restarted";
  rows[0].stream = "pod-1";
  rows[0].stream_position = 7;
  rows[0].data = R"({"big":18446744073709551615})";
  rows[0].context = R"({"resource":{"attributes":{"k8s.namespace.name":"shop"}},"cluster":"c1"})";
  rows[1].time = kTestTime;
  rows[1].data = "not json";
  ASSERT_TRUE(tier_->write(key_, std::vector{slice_of(make_batch(rows))}, 2).ok());
  const std::string view = " FROM " + options_.schema + ".unified_events WHERE position = 1";
  EXPECT_EQ(server_->text("SELECT namespace || ',' || cluster || ',' || kind" + view),
            "shop,c1,event");
  EXPECT_EQ(server_->text("SELECT data->>'big'" + view), "18446744073709551615");
  EXPECT_EQ(server_->number("SELECT time_ns" + view), kTestTime + 123'456'789);
  EXPECT_EQ(server_->text("SELECT to_char(time, 'YYYY-MM-DD HH24:MI:SS.US')" + view),
            "2026-01-01 00:00:00.123456");
  EXPECT_EQ(server_->number("SELECT count(*) FROM " + options_.schema +
                            ".unified_events WHERE data IS NULL"),
            1);
  EXPECT_EQ(server_->text("SELECT stream_name || ',' || position || ',' || global_position FROM " +
                          options_.schema + ".messages"),
            "pod-1,7,1");
}

TEST_P(PostgresRowsTest, PlannerLeavesOutPartitionsByTime) {
  open();
  ASSERT_TRUE(write(1, 10).ok());
  ChunkKey later = key_;
  later.start = key_.end;
  later.end = key_.end + kDayNs;
  std::vector<EventRow> rows(1);
  rows[0].time = later.start;
  ASSERT_TRUE(tier_->write(later, std::vector{slice_of(make_batch(rows, 11))}, 11).ok());
  server_->run(
      "CREATE OR REPLACE FUNCTION public.plan_of(statement text) RETURNS text LANGUAGE "
      "plpgsql AS $$ DECLARE line text; plan text := ''; BEGIN FOR line IN EXECUTE "
      "'EXPLAIN ' || statement LOOP plan := plan || line; END LOOP; RETURN plan; END $$");
  const std::string plan =
      server_->text("SELECT public.plan_of('SELECT * FROM " + options_.schema +
                    ".unified_events WHERE time < ''" + format_time(key_.end) + "''')");
  EXPECT_NE(plan.find("events_1"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("events_2"), std::string::npos) << plan;
}

INSTANTIATE_TEST_SUITE_P(Layouts, PostgresRowsTest, testing::Values(PostgresLayout::kRows),
                         [](const auto&) { return "rows"; });

TEST(PostgresOptionsTest, WhatCannotBeAppliedIsRefused) {
  PostgresTierOptions options;
  EXPECT_EQ(check_postgres_options(options).code(), StatusCode::kInvalidArgument) << "no dsn";
  options.server.dsn = "host=/tmp dbname=firn";
  EXPECT_TRUE(check_postgres_options(options).ok());
  for (const char* schema : {"", "Firn", "a\"b", "pg_firn", "1a", "a b"}) {
    options.schema = schema;
    EXPECT_EQ(check_postgres_options(options).code(), StatusCode::kInvalidArgument) << schema;
  }
}

}  // namespace
}  // namespace firn
