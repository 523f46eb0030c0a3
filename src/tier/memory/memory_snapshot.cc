#include "tier/memory/memory_snapshot.h"

namespace firn {

void add_totals(const RunTotals& more, RunTotals* totals) {
  totals->rows += more.rows;
  totals->bytes += more.bytes;
  totals->raw_bytes += more.raw_bytes;
  SliceZone& zone = totals->zone;
  zone.time_min = std::min(zone.time_min, more.zone.time_min);
  zone.time_max = std::max(zone.time_max, more.zone.time_max);
  zone.position_min = std::min(zone.position_min, more.zone.position_min);
  zone.position_max = std::max(zone.position_max, more.zone.position_max);
}

ChunkStats stats_of(const RunTotals& totals, Position watermark) {
  ChunkStats stats;
  stats.rows = totals.rows;
  stats.bytes = totals.bytes;
  stats.raw_bytes = totals.raw_bytes;
  widen(&stats, totals.zone);
  stats.watermark = watermark;
  return stats;
}

RunTotals MemorySnapshot::RunList::totals() const {
  RunTotals totals = before_last;
  add_totals(runs.back()->totals(), &totals);
  return totals;
}

MemoryChunkInfo MemorySnapshot::describe(const Chunk& chunk) {
  MemoryChunkInfo info;
  info.key = chunk.key;
  info.stats = stats_of(chunk.runs->totals(), chunk.runs->watermark->load());
  info.arrival = chunk.runs->runs.front()->arrival();
  info.arrived_at = chunk.runs->runs.front()->arrived_at();
  return info;
}

std::vector<MemoryChunkInfo> MemorySnapshot::chunks(NamespaceId namespace_id) const {
  std::vector<MemoryChunkInfo> found;
  const auto& shard = shards_[shard_of(namespace_id)];
  if (shard == nullptr) return found;
  ChunkKey first;
  first.namespace_id = namespace_id;
  first.dataset = Dataset{0};
  for (auto it = shard->lower_bound(first); it != shard->chunks.end(); ++it) {
    if (it->key.namespace_id != namespace_id) break;
    found.push_back(describe(*it));
  }
  return found;
}

std::vector<MemoryChunkInfo> MemorySnapshot::chunks() const {
  std::vector<MemoryChunkInfo> found;
  for (const auto& shard : shards_) {
    if (shard == nullptr) continue;
    for (const Chunk& chunk : shard->chunks) found.push_back(describe(chunk));
  }
  return found;
}

std::shared_ptr<const MemorySnapshot::RunList> MemorySnapshot::find(const ChunkKey& key) const {
  const auto& shard = shards_[shard_of(key.namespace_id)];
  const Chunk* chunk = shard == nullptr ? nullptr : shard->find(key);
  return chunk == nullptr ? nullptr : chunk->runs;
}

Result<std::unique_ptr<BatchReader>> MemorySnapshot::scan(const ChunkKey& key, const ScanSpec& spec,
                                                          ScanCost* cost) const {
  const std::shared_ptr<const RunList> list = find(key);
  if (list == nullptr) return not_found("chunk " + key.name() + " is not in memory");
  return read_runs({list, &list->runs}, spec, cost);
}

}  // namespace firn
