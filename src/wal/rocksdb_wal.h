#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "env/env.h"
#include "env/stoppable_worker.h"
#include "wal/rocksdb_log.h"
#include "wal/wal.h"

namespace firn {

// A log in a RocksDB database (docs/formats/wal-rocksdb.md), one worker that gathers what is
// waiting into one synced write and completes it in append order. Refusal, fencing and the limit of
// a record are those of SegmentWal.
//
// What is its own: on_written is called when the sync, too, has succeeded, because RocksDB writes
// and syncs in one call. A failed trim() fences the log. The option recycled_segments_max has no
// effect.
class RocksdbWal final : public Wal {
 public:
  ~RocksdbWal() override;

  Status replay(Lsn from, const WalReplayVisitor& visit,
                const std::function<void(uint64_t, uint64_t)>& progress) override;
  void append(WalAppend record) override;
  void resume() override;
  uint64_t pending_bytes() const override;
  Status trim(Lsn lsn) override;
  Lsn begin() const override;
  WalStats stats() const override;

 private:
  friend Result<std::unique_ptr<Wal>> open_rocksdb_wal(Env* env, const WalOptions& options);

  RocksdbWal(Env* env, const WalOptions& options);

  // All below run on the worker, or while there is none.
  void step();
  bool take_waiting();
  void run_group();
  // Adds what fits of waiting_[done_..] to the group; lsns_ says where each will be. Not ok: why
  // the append behind them cannot be written.
  Status gather();
  Status check_space(uint64_t bytes, uint64_t* free_bytes) const;
  Status write_group();
  void complete_group();
  void complete(const Status& status, Lsn lsn);  // the next one that waits
  void refuse_waiting(const Status& status);
  void fence(const Status& cause);
  void mark_when_idle();

  Env* const env_;
  const WalOptions options_;
  wal::RocksdbLog log_;
  bool replayed_ = false;
  std::atomic<bool> refusing_{false};
  std::atomic<uint64_t> pending_bytes_{0};

  Mutex queue_mutex_;
  std::vector<WalAppend> queue_ GUARDED_BY(queue_mutex_);

  mutable Mutex stats_mutex_;
  WalStats stats_ GUARDED_BY(stats_mutex_);

  // The worker's own.
  std::vector<WalAppend> waiting_;
  size_t done_ = 0;  // waiting_[..done_] is completed
  std::vector<Lsn> lsns_;
  Status fenced_;
  Status refused_;
  bool unnamed_group_ = false;  // no later mark names the last group as synced
  TimeNs last_group_at_ = 0;

  StoppableWorker worker_;  // last: its step uses all of the above
};

// Opens the log in options.directory, which is made when missing; replay() opens the database.
// kInvalidArgument when an option is out of range. The Env must outlive the log.
Result<std::unique_ptr<Wal>> open_rocksdb_wal(Env* env, const WalOptions& options);

// As verify_segment_wal() (segment_wal.h).
Result<std::vector<WalDamage>> verify_rocksdb_wal(Env* env, const std::string& directory);

}  // namespace firn
