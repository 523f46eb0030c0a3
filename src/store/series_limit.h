#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/id_set.h"
#include "base/mutex.h"
#include "env/stoppable_worker.h"
#include "model/known_series.h"
#include "store/core.h"

namespace firn {

// How many series a namespace may define for one chunk interval (docs/metrics.md, "The limit of
// series"). Below it rows of definitions are counted, which chunks tell: more than there are
// series, never fewer. Only when they would be too many the series themselves are read, once, and
// remembered from then on.
//
// Thread rule: any thread. Locks: the mutex is taken alone; no snapshot is taken under it.
class SeriesLimit {
 public:
  // Called once, soon: here or from the worker. Ok: the definitions may be written, and settle()
  // must be called for them. kSeriesLimit: they may not. Else what reading definitions failed with,
  // kUnavailable when too many wait for that, kCancelled when the store closes.
  using Admitted = std::function<void(const Status&)>;

  explicit SeriesLimit(std::shared_ptr<StoreCore> core);
  ~SeriesLimit() { stop(); }

  void start();
  // Whether definitions that are not known to be stored, ascending by interval, each once, may be
  // written.
  void admit(NamespaceId id, std::vector<SeriesDefinition> definitions, Admitted then)
      EXCLUDES(mutex_);
  // Admitted definitions are visible, or are not going to be.
  void settle(NamespaceId id, const std::vector<SeriesDefinition>& definitions, bool stored)
      EXCLUDES(mutex_);
  // Those who wait hear kCancelled. Later calls of admit() do, too.
  void stop() EXCLUDES(mutex_);

 private:
  using Key = std::pair<NamespaceId, TimeNs>;
  struct Interval {
    uint64_t in_flight = 0;     // definitions that were admitted and are not settled
    bool wanted_exact = false;  // nobody is admitted by counting rows any more
    bool is_exact = false;      // `series` are all that are stored or in flight
    IdSet series;
    bool is_idle() const { return in_flight == 0 && !wanted_exact; }
  };
  // The definitions of a request for one interval.
  struct Run {
    Key key;
    std::span<const SeriesDefinition> definitions;
  };
  struct Request {
    NamespacePtr name_space;
    std::vector<SeriesDefinition> definitions;
    Admitted then;
    std::vector<Run> runs() const;
  };

  uint64_t limit_of(const NamespaceState& ns) const;
  // Rows of definitions by the start of their interval, as a snapshot taken now shows them.
  std::map<TimeNs, uint64_t> count_rows(const NamespacePtr& ns, const std::vector<Run>& runs) const;
  Status load(const NamespacePtr& ns, TimeNs interval, IdSet* series) const;
  // Admits by counting rows: all runs or none. Then at least one interval is one that has to be
  // known exactly.
  bool claim_counted(const NamespacePtr& ns, const std::vector<Run>& runs) EXCLUDES(mutex_);
  void unclaim(const std::vector<Run>& runs) EXCLUDES(mutex_);
  // The same by the series of intervals that are known exactly. Nothing when they have to be read
  // again.
  std::optional<Status> claim_exact(const NamespacePtr& ns, const std::vector<Run>& runs)
      EXCLUDES(mutex_);
  void step() EXCLUDES(mutex_);
  // Nothing when definitions in flight have to be settled first.
  std::optional<Status> decide(const Request& request) EXCLUDES(mutex_);
  void forget_dropped() REQUIRES(mutex_);
  void make_room() REQUIRES(mutex_);

  const std::shared_ptr<StoreCore> core_;
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  uint64_t epoch_ GUARDED_BY(mutex_) = 0;  // of KnownSeries: another one means definitions dropped
  std::map<Key, Interval> intervals_ GUARDED_BY(mutex_);
  std::deque<Request> waiting_ GUARDED_BY(mutex_);
  StoppableWorker worker_;
};

}  // namespace firn
