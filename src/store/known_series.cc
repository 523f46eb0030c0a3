#include "store/known_series.h"

#include "base/bytes.h"

namespace firn {

size_t KnownSeries::IdSet::slot_of(const Id& id) const {
  const size_t mask = slots_.size() - 1;
  size_t at = load_le<uint64_t>(id.bytes.data()) & mask;
  while (!slots_[at].is_zero() && slots_[at] != id) at = (at + 1) & mask;
  return at;
}

bool KnownSeries::IdSet::contains(const Id& id) const {
  return !slots_.empty() && !id.is_zero() && slots_[slot_of(id)] == id;
}

void KnownSeries::IdSet::insert(const Id& id) {
  if (id.is_zero()) return;  // its definition is written each time
  if (count_ * 3 >= slots_.size() * 2) grow();
  Id& slot = slots_[slot_of(id)];
  count_ += slot.is_zero() ? 1 : 0;
  slot = id;
}

void KnownSeries::IdSet::grow() {
  constexpr size_t kFewest = 64;
  std::vector<Id> old(slots_.empty() ? kFewest : slots_.size() * 2);
  old.swap(slots_);
  for (const Id& id : old) {
    if (!id.is_zero()) slots_[slot_of(id)] = id;
  }
}

uint64_t KnownSeries::epoch() const {
  MutexLock lock(&mutex_);
  return epoch_;
}

bool KnownSeries::contains(NamespaceId id, TimeNs interval, const Id& series) const {
  MutexLock lock(&mutex_);
  const auto found = intervals_.find({id, interval});
  return found != intervals_.end() && found->second.contains(series);
}

void KnownSeries::add(NamespaceId id, std::span<const std::pair<TimeNs, Id>> defined,
                      uint64_t epoch) {
  MutexLock lock(&mutex_);
  if (epoch != epoch_) return;
  for (const auto& [interval, series] : defined) intervals_[{id, interval}].insert(series);
  uint64_t bytes = 0;
  for (const auto& [key, set] : intervals_) bytes += set.bytes();
  if (bytes > bytes_max_) intervals_.clear();
}

void KnownSeries::forget(NamespaceId id, TimeNs interval) {
  MutexLock lock(&mutex_);
  ++epoch_;
  intervals_.erase({id, interval});
}

}  // namespace firn
