#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "env/env.h"

namespace rocksdb {
class Env;
class Status;
}  // namespace rocksdb

namespace firn::wal {

// RocksDB on top of an Env: every file, directory and lock of a database goes through it, so that
// simulation and fault injection see each call. Clocks and background threads are RocksDB's own.
//
// The first failure of a read, write, sync or change of names is final: from then on no write, sync
// or change of names reaches the Env any more. RocksDB can thus neither try again after a failed
// sync, nor take a failed read for the end of a log and tidy up behind it.
//
// Thread rule: any. The Env must outlive this; this must outlive every database opened with it.
class RocksdbFiles {
 public:
  explicit RocksdbFiles(Env* env);
  ~RocksdbFiles();
  RocksdbFiles(const RocksdbFiles&) = delete;
  RocksdbFiles& operator=(const RocksdbFiles&) = delete;

  // For rocksdb::DBOptions::env.
  rocksdb::Env* rocksdb_env() const;
  // The failure that was final; ok when there was none.
  Status failure() const;
  // What RocksDB's answer means to us: failure() in the Env's own words when there is one, else
  // kCorruption for whatever is missing, unknown or does not add up, kConflict when somebody else
  // has the database open, kIoError for the rest.
  Status to_status(const rocksdb::Status& status) const;

 private:
  class Latch;
  class FileSystem;
  class ReadFile;
  class WriteFile;
  class Directory;

  std::shared_ptr<Latch> latch_;
  std::unique_ptr<rocksdb::Env> rocksdb_env_;
};

}  // namespace firn::wal
