#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"
#include "env/sqlite_db.h"
#include "tier/blocks/block_index.h"
#include "tier/sqlite/chunk_meta.h"
#include "tier/tier.h"

namespace firn {

// What a chunk file's connections share: idle connections for later reads, and what was learnt of
// blocks, which never change while they exist.
//
// Thread rule: writer(), close_connections(), finish() and remove() from one thread (the mover);
// the rest from any thread. Must be held by shared_ptr: readers keep it alive.
class ChunkFile : public std::enable_shared_from_this<ChunkFile> {
 public:
  ChunkFile(Env* env, std::string path, const ChunkKey& key)
      : env_(env), path_(std::move(path)), key_(key) {}

  const std::string& path() const { return path_; }
  const ChunkKey& key() const { return key_; }

  // A connection for reading, and the meta it saw last.
  struct Connection {
    std::unique_ptr<SqliteDb> db;
    int64_t data_version = -1;  // SQLite's, of `meta`; -1: none was read
    ChunkMeta meta;
  };

  // A connection in a read transaction of its own, with the meta it sees. Goes back to the file
  // when destroyed; statements of its db must be gone by then. Thread rule: one thread at a time.
  class Session {
   public:
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    SqliteDb* db() { return connection_.db.get(); }
    const ChunkMeta& meta() const { return connection_.meta; }
    ChunkFile* file() { return file_.get(); }

   private:
    friend class ChunkFile;
    Session() = default;
    Status read_meta();
    std::shared_ptr<ChunkFile> file_;
    Connection connection_;
    std::optional<SqliteTransaction> transaction_;
  };
  // kNotFound when there is no such file, or nothing in it yet.
  Result<std::unique_ptr<Session>> begin_read();

  BlockIndex* index() { return &index_; }

  // The connection for writing, opened at the first call. kNotFound without a file, unless
  // `create`.
  Result<SqliteDb*> writer(bool create);
  // After a failed write: closes what can be closed, so that the next use recovers the file.
  void close_connections();
  // Makes the file complete in itself when nobody reads it at this moment; otherwise leaves it as
  // it is, which is only less tidy.
  Status finish();
  // Removes the file; kUnavailable while it is read.
  Status remove();

  bool is_being_read() const { return sessions_.load() > 0; }
  uint64_t cache_bytes() const { return index_.cache_bytes(); }

 private:
  static constexpr size_t kIdleConnectionsMax = 2;
  void give_back(Connection connection);
  Result<Connection> take_connection();
  // Undoes a change of the journal mode that a crash interrupted.
  Status recover() REQUIRES(mutex_);
  Status open_writer(bool create) REQUIRES(mutex_);

  Env* const env_;
  const std::string path_;
  const ChunkKey key_;
  std::unique_ptr<SqliteDb> writer_;
  std::atomic<uint32_t> sessions_{0};
  BlockIndex index_;

  // Also held while the journal mode changes, and while finish() and remove() need the file for
  // themselves.
  Mutex mutex_;
  std::vector<Connection> idle_ GUARDED_BY(mutex_);
};

}  // namespace firn
