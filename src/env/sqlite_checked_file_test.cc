#include "env/sqlite_checked_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "env/sim_env.h"
#include "env/sqlite_db.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

constexpr size_t kPageBytes = 4096;
constexpr const char* kPath = "/data/a.db";
constexpr const char* kFill =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) "
    "INSERT INTO t SELECT i, hex(randomblob(20)) FROM n";
constexpr const char* kReadAll = "SELECT sum(length(b)) FROM t";

class SqliteCheckedFileTest : public ::testing::Test {
 protected:
  SqliteCheckedFileTest() { EXPECT_TRUE(env_.create_directories("/data").ok()); }

  std::unique_ptr<SqliteDb> open(SqliteOpenFlags flags = {.create = true}) {
    auto db = SqliteDb::open(&env_, kPath, flags);
    EXPECT_TRUE(db.ok()) << db.status().to_string();
    return std::move(db).value();
  }
  void make(const char* path = kPath) {
    auto db = SqliteDb::open(&env_, path, {.create = true});
    ASSERT_TRUE(db.ok() && (*db)->exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)").ok());
    ASSERT_TRUE((*db)->exec(kFill).ok() && (*db)->finish().ok());
  }
  // Reads everything through a new connection.
  Status read(SqliteOpenFlags flags = {}) {
    const auto db = SqliteDb::open(&env_, kPath, flags);
    return db.ok() ? (*db)->exec(kReadAll) : db.status();
  }
  void put_page(size_t page, const std::string& content) {
    std::string file = env_.raw_content(kPath);
    file.replace((page - 1) * kPageBytes, kPageBytes, content);
    env_.set_raw_content(kPath, file);
  }
  std::string page_of(const std::string& path, size_t page) {
    return env_.raw_content(path).substr((page - 1) * kPageBytes, kPageBytes);
  }

  SimEnv env_{1};
};

TEST_F(SqliteCheckedFileTest, AFlippedBitInAnyPageIsNamed) {
  make();
  const size_t pages = env_.raw_content(kPath).size() / kPageBytes;
  ASSERT_GT(pages, 5U);
  const auto sound = env_.snapshot();
  for (size_t page = 1; page <= pages; ++page) {
    env_.restore(sound);
    env_.flip_bit(kPath, (page * kPageBytes - 100) * 8 + page % 8);
    const auto db = SqliteDb::open(&env_, kPath, {});
    const Status status = db.ok() ? (*db)->check_integrity() : db.status();
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << page;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(fmt::format("/data/a.db: page {} at offset", page)));
  }
}

TEST_F(SqliteCheckedFileTest, AFlippedBitInATrailerIsNoticed) {
  make();
  env_.flip_bit(kPath, (3 * kPageBytes - 1) * 8);
  EXPECT_EQ(read().code(), StatusCode::kCorruption);
}

TEST_F(SqliteCheckedFileTest, ExchangedPagesAreNoticed) {
  make();
  const std::string third = page_of(kPath, 3), fourth = page_of(kPath, 4);
  put_page(3, fourth);
  put_page(4, third);
  EXPECT_EQ(read().code(), StatusCode::kCorruption);
}

TEST_F(SqliteCheckedFileTest, APageOfAnotherFileIsNoticed) {
  make();
  make("/data/b.db");
  put_page(3, page_of("/data/b.db", 3));
  EXPECT_EQ(read().code(), StatusCode::kCorruption);
}

TEST_F(SqliteCheckedFileTest, APageOfZerosIsNoticed) {
  make();
  put_page(3, std::string(kPageBytes, '\0'));
  EXPECT_EQ(read().code(), StatusCode::kCorruption);
}

TEST_F(SqliteCheckedFileTest, AFileThatIsCutOffIsNoticed) {
  make();
  std::string file = env_.raw_content(kPath);
  file.resize(file.size() - 10);
  env_.set_raw_content(kPath, file);
  EXPECT_EQ(read().code(), StatusCode::kCorruption);
}

TEST_F(SqliteCheckedFileTest, AFrameThatChangesUnderAReaderIsNoticed) {
  const auto writer = open();
  ASSERT_TRUE(writer->exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)").ok());
  ASSERT_TRUE(writer->exec(kFill).ok());
  const std::string log = std::string(kPath) + "-wal";
  env_.flip_bit(log, (env_.raw_content(log).size() / 2) * 8);
  const auto reader = open({.read_only = true});
  const Status status = reader->exec(kReadAll);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/data/a.db-wal: frame"));
  EXPECT_EQ(writer->checkpoint().code(), StatusCode::kCorruption) << "nor does it reach the file";
}

// SQLite writes pages of a large transaction early, and the same ones again in their place.
TEST_F(SqliteCheckedFileTest, ATransactionLargerThanTheCacheReadsItsOwnPages) {
  const auto db = open();
  ASSERT_TRUE(db->exec("PRAGMA cache_size=4; CREATE TABLE t (a INTEGER PRIMARY KEY, b);"
                       "CREATE INDEX i ON t (b)")
                  .ok());
  SqliteTransaction transaction(db.get());
  ASSERT_TRUE(transaction.begin().ok() && db->exec(kFill).ok());
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(db->exec("UPDATE t SET b = hex(randomblob(21))").ok()) << round;
  }
  ASSERT_TRUE(transaction.commit().ok());
  EXPECT_TRUE(db->check_integrity().ok());
  EXPECT_TRUE(db->checkpoint().ok());
}

// It takes pages to be of 4 KiB, as there is none to tell otherwise.
TEST_F(SqliteCheckedFileTest, AConnectionFromBeforeTheFirstPageReadsOn) {
  env_.set_raw_content(kPath, "");
  const auto early = open({.read_only = true});
  const auto writer = open();
  ASSERT_TRUE(writer->exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)").ok());
  ASSERT_TRUE(writer->exec(kFill).ok());
  EXPECT_TRUE(early->exec(kReadAll).ok()) << "out of the log";
  const auto late = open({.read_only = true});
  ASSERT_TRUE(writer->checkpoint().ok());
  EXPECT_TRUE(early->exec(kReadAll).ok()) << "out of the file";
  EXPECT_TRUE(late->exec(kReadAll).ok());
}

class SqliteJournalDamageTest : public SqliteCheckedFileTest {
 protected:
  static constexpr SqliteOpenFlags kFlags{.create = true, .journal = SqliteJournal::kRollback};

  // Stops a process in the middle of a commit: the journal is complete, the file is changed.
  void stop_in_a_commit() {
    auto db = open(kFlags);
    ASSERT_TRUE(db->exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)").ok());
    ASSERT_TRUE(db->exec(kFill).ok());
    const uint64_t before = env_.io_count();
    ASSERT_TRUE(db->exec("UPDATE t SET b = 'x' WHERE a % 100 = 0").ok());
    const uint64_t calls = env_.io_count() - before;
    // The last two calls remove the journal and sync that.
    env_.crash_at(env_.io_count() + calls - 1);
    (void)db->exec("UPDATE t SET b = 'y' WHERE a % 100 = 0");
    ASSERT_TRUE(env_.has_crashed());
    db.reset();
    env_.crash(CrashMode::kKeepAll, 0);
    ASSERT_FALSE(env_.raw_content(journal_).empty());
  }
  const std::string journal_ = std::string(kPath) + "-journal";
};

TEST_F(SqliteJournalDamageTest, AnUndamagedJournalIsPlayedBack) {
  stop_in_a_commit();
  const auto db = open(kFlags);
  auto count = db->prepare("SELECT count(*) FROM t WHERE b = 'x'");
  ASSERT_TRUE(count.ok() && *count->step());
  EXPECT_EQ(count->column_int64(0), 30);
  EXPECT_TRUE(db->check_integrity().ok());
}

TEST_F(SqliteJournalDamageTest, ADamagedPageIsNotPlayedBack) {
  stop_in_a_commit();
  env_.flip_bit(journal_, (4096 + 1000) * 8);
  const Status status = read(kFlags);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/data/a.db-journal: page"));
  EXPECT_TRUE(*env_.exists(journal_)) << "it may still be of use to somebody";
}

TEST_F(SqliteJournalDamageTest, ADamagedPageNumberIsNoticed) {
  stop_in_a_commit();
  env_.flip_bit(journal_, (4096 + 3) * 8);
  EXPECT_EQ(read(kFlags).code(), StatusCode::kCorruption);
}

// It says, among others, how long the database was.
TEST_F(SqliteJournalDamageTest, ADamagedHeaderDoesNotCutTheDatabase) {
  stop_in_a_commit();
  const size_t size = env_.raw_content(kPath).size();
  env_.flip_bit(journal_, 19 * 8);
  const Status status = read(kFlags);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/data/a.db-journal: the header"));
  EXPECT_EQ(env_.raw_content(kPath).size(), size);
}

}  // namespace
}  // namespace firn
