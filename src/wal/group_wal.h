#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "env/env.h"
#include "env/stoppable_worker.h"
#include "wal/wal.h"

namespace firn {

// What every log does with appends, whatever it keeps them in: one worker gathers what is waiting
// into a group, has it written with one call and synced once, and completes it in append order.
// Also the refusal for lack of space, the fence after a failure, the limit of a record (64 MiB,
// kTooLarge), and the mark that names the last group as synced when nothing follows it.
//
// A log derives from it and says how a group is made durable. Its destructor calls stop() first.
class GroupWal : public Wal {
 public:
  void append(WalAppend record) final;
  void resume() final;
  uint64_t pending_bytes() const final;
  bool next_group_begun() const final;

 protected:
  GroupWal(Env* env, const WalOptions& options);
  void stop();
  // The replay ended well: from now on appends are welcome.
  void accept_appends();

  Env* env() const { return env_; }
  const WalOptions& options() const { return options_; }
  // Whether nothing failed so far, and whether no later record names the last group as synced. Only
  // on the worker, or when it was stopped.
  bool can_write() const { return fenced_.ok(); }
  bool last_group_is_unnamed() const { return unnamed_group_; }
  // What is counted here; the rest is the log's own.
  WalStats group_stats() const;

  // --- What a log says. Called on the worker. ----------------------------------------------------
  // What a record takes in the log. Any thread.
  virtual uint64_t record_bytes(uint64_t payload_bytes) const = 0;
  // A group begins for which so many bytes of records wait; a log may choose the place by it.
  virtual void begin_group(uint64_t waiting_bytes) = 0;
  // What a log that compares checksums wants to know of a payload. Called on the thread that
  // appends, so that it is ready when the group before this one is synced.
  virtual uint32_t checksum(std::span<const ByteView>) const { return 0; }
  // Adds a record to the group, whose bytes stay until write(); returns where it will be, nothing
  // when the group must be written before. kNoSpace: refused, and nothing of it was written. Any
  // other failure fences the log. The group gathered so far stays intact in every case.
  virtual Result<std::optional<Lsn>> add(std::span<const ByteView> parts, uint32_t checksum) = 0;
  virtual uint64_t group_bytes() const = 0;
  // The group to the operating system, and to the disk. After a failure neither is called again.
  virtual Status write() = 0;
  virtual Status sync() = 0;
  // Makes it provable, durably, that the last group was synced; ok also where there is no room.
  virtual Status mark_synced() = 0;
  // Where the next record goes.
  virtual Lsn reached() const = 0;

 private:
  struct Waiting {
    WalAppend append;
    uint32_t checksum = 0;
  };

  void step();
  bool take_waiting();
  void run_group();
  // Gathers a group from waiting_; lsns_ are those of waiting_[done_..]. A Status other than ok
  // says why the append behind them cannot be written.
  uint64_t waiting_bytes() const;
  Status gather();
  Status write_group();
  void complete_group(const Status& status);     // status: of everything but the too large
  void complete(const Status& status, Lsn lsn);  // the next one that waits
  void refuse_waiting(const Status& status);
  void fence(const Status& cause);
  void mark_when_idle();
  uint64_t queued_bytes(const WalAppend& append) const;

  Env* const env_;
  const WalOptions options_;
  bool accepts_ = false;
  std::atomic<bool> refusing_{false};
  std::atomic<uint64_t> pending_bytes_{0};
  // Appends so far; of them, in a group that is or was written, or refused; and answered.
  std::atomic<uint64_t> appended_{0}, begun_{0}, completed_{0};
  std::atomic<bool> marks_{false};  // the worker writes a mark, which holds up appends like a group

  Mutex queue_mutex_;
  std::vector<Waiting> queue_ GUARDED_BY(queue_mutex_);

  mutable Mutex stats_mutex_;
  WalStats stats_ GUARDED_BY(stats_mutex_);

  // The worker's own.
  std::vector<Waiting> waiting_;
  size_t done_ = 0;  // waiting_[..done_] is completed
  std::vector<Lsn> lsns_;
  Status fenced_;
  Status refused_;
  bool unnamed_group_ = false;
  TimeNs last_group_at_ = 0;

  StoppableWorker worker_;  // last: its step uses all of the above
};

}  // namespace firn
