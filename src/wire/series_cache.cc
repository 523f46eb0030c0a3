#include "wire/series_cache.h"

namespace firn {

size_t SeriesCache::slot_of(const Shard& shard, const Id& key) {
  const size_t mask = shard.slots.size() - 1;
  size_t at = key.high() & mask;
  while (shard.slots[at] != 0 && !is_same_id(shard.entries[shard.slots[at] - 1].key, key)) {
    at = (at + 1) & mask;
  }
  return at;
}

bool SeriesCache::find(const Id& group, const Id& key, Hint* hint, CachedSeries* found) const {
  const size_t number = shard_of(group);
  const Shard& shard = shards_[number];
  uint32_t& next = hint->next[number];
  MutexLock lock(&shard.mutex);
  if (next >= shard.entries.size() || !is_same_id(shard.entries[next].key, key)) {
    const uint32_t slot = shard.slots.empty() ? 0 : shard.slots[slot_of(shard, key)];
    if (slot == 0) return false;
    next = slot - 1;
  }
  const Entry& entry = shard.entries[next++];
  found->series = entry.series;
  found->labels.assign(shard.texts, entry.texts_at, entry.labels_size);
  found->name.assign(shard.texts, entry.texts_at + entry.labels_size, entry.name_size);
  return true;
}

void SeriesCache::add(const Id& group, const Id& key, const CachedSeries& series) {
  Shard& shard = shards_[shard_of(group)];
  MutexLock lock(&shard.mutex);
  const uint64_t bytes = shard.texts.size() + series.labels.size() + series.name.size() +
                         shard.entries.size() * sizeof(Entry) +
                         shard.slots.size() * sizeof(uint32_t);
  if (bytes > shard_bytes_max_) {
    std::vector<Entry>().swap(shard.entries);
    std::vector<uint32_t>().swap(shard.slots);
    std::string().swap(shard.texts);
  }
  if (shard.entries.size() * 3 >= shard.slots.size() * 2) grow(&shard);
  uint32_t& slot = shard.slots[slot_of(shard, key)];
  if (slot != 0) return;
  shard.entries.push_back({key, series.series, shard.texts.size(),
                           static_cast<uint32_t>(series.labels.size()),
                           static_cast<uint32_t>(series.name.size())});
  slot = static_cast<uint32_t>(shard.entries.size());
  shard.texts.append(series.labels);
  shard.texts.append(series.name);
}

void SeriesCache::grow(Shard* shard) {
  constexpr size_t kFewest = 64;
  std::vector<uint32_t> old(shard->slots.empty() ? kFewest : shard->slots.size() * 2);
  old.swap(shard->slots);
  for (const uint32_t entry : old) {
    if (entry != 0) shard->slots[slot_of(*shard, shard->entries[entry - 1].key)] = entry;
  }
}

uint64_t SeriesCache::bytes() const {
  uint64_t bytes = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    bytes += shard.texts.capacity() + shard.entries.capacity() * sizeof(Entry) +
             shard.slots.size() * sizeof(uint32_t);
  }
  return bytes;
}

}  // namespace firn
