#pragma once

#include <cstdint>
#include <deque>
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
// again. Any thread. Who relies on what is known reads the epoch before, and asks was_forgotten()
// when its samples are durable.
class KnownSeries {
 public:
  // Forgets everything rather than take more than `bytes_max`.
  explicit KnownSeries(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // Grows when definitions are about to be dropped. Never 0.
  uint64_t epoch() const EXCLUDES(mutex_);
  // Whether definitions of an interval that starts between `first` and `last` may have been dropped
  // since the epoch.
  bool was_forgotten(NamespaceId id, TimeNs first, TimeNs last, uint64_t since) const
      EXCLUDES(mutex_);
  bool contains(NamespaceId id, const SeriesDefinition& definition) const EXCLUDES(mutex_);
  // Stands for what is known of the interval: as long as it is the same, nothing was forgotten. No
  // other interval of the process ever has it. 0: nothing is known.
  uint64_t stamp(NamespaceId id, TimeNs interval) const EXCLUDES(mutex_);
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
  struct Interval {
    uint64_t stamp = 0;
    IdSet series;
  };
  std::map<std::pair<NamespaceId, TimeNs>, Interval> intervals_ GUARDED_BY(mutex_);
  struct Forgotten {
    uint64_t epoch;  // that began with it
    NamespaceId id;
    TimeNs interval;
  };
  std::deque<Forgotten> forgotten_ GUARDED_BY(mutex_);  // the latest
};

// What a decoder needs to leave out definitions that the store has.
struct SeriesKnowledge {
  const KnownSeries* known = nullptr;  // null: nothing is known
  NamespaceId name_space = 0;
  DurationNs interval_ns = 0;  // the width of chunk intervals
};

}  // namespace firn
