#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/id.h"

namespace firn {

// Two comparisons of words, for tables of ids; that of arrays becomes a call.
inline bool is_same_id(const Id& a, const Id& b) {
  return a.high() == b.high() && a.low() == b.low();
}

// A set of ids that are hashes already, in sixteen bytes each: open addressing, no node of its own
// for any of them. The zero id is never in it. Thread rule: one writer, or any number of readers.
class IdSet {
 public:
  bool contains(const Id& id) const { return !id.is_zero() && find(id); }
  // False when it was there before, or is zero.
  bool insert(const Id& id);
  size_t size() const { return count_; }
  uint64_t bytes() const { return slots_.size() * sizeof(Id); }
  // Keeps the memory.
  void clear();

 private:
  bool find(const Id& id) const { return !slots_.empty() && is_same_id(slots_[slot_of(id)], id); }
  size_t slot_of(const Id& id) const;
  void grow();

  std::vector<Id> slots_;
  size_t count_ = 0;
};

}  // namespace firn
