#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "tier/blocks/block.h"

namespace firn {

// What was learnt of a chunk's blocks, which never change while they exist, so that later reads
// need not ask again. Any thread.
class BlockIndex {
 public:
  // The headers of all blocks that `counts` speaks of, ascending. kCorruption when what is stored
  // does not fit the counts.
  using Headers = std::shared_ptr<const std::vector<BlockHeader>>;
  Result<Headers> headers(BlockSource* source, const BlockCounts& counts);
  // The filters of a kind for the given blocks, in their order; null for a block that has none.
  Result<std::vector<FilterPtr>> filters(BlockSource* source, uint32_t kind,
                                         std::span<const BlockHeader* const> blocks);

  // What the filters take; headers are few bytes beside them.
  uint64_t cache_bytes() const { return cache_bytes_.load(); }
  void drop_filters();
  // Also forgets the headers: the chunk is gone.
  void clear();

 private:
  std::atomic<uint64_t> cache_bytes_{0};
  Mutex mutex_;
  uint64_t headers_epoch_ GUARDED_BY(mutex_) = 0;
  int64_t headers_end_ GUARDED_BY(mutex_) = 0;
  Headers headers_ GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, FilterPtr> filters_ GUARDED_BY(mutex_);  // by kind and block
};

}  // namespace firn
