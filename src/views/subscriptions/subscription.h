#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "model/schema.h"

// Durable subscriptions (docs/subscriptions.md): what is stored of them, and its text.

namespace firn {

enum class SubscriptionSource : uint8_t { kStream = 0, kCategory = 1, kAll = 2 };
std::string_view subscription_source_name(SubscriptionSource source);

struct SubscriptionSettings {
  SubscriptionSource source = SubscriptionSource::kAll;
  std::string of;      // name of the stream or category
  Position start = 0;  // messages behind this position
  uint32_t consumers = 1;
  uint32_t in_flight_max = 100;
  uint32_t attempts_max = 10;
  DurationNs answer_time_ns = 30 * kSecondNs;
  DurationNs retry_min_ns = 1 * kSecondNs, retry_max_ns = 5 * kMinuteNs;

  bool operator==(const SubscriptionSettings&) const = default;
};

inline constexpr uint32_t kSubscriptionConsumersMax = 256;
inline constexpr uint32_t kSubscriptionInFlightMax = 1000;
inline constexpr uint32_t kSubscriptionAttemptsMax = 1000;
inline constexpr uint32_t kSubscriptionsMax = 1000;  // of a namespace
inline constexpr size_t kSubscriptionNameBytes = 128;

// kInvalidArgument naming what is wrong.
Status check_subscription_name(std::string_view name);
Status check_subscription(const SubscriptionSettings& settings);

// The numbers of the settings; the rest is in columns of the event.
std::string subscription_numbers(const SubscriptionSettings& settings);
// kCorruption for a text that subscription_numbers() cannot have given.
Status parse_subscription_numbers(std::string_view text, SubscriptionSettings* settings);

// A message that was given out and is not done.
struct PendingMessage {
  Position position = 0;
  uint32_t attempts = 0;  // that failed
  bool operator==(const PendingMessage&) const = default;
};

// Of one member. The meaning of the numbers is in docs/subscriptions.md, "State".
struct SubscriptionState {
  Position through = 0;
  uint64_t acknowledged = 0;
  int64_t parked_next = 0, replay_until = 0, parked_end = 0;
  std::vector<PendingMessage> pending;  // ascending
  bool operator==(const SubscriptionState&) const = default;
};

std::string subscription_state_text(const SubscriptionState& state);
// kCorruption.
Result<SubscriptionState> parse_subscription_state(std::string_view text);

struct ParkedMessage {
  Position position = 0;
  uint32_t attempts = 0;
  std::string reason;
  TimeNs time = 0;
};
std::string parked_message_text(const ParkedMessage& parked);
// Position and attempts. kCorruption.
Result<ParkedMessage> parse_parked_message(std::string_view text);

// Where a subscription's state is.
inline constexpr const char* kSubscriptionsNamespace = "firn-subscriptions";
std::string subscription_stream(NamespaceId id, std::string_view name);
std::string member_stream(NamespaceId id, std::string_view name, int64_t generation,
                          uint32_t member);
std::string parked_stream(NamespaceId id, std::string_view name, int64_t generation,
                          uint32_t member);

}  // namespace firn
