#include "wire/series_cache.h"

#include <algorithm>

namespace firn {

size_t SeriesCache::slot_of(const Shard& shard, const Id& key) {
  const size_t mask = shard.slots.size() - 1;
  size_t at = key.high() & mask;
  while (shard.slots[at] != 0 && !is_same_id(shard.entries[shard.slots[at] - 1].key, key)) {
    at = (at + 1) & mask;
  }
  return at;
}

bool SeriesCache::is_near(const Shard& shard, const Id& key, uint32_t* hint) {
  // Requests that came at a time have their series between each other's.
  constexpr uint32_t kNear = 4;
  const auto end = static_cast<uint32_t>(std::min<size_t>(shard.entries.size(), *hint + kNear));
  for (uint32_t number = *hint; number < end; ++number) {
    if (!is_same_id(shard.entries[number].key, key)) continue;
    *hint = number;
    return true;
  }
  return false;
}

// The texts of what will be asked for next, when other parts had their turn.
void SeriesCache::prefetch(const Shard& shard, uint32_t number) {
  constexpr uint64_t kLine = 64;
  if (number >= shard.entries.size()) return;
  const Entry& entry = shard.entries[number];
  const char* const texts = shard.texts.data() + entry.texts_at;
  const uint64_t bytes = std::min<uint64_t>(entry.labels_size + entry.name_size, 8 * kLine);
  for (uint64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(texts + at);
}

bool SeriesCache::find(const Id& group, const Id& key, Hint* hint, CachedSeries* found) const {
  const size_t number = shard_of(group);
  const Shard& shard = shards_[number];
  uint32_t& next = hint->next[number];
  MutexLock lock(&shard.mutex);
  if (!is_near(shard, key, &next)) {
    const uint32_t slot = shard.slots.empty() ? 0 : shard.slots[slot_of(shard, key)];
    if (slot == 0) return false;
    next = slot - 1;
  }
  const Entry& entry = shard.entries[next++];
  prefetch(shard, next);
  found->series = entry.series;
  found->known_stamp = entry.known_stamp;
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
                           static_cast<uint32_t>(series.name.size()), 0});
  slot = static_cast<uint32_t>(shard.entries.size());
  shard.texts.append(series.labels);
  shard.texts.append(series.name);
}

void SeriesCache::set_known(const Id& group, const Id& key, const Hint& hint, uint64_t stamp) {
  const size_t number = shard_of(group);
  Shard& shard = shards_[number];
  const uint32_t found = hint.next[number] - 1;
  MutexLock lock(&shard.mutex);
  if (found >= shard.entries.size() || !is_same_id(shard.entries[found].key, key)) return;
  shard.entries[found].known_stamp = stamp;
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
