#include <firn/subscriptions.h>

#include <optional>

#include "library/database_parts.h"

namespace firn {

namespace {

// Lets a thread wait until a member's state is durable.
struct Durable {
  Mutex mutex;
  CondVar changed;
  std::optional<Status> outcome GUARDED_BY(mutex);

  Status wait() {
    MutexLock lock(&mutex);
    while (!outcome.has_value()) changed.wait(&mutex);
    return *outcome;
  }
};

template <typename Change>
Result<uint64_t> change_durably(SubscriptionMember* member, const Change& change) {
  const auto durable = std::make_shared<Durable>();
  const uint64_t count = change(member, [durable](const Status& status) {
    MutexLock lock(&durable->mutex);
    durable->outcome = status;
    durable->changed.notify_all();
  });
  FIRN_TRY(durable->wait());
  return count;
}

std::vector<Position> positions_of(std::span<const uint64_t> positions) {
  return {positions.begin(), positions.end()};
}

SubscriptionSettings settings_of(const DurableSettings& wanted) {
  SubscriptionSettings settings;
  if (!wanted.stream.empty()) settings.source = SubscriptionSource::kStream;
  if (!wanted.category.empty()) settings.source = SubscriptionSource::kCategory;
  settings.of = wanted.stream + wanted.category;
  settings.start = wanted.after;
  settings.consumers = wanted.consumers;
  settings.in_flight_max = wanted.in_flight_max;
  settings.attempts_max = wanted.attempts_max;
  settings.answer_time_ns = wanted.answer_time_ns;
  settings.retry_min_ns = wanted.retry_min_ns;
  settings.retry_max_ns = wanted.retry_max_ns;
  return settings;
}

}  // namespace

Status DurableSubscriptions::create(const std::string& name, const DurableSettings& settings) {
  if (!settings.stream.empty() && !settings.category.empty()) {
    return invalid_argument("subscribe to a stream or a category, not both");
  }
  FIRN_ASSIGN(const NamespaceId id, database_->parts_->namespace_id(name_space_));
  return database_->parts_->subscriptions->create(id, name, settings_of(settings));
}

Status DurableSubscriptions::remove(const std::string& name) {
  FIRN_ASSIGN(const NamespaceId id, database_->parts_->namespace_id(name_space_));
  return database_->parts_->subscriptions->remove(id, name);
}

Result<std::vector<std::string>> DurableSubscriptions::list() {
  FIRN_ASSIGN(const NamespaceId id, database_->parts_->namespace_id(name_space_));
  FIRN_ASSIGN(const auto infos, database_->parts_->subscriptions->list(id, nullptr));
  std::vector<std::string> names;
  names.reserve(infos.size());
  for (const SubscriptionInfo& info : infos) names.push_back(info.name);
  return names;
}

Result<std::vector<DurableMessage>> DurableSubscriptions::receive(const std::string& name,
                                                                  uint32_t max, uint32_t member) {
  FIRN_ASSIGN(const NamespaceId id, database_->parts_->namespace_id(name_space_));
  FIRN_ASSIGN(const auto one, database_->parts_->subscriptions->member(id, name, member));
  FIRN_ASSIGN(const std::vector<GivenMessage> given, one->receive(max, nullptr));
  std::vector<DurableMessage> messages;
  messages.reserve(given.size());
  for (const GivenMessage& message : given) {
    messages.push_back({stored_event(message.event), message.attempt});
  }
  return messages;
}

Result<uint64_t> DurableSubscriptions::acknowledge(const std::string& name,
                                                   std::span<const uint64_t> positions,
                                                   uint32_t member) {
  FIRN_ASSIGN(const NamespaceId id, database_->parts_->namespace_id(name_space_));
  FIRN_ASSIGN(const auto one, database_->parts_->subscriptions->member(id, name, member));
  return change_durably(one.get(), [&](SubscriptionMember* of, SubscriptionDone done) {
    return of->acknowledge(positions_of(positions), std::move(done));
  });
}

Result<uint64_t> DurableSubscriptions::fail(const std::string& name,
                                            std::span<const uint64_t> positions,
                                            const std::string& reason, bool park, uint32_t member) {
  FIRN_ASSIGN(const NamespaceId id, database_->parts_->namespace_id(name_space_));
  FIRN_ASSIGN(const auto one, database_->parts_->subscriptions->member(id, name, member));
  return change_durably(one.get(), [&](SubscriptionMember* of, SubscriptionDone done) {
    return of->fail(positions_of(positions), reason, park, std::move(done));
  });
}

Result<std::vector<DurableParked>> DurableSubscriptions::parked(const std::string& name,
                                                                uint64_t skip, uint32_t limit,
                                                                uint32_t member) {
  FIRN_ASSIGN(const NamespaceId id, database_->parts_->namespace_id(name_space_));
  FIRN_ASSIGN(const auto one, database_->parts_->subscriptions->member(id, name, member));
  FIRN_ASSIGN(const std::vector<ParkedMessage> messages, one->parked(skip, limit, nullptr));
  std::vector<DurableParked> parked;
  parked.reserve(messages.size());
  for (const ParkedMessage& message : messages) {
    parked.push_back({message.position, message.attempts, message.reason, message.time});
  }
  return parked;
}

Result<uint64_t> DurableSubscriptions::replay_parked(const std::string& name, uint64_t limit,
                                                     uint32_t member) {
  FIRN_ASSIGN(const NamespaceId id, database_->parts_->namespace_id(name_space_));
  FIRN_ASSIGN(const auto one, database_->parts_->subscriptions->member(id, name, member));
  return change_durably(one.get(), [&](SubscriptionMember* of, SubscriptionDone done) {
    return of->replay(limit, std::move(done));
  });
}

Result<uint64_t> DurableSubscriptions::discard_parked(const std::string& name, uint64_t limit,
                                                      uint32_t member) {
  FIRN_ASSIGN(const NamespaceId id, database_->parts_->namespace_id(name_space_));
  FIRN_ASSIGN(const auto one, database_->parts_->subscriptions->member(id, name, member));
  return change_durably(one.get(), [&](SubscriptionMember* of, SubscriptionDone done) {
    return of->discard(limit, std::move(done));
  });
}

}  // namespace firn
