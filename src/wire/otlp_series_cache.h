#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/id_set.h"
#include "base/mutex.h"

namespace firn {

// What the attributes of metric points became, by the bytes they were sent as: senders repeat the
// same series in every request, and sorting and hashing its labels again costs more than all else
// about a point. Forgetting costs only that. Any thread.
class OtlpSeriesCache {
 public:
  // A part of it forgets everything rather than take more than its share of `bytes_max`.
  explicit OtlpSeriesCache(uint64_t bytes_max) : shard_bytes_max_(bytes_max / kShards) {}

  // Where a search begins: senders repeat series in the same order, so the next one is likely the
  // neighbour of the one found last. Starts at 0; one for each metric of a request.
  using Hint = uint32_t;
  // `metric`: the hash of what the points of a metric share; `key`: of all that the series follows
  // from. False when it is not known.
  bool find(const Id& metric, const Id& key, Hint* hint, Id* series, std::string* labels) const;
  void add(const Id& metric, const Id& key, const Id& series, std::string_view labels);
  uint64_t bytes() const;

 private:
  static constexpr size_t kShards = 16;
  struct Entry {
    Id key, series;
    uint64_t labels_at = 0;
    uint64_t labels_size = 0;
  };
  struct Shard {
    mutable Mutex mutex;
    std::vector<Entry> entries GUARDED_BY(mutex);   // in the order they came
    std::vector<uint32_t> slots GUARDED_BY(mutex);  // open addressing: entry + 1; 0: free
    std::string labels GUARDED_BY(mutex);           // one behind the other
  };
  static size_t slot_of(const Shard& shard, const Id& key) REQUIRES(shard.mutex);
  static void grow(Shard* shard) REQUIRES(shard->mutex);
  static size_t shard_of(const Id& metric) { return metric.low() % kShards; }

  const uint64_t shard_bytes_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace firn
