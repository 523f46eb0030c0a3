#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"
#include "tier/memory/memory_run.h"
#include "tier/tier.h"

namespace firn {

// A chunk in memory, as far as it had arrived at one moment.
struct MemoryChunkInfo {
  ChunkKey key;
  // Counts, times and positions belong together: they describe the same rows. `checksum` is 0.
  ChunkStats stats;
  // Of the oldest rows still held: a number that grows with every run of the tier, and when they
  // arrived on the monotonic clock (to the run: up to 1,024 slices share one moment).
  uint64_t arrival = 0;
  TimeNs arrived_at = 0;
};

// The chunks of a memory tier and the runs they had at one moment. Taking and copying one costs a
// few pointers. It keeps its rows alive, whatever is released meanwhile; rows that were added to it
// after it was taken may be seen, so callers bound positions by what was published before.
//
// Thread rule: a value; its methods may be called from any thread. May outlive the tier.
class MemorySnapshot {
 public:
  // Ascending by key.
  std::vector<MemoryChunkInfo> chunks(NamespaceId namespace_id) const;
  // Of all namespaces, in no particular order.
  std::vector<MemoryChunkInfo> chunks() const;
  // As Tier::scan().
  Result<std::unique_ptr<BatchReader>> scan(const ChunkKey& key, const ScanSpec& spec,
                                            ScanCost* cost) const;

 private:
  friend class MemoryTier;
  static constexpr size_t kShards = 16;
  struct RunList;
  struct Chunk;
  struct Shard;  // the chunks of some namespaces at one moment
  static size_t shard_of(NamespaceId id) { return id % kShards; }
  std::shared_ptr<const RunList> find(const ChunkKey& key) const;
  static MemoryChunkInfo describe(const Chunk& chunk);

  std::array<std::shared_ptr<const Shard>, kShards> shards_;
};

// The hot tier: batches as they were committed, not copied, in runs (memory_run.h). What readers
// look at is immutable or published atomically: a reader never waits for the writer, nor the writer
// for a reader; both only meet in the copy of a pointer. A chunk's key always has generation 0:
// which generation a row will belong to is decided when it is flushed.
//
// Thread rule: write() from one thread; release(), seal() and drop() from one other; the rest from
// any. `env` (a clock) must outlive the tier.
class MemoryTier : public Tier {
 public:
  MemoryTier(Env* env, std::string name);
  ~MemoryTier() override;

  std::string_view name() const override { return name_; }
  std::string_view backend() const override { return "memory"; }
  bool is_durable() const override { return false; }

  // Keeps references to the slices' batches. Stats come without checksum: hashing every row would
  // cost more than the rest of the commit.
  Result<ChunkStats> write(const ChunkKey& key, std::span<const BatchSlice> slices,
                           Position through) override;
  // Ends the open run. Stats come with checksum.
  Result<ChunkStats> seal(const ChunkKey& key) override;
  Result<std::unique_ptr<BatchReader>> scan(const ChunkKey& key, const ScanSpec& spec,
                                            ScanCost* cost) override;
  Result<ChunkStats> verify(const ChunkKey& key) override;
  Status drop(const ChunkKey& key) override;
  Result<std::vector<ChunkKey>> list() override;
  TierStats stats() const override;
  std::vector<StoredFile> files(const ChunkKey&) const override { return {}; }

  MemorySnapshot snapshot() const;
  // Gives up the runs of the chunk that lie wholly at or below `through`; a run that also holds
  // later rows stays. When nothing is left, the chunk (and its watermark) is forgotten. Whether
  // there was something to give up.
  bool release(const ChunkKey& key, Position through);
  // Memory that runs and their indexes occupy, including those that were released but are still
  // held by a snapshot or a reader.
  uint64_t memory_bytes() const { return counter_->load(std::memory_order_relaxed); }

 private:
  using Shard = MemorySnapshot::Shard;
  struct Slot {
    mutable Mutex mutex;  // held to copy or replace the pointer only
    std::shared_ptr<const Shard> shard GUARDED_BY(mutex);
  };
  Slot& slot_of(const ChunkKey& key) { return slots_[MemorySnapshot::shard_of(key.namespace_id)]; }
  std::shared_ptr<const Shard> shard_of(const ChunkKey& key);
  // Puts `runs` in place of the chunk's; null removes the chunk. The old shard is kept alive in
  // `garbage`, so that rows are freed outside of locks.
  void replace(const ChunkKey& key, std::shared_ptr<const MemorySnapshot::RunList> runs,
               std::shared_ptr<const Shard>* garbage) REQUIRES(write_mutex_);

  Env* const env_;
  const std::string name_;
  const MemoryCounter counter_ = std::make_shared<std::atomic<uint64_t>>(0);
  Mutex write_mutex_;  // between write() and release(), seal(), drop(); no reader takes it
  uint64_t next_arrival_ GUARDED_BY(write_mutex_) = 1;
  std::array<Slot, MemorySnapshot::kShards> slots_;
};

}  // namespace firn
