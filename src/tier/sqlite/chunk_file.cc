#include "tier/sqlite/chunk_file.h"

namespace firn {

ChunkFile::Session::~Session() {
  transaction_.reset();
  if (file_ != nullptr) file_->give_back(std::move(connection_));
}

Result<ChunkFile::Connection> ChunkFile::take_connection() {
  MutexLock lock(&mutex_);
  Connection connection;
  if (!idle_.empty()) {
    connection = std::move(idle_.back());
    idle_.pop_back();
    sessions_.fetch_add(1);
    return connection;
  }
  FIRN_ASSIGN(const bool exists, env_->exists(path_));
  if (!exists) return not_found("chunk " + key_.name() + " has no file " + path_);
  FIRN_TRY(recover());
  FIRN_ASSIGN(connection.db, SqliteDb::open(env_, path_, {.read_only = true}));
  sessions_.fetch_add(1);
  return connection;
}

Status ChunkFile::recover() {
  // A rollback journal only exists while the journal mode changes, which happens under mutex_. One
  // that is found here was left by a crash, and a connection for reading may not roll it back.
  FIRN_ASSIGN(const bool interrupted, env_->exists(path_ + "-journal"));
  if (!interrupted) return Status();
  return SqliteDb::open(env_, path_, {}).status();
}

void ChunkFile::give_back(Connection connection) {
  MutexLock lock(&mutex_);
  if (connection.db != nullptr && idle_.size() < kIdleConnectionsMax) {
    idle_.push_back(std::move(connection));
  } else {
    connection.db.reset();  // before the count says that nobody reads
  }
  sessions_.fetch_sub(1);
}

Result<std::unique_ptr<ChunkFile::Session>> ChunkFile::begin_read() {
  FIRN_ASSIGN(Connection connection, take_connection());
  std::unique_ptr<Session> session(new Session());
  session->file_ = shared_from_this();
  session->connection_ = std::move(connection);
  session->transaction_.emplace(session->db());
  FIRN_TRY(session->transaction_->begin_read());
  FIRN_TRY(session->read_meta());
  return session;
}

Status ChunkFile::Session::read_meta() {
  // The same on one connection means that nobody else committed.
  FIRN_ASSIGN(const int64_t version, query_integer(db(), "PRAGMA data_version"));
  if (connection_.data_version == version) return Status();
  connection_.data_version = -1;
  auto meta = load_meta(db(), file_->key_);
  if (!meta.ok()) return meta.status().with_context(file_->path_);
  if (!*meta) {
    return not_found("chunk " + file_->key_.name() + ": nothing was committed to " + file_->path_);
  }
  connection_.meta = std::move(**meta);
  connection_.data_version = version;
  return Status();
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
