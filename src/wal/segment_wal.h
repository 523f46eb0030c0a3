#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "env/env.h"
#include "env/stoppable_worker.h"
#include "wal/group_wal.h"
#include "wal/log_reader.h"
#include "wal/segment_files.h"
#include "wal/segment_writer.h"
#include "wal/wal.h"

namespace firn {

// The default log: segment files in a directory (docs/formats/wal.md). The destructor marks it as
// closed, so that the next start can tell a damaged end from a torn one.
class SegmentWal final : public GroupWal {
 public:
  ~SegmentWal() override;

  Status replay(Lsn from, const WalReplayVisitor& visit,
                const std::function<void(uint64_t, uint64_t)>& progress) override;
  Status trim(Lsn lsn) override;
  Lsn begin() const override;
  WalStats stats() const override;

 private:
  friend Result<std::unique_ptr<Wal>> open_segment_wal(Env* env, const WalOptions& options);

  SegmentWal(Env* env, const WalOptions& options);

  uint64_t record_bytes(uint64_t payload_bytes) const override;
  void begin_group(uint64_t waiting_bytes) override { waiting_bytes_ = waiting_bytes; }
  uint32_t checksum(std::span<const ByteView> parts) const override;
  Result<std::optional<Lsn>> add(std::span<const ByteView> parts, uint32_t checksum) override;
  uint64_t group_bytes() const override;
  Status write() override;
  Status sync() override;
  Status mark_synced() override;
  Lsn reached() const override;

  bool should_roll() const;
  Status make_room(uint64_t payload_size);
  Status resume_segment();
  // For writing, in the way of the option `sync`.
  OpenMode open_mode() const;
  Status roll(uint64_t payload_size);
  Status publish_segment();
  // What a new segment brings with it and no append waits for: the end record of the one before,
  // and the file of the next. False: there was nothing to do.
  bool finish_roll();
  Status roll_status() const;

  // A segment that was begun, and the writer of the one before; null when a process before wrote
  // that.
  struct Roll {
    uint64_t segment_id;
    std::unique_ptr<wal::SegmentWriter> previous;
  };

  wal::SegmentFiles files_;
  wal::LogEnd end_;  // how the log ended when it was opened; segment_id 0: there was none
  std::unique_ptr<wal::SegmentWriter> writer_;  // null until the first append
  std::unique_ptr<wal::SegmentWriter> previous_;
  uint64_t waiting_bytes_ = 0;  // of the group that begins
  bool unnamed_ = false;        // writer_'s segment has no name before its first group is synced
  bool open_record_ = false;    // something was written behind the last closed record

  mutable Mutex rolls_mutex_;
  std::deque<Roll> rolls_ GUARDED_BY(rolls_mutex_);
  Status roll_status_ GUARDED_BY(rolls_mutex_);
  StoppableWorker roller_;  // last: its step uses all of the above
};

// Opens the log in options.directory, which is made when missing. kInvalidArgument when an option
// is out of range, kUnsupported when direct writes are asked for and impossible. The Env must
// outlive the log.
Result<std::unique_ptr<Wal>> open_segment_wal(Env* env, const WalOptions& options);

// Reads a whole log that nobody has open for writing and lists its damage; empty: none. A torn,
// unacknowledged end is listed with acknowledged = false. A Status only when files cannot be read.
Result<std::vector<WalDamage>> verify_segment_wal(Env* env, const std::string& directory);

}  // namespace firn
