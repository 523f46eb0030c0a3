#include "model/known_series.h"

#include <algorithm>
#include <atomic>

namespace firn {

namespace {

constexpr size_t kForgottenMax = 1024;

uint64_t new_stamp() {
  static std::atomic<uint64_t> given{0};
  return ++given;
}

}  // namespace

uint64_t KnownSeries::epoch() const {
  MutexLock lock(&mutex_);
  return epoch_;
}

bool KnownSeries::was_forgotten(NamespaceId id, TimeNs first, TimeNs last, uint64_t since) const {
  MutexLock lock(&mutex_);
  if (epoch_ - since > forgotten_.size()) return true;
  return std::any_of(forgotten_.rbegin(),
                     forgotten_.rbegin() + static_cast<int64_t>(epoch_ - since),
                     [&](const Forgotten& one) {
                       return one.id == id && one.interval >= first && one.interval <= last;
                     });
}

bool KnownSeries::contains(NamespaceId id, const SeriesDefinition& definition) const {
  MutexLock lock(&mutex_);
  const auto found = intervals_.find({id, definition.first});
  return found != intervals_.end() && found->second.series.contains(definition.second);
}

uint64_t KnownSeries::stamp(NamespaceId id, TimeNs interval) const {
  MutexLock lock(&mutex_);
  const auto found = intervals_.find({id, interval});
  return found == intervals_.end() ? 0 : found->second.stamp;
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
    const bool is_known =
        found != intervals_.end() && found->second.series.contains(definition.second);
    if (!is_known) unknown.push_back(definition);
  }
  return unknown;
}

void KnownSeries::add(NamespaceId id, std::span<const SeriesDefinition> defined, uint64_t epoch) {
  MutexLock lock(&mutex_);
  if (epoch != epoch_) return;
  for (const auto& [start, series] : defined) {
    Interval& interval = intervals_[{id, start}];
    if (interval.stamp == 0) interval.stamp = new_stamp();
    interval.series.insert(series);
  }
  uint64_t bytes = 0;
  for (const auto& [key, interval] : intervals_) bytes += interval.series.bytes();
  if (bytes > bytes_max_) intervals_.clear();
}

void KnownSeries::forget(NamespaceId id, TimeNs interval) {
  MutexLock lock(&mutex_);
  forgotten_.push_back({++epoch_, id, interval});
  if (forgotten_.size() > kForgottenMax) forgotten_.pop_front();
  intervals_.erase({id, interval});
}

}  // namespace firn
