#pragma once

#include <sqlite3.h>

#include <memory>
#include <span>
#include <string>

#include "env/env.h"
#include "env/sqlite_locks.h"

namespace firn {

// A file as SQLite sees it: results are SQLite's codes. Thread rule: one connection's.
class SqliteFile {
 public:
  virtual ~SqliteFile() = default;
  virtual int read(void* out, size_t size, uint64_t offset) = 0;
  virtual int write(ByteView bytes, uint64_t offset) = 0;
  virtual int truncate(uint64_t size) = 0;
  virtual int sync() = 0;
  virtual int size(sqlite3_int64* size) = 0;
};

// A temporary file.
class SqliteMemoryFile final : public SqliteFile {
 public:
  int read(void* out, size_t size, uint64_t offset) override;
  int write(ByteView bytes, uint64_t offset) override;
  int truncate(uint64_t size) override;
  int sync() override { return SQLITE_OK; }
  int size(sqlite3_int64* size) override;

 private:
  std::string content_;
};

// A database, its journal or its write-ahead log, in the Env: what they have in common.
class SqliteEnvFile : public SqliteFile {
 public:
  // `shared` is that of the database the file belongs to.
  SqliteEnvFile(Env* env, std::string path, std::unique_ptr<File> file,
                std::shared_ptr<SqliteShared> shared)
      : env_(env), path_(std::move(path)), file_(std::move(file)), shared_(std::move(shared)) {}
  ~SqliteEnvFile() override;

  int truncate(uint64_t size) override;
  int sync() override;
  int size(sqlite3_int64* size) override;

  const std::shared_ptr<SqliteShared>& shared() const { return shared_; }
  SqliteShared::Holder* holder() { return &holder_; }

 protected:
  const std::string& path() const { return path_; }
  const File& file() const { return *file_; }
  // As read(); `count` is how many bytes were there.
  int read_some(void* out, size_t size, uint64_t offset, size_t* count);
  int write_parts(std::span<const ByteView> parts, uint64_t offset);

 private:
  Env* const env_;
  const std::string path_;
  const std::unique_ptr<File> file_;
  const std::shared_ptr<SqliteShared> shared_;
  SqliteShared::Holder holder_;
  bool name_is_durable_ = false;
};

// Remembers `status` for take_last_sqlite_vfs_error(). Returns SQLITE_FULL when the disk is full,
// else `code`.
int sqlite_vfs_failure(const Status& status, int code);

}  // namespace firn
