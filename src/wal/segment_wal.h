#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "env/env.h"
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
  Result<std::optional<Lsn>> add(std::span<const ByteView> parts) override;
  uint64_t group_bytes() const override;
  Status write() override;
  Status sync() override;
  Status mark_synced() override;
  Lsn reached() const override;

  Status make_room(uint64_t payload_size);
  Status resume_segment();
  // For writing, in the way of the option `sync`.
  Result<std::unique_ptr<File>> open_segment(uint64_t segment_id) const;
  Status roll(uint64_t payload_size);

  wal::SegmentFiles files_;
  wal::LogEnd end_;  // how the log ended when it was opened; segment_id 0: there was none
  std::unique_ptr<wal::SegmentWriter> writer_;  // null until the first append
  bool open_record_ = false;  // something was written behind the last closed record
};

// Opens the log in options.directory, which is made when missing. kInvalidArgument when an option
// is out of range, kUnsupported when direct writes are asked for and impossible. The Env must
// outlive the log.
Result<std::unique_ptr<Wal>> open_segment_wal(Env* env, const WalOptions& options);

// Reads a whole log that nobody has open for writing and lists its damage; empty: none. A torn,
// unacknowledged end is listed with acknowledged = false. A Status only when files cannot be read.
Result<std::vector<WalDamage>> verify_segment_wal(Env* env, const std::string& directory);

}  // namespace firn
