#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "query/query.h"
#include "store/store.h"
#include "views/subscriptions/subscription.h"

namespace firn {

// Called once, when what was asked for is durable or cannot be; from a worker of the store, so it
// must be quick, or before the call returns.
using SubscriptionDone = std::function<void(const Status&)>;

// A message that is given out.
struct GivenMessage {
  EventRef event;
  uint32_t attempt = 1;
};

// How a member stands.
struct SubscriptionProgress {
  uint32_t member = 0;
  Position through = 0;  // read up to here; what is not done of it is in the next two
  uint32_t in_flight = 0, waiting = 0;
  uint64_t parked = 0, acknowledged = 0;
  uint64_t behind = 0;  // positions of the namespace that were not read yet
};

// One member of a subscription: gives messages out and takes their answers, within in_flight_max
// messages. Thread rule: any thread. The store must outlive the calls; callbacks hold the member
// alone.
class SubscriptionMember : public std::enable_shared_from_this<SubscriptionMember> {
 public:
  // Whose it is, and where its state goes.
  struct Place {
    Env* env = nullptr;
    Store* store = nullptr;
    NamespaceId name_space = 0;   // of the messages
    NamespaceId state_space = 0;  // of the state
    std::string state_stream, parked_stream;
    uint32_t member = 0;
  };
  SubscriptionMember(Place place, SubscriptionSettings settings, SubscriptionState state);

  // At most `max` messages: those to be tried again first, then new ones; some 2 MiB of each.
  // Fewer, or none, when there are no more now, or so many are given out as may be. Fails as reads
  // do.
  Result<std::vector<GivenMessage>> receive(uint32_t max, const QueryGuard& guard) EXCLUDES(mutex_);
  // Both pass over what is not given out, and tell how many were.
  uint32_t acknowledge(const std::vector<Position>& positions, SubscriptionDone done)
      EXCLUDES(mutex_);
  uint32_t fail(const std::vector<Position>& positions, const std::string& reason, bool park,
                SubscriptionDone done) EXCLUDES(mutex_);

  // Parked messages, oldest first, without the first `skip`. Those whose parking is being stored
  // are left out.
  Result<std::vector<ParkedMessage>> parked(uint64_t skip, uint32_t limit, const QueryGuard& guard)
      EXCLUDES(mutex_);
  // The oldest parked messages are given out anew, or forgotten. Tell how many.
  uint64_t replay(uint64_t limit, SubscriptionDone done) EXCLUDES(mutex_);
  uint64_t discard(uint64_t limit, SubscriptionDone done) EXCLUDES(mutex_);

  // Like a receive(), it takes messages that were not answered in time for failed.
  Result<SubscriptionProgress> progress() EXCLUDES(mutex_);

 private:
  // A pending message with what is not stored of it.
  struct Pending {
    Position position = 0;
    uint32_t attempts = 0;
    bool given_out = false;
    TimeNs due = 0;  // monotonic: to be answered by then, or tried again from then on
  };
  struct Waiter {
    uint64_t version = 0;
    SubscriptionDone done;
  };

  Pending* find(Position position) REQUIRES(mutex_);
  // True when it was parked, and the caller removes it.
  bool fail_one(Pending* pending, const std::string& reason, bool park) REQUIRES(mutex_);
  void fail_late() REQUIRES(mutex_);
  SubscriptionState state() const REQUIRES(mutex_);
  size_t room() const REQUIRES(mutex_);

  // Messages that wait and are due; they are given out now.
  std::vector<Pending> take_due(uint32_t max) REQUIRES(mutex_);
  Result<std::vector<GivenMessage>> read_again(const std::vector<Pending>& due,
                                               const QueryGuard& guard) EXCLUDES(mutex_);
  // They were not given out after all.
  void give_back(const std::vector<Position>& positions) EXCLUDES(mutex_);
  // Brings parked messages that are to be given out again among the pending ones.
  Status bring_back(const QueryGuard& guard) EXCLUDES(mutex_);
  Status read_new(uint32_t max, const QueryGuard& guard, std::vector<GivenMessage>* given)
      EXCLUDES(mutex_);
  Result<std::vector<EventRef>> read_source(const Snapshot& snapshot, Position after,
                                            uint32_t limit, const QueryGuard& guard) const;

  // Answers when the state as it is now is durable.
  void when_durable(SubscriptionDone done) EXCLUDES(mutex_);
  // Stores the state when it changed and no append is under way.
  void store_state() EXCLUDES(mutex_);
  void on_stored(uint64_t version, size_t parked_rows, const Status& status) EXCLUDES(mutex_);

  const Place place_;
  const SubscriptionSettings settings_;

  Mutex mutex_;
  SubscriptionState base_ GUARDED_BY(mutex_);              // all but `pending`
  std::vector<Pending> pending_ GUARDED_BY(mutex_);        // ascending
  std::vector<ParkedMessage> parking_ GUARDED_BY(mutex_);  // parked, not stored as such yet
  bool reading_ GUARDED_BY(mutex_) = false;                // a receive() reads new messages
  uint64_t version_ GUARDED_BY(mutex_) = 0;                // of the state in memory
  uint64_t durable_version_ GUARDED_BY(mutex_) = 0;
  bool storing_ GUARDED_BY(mutex_) = false;
  std::vector<Waiter> waiters_ GUARDED_BY(mutex_);
};

}  // namespace firn
