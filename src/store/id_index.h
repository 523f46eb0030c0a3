#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/id.h"
#include "base/status.h"
#include "model/record_batch.h"
#include "store/hash_list.h"

namespace firn {

// Ids that Firn itself made carry a tag in their last two bytes, a hash of the rest and the store's
// secret, so that the index of ids needs to hold only those that clients made. A client's id bears
// it by chance once in 65536 and is then merely looked up the slow way.
class IdTagger {
 public:
  explicit IdTagger(uint64_t secret) : secret_(secret) {}
  Id tag(Id id) const;
  bool has_tag(const Id& id) const;

 private:
  uint16_t tag_of(const Id& id) const;
  uint64_t secret_;
};

// Where the ids of rows that are still in memory or on their way there were put: about 11 bytes an
// id. Only a hint: a hit must be checked against the row. Rows expire together, by position. One
// thread (commit worker).
class RecentIds {
 public:
  // Positions ascend.
  void insert(const Id& id, Position position);
  // Positions of rows that may have this id, ascending; usually none or one.
  std::vector<Position> find(const Id& id) const;
  // Forgets epochs that hold only rows at or below `position`.
  void expire(Position position);
  // Forgets rows above `position`, whose positions were taken back.
  void forget_after(Position position);
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    uint32_t hash = 0;    // its low bits choose the slot
    uint32_t offset = 0;  // 1 + position - the epoch's first position; 0: free
  };
  struct Epoch {
    std::vector<Entry> entries;  // open addressing, power of two, of which up to 3/4 are used
    size_t used = 0;
    Position first = 0, last = 0;
  };
  static void put(Epoch* epoch, const Entry& entry);
  // Puts what `keep` accepts into a table of this size.
  template <typename Keep>
  void rebuild(Epoch* epoch, size_t capacity, const Keep& keep);

  std::deque<Epoch> epochs_;  // oldest first
  size_t bytes_ = 0;
};

// The ids of the rows of one flush, as listed_id() of each; only those without the tagger's tag.
// Null when there are none.
std::shared_ptr<const HashList> list_ids(const std::vector<BatchSlice>& slices,
                                         const IdTagger& tagger);
uint64_t listed_id(const Id& id);

}  // namespace firn
