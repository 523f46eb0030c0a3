#include "env/sqlite_db.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "env/test_directory.h"
#include "env/trace_env.h"

namespace firn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SqliteDbTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteDb> open(SqliteOpenFlags flags = {.create = true}) {
    auto db = SqliteDb::open(&env_, path_, flags);
    EXPECT_TRUE(db.ok()) << db.status().to_string();
    return std::move(db).value();
  }
  // A database with a table t(a), and nothing in the trace.
  std::unique_ptr<SqliteDb> open_with_table() {
    auto db = open();
    EXPECT_TRUE(db->exec("CREATE TABLE IF NOT EXISTS t (a)").ok());
    env_.take_trace();
    return db;
  }
  Status open_error(SqliteOpenFlags flags) { return SqliteDb::open(&env_, path_, flags).status(); }
  int64_t number(SqliteDb* db, const std::string& sql) {
    auto statement = db->prepare(sql);
    EXPECT_TRUE(statement.ok()) << statement.status().to_string();
    const auto row = statement->step();
    EXPECT_TRUE(row.ok() && *row) << row.status().to_string();
    return statement->column_int64(0);
  }
  std::string text(SqliteDb* db, const std::string& sql) {
    auto statement = db->prepare(sql);
    EXPECT_TRUE(statement.ok() && statement->step().ok());
    return std::string(statement->column_text(0));
  }
  int64_t count(SqliteDb* db) { return number(db, "SELECT count(*) FROM t"); }
  Status insert(SqliteDb* db) { return db->exec("INSERT INTO t VALUES (1)"); }
  bool exists(const std::string& suffix) { return *env_.exists(path_ + suffix); }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    const auto entries = env_.list_directory(directory_.path());
    for (const DirectoryEntry& entry : *entries) names.push_back(entry.name);
    return names;
  }

  TraceEnv env_;
  TestDirectory directory_;
  const std::string path_ = directory_.file("a.db");
};

// --- Settings -------------------------------------------------------------------------------

TEST_F(SqliteDbTest, NewFilesGetTheSettings) {
  const auto db = open();
  EXPECT_EQ(text(db.get(), "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(number(db.get(), "PRAGMA synchronous"), 3);
  EXPECT_EQ(number(db.get(), "PRAGMA page_size"), 4096);
  EXPECT_EQ(number(db.get(), "PRAGMA temp_store"), 2);
  EXPECT_EQ(number(db.get(), "PRAGMA foreign_keys"), 0);
  EXPECT_EQ(number(db.get(), "PRAGMA trusted_schema"), 0);
  auto mmap = db->prepare("PRAGMA mmap_size");
  ASSERT_TRUE(mmap.ok());
  const auto row = mmap->step();
  EXPECT_TRUE(row.ok() && (!*row || mmap->column_int64(0) == 0));
}

TEST_F(SqliteDbTest, AMissingFileIsNotFoundUnlessCreated) {
  EXPECT_EQ(open_error({}).code(), StatusCode::kNotFound);
  EXPECT_EQ(open_error({.read_only = true}).code(), StatusCode::kNotFound);
  EXPECT_THAT(std::string(open_error({}).message()), HasSubstr(path_));
  open();
  EXPECT_TRUE(open_error({}).ok());
}

TEST_F(SqliteDbTest, AFileThatIsNoDatabaseIsCorrupt) {
  ASSERT_TRUE(replace_file(&env_, path_, std::string(20'000, 'x')).ok());
  EXPECT_EQ(open_error({}).code(), StatusCode::kCorruption);
  EXPECT_EQ(open_error({.read_only = true}).code(), StatusCode::kCorruption);
}

// --- Statements -----------------------------------------------------------------------------

TEST_F(SqliteDbTest, ValuesComeBackAsTheyWereBound) {
  const auto db = open();
  auto statement = db->prepare("SELECT ?, ?, ?, ?, ?, ?, ?");
  ASSERT_TRUE(statement.ok());
  const std::string bytes("\0\xff\0", 3);
  ASSERT_TRUE(statement->bind_int64(1, INT64_MIN).ok());
  ASSERT_TRUE(statement->bind_double(2, 0.5).ok());
  ASSERT_TRUE(statement->bind_text(3, "t\u00e9xt").ok());
  ASSERT_TRUE(statement->bind_blob(4, bytes).ok());
  ASSERT_TRUE(statement->bind_null(5).ok());
  ASSERT_TRUE(statement->bind_blob_static(6, ByteView()).ok());
  ASSERT_TRUE(statement->bind_text_static(7, std::string_view()).ok());
  ASSERT_TRUE(*statement->step());
  EXPECT_EQ(statement->column_count(), 7);
  EXPECT_EQ(statement->column_int64(0), INT64_MIN);
  EXPECT_EQ(statement->column_double(1), 0.5);
  EXPECT_EQ(statement->column_text(2), "t\u00e9xt");
  EXPECT_EQ(statement->column_blob(3), bytes);
  EXPECT_TRUE(statement->column_is_null(4));
  EXPECT_FALSE(statement->column_is_null(5)) << "empty is not null";
  EXPECT_FALSE(statement->column_is_null(6)) << "empty is not null";
  EXPECT_FALSE(*statement->step());
}

TEST_F(SqliteDbTest, AStatementStartsOverAfterItsEnd) {
  const auto db = open_with_table();
  auto statement = db->prepare("INSERT INTO t VALUES (?)");
  ASSERT_TRUE(statement.ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(statement->bind_int64(1, i).ok());
    ASSERT_TRUE(statement->run().ok());
  }
  EXPECT_EQ(db->last_insert_rowid(), 3);
  EXPECT_EQ(db->changes(), 1);
  EXPECT_EQ(number(db.get(), "SELECT sum(a) FROM t"), 3);
}

TEST_F(SqliteDbTest, ClearForgetsBindings) {
  const auto db = open();
  auto statement = db->prepare("SELECT ?");
  ASSERT_TRUE(statement.ok() && statement->bind_int64(1, 7).ok());
  ASSERT_TRUE(*statement->step());
  statement->clear();
  ASSERT_TRUE(*statement->step());
  EXPECT_TRUE(statement->column_is_null(0));
}

TEST_F(SqliteDbTest, AStatementThatIsPreparedAgainBeginsAnew) {
  const auto db = open_with_table();
  ASSERT_TRUE(db->exec("INSERT INTO t VALUES (1), (2), (3)").ok());
  const std::string sql = "SELECT a, ? FROM t ORDER BY a";
  for (int round = 0; round < 2; ++round) {
    auto statement = *db->prepare(sql);
    ASSERT_TRUE(*statement.step());
    EXPECT_EQ(statement.column_int64(0), 1);
    EXPECT_TRUE(statement.column_is_null(1));
    statement.reset();
    ASSERT_TRUE(statement.bind_int64(1, 7).ok());
    ASSERT_TRUE(*statement.step());
    EXPECT_EQ(statement.column_int64(1), 7);
    ASSERT_TRUE(*statement.step());
    EXPECT_EQ(statement.column_int64(0), 2);
  }
}

TEST_F(SqliteDbTest, TwoStatementsOfOneTextAreTwo) {
  const auto db = open_with_table();
  ASSERT_TRUE(db->exec("INSERT INTO t VALUES (1), (2)").ok());
  const std::string sql = "SELECT a FROM t ORDER BY a";
  { ASSERT_TRUE(db->prepare(sql).ok()); }
  auto first = *db->prepare(sql);
  auto second = *db->prepare(sql);
  ASSERT_TRUE(*first.step());
  ASSERT_TRUE(*first.step());
  ASSERT_TRUE(*second.step());
  EXPECT_EQ(first.column_int64(0), 2);
  EXPECT_EQ(second.column_int64(0), 1);
}

TEST_F(SqliteDbTest, AStatementSeesColumnsThatCameAfterItWasPreparedFirst) {
  const auto db = open_with_table();
  ASSERT_TRUE(insert(db.get()).ok());
  { EXPECT_EQ(db->prepare("SELECT * FROM t")->column_count(), 1); }
  ASSERT_TRUE(open()->exec("ALTER TABLE t ADD COLUMN b").ok());
  auto statement = *db->prepare("SELECT * FROM t");
  ASSERT_TRUE(*statement.step());
  EXPECT_EQ(statement.column_count(), 2);
}

TEST_F(SqliteDbTest, ManyStatementsThatWereUsedKeepNothingFromBeingClosed) {
  auto db = open_with_table();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(number(db.get(), "SELECT " + std::to_string(i)), i);
  }
  EXPECT_EQ(number(db.get(), "SELECT 0"), 0);
  ASSERT_TRUE(insert(db.get()).ok());
  ASSERT_TRUE(db->finish().ok());
  db.reset();
  EXPECT_EQ(count(open().get()), 1);
}

TEST_F(SqliteDbTest, ErrorsNamePathAndStatement) {
  const auto db = open();
  const Status status = db->exec("SELECT nonsense");
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
  EXPECT_THAT(std::string(status.message()), HasSubstr("[SELECT nonsense]"));
  EXPECT_EQ(db->prepare("SELECT \"no column\"").status().code(), StatusCode::kInternal);
}

TEST_F(SqliteDbTest, ABrokenConstraintIsAConflict) {
  const auto db = open();
  ASSERT_TRUE(db->exec("CREATE TABLE u (a PRIMARY KEY); INSERT INTO u VALUES (1)").ok());
  EXPECT_EQ(db->exec("INSERT INTO u VALUES (1)").code(), StatusCode::kConflict);
}

TEST_F(SqliteDbTest, AnInterruptedStatementIsCancelled) {
  const auto db = open();
  auto endless = db->prepare(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
  ASSERT_TRUE(endless.ok());
  std::atomic<bool> stopped{false};
  std::thread other([&] {
    while (!stopped) {
      db->interrupt();
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(endless->step().status().code(), StatusCode::kCancelled);
  stopped = true;
  other.join();
}

// --- Transactions ---------------------------------------------------------------------------

TEST_F(SqliteDbTest, ATransactionIsThereWholeOrNotAtAll) {
  const auto db = open_with_table();
  {
    SqliteTransaction transaction(db.get());
    ASSERT_TRUE(transaction.begin().ok() && insert(db.get()).ok());
  }
  EXPECT_EQ(count(db.get()), 0);
  SqliteTransaction transaction(db.get());
  ASSERT_TRUE(transaction.begin().ok() && insert(db.get()).ok() && insert(db.get()).ok());
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_EQ(count(db.get()), 2);
}

TEST_F(SqliteDbTest, AReadTransactionSeesTheStateOfItsBeginning) {
  const auto writer = open_with_table();
  const auto reader = open({});
  SqliteTransaction transaction(reader.get());
  ASSERT_TRUE(transaction.begin_read().ok());
  ASSERT_TRUE(insert(writer.get()).ok());
  EXPECT_EQ(count(reader.get()), 0);
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_EQ(count(reader.get()), 1);
}

TEST_F(SqliteDbTest, ASecondWriterIsUnavailable) {
  const auto first = open_with_table();
  const auto second = open({});
  ASSERT_TRUE(second->exec("PRAGMA busy_timeout=1").ok());
  SqliteTransaction transaction(first.get());
  ASSERT_TRUE(transaction.begin().ok());
  EXPECT_EQ(insert(second.get()).code(), StatusCode::kUnavailable);
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_TRUE(insert(second.get()).ok());
}

TEST_F(SqliteDbTest, ContentSurvivesClosing) {
  auto db = open_with_table();
  ASSERT_TRUE(insert(db.get()).ok());
  db.reset();
  EXPECT_THAT(names(), ElementsAre("a.db"));
  EXPECT_EQ(count(open({}).get()), 1);
}

// --- Syncs ----------------------------------------------------------------------------------

TEST_F(SqliteDbTest, CreationMakesTheNameDurable) {
  const auto db = open();
  const std::vector<std::string> trace = env_.take_trace();
  const auto removed = std::find(trace.begin(), trace.end(), "remove a.db-journal");
  ASSERT_NE(removed, trace.end());
  const auto synced = std::find(trace.begin(), removed, "sync a.db");
  ASSERT_NE(synced, removed);
  EXPECT_EQ(*(synced + 1), "syncdir");
  EXPECT_EQ(*(removed + 1), "syncdir") << "or the journal could come back";
}

// One change is one page: its frame is a header and the page. SQLite fills the sector up with a
// second copy of the frame, so that a torn write of the next commit cannot reach this one; the part
// of the copy beyond the sector comes after the sync and may be lost.
TEST_F(SqliteDbTest, ACommitIsWrittenBeforeTheLogIsSynced) {
  const auto db = open_with_table();
  ASSERT_TRUE(insert(db.get()).ok());
  EXPECT_THAT(env_.take_trace(), ElementsAre("write a.db-wal", "write a.db-wal", "write a.db-wal",
                                             "write a.db-wal", "sync a.db-wal", "write a.db-wal"));
}

TEST_F(SqliteDbTest, TheFirstCommitMakesTheNameOfTheLogDurable) {
  auto db = open_with_table();
  db.reset();
  env_.take_trace();
  db = open({});
  ASSERT_TRUE(insert(db.get()).ok());
  const std::vector<std::string> trace = env_.take_trace();
  const auto first_sync = std::find(trace.begin(), trace.end(), "sync a.db-wal");
  ASSERT_NE(first_sync, trace.end());
  EXPECT_EQ(*(first_sync + 1), "syncdir");
}

TEST_F(SqliteDbTest, ACheckpointSyncsTheLogBeforeAndTheFileAfterIt) {
  const auto db = open_with_table();
  ASSERT_TRUE(insert(db.get()).ok());
  env_.take_trace();
  ASSERT_TRUE(db->checkpoint().ok());
  const std::vector<std::string> trace = env_.take_trace();
  const auto write = std::find(trace.begin(), trace.end(), "write a.db");
  ASSERT_NE(write, trace.end());
  EXPECT_NE(std::find(trace.begin(), write, "sync a.db-wal"), write);
  EXPECT_EQ(trace.back(), "sync a.db");
}

TEST_F(SqliteDbTest, AFailedSyncLeavesTheOutcomeOpenAndEndsAllWriting) {
  auto db = open_with_table();
  env_.fail_on("sync a.db-wal", io_error("the disk is gone"));
  const Status first = insert(db.get());
  EXPECT_EQ(first.code(), StatusCode::kOutcomeUnknown);
  EXPECT_THAT(std::string(first.message()), HasSubstr("the disk is gone"));
  env_.set_fail(nullptr);
  const Status second = insert(db.get());
  EXPECT_EQ(second.code(), StatusCode::kIoError);
  EXPECT_THAT(std::string(second.message()), HasSubstr("refused"));
  EXPECT_EQ(count(db.get()), 0) << "reading goes on";
  db.reset();
  db = open({});
  EXPECT_TRUE(insert(db.get()).ok()) << "opening anew recovers";
  EXPECT_TRUE(db->check_integrity().ok());
}

TEST_F(SqliteDbTest, AFailedSyncFencesAllConnections) {
  const auto first = open_with_table();
  const auto second = open({});
  env_.fail_on("sync a.db-wal", no_space("full"));
  EXPECT_EQ(insert(first.get()).code(), StatusCode::kOutcomeUnknown);
  env_.set_fail(nullptr);
  EXPECT_EQ(insert(second.get()).code(), StatusCode::kIoError);
}

TEST_F(SqliteDbTest, AFailedDirectorySyncCountsAsOne) {
  auto db = open_with_table();
  db.reset();
  db = open({});
  env_.fail_on("syncdir", io_error("the disk is gone"));
  EXPECT_EQ(insert(db.get()).code(), StatusCode::kOutcomeUnknown);
}

TEST_F(SqliteDbTest, AfterAFailedCheckpointTheLogKeepsWhatWasCommitted) {
  auto db = open_with_table();
  ASSERT_TRUE(insert(db.get()).ok());
  env_.fail_on("sync a.db", io_error("the disk is gone"));
  EXPECT_EQ(db->checkpoint().code(), StatusCode::kOutcomeUnknown);
  env_.set_fail(nullptr);
  db.reset();
  EXPECT_TRUE(exists("-wal"));
  EXPECT_EQ(count(open({}).get()), 1);
}

TEST_F(SqliteDbTest, AfterAFailedSyncClosingRemovesNothing) {
  auto db = open_with_table();
  ASSERT_TRUE(db->checkpoint().ok());
  env_.fail_on("sync a.db-wal", io_error("the disk is gone"));
  EXPECT_EQ(insert(db.get()).code(), StatusCode::kOutcomeUnknown);
  env_.set_fail(nullptr);
  db.reset();
  EXPECT_TRUE(exists("-wal")) << "the log may hold what nobody knows to be written";
}

TEST_F(SqliteDbTest, ALogThatStayedBehindNeedsNoRoomToBeReadAgain) {
  auto db = open_with_table();
  ASSERT_TRUE(insert(db.get()).ok());
  env_.set_fail([](const std::string& operation) {
    return operation.starts_with("write") ? no_space("full") : Status();
  });
  db.reset();  // cannot move the log into the database
  ASSERT_TRUE(exists("-wal"));
  EXPECT_EQ(count(open({}).get()), 1);
}

TEST_F(SqliteDbTest, ALogWhoseSyncFailedIsWrittenAgain) {
  auto db = open_with_table();
  env_.fail_on("sync a.db-wal", io_error("the disk is gone"));
  EXPECT_EQ(insert(db.get()).code(), StatusCode::kOutcomeUnknown);
  env_.set_fail(nullptr);
  db.reset();
  env_.take_trace();
  EXPECT_EQ(count(open({}).get()), 1);
  const std::vector<std::string> trace = env_.take_trace();
  ASSERT_GE(trace.size(), 3u);
  EXPECT_THAT(trace, ::testing::Contains("sync a.db-wal"));
  EXPECT_THAT(trace, ::testing::Contains(HasSubstr(".copy")));
}

TEST_F(SqliteDbTest, AFullDiskIsNoSpaceAndPasses) {
  const auto db = open_with_table();
  env_.fail_on("write a.db-wal", no_space("no room for a.db-wal"));
  const Status status = insert(db.get());
  EXPECT_EQ(status.code(), StatusCode::kNoSpace);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no room for a.db-wal"));
  env_.set_fail(nullptr);
  EXPECT_TRUE(insert(db.get()).ok());
  EXPECT_EQ(count(db.get()), 1);
}

TEST_F(SqliteDbTest, AFailedWriteIsAnIoErrorWithItsReason) {
  const auto db = open_with_table();
  env_.fail_on("write a.db-wal", io_error("bad cable"));
  const Status status = insert(db.get());
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_THAT(std::string(status.message()), HasSubstr("bad cable"));
}

// --- Finishing ------------------------------------------------------------------------------

TEST_F(SqliteDbTest, FinishLeavesOnePlainFile) {
  auto db = open_with_table();
  ASSERT_TRUE(insert(db.get()).ok());
  ASSERT_TRUE(db->finish().ok());
  EXPECT_EQ(env_.take_trace().back(), "syncdir");
  EXPECT_THAT(names(), ElementsAre("a.db"));
  db.reset();
  const auto reader = open({.read_only = true});
  EXPECT_EQ(count(reader.get()), 1);
  EXPECT_EQ(text(reader.get(), "PRAGMA journal_mode"), "delete");
  EXPECT_THAT(names(), ElementsAre("a.db"));
  EXPECT_TRUE(env_.take_trace().empty()) << "reading changes nothing";
}

TEST_F(SqliteDbTest, AReadOnlyConnectionRefusesToWrite) {
  ASSERT_TRUE(open_with_table()->finish().ok());
  const auto reader = open({.read_only = true});
  EXPECT_FALSE(insert(reader.get()).ok());
}

TEST_F(SqliteDbTest, FinishWaitsForNobodyElse) {
  const auto db = open_with_table();
  ASSERT_TRUE(db->exec("PRAGMA busy_timeout=1").ok());
  auto reader = open({});
  EXPECT_EQ(count(reader.get()), 0);
  EXPECT_EQ(db->finish().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(insert(db.get()).ok()) << "nothing was closed";
  reader.reset();
  EXPECT_TRUE(db->finish().ok());
}

TEST_F(SqliteDbTest, AFinishedConnectionRefusesEverything) {
  const auto db = open_with_table();
  ASSERT_TRUE(db->finish().ok());
  EXPECT_EQ(db->exec("SELECT 1").code(), StatusCode::kInternal);
  EXPECT_EQ(db->prepare("SELECT 1").status().code(), StatusCode::kInternal);
  EXPECT_EQ(db->checkpoint().code(), StatusCode::kInternal);
  EXPECT_EQ(db->check_integrity().code(), StatusCode::kInternal);
  EXPECT_EQ(db->finish().code(), StatusCode::kInternal);
  EXPECT_FALSE(db->in_transaction());
}

// The last sync of all: the file is whole by then, only its being alone is not durable.
TEST_F(SqliteDbTest, FinishingReportsAFailedLastSync) {
  const auto db = open_with_table();
  int syncs = 0;
  env_.set_fail([&](const std::string& done) {
    const bool closed = done == "syncdir" && !exists("-wal") && !exists("-journal");
    return closed && ++syncs == 2 ? io_error("the disk is gone") : Status();
  });
  EXPECT_EQ(db->finish().code(), StatusCode::kOutcomeUnknown);
  EXPECT_EQ(db->checkpoint().code(), StatusCode::kInternal);
}

TEST_F(SqliteDbTest, AFinishedFileCanBeWrittenAgain) {
  ASSERT_TRUE(open_with_table()->finish().ok());
  const auto db = open({});
  EXPECT_EQ(text(db.get(), "PRAGMA journal_mode"), "wal");
  EXPECT_TRUE(insert(db.get()).ok());
}

TEST_F(SqliteDbTest, AReadOnlyConnectionReadsALogToo) {
  const auto writer = open_with_table();
  ASSERT_TRUE(insert(writer.get()).ok());
  auto reader = open({.read_only = true});
  EXPECT_EQ(count(reader.get()), 1);
  env_.take_trace();
  reader.reset();
  EXPECT_TRUE(env_.take_trace().empty()) << "closing it moves no log";
}

TEST_F(SqliteDbTest, AReadOnlyConnectionLeavesTheLogOfACrashAlone) {
  auto db = open_with_table();
  ASSERT_TRUE(insert(db.get()).ok());
  const std::string file = *read_file(&env_, path_, 10'000'000);
  const std::string log = *read_file(&env_, path_ + "-wal", 10'000'000);
  db.reset();
  ASSERT_TRUE(replace_file(&env_, path_, file).ok());
  ASSERT_TRUE(replace_file(&env_, path_ + "-wal", log).ok());
  env_.take_trace();
  auto reader = open({.read_only = true});
  EXPECT_EQ(count(reader.get()), 1);
  reader.reset();
  EXPECT_TRUE(env_.take_trace().empty());
  EXPECT_TRUE(exists("-wal"));
}

TEST_F(SqliteDbTest, RemovalTakesTheFilesBesideAlong) {
  open_with_table();
  ASSERT_TRUE(replace_file(&env_, path_ + "-wal", "left").ok());
  ASSERT_TRUE(replace_file(&env_, path_ + "-journal", "left").ok());
  ASSERT_TRUE(remove_sqlite_db(&env_, path_).ok());
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(env_.take_trace().back(), "syncdir");
  EXPECT_TRUE(remove_sqlite_db(&env_, path_).ok());
}

TEST_F(SqliteDbTest, LeftoversDoNotEnterANewDatabaseOfTheSameName) {
  auto db = open_with_table();
  ASSERT_TRUE(insert(db.get()).ok());
  const std::string log = *read_file(&env_, path_ + "-wal", 10'000'000);
  db.reset();
  ASSERT_TRUE(env_.remove(path_).ok());
  ASSERT_TRUE(replace_file(&env_, path_ + "-wal", log).ok());
  EXPECT_EQ(number(open().get(), "SELECT count(*) FROM sqlite_schema"), 0);
}

// --- Damage ---------------------------------------------------------------------------------

TEST_F(SqliteDbTest, DamageIsReportedAsCorruption) {
  auto db = open_with_table();
  ASSERT_TRUE(db->exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)"
                       "INSERT INTO t SELECT i FROM n")
                  .ok());
  ASSERT_TRUE(db->finish().ok());
  const auto file = env_.open(path_, OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->write_at(3 * 4096, std::string(4096, '\xee')).ok());
  const auto reader = open({.read_only = true});
  EXPECT_EQ(reader->check_integrity().code(), StatusCode::kCorruption);
  auto scan = reader->prepare("SELECT sum(a) FROM t");
  ASSERT_TRUE(scan.ok());
  EXPECT_EQ(scan->step().status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace firn
