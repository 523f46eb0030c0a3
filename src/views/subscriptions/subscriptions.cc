#include "views/subscriptions/subscriptions.h"

#include <algorithm>

#include "views/streams/stream_lists.h"
#include "views/streams/stream_reads.h"

namespace firn {

namespace {

constexpr std::string_view kCreated = "created";
constexpr std::string_view kDeleted = "deleted";

Status no_such_subscription(const std::string& name) {
  return not_found("there is no subscription '" + name + "'");
}

Result<SubscriptionSettings> settings_of(const EventRow& row) {
  SubscriptionSettings settings;
  settings.of = row.subject;
  for (const SubscriptionSource source :
       {SubscriptionSource::kStream, SubscriptionSource::kCategory, SubscriptionSource::kAll}) {
    if (row.source == subscription_source_name(source)) settings.source = source;
  }
  FIRN_TRY(parse_subscription_numbers(row.data, &settings));
  return settings;
}

}  // namespace

Result<SnapshotPtr> Subscriptions::state_snapshot() const {
  const Result<NamespaceInfo> info = store_->find_namespace(kSubscriptionsNamespace);
  if (!info.ok()) return SnapshotPtr();
  return store_->snapshot(info->id);
}

Result<NamespaceId> Subscriptions::state_namespace() {
  const Result<NamespaceInfo> known = store_->find_namespace(kSubscriptionsNamespace);
  if (known.ok()) return known->id;
  FIRN_ASSIGN(const NamespaceInfo made, store_->put_namespace(kSubscriptionsNamespace, kForever));
  return made.id;
}

Result<Subscriptions::Stored> Subscriptions::load(NamespaceId name_space,
                                                  const std::string& name) const {
  FIRN_TRY(check_subscription_name(name));
  Stored stored;
  FIRN_ASSIGN(const SnapshotPtr snapshot, state_snapshot());
  if (snapshot == nullptr) return stored;
  const std::string stream = subscription_stream(name_space, name);
  FIRN_ASSIGN(stored.generation, stream_version(*snapshot, stream));
  FIRN_ASSIGN(const EventRef last, last_of_stream(*snapshot, stream, "", nullptr));
  if (last.batch == nullptr) return stored;
  const EventRow row = event_row(*last.batch, last.row);
  stored.exists = row.type == kCreated;
  if (!stored.exists) return stored;
  stored.generation = row.stream_position;
  FIRN_ASSIGN(stored.settings, settings_of(row));
  return stored;
}

Result<Subscriptions::Stored> Subscriptions::load_existing(NamespaceId name_space,
                                                           const std::string& name) {
  uint64_t removals = 0;
  {
    MutexLock lock(&mutex_);
    const auto known = known_.find({name_space, name});
    if (known != known_.end()) return known->second;
    removals = removals_;
  }
  FIRN_ASSIGN(Stored stored, load(name_space, name));
  if (!stored.exists) return no_such_subscription(name);
  MutexLock lock(&mutex_);
  if (removals_ == removals) known_.insert_or_assign({name_space, name}, stored);
  return stored;
}

Status Subscriptions::append(const std::string& stream, std::string_view type,
                             const SubscriptionSettings& settings, int64_t expected_version) {
  FIRN_ASSIGN(const NamespaceId id, state_namespace());
  const std::string numbers = subscription_numbers(settings);
  EventRow row;
  row.time = env_->now();
  row.kind = EventKind::kMessage;
  row.id = store_->id_source()();
  row.type = type;
  row.stream = stream;
  row.source = subscription_source_name(settings.source);
  row.subject = settings.of;
  row.data = numbers;
  BatchBuilder builder(Dataset::kEvents);
  builder.add(row);
  AppendRequest request;
  request.batch = builder.finish();
  request.expected_versions = {{stream, expected_version}};
  return store_->append_and_wait(id, std::move(request)).status();
}

Status Subscriptions::create(NamespaceId name_space, const std::string& name,
                             const SubscriptionSettings& settings) {
  FIRN_TRY(check_subscription(settings));
  // Of two that create it at the same time one meets the version of the other, and looks again.
  while (true) {
    FIRN_ASSIGN(const Stored stored, load(name_space, name));
    if (stored.exists) {
      if (stored.settings == settings) return Status();
      return conflict("there is a subscription '" + name +
                      "' with other settings; delete it first, or choose another name");
    }
    FIRN_ASSIGN(const std::vector<SubscriptionInfo> others, list(name_space, nullptr));
    if (others.size() >= kSubscriptionsMax) {
      return too_large("the namespace has " + std::to_string(kSubscriptionsMax) +
                       " subscriptions, the limit; delete one first");
    }
    Status status =
        append(subscription_stream(name_space, name), kCreated, settings, stored.generation);
    if (status.code() != StatusCode::kConflict) return status;
  }
}

Status Subscriptions::remove(NamespaceId name_space, const std::string& name) {
  FIRN_ASSIGN(const Stored stored, load_existing(name_space, name));
  const Status status =
      append(subscription_stream(name_space, name), kDeleted, stored.settings, stored.generation);
  if (status.code() == StatusCode::kConflict) return no_such_subscription(name);
  FIRN_TRY(status);
  MutexLock lock(&mutex_);
  ++removals_;
  known_.erase({name_space, name});
  std::erase_if(members_, [&](const auto& entry) {
    return std::get<0>(entry.first) == name_space && std::get<1>(entry.first) == name;
  });
  return Status();
}

Result<std::vector<SubscriptionInfo>> Subscriptions::list(NamespaceId name_space,
                                                          const QueryGuard& guard) const {
  std::vector<SubscriptionInfo> infos;
  FIRN_ASSIGN(const SnapshotPtr snapshot, state_snapshot());
  if (snapshot == nullptr) return infos;
  const std::string prefix = subscription_stream(name_space, "");
  constexpr uint32_t kPieceStreams = 1000;
  std::string after;
  while (true) {
    FIRN_ASSIGN(const std::vector<StreamInfo> streams,
                list_streams(*snapshot, prefix, after, kPieceStreams, guard));
    for (const StreamInfo& stream : streams) {
      FIRN_ASSIGN(const EventRef last, last_of_stream(*snapshot, stream.stream, "", guard));
      if (last.batch == nullptr) continue;
      const EventRow row = event_row(*last.batch, last.row);
      if (row.type != kCreated) continue;
      FIRN_ASSIGN(SubscriptionSettings settings, settings_of(row));
      infos.push_back({stream.stream.substr(prefix.size()), std::move(settings), {}});
    }
    if (streams.size() < kPieceStreams) return infos;
    after = streams.back().stream;
  }
}

Result<SubscriptionInfo> Subscriptions::describe(NamespaceId name_space, const std::string& name) {
  FIRN_ASSIGN(const Stored stored, load_existing(name_space, name));
  SubscriptionInfo info{name, stored.settings, {}};
  for (uint32_t i = 0; i < stored.settings.consumers; ++i) {
    FIRN_ASSIGN(const auto one, member(name_space, name, i));
    FIRN_ASSIGN(const SubscriptionProgress progress, one->progress());
    info.members.push_back(progress);
  }
  return info;
}

// The last state, whole; where the subscription begins when none was stored.
Result<SubscriptionState> Subscriptions::load_state(const std::string& stream,
                                                    Position start) const {
  SubscriptionState state;
  state.through = start;
  FIRN_ASSIGN(const SnapshotPtr snapshot, state_snapshot());
  if (snapshot == nullptr) return state;
  FIRN_ASSIGN(const int64_t version, stream_version(*snapshot, stream));
  if (version < 0) return state;
  FIRN_ASSIGN(const EventRef last, last_of_stream(*snapshot, stream, "", nullptr));
  if (last.batch == nullptr) {
    return corruption("the state of a subscription, the last event of stream " + stream +
                      " in namespace " + kSubscriptionsNamespace +
                      ", was dropped; delete the subscription and create it again");
  }
  return parse_subscription_state(event_row(*last.batch, last.row).data);
}

Result<std::shared_ptr<SubscriptionMember>> Subscriptions::member(NamespaceId name_space,
                                                                  const std::string& name,
                                                                  uint32_t member) {
  FIRN_ASSIGN(const Stored stored, load_existing(name_space, name));
  if (member >= stored.settings.consumers) {
    return invalid_argument("'member' must be from 0 to below " +
                            std::to_string(stored.settings.consumers) + ", its consumers");
  }
  const MemberKey key{name_space, name, stored.generation, member};
  {
    MutexLock lock(&mutex_);
    const auto known = members_.find(key);
    if (known != members_.end()) return known->second;
  }
  SubscriptionMember::Place place;
  place.env = env_;
  place.store = store_;
  place.name_space = name_space;
  FIRN_ASSIGN(place.state_space, state_namespace());
  place.state_stream = member_stream(name_space, name, stored.generation, member);
  place.parked_stream = parked_stream(name_space, name, stored.generation, member);
  place.member = member;
  // Nobody stores state before the member is in the map, so two that load find the same.
  FIRN_ASSIGN(SubscriptionState state, load_state(place.state_stream, stored.settings.start));
  MutexLock lock(&mutex_);
  std::shared_ptr<SubscriptionMember>& entry = members_[key];
  if (entry == nullptr) {
    entry =
        std::make_shared<SubscriptionMember>(std::move(place), stored.settings, std::move(state));
  }
  return entry;
}

}  // namespace firn
