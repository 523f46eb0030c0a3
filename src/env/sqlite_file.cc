#include "env/sqlite_file.h"

#include <algorithm>
#include <cstring>

#include "env/sqlite_vfs.h"

namespace firn {
namespace {

Status& last_error() {
  thread_local Status status;
  return status;
}

// What SQLite expects of a read beyond the end.
int short_read(void* out, size_t size, size_t count) {
  std::memset(static_cast<char*>(out) + count, 0, size - count);
  return SQLITE_IOERR_SHORT_READ;
}

Status fenced(const std::string& path) {
  return io_error("write " + path +
                  ": refused, because an earlier sync of this database failed; it has to be closed "
                  "and opened again");
}

}  // namespace

Status take_last_sqlite_vfs_error() { return std::exchange(last_error(), Status()); }

int sqlite_vfs_failure(const Status& status, int code) {
  last_error() = status;
  return status.code() == StatusCode::kNoSpace ? SQLITE_FULL : code;
}

int SqliteMemoryFile::read(void* out, size_t size, uint64_t offset) {
  const size_t from = std::min<uint64_t>(offset, content_.size());
  const size_t count = std::min(size, content_.size() - from);
  std::memcpy(out, content_.data() + from, count);
  return count == size ? SQLITE_OK : short_read(out, size, count);
}

int SqliteMemoryFile::write(ByteView bytes, uint64_t offset) {
  if (offset + bytes.size() > content_.size()) content_.resize(offset + bytes.size());
  std::memcpy(content_.data() + offset, bytes.data(), bytes.size());
  return SQLITE_OK;
}

int SqliteMemoryFile::truncate(uint64_t size) {
  content_.resize(size);
  return SQLITE_OK;
}

int SqliteMemoryFile::size(sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(content_.size());
  return SQLITE_OK;
}

SqliteEnvFile::~SqliteEnvFile() {
  shared_->leave_index(&holder_);
  shared_->unlock(&holder_, SqliteLockLevel::kNone);
}

int SqliteEnvFile::read_some(void* out, size_t size, uint64_t offset, size_t* count) {
  const Result<size_t> found = file_->read_at(offset, out, size);
  if (!found.ok()) return sqlite_vfs_failure(found.status(), SQLITE_IOERR_READ);
  *count = *found;
  return *count == size ? SQLITE_OK : short_read(out, size, *count);
}

int SqliteEnvFile::write_parts(std::span<const ByteView> parts, uint64_t offset) {
  if (shared_->fenced()) return sqlite_vfs_failure(fenced(path_), SQLITE_IOERR_WRITE);
  const Status status = file_->write_at(offset, parts);
  return status.ok() ? SQLITE_OK : sqlite_vfs_failure(status, SQLITE_IOERR_WRITE);
}

int SqliteEnvFile::truncate(uint64_t size) {
  if (shared_->fenced()) return sqlite_vfs_failure(fenced(path_), SQLITE_IOERR_TRUNCATE);
  const Status status = file_->truncate(size);
  return status.ok() ? SQLITE_OK : sqlite_vfs_failure(status, SQLITE_IOERR_TRUNCATE);
}

int SqliteEnvFile::sync() {
  if (shared_->fenced()) {
    (void)sqlite_vfs_failure(fenced(path_), SQLITE_IOERR_FSYNC);
    return SQLITE_IOERR_FSYNC;
  }
  Status status = file_->sync();
  int code = SQLITE_IOERR_FSYNC;
  if (status.ok() && !name_is_durable_) {
    // Not only when this handle created the file: an earlier process may have been killed between
    // creating it and syncing its directory. The same sync covers the database's own name when
    // the log is what is synced, and the absence of journals that were removed before.
    status = env_->sync_directory(parent_path(path_));
    code = SQLITE_IOERR_DIR_FSYNC;
    name_is_durable_ = status.ok();
  }
  if (status.ok()) return SQLITE_OK;
  shared_->fence();
  // Also when the disk is full: unlike a refused write, this leaves open what happened.
  (void)sqlite_vfs_failure(status, code);
  return code;
}

int SqliteEnvFile::size(sqlite3_int64* size) {
  const Result<uint64_t> result = file_->size();
  if (!result.ok()) return sqlite_vfs_failure(result.status(), SQLITE_IOERR_FSTAT);
  *size = static_cast<sqlite3_int64>(*result);
  return SQLITE_OK;
}

}  // namespace firn
