#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_types.h"
#include "server/services.h"
#include "views/subscriptions/subscriptions.h"

// What can be done with durable subscriptions (docs/subscriptions.md), for the API and EventoDB's
// protocol alike.

namespace firn {

// The members of a request, in any order.
struct SubscriptionOptions {
  SubscriptionSettings settings;
  bool from_end = false;
  bool has_settings = false;
  std::vector<Position> positions;
  std::string reason;
  bool park = false;
  uint32_t member = 0;
  uint64_t max = 10;
  std::optional<uint64_t> limit;
  uint64_t skip = 0;
};
// `json` is a value. kInvalidArgument naming the option; also for one that does not exist.
Status set_subscription_option(std::string_view name, std::string_view json,
                               SubscriptionOptions* options);
// The members of a JSON object; nothing for an empty text.
Status read_subscription_options(std::string_view json, SubscriptionOptions* options);

// One request. Its work may wait for disks.
struct SubscriptionCall {
  Services* services = nullptr;
  HttpRequestPtr request;
  OpenStorePtr open;
  NamespaceId name_space = 0;
  Position published = 0;  // the namespace's last position
  std::string name;        // of the subscription
  SubscriptionOptions options;
};
// Takes the answer, once, from any thread: JSON without a line feed.
using SubscriptionAnswer = std::function<void(Result<std::string>, MemoryBudget::Share)>;
using SubscriptionMethod = void (*)(const SubscriptionCall&, const SubscriptionAnswer&);

// "create", "list", "info", "delete", "receive", "ack", "nack", "parked", "replay", "discard"; null
// for another one.
SubscriptionMethod find_subscription_method(std::string_view name);

}  // namespace firn
