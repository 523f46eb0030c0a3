#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/size.h"
#include "base/status.h"
#include "env/env.h"
#include "tier/object/object_store.h"

namespace firn {

struct ReadCacheOptions {
  std::string path;                  // of its file, which is emptied; its directory is created
  uint64_t budget_bytes = 1 * kGiB;  // rounded down to whole blocks
  uint64_t block_bytes = 256 * kKiB;
};

struct ReadCacheStats {
  uint64_t hits = 0, misses = 0;  // blocks
  uint64_t evictions = 0;         // blocks that gave way
  uint64_t failures = 0;          // blocks that the disk did not take or gave back damaged
  uint64_t used_bytes = 0;        // of the file
};

// A store in front of which ranges that were read are kept on the local disk, in blocks aligned to
// the object; the least recently used one gives way (docs/object-storage.md, "The read cache").
// Blocks that are missing beside each other are read in one request, and only once when several
// threads want them. Trouble with the local disk never fails a read. Objects without a version are
// not kept.
//
// Thread rule: as ObjectStore.
class CachedStore : public ObjectStore {
 public:
  virtual ReadCacheStats cache_stats() const = 0;
  // The next read of this object comes from the store.
  virtual void forget_cached(const std::string& key) = 0;
  // The store behind the cache, which lives as long as this.
  virtual ObjectStore* uncached() = 0;
};

// kInvalidArgument when the budget is less than 16 blocks; otherwise what Env returns. `env` must
// outlive the store.
Result<std::unique_ptr<CachedStore>> open_cached_store(Env* env, std::unique_ptr<ObjectStore> base,
                                                       const ReadCacheOptions& options);

}  // namespace firn
