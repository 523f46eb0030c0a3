#include "wal/rocksdb_wal.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/size.h"
#include "wal/format.h"

namespace firn {

RocksdbWal::RocksdbWal(Env* env, const WalOptions& options)
    : GroupWal(env, options), log_(env, options.directory) {}

RocksdbWal::~RocksdbWal() {
  stop();
  // Nobody waits for it; without it the next start takes damage to the last group for a torn write.
  if (can_write() && last_group_is_unnamed()) (void)log_.write_group();
}

Status RocksdbWal::replay(Lsn from, const WalReplayVisitor& visit,
                          const std::function<void(uint64_t, uint64_t)>& progress) {
  FIRN_TRY(log_.open(wal::RocksdbLog::Access::kWrite));
  Status status = log_.read(from, visit, progress);
  if (!status.ok() && status.code() != StatusCode::kCorruption) return status;
  if (const auto& damage = log_.damage(); damage.has_value()) {
    return corruption(
        fmt::format("{}: offset {}: {}", damage->file, damage->offset, damage->reason));
  }
  FIRN_TRY(status);
  accept_appends();
  return {};
}

Status RocksdbWal::trim(Lsn lsn) { return log_.trim(lsn.segment); }

Lsn RocksdbWal::begin() const { return log_.begin(); }

WalStats RocksdbWal::stats() const {
  WalStats stats = group_stats();
  stats.segments = log_.segments();
  stats.segment_bytes = log_.bytes();
  return stats;
}

uint64_t RocksdbWal::record_bytes(uint64_t payload_bytes) const {
  return wal::RocksdbLog::record_bytes(payload_bytes);
}

Lsn RocksdbWal::reached() const { return log_.end(); }

uint64_t RocksdbWal::group_bytes() const { return log_.group_bytes(); }

Result<std::optional<Lsn>> RocksdbWal::add(std::span<const ByteView> parts, uint32_t) {
  uint64_t payload = 0;
  for (const ByteView part : parts) payload += part.size();
  const uint64_t size = record_bytes(payload);
  const std::optional<uint64_t> segment_bytes = log_.newest_segment_bytes();
  const bool is_full = segment_bytes.has_value() && *segment_bytes > 0 &&
                       *segment_bytes + size > options().segment_bytes;
  if (is_full && group_bytes() > 0) return std::optional<Lsn>();
  FIRN_TRY(check_space(group_bytes() + size));
  if (is_full || !segment_bytes.has_value()) {
    Status begun = log_.begin_segment();
    // RocksDB may have done half of it: no longer a refusal before anything was written.
    if (begun.code() == StatusCode::kNoSpace) begun = io_error(std::string(begun.message()));
    FIRN_TRY(begun);
  }
  return std::optional<Lsn>(log_.add(parts));
}

// Asks once a group.
Status RocksdbWal::check_space(uint64_t bytes) {
  if (group_bytes() == 0) {
    FIRN_ASSIGN(free_bytes_, env()->free_space(options().directory));
  }
  if (free_bytes_ >= bytes && free_bytes_ - bytes >= options().disk_reserve_bytes) return {};
  return no_space(fmt::format(
      "{}: {} free, a record would use the reserve of {}; make space and retry",
      options().directory, format_size(free_bytes_), format_size(options().disk_reserve_bytes)));
}

// RocksDB writes and syncs in one call.
Status RocksdbWal::write() { return log_.write_group(); }
Status RocksdbWal::sync() { return {}; }

Status RocksdbWal::mark_synced() { return log_.write_group(); }

Result<std::unique_ptr<Wal>> open_rocksdb_wal(Env* env, const WalOptions& options) {
  if (options.segment_bytes < wal::kSegmentBytesMin ||
      options.segment_bytes > wal::kSegmentBytesMax || options.group_bytes_max == 0) {
    return invalid_argument(
        fmt::format("a log needs segments of {} to {} bytes and groups of at least one, not {} "
                    "and {}",
                    wal::kSegmentBytesMin, wal::kSegmentBytesMax, options.segment_bytes,
                    options.group_bytes_max));
  }
  FIRN_TRY(env->create_directories(options.directory));
  return std::unique_ptr<Wal>(new RocksdbWal(env, options));
}

Result<std::vector<WalDamage>> verify_rocksdb_wal(Env* env, const std::string& directory) {
  wal::RocksdbLog log(env, directory);
  FIRN_TRY(log.open(wal::RocksdbLog::Access::kRead));
  std::vector<WalDamage> damage;
  if (log.damage().has_value()) damage.push_back(*log.damage());
  log.verify(&damage);
  return damage;
}

}  // namespace firn
