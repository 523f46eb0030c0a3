#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "tier/memory/memory_tier.h"

// What a snapshot consists of. Internal to the memory tier.

namespace firn {

// A chunk's runs at one moment, ascending by position. Only the last one can be open.
struct MemorySnapshot::RunList {
  std::vector<std::shared_ptr<MemoryRun>> runs;  // never empty
  RunTotals before_last;                         // of all runs but the last
  // Shared by all lists of a chunk; only grows.
  std::shared_ptr<std::atomic<Position>> watermark;

  RunTotals totals() const;
};

struct MemorySnapshot::Chunk {
  ChunkKey key;
  std::shared_ptr<const RunList> runs;
};

struct MemorySnapshot::Shard {
  std::vector<Chunk> chunks;  // ascending by key

  // The first chunk whose key is not below.
  std::vector<Chunk>::const_iterator lower_bound(const ChunkKey& key) const {
    return std::lower_bound(chunks.begin(), chunks.end(), key,
                            [](const Chunk& chunk, const ChunkKey& k) { return chunk.key < k; });
  }
  const Chunk* find(const ChunkKey& key) const {
    const auto it = lower_bound(key);
    return it == chunks.end() || it->key != key ? nullptr : &*it;
  }
};

// Adds what `more`, which lies behind it, holds.
void add_totals(const RunTotals& more, RunTotals* totals);
ChunkStats stats_of(const RunTotals& totals, Position watermark);

// Reads the slices of runs[0..]: the vector's owner is kept alive.
std::unique_ptr<BatchReader> read_runs(
    std::shared_ptr<const std::vector<std::shared_ptr<MemoryRun>>> runs, const ScanSpec& spec,
    ScanCost* cost);

}  // namespace firn
