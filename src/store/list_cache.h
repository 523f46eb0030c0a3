#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "tier/tier.h"

namespace firn {

// The lists of chunks that were read last, within a number of bytes. Thread rule: any thread.
template <typename List>
class ListCache {
 public:
  using Lists = std::vector<std::shared_ptr<const List>>;

  explicit ListCache(size_t bytes_max) : bytes_max_(bytes_max) {}

  std::optional<Lists> find(const ChunkKey& key) EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    found->second.used = ++clock_;
    return found->second.lists;
  }

  void put(const ChunkKey& key, Lists lists) EXCLUDES(mutex_) {
    Entry entry{std::move(lists), 0, 0};
    for (const auto& list : entry.lists) entry.bytes += list->bytes();
    MutexLock lock(&mutex_);
    if (const auto known = entries_.find(key); known != entries_.end()) remove(known);
    while (!entries_.empty() && bytes_ + entry.bytes > bytes_max_) {
      remove(std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        return a.second.used < b.second.used;
      }));
    }
    entry.used = ++clock_;
    bytes_ += entry.bytes;
    entries_.emplace(key, std::move(entry));
  }

  void erase(const ChunkKey& key) EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    const auto found = entries_.find(key);
    if (found != entries_.end()) remove(found);
  }

 private:
  struct Entry {
    Lists lists;
    size_t bytes;
    uint64_t used;
  };
  using Entries = std::map<ChunkKey, Entry>;

  void remove(typename Entries::iterator entry) REQUIRES(mutex_) {
    bytes_ -= entry->second.bytes;
    entries_.erase(entry);
  }

  const size_t bytes_max_;
  Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);
  size_t bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t clock_ GUARDED_BY(mutex_) = 0;
};

}  // namespace firn
