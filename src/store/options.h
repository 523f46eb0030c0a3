#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/size.h"
#include "base/status.h"
#include "base/time.h"
#include "tier/registry.h"
#include "wal/wal.h"

namespace firn {

inline constexpr DurationNs kForever = INT64_MAX;

// How a store is set up. Everything has a safe default; validate_options() refuses what cannot be
// applied.
struct StoreOptions {
  std::string data_dir;
  // In order from fresh to old. The first must be a memory tier, the others durable. Relative
  // directories are inside data_dir.
  std::vector<TierConfig> tiers;
  // Width of a chunk of events. Fixed when the data directory is created.
  DurationNs chunk_interval_ns = kDayNs;
  // Budget for rows in memory and on their way to the log; above it appends are refused.
  uint64_t memory_bytes_max = 1 * kGiB;
  WalType wal_type = WalType::kSegment;  // fixed when the data directory is created
  WalSync wal_sync = WalSync::kAuto;
  uint64_t wal_segment_bytes = 64 * kMiB;
  uint64_t wal_group_bytes = 16 * kMiB;
  uint64_t disk_reserve_bytes = 256 * kMiB;
  // How many series a namespace may define for one chunk interval, unless it has a limit of its
  // own; 0: as many as memory allows, at most 5 million.
  uint64_t series_limit = 0;
  // Free space on the disk of data_dir below which the oldest chunk on it is dropped; 0: never.
  uint64_t drop_oldest_below_free_bytes = 0;
  // Where chunks may be exported to: names, with what a parquet tier needs.
  std::vector<TierConfig> exports;
  // For looking at a directory without changing it: appends and commands are refused, nothing is
  // flushed, moved, swept or trimmed.
  bool read_only = false;
  // How often the mover looks for chunks that are due.
  DurationNs mover_interval_ns = 1 * kSecondNs;

  // Memory in use at which the mover flushes without waiting for age: the first tier's max_memory,
  // or half of the budget.
  uint64_t flush_bytes() const {
    const uint64_t configured = tiers.empty() ? 0 : tiers[0].max_memory_bytes;
    return configured != 0 ? configured : memory_bytes_max / 2;
  }

  // Series at the limit are remembered, some 24 bytes each.
  uint64_t series_limit_max() const { return memory_bytes_max / 100; }
  uint64_t series_limit_or_default() const {
    constexpr uint64_t kDefault = 5'000'000;
    return series_limit != 0 ? series_limit : std::min(kDefault, series_limit_max());
  }
  // kInvalidArgument when a limit of series cannot be kept.
  Status check_series_limit(uint64_t limit) const;

  // Rows of a chunk that are flushed in one transaction of the second tier, about.
  uint64_t flush_piece_bytes() const { return std::clamp(flush_bytes() / 2, kMiB, 256 * kMiB); }

  // Of a chunk that is on its way between tiers, raw bytes that may be in memory at once.
  uint64_t move_bytes() const { return std::min(128 * kMiB, memory_bytes_max / 8); }
  // With the directory as a path, and with what follows from the other options.
  TierConfig resolved(TierConfig tier) const;
  // What a tier may use to pack and read, at least what its engine cannot do without.
  uint64_t tier_work_bytes() const {
    return std::clamp(memory_bytes_max / 4, 48 * kMiB, 512 * kMiB);
  }
};

// Whether the tier's files are inside data_dir, and so on its disk.
bool is_in_data_dir(const TierConfig& tier);

// memory 1 h -> sqlite 30 d -> parquet for ever, under data_dir.
StoreOptions default_store_options(std::string data_dir);

// kInvalidArgument naming the option and what to write instead.
Status validate_options(const StoreOptions& options);

}  // namespace firn
