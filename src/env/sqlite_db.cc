#include "env/sqlite_db.h"

#include <sqlite3.h>

#include <utility>

#include <fmt/format.h>

#include "env/sqlite_checked_file.h"
#include "env/sqlite_vfs.h"

namespace firn {
namespace {

constexpr int kBusyTimeoutMs = 5000;
constexpr size_t kMaxSqlInMessage = 200;
constexpr int kMaxFindings = 20;
constexpr size_t kMaxIdleStatements = 16;

// What the result of SQLite means to a caller. `vfs` is the failure of I/O behind it, if any.
StatusCode status_code(int code, const Status& vfs) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return StatusCode::kCorruption;
    case SQLITE_FULL:
      return StatusCode::kNoSpace;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
      return StatusCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return StatusCode::kConflict;
    case SQLITE_TOOBIG:
      return StatusCode::kTooLarge;
    case SQLITE_INTERRUPT:
      return StatusCode::kCancelled;
    case SQLITE_CANTOPEN:
      return vfs.code() == StatusCode::kNotFound ? StatusCode::kNotFound : StatusCode::kIoError;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return StatusCode::kIoError;
    case SQLITE_IOERR:
      if (code == SQLITE_IOERR_DATA) return StatusCode::kCorruption;
      if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) {
        return StatusCode::kOutcomeUnknown;
      }
      return StatusCode::kIoError;
    default:
      return StatusCode::kInternal;
  }
}

bool may_come_from_vfs(int code) {
  switch (code & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_BUSY:
      return true;
    default:
      return false;
  }
}

}  // namespace

// --- SqliteDb -------------------------------------------------------------------------------

Status SqliteDb::error(int code, std::string_view sql) const {
  const Status vfs = take_last_sqlite_vfs_error();
  const char* text = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
  std::string message = fmt::format("sqlite {}: {} ({})", path_, text, code);
  if (!vfs.ok() && may_come_from_vfs(code)) message += fmt::format(": {}", vfs.message());
  if (!sql.empty()) message += fmt::format(" [{}]", sql.substr(0, kMaxSqlInMessage));
  return {status_code(code, vfs), std::move(message)};
}

Result<std::unique_ptr<SqliteDb>> SqliteDb::open(Env* env, const std::string& path,
                                                 SqliteOpenFlags flags) {
  FIRN_CHECK(!path.empty() && !(flags.create && flags.read_only));
  FIRN_ASSIGN(const std::string vfs, register_sqlite_vfs(env));
  int sqlite_flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite_flags |= flags.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (flags.create) sqlite_flags |= SQLITE_OPEN_CREATE;
  (void)take_last_sqlite_vfs_error();
  std::unique_ptr<SqliteDb> db(new SqliteDb(env, path, flags));
  const int code = sqlite3_open_v2(path.c_str(), &db->handle_, sqlite_flags, vfs.c_str());
  if (code != SQLITE_OK) return db->error(code, "");
  FIRN_TRY(db->configure());
  return Result<std::unique_ptr<SqliteDb>>(std::move(db));
}

Status SqliteDb::configure() {
  sqlite3_busy_timeout(handle_, kBusyTimeoutMs);
  // Files may come from elsewhere: their schema gets no power, and no setting of theirs weakens us.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  FIRN_TRY(
      exec("PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA foreign_keys=OFF;"
           "PRAGMA cell_size_check=ON"));
  if (flags_.read_only) {
    // Closing must not try to tidy up a file it may only read.
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    FIRN_TRY(exec("PRAGMA query_only=ON"));
  } else {
    FIRN_TRY(configure_writing());
  }
  // Finds out now, not later, whether this is a database that can be read.
  return query_text("SELECT count(*) FROM sqlite_schema").status();
}

Status SqliteDb::configure_writing() {
  const bool rollback = flags_.journal == SqliteJournal::kRollback;
  // 3 is EXTRA: as FULL, and the removal of a rollback journal is synced too. Without that a
  // power cut could bring the journal back, and with it undo a commit. It comes before the change
  // of the journal mode, which is itself a commit with such a journal.
  FIRN_TRY(exec("PRAGMA synchronous=EXTRA"));
  FIRN_ASSIGN(const std::string level, query_text("PRAGMA synchronous"));
  if (std::string_view(level) != "3") {
    return io_error(fmt::format("sqlite {}: synchronous stays {}, need 3", path_, level));
  }
  // Both of no effect on a file that has pages.
  FIRN_TRY(exec("PRAGMA page_size=4096"));
  int reserved = kSqliteReservedBytes;
  const int code = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  if (code != SQLITE_OK) return error(code, "reserve bytes");
  const std::string wanted = rollback ? "delete" : "wal";
  FIRN_ASSIGN(const std::string mode, query_text("PRAGMA journal_mode=" + wanted));
  if (mode != wanted) {
    return io_error(
        fmt::format("sqlite {}: journal mode stays '{}', need '{}'", path_, mode, wanted));
  }
  // An earlier process may have removed a journal without living to sync that. What it committed is
  // shown from now on, so the journal must not come back and undo it.
  return rollback ? env_->sync_directory(parent_path(path_)) : Status();
}

SqliteDb::~SqliteDb() {
  finalize_idle(0);
  // A statement that is still there would keep the connection and its locks alive: our mistake.
  if (handle_ != nullptr) FIRN_CHECK(sqlite3_close(handle_) == SQLITE_OK);
}

Status SqliteDb::closed() const {
  return internal_error(fmt::format("sqlite {}: the connection was closed by finish()", path_));
}

Status SqliteDb::exec(const std::string& sql) {
  if (handle_ == nullptr) return closed();
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : error(code, sql);
}

Result<SqliteStatement> SqliteDb::prepare(std::string_view sql) {
  if (handle_ == nullptr) return closed();
  if (sqlite3_stmt* idle = take_idle(sql)) return SqliteStatement(this, idle);
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  const int code =
      sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, &rest);
  if (code != SQLITE_OK) return error(code, sql);
  SqliteStatement result(this, statement);
  const std::string_view behind = sql.substr(static_cast<size_t>(rest - sql.data()));
  FIRN_CHECK(statement != nullptr && behind.find_first_not_of(" \n\t;") == std::string_view::npos);
  return Result<SqliteStatement>(std::move(result));
}

sqlite3_stmt* SqliteDb::take_idle(std::string_view sql) {
  for (auto it = idle_.rbegin(); it != idle_.rend(); ++it) {
    if (sql != sqlite3_sql(*it)) continue;
    sqlite3_stmt* const statement = *it;
    idle_.erase(std::next(it).base());
    return statement;
  }
  return nullptr;
}

void SqliteDb::give_idle(sqlite3_stmt* statement) {
  // The failure of the last step, if that was one, was returned by it.
  (void)sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  idle_.push_back(statement);
  finalize_idle(kMaxIdleStatements);
}

void SqliteDb::finalize_idle(size_t most) {
  while (idle_.size() > most) {
    sqlite3_finalize(idle_.front());
    idle_.erase(idle_.begin());
  }
}

Result<std::string> SqliteDb::query_text(const std::string& sql) {
  FIRN_ASSIGN(SqliteStatement statement, prepare(sql));
  FIRN_ASSIGN(const bool row, statement.step());
  if (!row) return internal_error(fmt::format("sqlite {}: no row [{}]", path_, sql));
  return std::string(statement.column_text(0));
}

int64_t SqliteDb::last_insert_rowid() const {
  return handle_ == nullptr ? 0 : sqlite3_last_insert_rowid(handle_);
}

int64_t SqliteDb::changes() const { return handle_ == nullptr ? 0 : sqlite3_changes64(handle_); }

bool SqliteDb::in_transaction() const {
  return handle_ != nullptr && sqlite3_get_autocommit(handle_) == 0;
}

void SqliteDb::interrupt() {
  if (handle_ != nullptr) sqlite3_interrupt(handle_);
}

Status SqliteDb::checkpoint() {
  if (handle_ == nullptr) return closed();
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  // Busy: another connection is at it already.
  return code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY ? Status() : error(code, "checkpoint");
}

Status SqliteDb::finish() {
  if (handle_ == nullptr) return closed();
  FIRN_CHECK(!flags_.read_only && !in_transaction());
  finalize_idle(0);
  FIRN_CHECK(sqlite3_next_stmt(handle_, nullptr) == nullptr);
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, "checkpoint");
  FIRN_ASSIGN(const std::string mode, query_text("PRAGMA journal_mode=DELETE"));
  if (mode != "delete") {
    return unavailable(fmt::format("sqlite {}: other connections are open", path_));
  }
  finalize_idle(0);
  FIRN_CHECK(sqlite3_close(std::exchange(handle_, nullptr)) == SQLITE_OK);
  for (const char* suffix : {"-wal", "-journal"}) {
    FIRN_ASSIGN(const bool exists, env_->exists(path_ + suffix));
    if (exists) return io_error(fmt::format("{}{} is still there after closing", path_, suffix));
  }
  const Status synced = env_->sync_directory(parent_path(path_));
  return synced.ok() ? Status() : outcome_unknown(std::string(synced.message()));
}

Status SqliteDb::check_integrity() {
  (void)take_last_sqlite_vfs_error();
  FIRN_ASSIGN(SqliteStatement statement,
              prepare(fmt::format("PRAGMA integrity_check({})", kMaxFindings)));
  std::string findings;
  while (true) {
    FIRN_ASSIGN(const bool row, statement.step());
    if (!row) break;
    const std::string_view finding = statement.column_text(0);
    if (finding != "ok") findings.append(findings.empty() ? "" : "; ").append(finding);
  }
  if (findings.empty()) return {};
  // SQLite counts a page that cannot be read among its findings; which one, and why, the file says.
  const Status vfs = take_last_sqlite_vfs_error();
  if (!vfs.ok()) findings.append("; ").append(vfs.message());
  return {vfs.ok() ? StatusCode::kCorruption : vfs.code(),
          fmt::format("sqlite {}: {}", path_, findings)};
}

// --- SqliteStatement ------------------------------------------------------------------------

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)),
      statement_(std::exchange(other.statement_, nullptr)) {}

SqliteStatement& SqliteStatement::operator=(SqliteStatement&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(statement_, other.statement_);
  return *this;
}

SqliteStatement::~SqliteStatement() {
  if (statement_ != nullptr) db_->give_idle(statement_);
}

Status SqliteStatement::bound(int code) const {
  if (code == SQLITE_OK) [[likely]]
    return {};
  return db_->error(code, sqlite3_sql(statement_));
}

Status SqliteStatement::bind_int64(int index, int64_t value) {
  return bound(sqlite3_bind_int64(statement_, index, value));
}
Status SqliteStatement::bind_double(int index, double value) {
  return bound(sqlite3_bind_double(statement_, index, value));
}
Status SqliteStatement::bind_null(int index) { return bound(sqlite3_bind_null(statement_, index)); }

namespace {

// SQLite takes a null pointer for the value null; an empty view may have one.
const char* data_of(std::string_view bytes) { return bytes.empty() ? "" : bytes.data(); }

}  // namespace

Status SqliteStatement::bind_text(int index, std::string_view text) {
  return bound(sqlite3_bind_text64(statement_, index, data_of(text), text.size(), SQLITE_TRANSIENT,
                                   SQLITE_UTF8));
}
Status SqliteStatement::bind_text_static(int index, std::string_view text) {
  return bound(sqlite3_bind_text64(statement_, index, data_of(text), text.size(), SQLITE_STATIC,
                                   SQLITE_UTF8));
}
Status SqliteStatement::bind_blob(int index, ByteView bytes) {
  return bound(
      sqlite3_bind_blob64(statement_, index, data_of(bytes), bytes.size(), SQLITE_TRANSIENT));
}
Status SqliteStatement::bind_blob_static(int index, ByteView bytes) {
  return bound(sqlite3_bind_blob64(statement_, index, data_of(bytes), bytes.size(), SQLITE_STATIC));
}

Result<bool> SqliteStatement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  const Status status = db_->error(code, sqlite3_sql(statement_));
  sqlite3_reset(statement_);
  return status;
}

Status SqliteStatement::run() {
  while (true) {
    FIRN_ASSIGN(const bool row, step());
    if (!row) return {};
  }
}

void SqliteStatement::reset() { sqlite3_reset(statement_); }

void SqliteStatement::clear() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

int64_t SqliteStatement::column_int64(int column) const {
  return sqlite3_column_int64(statement_, column);
}
double SqliteStatement::column_double(int column) const {
  return sqlite3_column_double(statement_, column);
}
std::string_view SqliteStatement::column_text(int column) const {
  // The pointer first: asking for it may convert the value, and with it change the size.
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return text == nullptr ? std::string_view() : std::string_view(text, static_cast<size_t>(size));
}
ByteView SqliteStatement::column_blob(int column) const {
  const auto* blob = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return blob == nullptr ? ByteView() : ByteView(blob, static_cast<size_t>(size));
}
bool SqliteStatement::column_is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
SqliteType SqliteStatement::column_type(int column) const {
  return static_cast<SqliteType>(sqlite3_column_type(statement_, column));
}
int SqliteStatement::column_count() const { return sqlite3_column_count(statement_); }

// --- SqliteTransaction ----------------------------------------------------------------------

SqliteTransaction::~SqliteTransaction() {
  // SQLite has rolled back by itself after some failures, and nobody could react to one here: what
  // is not committed is not there after a restart in any case.
  if (open_ && db_->in_transaction()) (void)run("ROLLBACK");
}

Status SqliteTransaction::run(const char* sql) {
  FIRN_ASSIGN(SqliteStatement statement, db_->prepare(sql));
  return statement.run();
}

Status SqliteTransaction::begin() {
  FIRN_CHECK(!open_);
  FIRN_TRY(run("BEGIN IMMEDIATE"));
  open_ = true;
  return {};
}

Status SqliteTransaction::begin_read() {
  FIRN_CHECK(!open_);
  FIRN_TRY(run("BEGIN"));
  open_ = true;
  // Only the first read decides which state is seen.
  return run("SELECT count(*) FROM sqlite_schema");
}

Status SqliteTransaction::commit() {
  FIRN_CHECK(open_);
  Status status = run("COMMIT");
  if (!status.ok() && db_->in_transaction()) (void)run("ROLLBACK");
  open_ = false;
  return status;
}

Status remove_sqlite_db(Env* env, const std::string& path) {
  // The database first: files left beside a database that is new or absent are ignored by SQLite,
  // while a database without its log would be an old state of itself.
  for (const char* suffix : {"", "-wal", "-journal", "-shm"}) {
    Status status = env->remove(path + suffix);
    if (!status.ok() && status.code() != StatusCode::kNotFound) return status;
  }
  return env->sync_directory(parent_path(path));
}

}  // namespace firn
