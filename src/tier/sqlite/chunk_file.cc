#include "tier/sqlite/chunk_file.h"

namespace firn {

ChunkFile::Session::~Session() {
  transaction_.reset();
  if (file_ != nullptr) file_->give_back(std::move(db_));
}

Result<std::unique_ptr<SqliteDb>> ChunkFile::take_connection() {
  MutexLock lock(&mutex_);
  if (!idle_.empty()) {
    std::unique_ptr<SqliteDb> db = std::move(idle_.back());
    idle_.pop_back();
    sessions_.fetch_add(1);
    return db;
  }
  FIRN_ASSIGN(const bool exists, env_->exists(path_));
  if (!exists) return not_found("chunk " + key_.name() + " has no file " + path_);
  FIRN_TRY(recover());
  FIRN_ASSIGN(std::unique_ptr<SqliteDb> db, SqliteDb::open(env_, path_, {.read_only = true}));
  sessions_.fetch_add(1);
  return db;
}

Status ChunkFile::recover() {
  // A rollback journal only exists while the journal mode changes, which happens under mutex_. One
  // that is found here was left by a crash, and a connection for reading may not roll it back.
  FIRN_ASSIGN(const bool interrupted, env_->exists(path_ + "-journal"));
  if (!interrupted) return Status();
  return SqliteDb::open(env_, path_, {}).status();
}

void ChunkFile::give_back(std::unique_ptr<SqliteDb> db) {
  MutexLock lock(&mutex_);
  if (db != nullptr && idle_.size() < kIdleConnectionsMax) {
    idle_.push_back(std::move(db));
  } else {
    db.reset();  // before the count says that nobody reads
  }
  sessions_.fetch_sub(1);
}

Result<std::unique_ptr<ChunkFile::Session>> ChunkFile::begin_read() {
  FIRN_ASSIGN(std::unique_ptr<SqliteDb> db, take_connection());
  std::unique_ptr<Session> session(new Session());
  session->file_ = shared_from_this();
  session->db_ = std::move(db);
  session->transaction_.emplace(session->db());
  FIRN_TRY(session->transaction_->begin_read());
  auto meta = load_meta(session->db(), key_);
  if (!meta.ok()) return meta.status().with_context(path_);
  if (!*meta) return not_found("chunk " + key_.name() + ": nothing was committed to " + path_);
  session->meta_ = std::move(**meta);
  return session;
}

Result<SqliteDb*> ChunkFile::writer(bool create) {
  MutexLock lock(&mutex_);
  FIRN_TRY(open_writer(create));
  return writer_.get();
}

Status ChunkFile::open_writer(bool create) {
  if (writer_ != nullptr) return Status();
  FIRN_ASSIGN(writer_, SqliteDb::open(env_, path_, {.create = create}));
  return Status();
}

void ChunkFile::close_connections() {
  writer_.reset();
  MutexLock lock(&mutex_);
  idle_.clear();
}

Status ChunkFile::finish() {
  // New readers wait for the moment this takes.
  MutexLock lock(&mutex_);
  idle_.clear();
  if (is_being_read()) return Status();
  FIRN_TRY(open_writer(false));
  const Status status = writer_->finish();
  writer_.reset();
  return status.code() == StatusCode::kUnavailable ? Status() : status;
}

Status ChunkFile::remove() {
  MutexLock lock(&mutex_);
  idle_.clear();
  if (is_being_read()) return unavailable("chunk " + key_.name() + " is being read; drop it later");
  writer_.reset();
  index_.clear();
  return remove_sqlite_db(env_, path_);
}

}  // namespace firn
