#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "base/id_set.h"
#include "base/mutex.h"
#include "base/time.h"
#include "model/schema.h"

namespace firn {

// A series in a chunk interval: the start of the interval, the identity of the series.
using SeriesDefinition = std::pair<TimeNs, Id>;

// Which series are certainly defined for which chunk interval (docs/formats/samples.md), so that
// not every sample brings its definition along. Forgetting costs a definition that is written
// again. Any thread.
class KnownSeries {
 public:
  // Forgets everything rather than take more than `bytes_max`.
  explicit KnownSeries(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // Grows when definitions are about to be dropped. Who relied on unknown() and finds another
  // epoch when its samples are durable must write their definitions again.
  uint64_t epoch() const EXCLUDES(mutex_);
  // Those of the definitions, in their order, that are not known to be durable.
  std::vector<SeriesDefinition> unknown(NamespaceId id,
                                        std::span<const SeriesDefinition> definitions) const
      EXCLUDES(mutex_);
  // Their definitions are durable. Does nothing when `epoch` is not the present one.
  void add(NamespaceId id, std::span<const SeriesDefinition> defined, uint64_t epoch)
      EXCLUDES(mutex_);
  // Before definitions of the interval are dropped.
  void forget(NamespaceId id, TimeNs interval) EXCLUDES(mutex_);

 private:
  const uint64_t bytes_max_;
  mutable Mutex mutex_;
  uint64_t epoch_ GUARDED_BY(mutex_) = 1;
  std::map<std::pair<NamespaceId, TimeNs>, IdSet> intervals_ GUARDED_BY(mutex_);
};

}  // namespace firn
