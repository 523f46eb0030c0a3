#include "store/known_series.h"

namespace firn {

uint64_t KnownSeries::epoch() const {
  MutexLock lock(&mutex_);
  return epoch_;
}

std::vector<SeriesDefinition> KnownSeries::unknown(
    NamespaceId id, std::span<const SeriesDefinition> definitions) const {
  std::vector<SeriesDefinition> unknown;
  MutexLock lock(&mutex_);
  auto found = intervals_.end();
  for (const SeriesDefinition& definition : definitions) {
    if (found == intervals_.end() || found->first != std::pair(id, definition.first)) {
      found = intervals_.find({id, definition.first});
    }
    const bool is_known = found != intervals_.end() && found->second.contains(definition.second);
    if (!is_known) unknown.push_back(definition);
  }
  return unknown;
}

void KnownSeries::add(NamespaceId id, std::span<const SeriesDefinition> defined, uint64_t epoch) {
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
