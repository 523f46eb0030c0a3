#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"
#include "env/env.h"
#include "tier/object/cached_store.h"

namespace firn {

// One block of one version of an object.
struct BlockKey {
  std::string object;
  std::string version;
  uint64_t number = 0;
  auto operator<=>(const BlockKey&) const = default;
};

// Blocks in the slots of one file, with the index in memory, and who is loading what. Thread rule:
// any thread.
class BlockCache {
 public:
  // `file` is empty; `block_bytes` is the size of a slot.
  BlockCache(std::unique_ptr<File> file, uint64_t slots, uint64_t block_bytes);

  // The bytes of a block that is here and whole; false when it is not.
  bool read(const BlockKey& key, std::string* out) EXCLUDES(mutex_);
  // Decides who loads a block that is missing: true for the caller, who must call loaded(). Waits
  // while another thread loads it, and returns false when that has ended.
  bool begin_load(const BlockKey& key) EXCLUDES(mutex_);
  // The same without waiting: true only when the block is missing and nobody loads it.
  bool try_begin_load(const BlockKey& key) EXCLUDES(mutex_);
  // Ends what a begin_load() that returned true began. Empty bytes: it failed.
  void loaded(const BlockKey& key, ByteView bytes) EXCLUDES(mutex_, write_mutex_);
  // Forgets all blocks of the object.
  void forget(const std::string& object) EXCLUDES(mutex_);
  ReadCacheStats stats() const EXCLUDES(mutex_);

 private:
  struct Block {
    uint64_t slot = 0;
    size_t size_bytes = 0;
    uint32_t crc32c = 0;
    std::list<BlockKey>::iterator use;  // in by_use_
  };
  using Blocks = std::map<BlockKey, Block>;

  void store(const BlockKey& key, ByteView bytes) EXCLUDES(mutex_) REQUIRES(write_mutex_);
  uint64_t take_slot() REQUIRES(mutex_);
  Blocks::iterator erase(Blocks::iterator block) REQUIRES(mutex_);

  const std::unique_ptr<File> file_;
  const uint64_t slots_;
  const uint64_t block_bytes_;
  Mutex write_mutex_;  // one writer at a time; taken before mutex_
  mutable Mutex mutex_;
  CondVar load_ended_;
  Blocks blocks_ GUARDED_BY(mutex_);
  std::list<BlockKey> by_use_ GUARDED_BY(mutex_);  // the least recently used one first
  std::set<BlockKey> loading_ GUARDED_BY(mutex_);
  std::vector<uint64_t> free_slots_ GUARDED_BY(mutex_);
  uint64_t slots_begun_ GUARDED_BY(mutex_) = 0;
  ReadCacheStats stats_ GUARDED_BY(mutex_);
};

}  // namespace firn
