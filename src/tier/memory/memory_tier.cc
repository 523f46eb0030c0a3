#include "tier/memory/memory_tier.h"

#include "model/checksum.h"
#include "tier/memory/memory_snapshot.h"

namespace firn {

namespace {

constexpr uint32_t kFirstRunSlices =
    16;  // runs of a chunk double from here, so few rows cost little

}  // namespace

MemoryTier::MemoryTier(Env* env, std::string name) : env_(env), name_(std::move(name)) {}

MemoryTier::~MemoryTier() = default;

std::shared_ptr<const MemorySnapshot::Shard> MemoryTier::shard_of(const ChunkKey& key) {
  Slot& slot = slot_of(key);
  MutexLock lock(&slot.mutex);
  return slot.shard;
}

MemorySnapshot MemoryTier::snapshot() const {
  MemorySnapshot snapshot;
  for (size_t i = 0; i < slots_.size(); ++i) {
    MutexLock lock(&slots_[i].mutex);
    snapshot.shards_[i] = slots_[i].shard;
  }
  return snapshot;
}

void MemoryTier::replace(const ChunkKey& key, std::shared_ptr<const MemorySnapshot::RunList> runs,
                         std::shared_ptr<const Shard>* garbage) {
  const std::shared_ptr<const Shard> old = shard_of(key);
  auto next = std::make_shared<Shard>();
  if (old != nullptr) next->chunks = old->chunks;
  const auto it = next->chunks.begin() + (next->lower_bound(key) - next->chunks.cbegin());
  const bool present = it != next->chunks.end() && it->key == key;
  if (runs == nullptr) {
    if (present) next->chunks.erase(it);
  } else if (present) {
    it->runs = std::move(runs);
  } else {
    next->chunks.insert(it, {key, std::move(runs)});
  }
  Slot& slot = slot_of(key);
  MutexLock lock(&slot.mutex);
  *garbage = std::move(slot.shard);
  slot.shard = std::move(next);
}

Result<ChunkStats> MemoryTier::write(const ChunkKey& key, std::span<const BatchSlice> slices,
                                     Position through) {
  FIRN_CHECK(key.generation == 0);
  FIRN_TRY(check_slices(key, slices, through));
  std::shared_ptr<const Shard> garbage;
  MutexLock lock(&write_mutex_);
  std::shared_ptr<const Shard> shard = shard_of(key);
  const MemorySnapshot::Chunk* chunk = shard == nullptr ? nullptr : shard->find(key);
  std::shared_ptr<const MemorySnapshot::RunList> list = chunk == nullptr ? nullptr : chunk->runs;
  shard.reset();
  const Position watermark = list == nullptr ? 0 : list->watermark->load();
  std::shared_ptr<MemorySnapshot::RunList> extended;  // a copy, once it needs another run
  std::shared_ptr<MemoryRun> open = list == nullptr ? nullptr : list->runs.back();
  for (const BatchSlice& slice : slices) {
    BatchSlice fresh = rows_after(slice, watermark);
    if (fresh.batch == nullptr) continue;
    if (open == nullptr || open->is_closed()) {
      if (extended == nullptr) {
        extended = list == nullptr ? std::make_shared<MemorySnapshot::RunList>()
                                   : std::make_shared<MemorySnapshot::RunList>(*list);
      }
      uint32_t capacity = kFirstRunSlices;
      if (open != nullptr) {
        add_totals(open->totals(), &extended->before_last);
        capacity = std::min(MemoryRun::kSlicesMax, 2 * open->capacity());
      }
      open = std::make_shared<MemoryRun>(capacity, next_arrival_++, env_->monotonic(), counter_);
      extended->runs.push_back(open);
    }
    const SliceZone zone = slice_zone(fresh);
    open->append(std::move(fresh), zone);
    if (open->is_full()) open->close();
  }
  if (extended != nullptr) {
    if (extended->watermark == nullptr) {
      extended->watermark = std::make_shared<std::atomic<Position>>(0);
    }
    list = extended;
    replace(key, extended, &garbage);
  }
  if (list == nullptr) return ChunkStats{.watermark = through};  // no rows: no chunk is made
  if (through > watermark) list->watermark->store(through);
  return stats_of(list->totals(), list->watermark->load());
}

Result<ChunkStats> MemoryTier::seal(const ChunkKey& key) {
  {
    MutexLock lock(&write_mutex_);
    const std::shared_ptr<const Shard> shard = shard_of(key);
    const MemorySnapshot::Chunk* chunk = shard == nullptr ? nullptr : shard->find(key);
    if (chunk != nullptr) chunk->runs->runs.back()->close();
  }
  return verify(key);
}

Result<std::unique_ptr<BatchReader>> MemoryTier::scan(const ChunkKey& key, const ScanSpec& spec,
                                                      ScanCost* cost) {
  return snapshot().scan(key, spec, cost);
}

Result<ChunkStats> MemoryTier::verify(const ChunkKey& key) {
  const auto list = snapshot().find(key);
  if (list == nullptr) return not_found("chunk " + key.name() + " is not in memory");
  const Position watermark = list->watermark->load();
  RunTotals totals;
  uint64_t checksum = 0;
  Position before = 0;
  for (const auto& run : list->runs) {
    const uint32_t slices = run->published();
    for (uint32_t i = 0; i < slices; ++i) {
      const MemoryRun::Entry& entry = run->entry(i);
      FIRN_TRY(check_slices(key, {&entry.slice, 1}, UINT64_MAX));
      if (entry.zone.position_min <= before) {
        return internal_error("chunk " + key.name() + " in memory: positions do not ascend at " +
                              std::to_string(entry.zone.position_min));
      }
      before = entry.zone.position_max;
      checksum += rows_checksum(entry.slice);
    }
    if (slices > 0) add_totals(run->entry(slices - 1).through, &totals);
  }
  ChunkStats stats = stats_of(totals, watermark);
  stats.checksum = checksum;
  return stats;
}

bool MemoryTier::release(const ChunkKey& key, Position through) {
  std::shared_ptr<const Shard> garbage;
  MutexLock lock(&write_mutex_);
  const std::shared_ptr<const Shard> shard = shard_of(key);
  const MemorySnapshot::Chunk* chunk = shard == nullptr ? nullptr : shard->find(key);
  if (chunk == nullptr) return false;
  const auto& runs = chunk->runs->runs;
  size_t gone = 0;
  while (gone < runs.size() && runs[gone]->totals().zone.position_max <= through) ++gone;
  if (gone == 0) return false;
  if (gone == runs.size()) {
    replace(key, nullptr, &garbage);
    return true;
  }
  auto kept = std::make_shared<MemorySnapshot::RunList>();
  kept->watermark = chunk->runs->watermark;
  kept->runs.assign(runs.begin() + static_cast<std::ptrdiff_t>(gone), runs.end());
  for (size_t i = 0; i + 1 < kept->runs.size(); ++i) {
    add_totals(kept->runs[i]->totals(), &kept->before_last);
  }
  replace(key, std::move(kept), &garbage);
  return true;
}

Status MemoryTier::drop(const ChunkKey& key) {
  std::shared_ptr<const Shard> garbage;
  MutexLock lock(&write_mutex_);
  replace(key, nullptr, &garbage);
  return Status();
}

Result<std::vector<ChunkKey>> MemoryTier::list() {
  std::vector<ChunkKey> keys;
  for (const MemoryChunkInfo& info : snapshot().chunks()) keys.push_back(info.key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

TierStats MemoryTier::stats() const {
  TierStats stats;
  for (const MemoryChunkInfo& info : snapshot().chunks()) {
    ++stats.chunks;
    stats.rows += info.stats.rows;
  }
  stats.bytes = memory_bytes();
  return stats;
}

}  // namespace firn
