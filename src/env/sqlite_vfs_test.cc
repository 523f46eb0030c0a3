#include "env/sqlite_vfs.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "env/sqlite_checked_file.h"
#include "env/sqlite_db.h"
#include "env/test_directory.h"
#include "env/trace_env.h"

namespace firn {
namespace {

// A connection without the settings of SqliteDb, through any VFS.
class RawDb {
 public:
  RawDb(const std::string& path, const char* vfs) {
    code_ =
        sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
    int reserved = kSqliteReservedBytes;
    if (vfs != nullptr)
      sqlite3_file_control(handle_, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  }
  ~RawDb() { EXPECT_EQ(sqlite3_close(handle_), SQLITE_OK); }
  int code() const { return code_; }
  int exec(const std::string& sql) {
    return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  }
  // The first value of the first row, or the error.
  std::string get(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
      return sqlite3_errmsg(handle_);
    }
    std::string result = "no row";
    if (sqlite3_step(statement) == SQLITE_ROW) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
      result = text == nullptr ? "null" : text;
    }
    sqlite3_finalize(statement);
    return result;
  }

 private:
  sqlite3* handle_ = nullptr;
  int code_ = SQLITE_OK;
};

constexpr const char* kFill =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000) "
    "INSERT INTO t SELECT i, hex(randomblob(20)) FROM n";

class SqliteVfsTest : public ::testing::Test {
 protected:
  std::string vfs() { return *register_sqlite_vfs(&env_); }

  TraceEnv env_;
  TestDirectory directory_;
  const std::string path_ = directory_.file("a.db");
};

TEST_F(SqliteVfsTest, RegistersOncePerEnv) {
  EXPECT_EQ(*register_sqlite_vfs(&env_), *register_sqlite_vfs(&env_));
  EXPECT_NE(*register_sqlite_vfs(&env_), *register_sqlite_vfs(posix_env()));
  EXPECT_NE(sqlite3_vfs_find(vfs().c_str()), nullptr);
}

TEST_F(SqliteVfsTest, RegistersFromManyThreads) {
  std::vector<std::string> names(8);
  std::vector<std::thread> threads;
  threads.reserve(names.size());
  for (std::string& name : names) threads.emplace_back([&] { name = vfs(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::count(names.begin(), names.end(), names.front()), 8);
}

TEST_F(SqliteVfsTest, BothJournalModesWork) {
  for (const char* mode : {"delete", "wal", "delete"}) {
    RawDb db(path_, vfs().c_str());
    ASSERT_EQ(db.get(std::string("PRAGMA journal_mode=") + mode), mode);
    ASSERT_EQ(db.exec("DROP TABLE IF EXISTS t; CREATE TABLE t (a, b)"), SQLITE_OK) << mode;
    ASSERT_EQ(db.exec(kFill), SQLITE_OK) << mode;
    ASSERT_EQ(db.exec("BEGIN; DELETE FROM t; ROLLBACK"), SQLITE_OK) << mode;
    EXPECT_EQ(db.get("SELECT count(*) FROM t"), "10000") << mode;
    EXPECT_EQ(db.get("PRAGMA integrity_check"), "ok") << mode;
  }
}

TEST_F(SqliteVfsTest, ARollbackJournalIsDurableBeforeTheDatabaseChanges) {
  RawDb db(path_, vfs().c_str());
  ASSERT_EQ(db.exec("PRAGMA synchronous=EXTRA; CREATE TABLE t (a, b)"), SQLITE_OK);
  env_.take_trace();
  ASSERT_EQ(db.exec("INSERT INTO t VALUES (1, 2)"), SQLITE_OK);
  const std::vector<std::string> trace = env_.take_trace();
  const auto change = std::find(trace.begin(), trace.end(), "write a.db");
  const auto journal_sync = std::find(trace.begin(), change, "sync a.db-journal");
  ASSERT_NE(journal_sync, change);
  EXPECT_EQ(*(journal_sync + 1), "syncdir");
  const auto removal = std::find(change, trace.end(), "remove a.db-journal");
  ASSERT_NE(removal, trace.end());
  EXPECT_NE(std::find(change, removal, "sync a.db"), removal);
  EXPECT_EQ(trace.back(), "syncdir");
}

TEST_F(SqliteVfsTest, AJournalLeftByACrashIsRolledBack) {
  {
    RawDb db(path_, vfs().c_str());
    ASSERT_EQ(db.exec("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2)"), SQLITE_OK);
    // Stop at the moment of the commit: the journal is complete and the database is changed.
    env_.fail_on("remove a.db-journal", io_error("stopped"));
    EXPECT_NE(db.exec("UPDATE t SET a = 3"), SQLITE_OK);
  }
  env_.set_fail(nullptr);
  ASSERT_TRUE(*env_.exists(path_ + "-journal"));
  {
    RawDb db(path_, vfs().c_str());
    EXPECT_EQ(db.get("SELECT a FROM t"), "1");
  }
  EXPECT_FALSE(*env_.exists(path_ + "-journal"));
}

TEST_F(SqliteVfsTest, TemporaryFilesNeverReachTheEnv) {
  RawDb db(path_, vfs().c_str());
  ASSERT_EQ(db.exec("PRAGMA temp_store=FILE; PRAGMA cache_size=10;"
                    "CREATE TEMP TABLE t (a, b)"),
            SQLITE_OK);
  env_.take_trace();
  ASSERT_EQ(db.exec(kFill), SQLITE_OK);
  ASSERT_EQ(db.exec("CREATE INDEX temp.i ON t (b); BEGIN; DELETE FROM t WHERE a % 2; ROLLBACK;"
                    "DELETE FROM t WHERE a % 3 = 0; VACUUM temp"),
            SQLITE_OK);
  EXPECT_EQ(db.get("SELECT count(*) FROM (SELECT DISTINCT b FROM t ORDER BY b DESC)"), "6667");
  EXPECT_TRUE(env_.take_trace().empty());
}

TEST_F(SqliteVfsTest, VacuumWorks) {
  RawDb db(path_, vfs().c_str());
  ASSERT_EQ(db.exec("CREATE TABLE t (a, b)"), SQLITE_OK);
  ASSERT_EQ(db.exec(kFill), SQLITE_OK);
  ASSERT_EQ(db.exec("DELETE FROM t WHERE a > 10; VACUUM"), SQLITE_OK);
  EXPECT_EQ(db.get("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(db.get("SELECT count(*) FROM t"), "10");
}

TEST_F(SqliteVfsTest, TimeAndRandomnessComeFromTheEnv) {
  RawDb db(path_, vfs().c_str());
  const int64_t seconds = std::stoll(db.get("SELECT strftime('%s', 'now')"));
  EXPECT_LE(std::abs(env_.now() - seconds * kSecondNs), 5 * kSecondNs);
  EXPECT_NE(db.get("SELECT hex(randomblob(16))"), db.get("SELECT hex(randomblob(16))"));
}

TEST_F(SqliteVfsTest, SpellingsOfAPathAreOneDatabase) {
  RawDb first(path_, vfs().c_str());
  ASSERT_EQ(first.exec("CREATE TABLE t (a, b); BEGIN EXCLUSIVE"), SQLITE_OK);
  RawDb second(directory_.path() + "/.//a.db", vfs().c_str());
  EXPECT_EQ(second.exec("SELECT * FROM t"), SQLITE_BUSY);
  ASSERT_EQ(first.exec("COMMIT"), SQLITE_OK);
  EXPECT_EQ(second.exec("SELECT * FROM t"), SQLITE_OK);
}

TEST_F(SqliteVfsTest, FailuresAreRememberedForTheThreadThatSawThem) {
  RawDb db(path_, vfs().c_str());
  ASSERT_EQ(db.exec("CREATE TABLE t (a, b)"), SQLITE_OK);
  env_.set_fail([](const std::string& operation) {
    return operation.starts_with("write") ? io_error("bad cable") : Status();
  });
  EXPECT_EQ(db.exec("INSERT INTO t VALUES (1, 2)"), SQLITE_IOERR);
  std::thread([] { EXPECT_TRUE(take_last_sqlite_vfs_error().ok()); }).join();
  EXPECT_EQ(take_last_sqlite_vfs_error().message(), "bad cable");
  EXPECT_TRUE(take_last_sqlite_vfs_error().ok());
}

// --- Beside SQLite's own file system --------------------------------------------------------

TEST_F(SqliteVfsTest, RefusesWhatTheOrdinarySqliteWrote) {
  {
    RawDb ordinary(path_, nullptr);
    ASSERT_EQ(ordinary.exec("CREATE TABLE t (a, b)"), SQLITE_OK);
    ASSERT_EQ(ordinary.exec(kFill), SQLITE_OK);
  }
  EXPECT_EQ(SqliteDb::open(&env_, path_, {}).status().code(), StatusCode::kCorruption);
}

TEST_F(SqliteVfsTest, RefusesToWriteADatabaseWithoutRoomForChecksums) {
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open_v2(path_.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                            vfs().c_str()),
            SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, "CREATE TABLE t (a)", nullptr, nullptr, nullptr), SQLITE_IOERR);
  sqlite3_close(handle);
}

TEST_F(SqliteVfsTest, TheOrdinarySqliteReadsOurs) {
  {
    auto db = SqliteDb::open(&env_, path_, {.create = true});
    ASSERT_TRUE(db.ok() && (*db)->exec("CREATE TABLE t (a, b)").ok() && (*db)->exec(kFill).ok());
    ASSERT_TRUE((*db)->finish().ok());
  }
  RawDb ordinary(path_, nullptr);
  EXPECT_EQ(ordinary.get("SELECT count(*) FROM t"), "10000");
  EXPECT_EQ(ordinary.get("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(ordinary.get("PRAGMA journal_mode"), "delete");
}

TEST_F(SqliteVfsTest, AnotherProgramFindsTheDatabaseLocked) {
  auto db = SqliteDb::open(&env_, path_, {.create = true});
  ASSERT_TRUE(db.ok() && (*db)->exec("CREATE TABLE t (a, b)").ok());
  {
    RawDb ordinary(path_, nullptr);
    EXPECT_EQ(ordinary.get("SELECT count(*) FROM t"), "database is locked");
    EXPECT_EQ(ordinary.exec("INSERT INTO t VALUES (1, 2)"), SQLITE_BUSY);
  }
  EXPECT_TRUE((*db)->exec("INSERT INTO t VALUES (3, 4)").ok());
  EXPECT_TRUE((*db)->check_integrity().ok());
  *db = nullptr;
  RawDb ordinary(path_, nullptr);
  EXPECT_EQ(ordinary.get("SELECT a FROM t"), "3");
}

TEST_F(SqliteVfsTest, AReadOnlyDatabaseCanBeReadByOthers) {
  auto db = SqliteDb::open(&env_, path_, {.create = true});
  ASSERT_TRUE(db.ok() && (*db)->exec("CREATE TABLE t (a, b)").ok() && (*db)->finish().ok());
  db = SqliteDb::open(&env_, path_, {.read_only = true});
  ASSERT_TRUE(db.ok());
  RawDb ordinary(path_, nullptr);
  EXPECT_EQ(ordinary.get("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(ordinary.exec("INSERT INTO t VALUES (1, 2)"), SQLITE_BUSY);
}

TEST_F(SqliteVfsTest, ADatabaseThatAnotherProgramUsesIsUnavailable) {
  RawDb ordinary(path_, nullptr);
  ASSERT_EQ(ordinary.exec("CREATE TABLE t (a, b); BEGIN EXCLUSIVE"), SQLITE_OK);
  const Status status = SqliteDb::open(&env_, path_, {}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status.to_string();
  EXPECT_NE(status.message().find("another program"), std::string_view::npos);
}

// --- Many connections -----------------------------------------------------------------------

// A writer moves amounts between rows; every reader must always see the same total.
class Bank {
 public:
  static constexpr int kAccounts = 100;
  static constexpr int64_t kTotal = int64_t{kAccounts} * 1000;

  Bank(Env* env, std::string path) : env_(env), path_(std::move(path)) {
    const auto db = open(true);
    EXPECT_TRUE(db->exec("CREATE TABLE accounts (id INTEGER PRIMARY KEY, amount, pad);"
                         "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 100)"
                         "INSERT INTO accounts SELECT i, 1000, hex(zeroblob(500)) FROM n")
                    .ok());
  }
  std::unique_ptr<SqliteDb> open(bool create = false) {
    auto db = SqliteDb::open(env_, path_, {.create = create});
    EXPECT_TRUE(db.ok()) << db.status().to_string();
    return std::move(db).value();
  }
  Status move(SqliteDb* db, int round) {
    FIRN_ASSIGN(SqliteStatement change,
                db->prepare("UPDATE accounts SET amount = amount + ? WHERE id = ?"));
    SqliteTransaction transaction(db);
    FIRN_TRY(transaction.begin());
    for (int i = 0; i < 10; ++i) {
      const int amount = i % 2 == 0 ? round % 50 : -(round % 50);
      FIRN_TRY(change.bind_int64(1, amount));
      FIRN_TRY(change.bind_int64(2, (round * 7 + i * 13) % kAccounts));
      FIRN_TRY(change.run());
    }
    return transaction.commit();
  }
  Result<int64_t> total(SqliteDb* db) {
    FIRN_ASSIGN(SqliteStatement sum, db->prepare("SELECT sum(amount) FROM accounts"));
    FIRN_TRY(sum.step().status());
    return sum.column_int64(0);
  }

 private:
  Env* env_;
  std::string path_;
};

TEST_F(SqliteVfsTest, ReadersBesideAWriterSeeWholeTransactions) {
  Bank bank(posix_env(), path_);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<int> reads{0};
  std::vector<std::thread> readers;
  readers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, i] {
      auto db = bank.open();
      for (int round = 0; !done; ++round) {
        const auto total = bank.total(db.get());
        if (!total.ok() || *total != Bank::kTotal) ++wrong;
        ++reads;
        // Connections come and go meanwhile.
        if (i == 0 && round % 20 == 0) db = bank.open();
      }
    });
  }
  auto writer = bank.open();
  for (int round = 0; round < 400; ++round) {
    const Status status = bank.move(writer.get(), round);
    ASSERT_TRUE(status.ok()) << status.to_string();
    if (round % 50 == 0) {
      EXPECT_TRUE(writer->checkpoint().ok());
    }
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GT(reads.load(), 0);
  EXPECT_TRUE(writer->check_integrity().ok());
  EXPECT_TRUE(writer->finish().ok());
}

TEST_F(SqliteVfsTest, SeveralWritersTakeTurns) {
  Bank bank(posix_env(), path_);
  std::atomic<int> failed{0};
  std::vector<std::thread> writers;
  writers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&, i] {
      for (int part = 0; part < 5; ++part) {
        const auto db = bank.open();
        for (int round = 0; round < 10; ++round) {
          if (!bank.move(db.get(), i * 1000 + round).ok()) ++failed;
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed.load(), 0);
  const auto db = bank.open();
  EXPECT_EQ(*bank.total(db.get()), Bank::kTotal);
  EXPECT_TRUE(db->check_integrity().ok());
}

// The same database through a rollback journal: file locks instead of the log's index.
TEST_F(SqliteVfsTest, RollbackJournalsExcludeReadersFromHalfOfAChange) {
  const std::string name = vfs();
  {
    RawDb db(path_, name.c_str());
    ASSERT_EQ(db.exec("CREATE TABLE t (a, b); INSERT INTO t VALUES (0, 0)"), SQLITE_OK);
  }
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  readers.reserve(3);
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      RawDb db(path_, name.c_str());
      while (!done) {
        const std::string sum = db.get("SELECT a + b FROM t");
        if (sum != "0" && sum != "database is locked" && sum != "no row") ++wrong;
        std::this_thread::yield();
      }
    });
  }
  RawDb db(path_, name.c_str());
  ASSERT_EQ(db.exec("PRAGMA busy_timeout=10000"), SQLITE_OK);
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(db.exec("BEGIN IMMEDIATE; UPDATE t SET a = a + 1; UPDATE t SET b = b - 1; COMMIT"),
              SQLITE_OK);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(db.get("SELECT a FROM t"), "200");
  EXPECT_EQ(db.get("PRAGMA integrity_check"), "ok");
}

}  // namespace
}  // namespace firn
