#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/status.h"
#include "env/env.h"
#include "wal/rocksdb_files.h"
#include "wal/wal.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class WriteBatch;
struct DBOptions;
}  // namespace rocksdb

namespace firn::wal {

// The records of a log in a RocksDB database, as docs/formats/wal-rocksdb.md says: which segments
// there are, reading, writing a group at a time, giving up segments, and what recovery decides.
//
// Thread rule: open() and read() once, in this order, before the rest; the group and segment
// functions from one thread; trim() from one thread; begin(), segments() and bytes() from any.
class RocksdbLog {
 public:
  enum class Access : uint8_t { kWrite, kRead };

  RocksdbLog(Env* env, std::string directory);
  ~RocksdbLog();  // what was added and not written is dropped
  RocksdbLog(const RocksdbLog&) = delete;
  RocksdbLog& operator=(const RocksdbLog&) = delete;

  // Opens the database, with Access::kWrite makes one when there is none. Ok also when there is
  // damage, as long as something can be read: see damage(). kConflict when another process has it.
  // With Access::kWrite what was recovered is durable, under names of its own, on return.
  Status open(Access access);
  // What was found damaged while opening; then nothing is changed and nothing can be written.
  // Access::kRead also reports a torn end here, as not acknowledged.
  const std::optional<WalDamage>& damage() const { return damage_; }

  // As Wal::replay(), up to the damage, which is not told here.
  Status read(Lsn from, const WalReplayVisitor& visit,
              const std::function<void(uint64_t, uint64_t)>& progress);
  // Reads everything and adds each place that cannot be read.
  void verify(std::vector<WalDamage>* damage);

  // --- The group. REQUIRES Access::kWrite and no damage. -----------------------------------------
  // Begins the next segment, durably. REQUIRES an empty group.
  Status begin_segment();
  // How many bytes the newest segment holds, the group included; nothing when there is none.
  std::optional<uint64_t> newest_segment_bytes() const;
  // Adds a record to the group; returns where it will be. REQUIRES a segment.
  Lsn add(std::span<const ByteView> parts);
  uint64_t group_bytes() const { return group_bytes_; }
  // Writes the group with one synced write; without records only a mark, which names everything
  // before it as synced. After a failure nothing more may be written.
  Status write_group();

  // Where the next record goes.
  Lsn end() const;
  // Gives up the segments before this one, but never the newest.
  Status trim(uint64_t segment_id);
  Lsn begin() const;
  uint64_t segments() const;
  uint64_t bytes() const;  // in records of the segments, as far as they were read or written

  // What a record adds to bytes().
  static uint64_t record_bytes(uint64_t payload_bytes);

 private:
  struct Segment {
    uint64_t id = 0;
    uint64_t first_number = 0;
    uint64_t bytes = 0;
    rocksdb::ColumnFamilyHandle* handle = nullptr;
  };

  Status check_files() const;
  Status open_database(Access access, bool accept_torn_end);
  Status adopt(const std::vector<rocksdb::ColumnFamilyHandle*>& handles);
  Status find_end();
  Status judge(const Status& strict, Access access);
  void close();
  Result<size_t> find_start(Lsn from) const;
  Status read_segment(Segment* segment, uint64_t from_number, uint64_t* expected,
                      const WalReplayVisitor& visit, const std::function<void(uint64_t)>& progress);
  WalDamage damage_of(const Status& status) const;

  Env* const env_;
  const std::string directory_;
  std::unique_ptr<RocksdbFiles> files_;
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::ColumnFamilyHandle* default_handle_ = nullptr;
  std::string log_id_;
  std::optional<WalDamage> damage_;

  mutable Mutex mutex_;
  std::deque<Segment> segments_ GUARDED_BY(mutex_);

  // The writing thread's own.
  std::unique_ptr<rocksdb::WriteBatch> group_;
  uint64_t group_bytes_ = 0;
  uint64_t next_number_ = 1;
};

}  // namespace firn::wal
