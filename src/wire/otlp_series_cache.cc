#include "wire/otlp_series_cache.h"

namespace firn {

size_t OtlpSeriesCache::slot_of(const Shard& shard, const Id& key) {
  const size_t mask = shard.slots.size() - 1;
  size_t at = key.high() & mask;
  while (shard.slots[at] != 0 && !is_same_id(shard.entries[shard.slots[at] - 1].key, key)) {
    at = (at + 1) & mask;
  }
  return at;
}

bool OtlpSeriesCache::find(const Id& metric, const Id& key, Hint* hint, Id* series,
                           std::string* labels) const {
  const Shard& shard = shards_[shard_of(metric)];
  MutexLock lock(&shard.mutex);
  if (*hint >= shard.entries.size() || !is_same_id(shard.entries[*hint].key, key)) {
    const uint32_t found = shard.slots.empty() ? 0 : shard.slots[slot_of(shard, key)];
    if (found == 0) return false;
    *hint = found - 1;
  }
  const Entry& entry = shard.entries[(*hint)++];
  *series = entry.series;
  labels->assign(shard.labels, entry.labels_at, entry.labels_size);
  return true;
}

void OtlpSeriesCache::add(const Id& metric, const Id& key, const Id& series,
                          std::string_view labels) {
  Shard& shard = shards_[shard_of(metric)];
  MutexLock lock(&shard.mutex);
  const uint64_t bytes = shard.labels.size() + labels.size() +
                         shard.entries.size() * sizeof(Entry) +
                         shard.slots.size() * sizeof(uint32_t);
  if (bytes > shard_bytes_max_) {
    std::vector<Entry>().swap(shard.entries);
    std::vector<uint32_t>().swap(shard.slots);
    std::string().swap(shard.labels);
  }
  if (shard.entries.size() * 3 >= shard.slots.size() * 2) grow(&shard);
  uint32_t& slot = shard.slots[slot_of(shard, key)];
  if (slot != 0) return;
  shard.entries.push_back({key, series, shard.labels.size(), labels.size()});
  slot = static_cast<uint32_t>(shard.entries.size());
  shard.labels.append(labels);
}

void OtlpSeriesCache::grow(Shard* shard) {
  constexpr size_t kFewest = 64;
  std::vector<uint32_t> old(shard->slots.empty() ? kFewest : shard->slots.size() * 2);
  old.swap(shard->slots);
  for (const uint32_t entry : old) {
    if (entry != 0) shard->slots[slot_of(*shard, shard->entries[entry - 1].key)] = entry;
  }
}

uint64_t OtlpSeriesCache::bytes() const {
  uint64_t bytes = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    bytes += shard.labels.capacity() + shard.entries.capacity() * sizeof(Entry) +
             shard.slots.size() * sizeof(uint32_t);
  }
  return bytes;
}

}  // namespace firn
