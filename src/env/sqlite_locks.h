#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "env/sqlite_outside_lock.h"

namespace firn {

// SQLite's five levels of locking a database file (https://sqlite.org/lockingv3.html), in order.
enum class SqliteLockLevel : uint8_t { kNone, kShared, kReserved, kPending, kExclusive };

// What all connections of this process to one database share: its file locks, the index of its
// write-ahead log and whether a sync has failed. Other processes are kept out by SqliteOutsideLock,
// so the index of the log is plain memory here, as SQLite permits for a single process
// (https://sqlite.org/wal.html#noshm without the exclusive mode).
//
// Thread rule: any thread. A SqliteHolder belongs to one connection.
class SqliteShared {
 public:
  static constexpr int kSlots = 8;  // SQLITE_SHM_NLOCK

  // One connection's part.
  struct Holder {
    SqliteLockLevel level = SqliteLockLevel::kNone;
    uint32_t shared_slots = 0;     // bit i: a shared lock on slot i of the log's index
    uint32_t exclusive_slots = 0;  // bit i: an exclusive lock
    bool uses_index = false;
  };

  // `log_is_settled`: what an earlier object for the path said at its end.
  explicit SqliteShared(std::string path, bool log_is_settled = false)
      : path_(std::move(path)), is_restored_(log_is_settled), is_settled_(log_is_settled) {}
  const std::string& path() const { return path_; }

  // Keeps other processes out for as long as this object lives. False: one of them holds the file.
  bool lock_outside(bool read_only) EXCLUDES(mutex_);

  // Raises the holder's level; false when another holder is in the way. A failed step from reserved
  // to exclusive leaves the holder at pending, so that no new reader comes in.
  bool lock(Holder* holder, SqliteLockLevel level) EXCLUDES(mutex_);
  // Lowers it to kShared or kNone.
  void unlock(Holder* holder, SqliteLockLevel level) EXCLUDES(mutex_);
  // Whether any connection is at reserved or above.
  bool reserved() const EXCLUDES(mutex_);

  // The region of the log's index, zeroed when it is new; null when it is not there and !extend.
  // Stays where it is until the last user of the index is gone.
  void* index_region(Holder* holder, size_t region, size_t region_bytes, bool extend)
      EXCLUDES(mutex_);
  // Locks or unlocks the slots [first, first + count). False when another holder is in the way.
  bool lock_slots(Holder* holder, int first, int count, bool exclusive) EXCLUDES(mutex_);
  void unlock_slots(Holder* holder, int first, int count) EXCLUDES(mutex_);
  // Everything written to the index before is seen by every thread that calls this later.
  void index_barrier() EXCLUDES(mutex_);
  // The last user takes the index along: the next one rebuilds it from the log, as after a restart.
  void leave_index(Holder* holder) EXCLUDES(mutex_);

  // To be called before the write-ahead log is opened: calls `restore` the first time of all, and
  // `settle` the first time that a connection may write; others that open it wait. Ok once each
  // was.
  Status prepare_log(const std::function<Status()>& restore, const std::function<Status()>& settle)
      EXCLUDES(prepare_mutex_);
  void allow_writes() { may_write_.store(true); }
  // Whether every commit in the log is known to be durable: it was prepared for writing, and no
  // sync has failed since.
  bool log_is_settled() EXCLUDES(prepare_mutex_);

  // After a failed sync nobody can say what the file holds, and a second sync would succeed without
  // writing anything. So the first failure ends all writing until every connection is closed.
  void fence() { fenced_.store(true); }
  bool fenced() const { return fenced_.load(); }

 private:
  struct Slot {
    int shared = 0;
    bool exclusive = false;
  };

  const std::string path_;
  std::atomic<bool> fenced_{false};
  std::atomic<bool> may_write_{false};
  Mutex prepare_mutex_;
  bool is_restored_ GUARDED_BY(prepare_mutex_) = false;
  bool is_settled_ GUARDED_BY(prepare_mutex_) = false;
  mutable Mutex mutex_;
  SqliteOutsideLock outside_ GUARDED_BY(mutex_);
  int shared_ GUARDED_BY(mutex_) = 0;                  // holders at kShared or above
  const Holder* writer_ GUARDED_BY(mutex_) = nullptr;  // the one holder above kShared
  std::array<Slot, kSlots> slots_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<char[]>> index_ GUARDED_BY(mutex_);
  int index_users_ GUARDED_BY(mutex_) = 0;
};

}  // namespace firn
