#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/id_set.h"
#include "base/mutex.h"

namespace firn {

// A series as its definition needs it.
struct CachedSeries {
  Id series{};
  std::string labels;  // canonical JSON
  std::string name;    // empty where the name is known otherwise
  // KnownSeries::stamp() of an interval that it is defined for; 0: not known of any. Not kept by
  // add().
  uint64_t known_stamp = 0;
};

// What labels became, by the bytes they were sent as: senders repeat the same series in every
// request, and sorting and hashing its labels again costs more than all else about a sample.
// Forgetting costs only that. Any thread.
class SeriesCache {
 public:
  // A part of it forgets everything rather than take more than its share of `bytes_max`. `seed`:
  // random, for those that hash what was sent alone, so that nobody can make keys that collide.
  explicit SeriesCache(uint64_t bytes_max, uint64_t seed = 0)
      : seed_(seed), shard_bytes_max_(bytes_max / kShards) {}

  uint64_t seed() const { return seed_; }
  // Where a search begins, in each part: senders repeat series in the same order, so the next one
  // is likely the neighbour of the one found last, and what is read in order comes faster. One for
  // a request, or each metric of it.
  struct Hint {
    std::array<uint32_t, 16> next{};
  };
  // `group`: the hash of what neighbours share (a metric), or the key again; `key`: the hash of all
  // that the series follows from. False when it is not known.
  bool find(const Id& group, const Id& key, Hint* hint, CachedSeries* found) const;
  void add(const Id& group, const Id& key, const CachedSeries& series);
  // The series is defined for the interval of that stamp. `hint` as find() left it. Does nothing
  // when the series was forgotten since.
  void set_known(const Id& group, const Id& key, const Hint& hint, uint64_t stamp);
  uint64_t bytes() const;

 private:
  static constexpr size_t kShards = std::tuple_size_v<decltype(Hint::next)>;
  struct Entry {
    Id key, series;
    uint64_t texts_at = 0;
    uint32_t labels_size = 0;
    uint32_t name_size = 0;  // behind the labels
    uint64_t known_stamp = 0;
  };
  struct Shard {
    mutable Mutex mutex;
    std::vector<Entry> entries GUARDED_BY(mutex);   // in the order they came
    std::vector<uint32_t> slots GUARDED_BY(mutex);  // open addressing: entry + 1; 0: free
    std::string texts GUARDED_BY(mutex);            // one behind the other
  };
  // Whether the entry at `hint` or one of the next has the key; it is the hinted one then.
  static bool is_near(const Shard& shard, const Id& key, uint32_t* hint) REQUIRES(shard.mutex);
  static void prefetch(const Shard& shard, uint32_t number) REQUIRES(shard.mutex);
  static size_t slot_of(const Shard& shard, const Id& key) REQUIRES(shard.mutex);
  static void grow(Shard* shard) REQUIRES(shard->mutex);
  static size_t shard_of(const Id& group) { return group.low() % kShards; }

  const uint64_t seed_;
  const uint64_t shard_bytes_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace firn
