#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "env/env.h"
#include "env/stoppable_worker.h"
#include "wal/log_reader.h"
#include "wal/segment_files.h"
#include "wal/segment_writer.h"
#include "wal/wal.h"

namespace firn {

// The default log: segment files in a directory (docs/formats/wal.md), one worker that gathers what
// is waiting, writes it with one call, syncs once and completes it in append order.
//
// A record larger than 64 MiB is refused with kTooLarge. After a failed write or sync everything
// waiting and everything appended later completes with kOutcomeUnknown. The destructor marks the
// log as closed, so that the next start can tell a damaged end from a torn one.
class SegmentWal final : public Wal {
 public:
  ~SegmentWal() override;

  Status replay(Lsn from, const WalReplayVisitor& visit,
                const std::function<void(uint64_t, uint64_t)>& progress) override;
  void append(WalAppend record) override;
  void resume() override;
  uint64_t pending_bytes() const override;
  Status trim(Lsn lsn) override;
  Lsn begin() const override;
  WalStats stats() const override;

 private:
  friend Result<std::unique_ptr<Wal>> open_segment_wal(Env* env, const WalOptions& options);

  // What happens to one append of the group being gathered.
  struct Outcome {
    Lsn lsn;
    bool too_large = false;
  };

  SegmentWal(Env* env, const WalOptions& options);

  // All below run on the worker, or while there is none.
  void step();
  bool take_waiting();
  void run_group();
  // Gathers a group from waiting_; the outcomes are those of waiting_[done_..]. A Status other than
  // ok says why the append behind them cannot be written.
  Status gather();
  Status make_room(uint64_t payload_size);
  Status resume_segment();
  // For writing, in the way of options_.sync.
  Result<std::unique_ptr<File>> open_segment(uint64_t segment_id) const;
  Status roll(uint64_t payload_size);
  Status write_group();
  void complete_group(const Status& status);  // status: of everything but the too large
  void complete(WalAppend* append, const Status& status, Lsn lsn);
  void refuse_waiting(const Status& status);
  void fence(const Status& cause);
  void mark_when_idle();
  uint64_t reached_segment() const;
  uint64_t reached_offset() const;
  Lsn reached() const { return {reached_segment(), reached_offset()}; }

  Env* const env_;
  const WalOptions options_;
  wal::SegmentFiles files_;
  bool replayed_ = false;
  std::atomic<bool> refusing_{false};
  std::atomic<uint64_t> pending_bytes_{0};

  Mutex queue_mutex_;
  std::vector<WalAppend> queue_ GUARDED_BY(queue_mutex_);

  mutable Mutex stats_mutex_;
  WalStats stats_ GUARDED_BY(stats_mutex_);

  // The worker's own.
  wal::LogEnd end_;  // how the log ended when it was opened; segment_id 0: there was none
  std::unique_ptr<wal::SegmentWriter> writer_;  // null until the first append
  std::vector<WalAppend> waiting_;
  size_t done_ = 0;  // waiting_[..done_] is completed
  std::vector<Outcome> outcomes_;
  Status fenced_;
  Status refused_;
  bool unnamed_group_ = false;  // no later record names the last group as synced
  bool open_record_ = false;    // something was written behind the last closed record
  TimeNs last_group_at_ = 0;

  StoppableWorker worker_;  // last: its step uses all of the above
};

// Opens the log in options.directory, which is made when missing. kInvalidArgument when an option
// is out of range, kUnsupported when direct writes are asked for and impossible. The Env must
// outlive the log.
Result<std::unique_ptr<Wal>> open_segment_wal(Env* env, const WalOptions& options);

// Reads a whole log that nobody has open for writing and lists its damage; empty: none. A torn,
// unacknowledged end is listed with acknowledged = false. A Status only when files cannot be read.
Result<std::vector<WalDamage>> verify_segment_wal(Env* env, const std::string& directory);

}  // namespace firn
