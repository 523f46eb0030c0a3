// SQLite on the simulated disk: the power goes, or a call fails, at every single I/O call of a
// script of transactions. Afterwards every committed transaction must be there, the one in flight
// wholly or not at all, and nothing else. This is what proves sqlite_vfs.h.

#include <gtest/gtest.h>

#include <map>

#include <fmt/format.h>

#include "env/fault_env.h"
#include "env/sim_env.h"
#include "env/sqlite_db.h"

namespace firn {
namespace {

using Rows = std::map<int64_t, std::string>;

constexpr int kTransactions = 12;

std::string payload(int transaction, int part) {
  // Some span several pages, and so several writes.
  const size_t size = transaction % 4 == 1 ? 20'000 : 40;
  return fmt::format("{}/{}", transaction, part) + std::string(size, static_cast<char>('a' + part));
}

// What the table holds after the first `count` transactions; the first creates it.
Rows rows_after(int count) {
  Rows rows;
  for (int n = 0; n < count; ++n) {
    rows[0] = fmt::format("counter {}", n);
    for (int part = 1; part <= 3; ++part) rows[n * 10 + part] = payload(n, part);
    if (n >= 1) rows[(n - 1) * 10 + 1] = fmt::format("updated by {}", n);
    if (n >= 2) rows.erase((n - 2) * 10 + 2);
  }
  return rows;
}

// A process that runs the script on its disk, and what it was told.
class SqliteProcess {
 public:
  SqliteProcess(Env* env, std::string journal_mode)
      : env_(env), journal_mode_(std::move(journal_mode)) {}

  // The whole script. The first failure ends it.
  Status run();
  // Opens the database, and compares it with what was committed. "" when all is well.
  std::string check();
  // One more transaction, after check().
  Status go_on() { return transaction(committed_); }
  // Goes on as if nothing had happened, in the same process, after a failure.
  void ignore_failure();
  // Another process that knows what this one was told.
  SqliteProcess told() const {
    SqliteProcess other(env_, journal_mode_);
    other.committed_ = committed_;
    other.in_doubt_ = in_doubt_;
    return other;
  }
  // Ends the process.
  void close() {
    reader_.reset();
    db_.reset();
  }

 private:
  static constexpr const char* kPath = "/data/a.db";

  bool is_wal() const { return journal_mode_ == "WAL"; }
  Status open();
  Status write(int number);
  Status transaction(int number);
  Status transactions_until(int count);
  Status abandoned_transaction();
  Result<Rows> read_rows();

  Env* const env_;
  const std::string journal_mode_;
  std::unique_ptr<SqliteDb> db_;
  std::unique_ptr<SqliteDb> reader_;
  int committed_ = 0;      // transactions that returned ok
  bool in_doubt_ = false;  // the next one was tried
};

Status SqliteProcess::open() {
  FIRN_TRY(env_->create_directories("/data"));
  const SqliteJournal journal = is_wal() ? SqliteJournal::kLog : SqliteJournal::kRollback;
  FIRN_ASSIGN(db_, SqliteDb::open(env_, kPath, {.create = true, .journal = journal}));
  return {};
}

Status SqliteProcess::write(int number) {
  if (number == 0) {
    FIRN_TRY(
        db_->exec("CREATE TABLE t (id INTEGER PRIMARY KEY, payload TEXT);"
                  "CREATE INDEX by_payload ON t (payload)"));
  }
  FIRN_ASSIGN(SqliteStatement put, db_->prepare("INSERT OR REPLACE INTO t VALUES (?, ?)"));
  const auto store = [&put](int64_t id, const std::string& text) -> Status {
    FIRN_TRY(put.bind_int64(1, id));
    FIRN_TRY(put.bind_text(2, text));
    return put.run();
  };
  FIRN_TRY(store(0, fmt::format("counter {}", number)));
  for (int part = 1; part <= 3; ++part) {
    FIRN_TRY(store(number * 10 + part, payload(number, part)));
  }
  if (number >= 1) FIRN_TRY(store((number - 1) * 10 + 1, fmt::format("updated by {}", number)));
  if (number < 2) return {};
  return db_->exec(fmt::format("DELETE FROM t WHERE id = {}", (number - 2) * 10 + 2));
}

Status SqliteProcess::transaction(int number) {
  SqliteTransaction transaction(db_.get());
  FIRN_TRY(transaction.begin());
  FIRN_TRY(write(number));
  in_doubt_ = true;
  FIRN_TRY(transaction.commit());
  in_doubt_ = false;
  committed_ = number + 1;
  return {};
}

Status SqliteProcess::transactions_until(int count) {
  while (committed_ < count) FIRN_TRY(transaction(committed_));
  return {};
}

// Large enough that SQLite writes a part of it before it knows that it is in vain.
Status SqliteProcess::abandoned_transaction() {
  FIRN_TRY(db_->exec("PRAGMA cache_size=2"));
  SqliteTransaction transaction(db_.get());
  FIRN_TRY(transaction.begin());
  return db_->exec("UPDATE t SET payload = payload || 'never committed'");
}

Status SqliteProcess::run() {
  FIRN_TRY(open());
  FIRN_TRY(transactions_until(3));
  FIRN_TRY(db_->checkpoint());
  FIRN_TRY(transactions_until(5));
  if (is_wal()) {  // a reader who keeps the log from being moved into the file as a whole
    FIRN_ASSIGN(reader_, SqliteDb::open(env_, kPath, {}));
    SqliteTransaction reading(reader_.get());
    FIRN_TRY(reading.begin_read());
    FIRN_TRY(transactions_until(6));
    FIRN_TRY(db_->checkpoint());
    FIRN_TRY(transactions_until(7));
  }
  reader_.reset();
  FIRN_TRY(abandoned_transaction());
  FIRN_TRY(transactions_until(8));
  close();
  FIRN_TRY(open());
  FIRN_TRY(transactions_until(9));
  const Status finished = db_->finish();
  close();
  FIRN_TRY(finished);
  FIRN_TRY(open());
  return transactions_until(kTransactions);
}

void SqliteProcess::ignore_failure() {
  if (db_ == nullptr) return;
  for (int i = 0; i < 3; ++i) {
    (void)db_->checkpoint();
    (void)transaction(committed_);
  }
}

Result<Rows> SqliteProcess::read_rows() {
  Rows rows;
  FIRN_ASSIGN(SqliteStatement find,
              db_->prepare("SELECT count(*) FROM sqlite_master WHERE name = 't'"));
  FIRN_TRY(find.step().status());
  if (find.column_int64(0) == 0) return rows;
  FIRN_ASSIGN(SqliteStatement all, db_->prepare("SELECT id, payload FROM t"));
  while (true) {
    FIRN_ASSIGN(const bool found, all.step());
    if (!found) return rows;
    rows[all.column_int64(0)] = all.column_text(1);
  }
}

std::string SqliteProcess::check() {
  const Status opened = open();
  if (!opened.ok()) return "opening: " + opened.to_string();
  const Status integrity = db_->check_integrity();
  if (!integrity.ok()) return "integrity: " + integrity.to_string();
  const Result<Rows> rows = read_rows();
  if (!rows.ok()) return "reading: " + rows.status().to_string();
  if (in_doubt_ && *rows == rows_after(committed_ + 1)) ++committed_;
  in_doubt_ = false;
  if (*rows == rows_after(committed_)) return "";
  const auto counter = rows->find(0);
  return fmt::format("{} transactions were committed, but there are {} rows, and the last was {}",
                     committed_, rows->size(), counter == rows->end() ? "none" : counter->second);
}

class SqliteCrash : public ::testing::TestWithParam<const char*> {
 protected:
  static uint64_t script_calls() {
    SimEnv env(1);
    SqliteProcess process(&env, GetParam());
    EXPECT_TRUE(process.run().ok());
    process.close();
    return env.io_count();
  }
};

// Boots, checks, works on, and loses all that was not synced once more.
void expect_whole(SimEnv* env, SqliteProcess process, const std::string& where) {
  ASSERT_EQ(process.check(), "") << where;
  ASSERT_TRUE(process.go_on().ok()) << where;
  env->cut_power();
  process.close();
  env->crash(CrashMode::kLoseAll, 0);
  ASSERT_EQ(process.check(), "") << where << ", second boot";
  process.close();
}

TEST_P(SqliteCrash, TheScriptItselfIsRight) {
  SimEnv env(1);
  SqliteProcess process(&env, GetParam());
  const Status status = process.run();
  ASSERT_TRUE(status.ok()) << status.to_string();
  process.close();
  EXPECT_EQ(process.check(), "");
}

TEST_P(SqliteCrash, AtEveryCall) {
  struct Cut {
    CrashMode mode;
    uint64_t seed;
  };
  constexpr Cut kCuts[] = {{CrashMode::kLoseAll, 0},
                           {CrashMode::kKeepAll, 0},
                           {CrashMode::kRandom, 1},
                           {CrashMode::kRandom, 2}};
  uint64_t call = 1;
  for (;; ++call) {
    SimEnv env(1);
    SqliteProcess process(&env, GetParam());
    env.crash_at(call);
    const Status status = process.run();
    process.close();
    if (!env.has_crashed()) {
      ASSERT_TRUE(status.ok()) << status.to_string();
      break;
    }
    const auto at_the_cut = env.snapshot();
    for (const Cut& cut : kCuts) {
      env.restore(at_the_cut);
      env.crash(cut.mode, cut.seed * 1'000'003 + call);
      expect_whole(
          &env, process.told(),
          fmt::format("call {}, mode {}, seed {}", call, static_cast<int>(cut.mode), cut.seed));
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(call, 100U);
}

TEST_P(SqliteCrash, DuringRecoveryToo) {
  const uint64_t calls = script_calls();
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SimEnv env(1);
    SqliteProcess process(&env, GetParam());
    env.crash_at(1 + seed * 7'919 % calls);
    (void)process.run();
    process.close();
    for (uint64_t depth = 0; depth < 3; ++depth) {
      env.crash(CrashMode::kRandom, seed * 10 + depth);
      env.crash_at(env.io_count() + 1 + (seed * 31 + depth * 17) % 12);
      SqliteProcess recovery = process.told();
      const std::string problem = recovery.check();
      ASSERT_TRUE(problem.empty() || env.has_crashed()) << problem << ", seed " << seed;
      env.cut_power();
      recovery.close();
    }
    env.crash(CrashMode::kRandom, seed);
    expect_whole(&env, process.told(), fmt::format("seed {}", seed));
    if (HasFatalFailure()) return;
  }
}

TEST_P(SqliteCrash, AfterEveryFailedCall) {
  uint64_t call = 1;
  for (;; ++call) {
    SimEnv disk(1);
    FaultEnv env(&disk);
    env.on_failed_sync([&](const std::string& path) { disk.forget_unsynced(path); });
    env.write_prefix(true);
    env.fail_once(call, call % 2 == 0 ? io_error("injected") : no_space("injected"));
    SqliteProcess process(&env, GetParam());
    const Status status = process.run();
    if (env.faults_injected() == 0) {
      ASSERT_TRUE(status.ok()) << status.to_string();
      break;
    }
    process.ignore_failure();
    process.close();
    disk.cut_power();
    const auto at_the_cut = disk.snapshot();
    for (const CrashMode mode : {CrashMode::kLoseAll, CrashMode::kRandom}) {
      disk.restore(at_the_cut);
      disk.crash(mode, call);
      expect_whole(
          &disk, process.told(),
          fmt::format("call {}, mode {}, {}", call, static_cast<int>(mode), status.to_string()));
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(call, 100U);
}

TEST_P(SqliteCrash, TheSameSeedIsTheSameRun) {
  uint64_t hashes[2] = {0, 0};
  for (uint64_t& hash : hashes) {
    SimEnv env(1);
    SqliteProcess process(&env, GetParam());
    ASSERT_TRUE(process.run().ok());
    process.close();
    hash = env.trace_hash();
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

INSTANTIATE_TEST_SUITE_P(Journal, SqliteCrash, ::testing::Values("WAL", "DELETE"),
                         [](const auto& mode) { return std::string(mode.param); });

}  // namespace
}  // namespace firn
