#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "views/subscriptions/subscription_member.h"

namespace firn {

struct SubscriptionInfo {
  std::string name;
  SubscriptionSettings settings;
  std::vector<SubscriptionProgress> members;  // only from describe()
};

// The durable subscriptions of a store (docs/subscriptions.md). Everything may read from disk, so
// it is not for threads that must not wait. Thread rule: any thread. The store must outlive it.
class Subscriptions {
 public:
  Subscriptions(Env* env, Store* store) : env_(env), store_(store) {}

  // Durable when it returns. kConflict when one of that name has other settings; kTooLarge for too
  // many; kInvalidArgument for settings that cannot be.
  Status create(NamespaceId name_space, const std::string& name,
                const SubscriptionSettings& settings);
  // kNotFound when there is none. Durable when it returns.
  Status remove(NamespaceId name_space, const std::string& name) EXCLUDES(mutex_);
  // Ascending by name.
  Result<std::vector<SubscriptionInfo>> list(NamespaceId name_space, const QueryGuard& guard) const;
  // kNotFound.
  Result<SubscriptionInfo> describe(NamespaceId name_space, const std::string& name);
  // To receive and answer with. kNotFound, kInvalidArgument when there is no such member.
  Result<std::shared_ptr<SubscriptionMember>> member(NamespaceId name_space,
                                                     const std::string& name, uint32_t member)
      EXCLUDES(mutex_);

 private:
  struct Stored {
    SubscriptionSettings settings;
    int64_t generation = -1;  // stream position of its last event
    bool exists = false;
  };
  using MemberKey = std::tuple<NamespaceId, std::string, int64_t, uint32_t>;

  // A snapshot of the namespace with the state; null when there is none yet.
  Result<SnapshotPtr> state_snapshot() const;
  Result<NamespaceId> state_namespace();
  Result<Stored> load(NamespaceId name_space, const std::string& name) const;
  // Reads it at the first time only: all changes come through here.
  Result<Stored> load_existing(NamespaceId name_space, const std::string& name) EXCLUDES(mutex_);
  Status append(const std::string& stream, std::string_view type,
                const SubscriptionSettings& settings, int64_t expected_version);
  Result<SubscriptionState> load_state(const std::string& stream, Position start) const;

  Env* const env_;
  Store* const store_;
  Mutex mutex_;
  std::map<std::pair<NamespaceId, std::string>, Stored> known_ GUARDED_BY(mutex_);
  uint64_t removals_ GUARDED_BY(mutex_) = 0;
  std::map<MemberKey, std::shared_ptr<SubscriptionMember>> members_ GUARDED_BY(mutex_);
};

}  // namespace firn
