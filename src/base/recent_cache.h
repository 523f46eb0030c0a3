#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/mutex.h"

namespace firn {

// The values that were used last, within a number of bytes; the last one put is kept whatever its
// size. Values are copied out, so they should be shared pointers or lists of them. Looks at every
// entry to make room: for some thousands of entries that are dear to get. Thread rule: any thread.
template <typename Key, typename Value>
class RecentCache {
 public:
  explicit RecentCache(size_t bytes_max) : bytes_max_(bytes_max) {}

  std::optional<Value> find(const Key& key) EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    found->second.used = ++clock_;
    return found->second.value;
  }

  // Replaces what is there under the key.
  void put(const Key& key, Value value, size_t bytes) EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (const auto known = entries_.find(key); known != entries_.end()) remove(known);
    while (!entries_.empty() && bytes_ + bytes > bytes_max_) {
      remove(std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        return a.second.used < b.second.used;
      }));
    }
    bytes_ += bytes;
    entries_.emplace(key, Entry{std::move(value), bytes, ++clock_});
  }

  void erase(const Key& key) EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    const auto found = entries_.find(key);
    if (found != entries_.end()) remove(found);
  }

 private:
  struct Entry {
    Value value;
    size_t bytes;
    uint64_t used;
  };
  using Entries = std::map<Key, Entry>;

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
