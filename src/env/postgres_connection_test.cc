#include "env/postgres_connection.h"

#include <gtest/gtest.h>

#include "env/postgres_error.h"
#include "env/test_postgres.h"

namespace firn {
namespace {

TEST(PostgresDsn, SecretsAreMasked) {
  EXPECT_EQ(mask_postgres_dsn("host=db password='se cret' dbname=firn"),
            "password=**** dbname=firn host=db");
  EXPECT_EQ(mask_postgres_dsn("postgresql://me:secret@db:5433/firn?sslmode=verify-full"),
            "user=me password=**** dbname=firn host=db port=5433 sslmode=verify-full");
  EXPECT_EQ(mask_postgres_dsn("password=secret nonsense"), "****");
}

TEST(PostgresDsn, UnreadableIsRefusedWithoutShowingIt) {
  const Status status = check_postgres_dsn("postgresql://me:secret@db:port/");
  EXPECT_EQ(check_postgres_dsn("password=secret nonsense").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(check_postgres_dsn("password=secret nonsense").message().find("secret"),
            std::string::npos);
  EXPECT_EQ(status.message().find("secret"), std::string::npos);
  EXPECT_TRUE(check_postgres_dsn("host=/tmp dbname=firn").ok());
}

TEST(PostgresErrors, CodesFollowTheClass) {
  EXPECT_EQ(postgres_error_code("53100"), StatusCode::kNoSpace);
  EXPECT_EQ(postgres_error_code("57P01"), StatusCode::kUnavailable);
  EXPECT_EQ(postgres_error_code("55P03"), StatusCode::kUnavailable);
  EXPECT_EQ(postgres_error_code("XX001"), StatusCode::kCorruption);
  EXPECT_EQ(postgres_error_code("42501"), StatusCode::kInvalidArgument);
  EXPECT_EQ(postgres_error_code("42601"), StatusCode::kInternal);
  EXPECT_EQ(postgres_error_code(""), StatusCode::kUnavailable);
  EXPECT_EQ(
      postgres_connect_error("connection to server failed: FATAL:  28P01: password", false).code(),
      StatusCode::kInvalidArgument);
  EXPECT_EQ(
      postgres_connect_error("FATAL:  57P03: the database system is starting up", false).code(),
      StatusCode::kUnavailable);
}

TEST(PostgresErrors, NoServerIsUnavailable) {
  const auto connection = PostgresConnection::open({.dsn = "host=/nonexistent dbname=x"});
  EXPECT_EQ(connection.status().code(), StatusCode::kUnavailable);
}

class PostgresConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    if (TestPostgres::shared() == nullptr) GTEST_SKIP() << "no PostgreSQL";
    connection_ = open();
  }
  static std::unique_ptr<PostgresConnection> open() {
    PostgresOptions options{.dsn = TestPostgres::shared()->dsn()};
    options.connect_timeout_ns = 2 * kSecondNs;
    options.answer_timeout_ns = kSecondNs;
    auto connection = PostgresConnection::open(options);
    EXPECT_TRUE(connection.ok()) << connection.status().to_string();
    return std::move(connection).value();
  }

  std::unique_ptr<PostgresConnection> connection_;
};

TEST_F(PostgresConnectionTest, ParametersComeBackAsTheyWent) {
  const Id id = make_uuid7(1, 2, 3);
  const std::vector<int64_t> numbers = {1, INT64_MIN, INT64_MAX};
  const std::vector<std::string> texts = {"a", "", "\xc3\xa9"};
  PostgresParameters parameters;
  parameters.add(INT64_MIN)
      .add("'; --")
      .add(id)
      .add_bytes(std::string("\0\xff", 2))
      .add_bytes_or_null(std::nullopt)
      .add(numbers)
      .add(texts);
  const auto rows = connection_->query(
      "SELECT $1, $2, $3, $4, $5, ($6::bigint[])[2], $7::text[], 1.5::float8, -3::smallint",
      parameters);
  ASSERT_TRUE(rows.ok()) << rows.status().to_string();
  EXPECT_EQ(rows->number(0, 0), INT64_MIN);
  EXPECT_EQ(rows->bytes(0, 1), "'; --");
  EXPECT_EQ(rows->id(0, 2), id);
  EXPECT_EQ(rows->bytes(0, 3), std::string_view("\0\xff", 2));
  EXPECT_TRUE(rows->is_null(0, 4));
  EXPECT_EQ(rows->number(0, 5), INT64_MIN);
  EXPECT_EQ(rows->texts(0, 6), texts);
  EXPECT_EQ(rows->real(0, 7), 1.5);
  EXPECT_EQ(rows->number(0, 8), -3);
}

TEST_F(PostgresConnectionTest, RowsStreamOneByOne) {
  ASSERT_TRUE(connection_->stream("SELECT n FROM generate_series(1, 10000) n", {}).ok());
  PostgresRows row;
  int64_t sum = 0;
  while (true) {
    const auto more = connection_->next(&row);
    ASSERT_TRUE(more.ok()) << more.status().to_string();
    if (!*more) break;
    sum += row.number(0, 0);
  }
  EXPECT_EQ(sum, 50005000);
  EXPECT_TRUE(connection_->is_idle());
}

TEST_F(PostgresConnectionTest, CopyTakesMoreThanTheSocketHolds) {
  ASSERT_TRUE(connection_->exec("CREATE TEMP TABLE copied (line text)").ok());
  ASSERT_TRUE(connection_->begin_copy("COPY pg_temp.copied FROM STDIN").ok());
  const std::string line(100'000, 'x');
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(connection_->copy(line + "\n").ok());
  ASSERT_TRUE(connection_->end_copy().ok());
  const auto rows = connection_->query("SELECT count(*), sum(length(line)) FROM pg_temp.copied");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->number(0, 0), 200);
}

TEST_F(PostgresConnectionTest, FailedStatementLeavesTheSessionUsable) {
  EXPECT_EQ(connection_->exec("SELEC 1").code(), StatusCode::kInternal);
  EXPECT_EQ(connection_->query("SELECT 1/0", {}).status().code(), StatusCode::kInternal);
  ASSERT_TRUE(connection_->stream("SELECT 1/(3-n) FROM generate_series(1, 5) n", {}).ok());
  PostgresRows row;
  while (true) {
    const auto more = connection_->next(&row);
    if (more.ok() && *more) continue;
    EXPECT_FALSE(more.ok());
    break;
  }
  EXPECT_TRUE(connection_->exec("SELECT 1").ok());
}

TEST_F(PostgresConnectionTest, SentStatementIsFinishedByTheNext) {
  ASSERT_TRUE(connection_->exec("CREATE TEMP TABLE sent (n bigint)").ok());
  for (int64_t n = 0; n < 10; ++n) {
    ASSERT_TRUE(
        connection_->send("INSERT INTO pg_temp.sent VALUES ($1)", PostgresParameters().add(n))
            .ok());
  }
  EXPECT_EQ(connection_->query("SELECT count(*) FROM pg_temp.sent")->number(0, 0), 10);
}

TEST_F(PostgresConnectionTest, HungServerIsNoticed) {
  TestPostgres::shared()->pause();
  const Status status = connection_->exec("SELECT 1");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status.to_string();
  EXPECT_TRUE(connection_->is_broken());
  PostgresOptions options{.dsn = TestPostgres::shared()->dsn()};
  options.connect_timeout_ns = kSecondNs / 2;
  EXPECT_EQ(PostgresConnection::open(options).status().code(), StatusCode::kUnavailable);
  TestPostgres::shared()->resume();
  EXPECT_TRUE(open()->exec("SELECT 1").ok());
}

TEST_F(PostgresConnectionTest, CommitOfAFailedTransactionIsNoCommit) {
  ASSERT_TRUE(connection_->exec("BEGIN").ok());
  EXPECT_FALSE(connection_->exec("SELECT 1/0").ok());
  EXPECT_EQ(connection_->commit().code(), StatusCode::kInternal);
  EXPECT_TRUE(connection_->is_idle());
  ASSERT_TRUE(connection_->exec("BEGIN").ok());
  EXPECT_TRUE(connection_->commit().ok());
}

TEST_F(PostgresConnectionTest, LostCommitHasNoKnownOutcome) {
  ASSERT_TRUE(connection_->exec("CREATE TABLE IF NOT EXISTS public.kept (n int)").ok());
  ASSERT_TRUE(connection_->exec("BEGIN; INSERT INTO public.kept VALUES (1)").ok());
  TestPostgres::shared()->kill_hard();
  EXPECT_EQ(connection_->commit().code(), StatusCode::kOutcomeUnknown);
  TestPostgres::shared()->boot();
}

TEST_F(PostgresConnectionTest, WrongPasswordIsTheCallersFault) {
  TestPostgres* server = TestPostgres::shared();
  server->run("CREATE ROLE guarded LOGIN PASSWORD 'right'");
  std::ofstream(server->directory() + "/data/pg_hba.conf")
      << "local all guarded scram-sha-256\nlocal all all trust\n";
  server->run("SELECT pg_reload_conf()");
  const std::string dsn = "host=" + server->directory() + " dbname=postgres user=guarded";
  // The reload reaches the server a moment later.
  Status status;
  for (int i = 0; i < 200 && status.ok(); ++i) {
    status = PostgresConnection::open({.dsn = dsn + " password=wrong"}).status();
  }
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.to_string();
  EXPECT_EQ(status.message().find("wrong"), std::string::npos);
  EXPECT_EQ(PostgresConnection::open({.dsn = dsn}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(PostgresConnection::open({.dsn = dsn + " password=right"}).ok());
  const auto missing = PostgresConnection::open({.dsn = server->dsn() + " dbname=missing"});
  EXPECT_EQ(missing.status().code(), StatusCode::kInvalidArgument) << missing.status().to_string();
}

}  // namespace
}  // namespace firn
