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
#include "wal/rocksdb_log.h"
#include "wal/wal.h"

namespace firn {

// A log in a RocksDB database (docs/formats/wal-rocksdb.md). What is its own: on_written is called
// when the sync, too, has succeeded, because RocksDB writes and syncs in one call. A failed trim()
// fences the log. The option recycled_segments_max has no effect.
class RocksdbWal final : public GroupWal {
 public:
  ~RocksdbWal() override;

  Status replay(Lsn from, const WalReplayVisitor& visit,
                const std::function<void(uint64_t, uint64_t)>& progress) override;
  Status trim(Lsn lsn) override;
  Lsn begin() const override;
  WalStats stats() const override;

 private:
  friend Result<std::unique_ptr<Wal>> open_rocksdb_wal(Env* env, const WalOptions& options);

  RocksdbWal(Env* env, const WalOptions& options);

  uint64_t record_bytes(uint64_t payload_bytes) const override;
  void begin_group(uint64_t) override {}
  Result<std::optional<Lsn>> add(std::span<const ByteView> parts, uint32_t checksum) override;
  uint64_t group_bytes() const override;
  Status write() override;
  Status sync() override;
  Status mark_synced() override;
  Lsn reached() const override;

  Status check_space(uint64_t bytes);

  wal::RocksdbLog log_;
  uint64_t free_bytes_ = 0;  // as the group began
};

// Opens the log in options.directory, which is made when missing; replay() opens the database.
// kInvalidArgument when an option is out of range. The Env must outlive the log.
Result<std::unique_ptr<Wal>> open_rocksdb_wal(Env* env, const WalOptions& options);

// As verify_segment_wal() (segment_wal.h).
Result<std::vector<WalDamage>> verify_rocksdb_wal(Env* env, const std::string& directory);

}  // namespace firn
