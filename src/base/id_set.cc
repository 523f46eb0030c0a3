#include "base/id_set.h"

#include <algorithm>

namespace firn {

size_t IdSet::slot_of(const Id& id) const {
  const size_t mask = slots_.size() - 1;
  size_t at = id.high() & mask;
  while (!is_same_id(slots_[at], Id{}) && !is_same_id(slots_[at], id)) at = (at + 1) & mask;
  return at;
}

bool IdSet::insert(const Id& id) {
  if (id.is_zero()) return false;
  if (count_ * 3 >= slots_.size() * 2) grow();
  Id& slot = slots_[slot_of(id)];
  if (!is_same_id(slot, Id{})) return false;
  slot = id;
  ++count_;
  return true;
}

void IdSet::clear() {
  std::fill(slots_.begin(), slots_.end(), Id{});
  count_ = 0;
}

void IdSet::grow() {
  constexpr size_t kFewest = 64;
  std::vector<Id> old(slots_.empty() ? kFewest : slots_.size() * 2);
  old.swap(slots_);
  for (const Id& id : old) {
    if (!is_same_id(id, Id{})) slots_[slot_of(id)] = id;
  }
}

}  // namespace firn
