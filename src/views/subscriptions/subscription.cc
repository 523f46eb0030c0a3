#include "views/subscriptions/subscription.h"

#include <algorithm>
#include <charconv>

namespace firn {

namespace {

constexpr int64_t kFormat = 1;

std::string list_text(const std::vector<int64_t>& numbers) {
  std::string text = "[";
  for (const int64_t number : numbers) {
    if (text.size() > 1) text.push_back(',');
    text += std::to_string(number);
  }
  text.push_back(']');
  return text;
}

Status malformed(std::string_view text) {
  return corruption("the state of a subscription is '" + std::string(text.substr(0, 100)) +
                    "'; expected a list of numbers of format " + std::to_string(kFormat));
}

// The numbers behind the format's; at least `least`.
Result<std::vector<int64_t>> parse_list(std::string_view text, size_t least) {
  std::vector<int64_t> numbers;
  if (!text.starts_with('[') || !text.ends_with(']')) return malformed(text);
  const char* at = text.data() + 1;
  const char* const end = text.data() + text.size() - 1;
  while (at < end) {
    int64_t number = 0;
    const auto [after, error] = std::from_chars(at, end, number);
    if (error != std::errc() || (after != end && *after != ',')) return malformed(text);
    numbers.push_back(number);
    at = after + 1;
  }
  if (numbers.size() < least + 1 || numbers[0] != kFormat) return malformed(text);
  numbers.erase(numbers.begin());
  return numbers;
}

Status check_number(const char* name, uint64_t number, uint64_t most) {
  if (number >= 1 && number <= most) return Status();
  return invalid_argument("'" + std::string(name) + "' must be from 1 to " + std::to_string(most));
}

std::string stream_of(const char* category, NamespaceId id, std::string_view name) {
  return std::string(category) + "-" + std::to_string(id) + "/" + std::string(name);
}

}  // namespace

std::string_view subscription_source_name(SubscriptionSource source) {
  switch (source) {
    case SubscriptionSource::kStream:
      return "stream";
    case SubscriptionSource::kCategory:
      return "category";
    case SubscriptionSource::kAll:
      return "all";
  }
  return "";
}

Status check_subscription_name(std::string_view name) {
  const bool good = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  if (good && !name.empty() && name.size() <= kSubscriptionNameBytes) return Status();
  return invalid_argument("a subscription's name must be 1 to " +
                          std::to_string(kSubscriptionNameBytes) +
                          " characters A-Z, a-z, 0-9, '.', '_' or '-'");
}

Status check_subscription(const SubscriptionSettings& settings) {
  const bool is_all = settings.source == SubscriptionSource::kAll;
  if (is_all != settings.of.empty()) {
    return invalid_argument("give exactly one of 'stream', 'category' and 'all'");
  }
  FIRN_TRY(check_number("consumers", settings.consumers, kSubscriptionConsumersMax));
  if (settings.source == SubscriptionSource::kStream && settings.consumers != 1) {
    return invalid_argument("the messages of one stream go to one consumer; 'consumers' must be 1");
  }
  FIRN_TRY(check_number("in_flight_max", settings.in_flight_max, kSubscriptionInFlightMax));
  FIRN_TRY(check_number("attempts_max", settings.attempts_max, kSubscriptionAttemptsMax));
  const bool has_times = settings.answer_time_ns > 0 && settings.retry_min_ns >= 0 &&
                         settings.retry_max_ns >= settings.retry_min_ns &&
                         settings.retry_max_ns <= kDayNs && settings.answer_time_ns <= kDayNs;
  if (has_times) return Status();
  return invalid_argument(
      "'answer_time' must be above 0, 'retry_min' at most 'retry_max', and none above a day");
}

std::string subscription_numbers(const SubscriptionSettings& settings) {
  return list_text({kFormat, static_cast<int64_t>(settings.start), settings.consumers,
                    settings.in_flight_max, settings.attempts_max, settings.answer_time_ns,
                    settings.retry_min_ns, settings.retry_max_ns});
}

Status parse_subscription_numbers(std::string_view text, SubscriptionSettings* settings) {
  FIRN_ASSIGN(const std::vector<int64_t> numbers, parse_list(text, 7));
  settings->start = static_cast<Position>(numbers[0]);
  settings->consumers = static_cast<uint32_t>(numbers[1]);
  settings->in_flight_max = static_cast<uint32_t>(numbers[2]);
  settings->attempts_max = static_cast<uint32_t>(numbers[3]);
  settings->answer_time_ns = numbers[4];
  settings->retry_min_ns = numbers[5];
  settings->retry_max_ns = numbers[6];
  return check_subscription(*settings).ok() ? Status() : malformed(text);
}

std::string subscription_state_text(const SubscriptionState& state) {
  std::vector<int64_t> numbers = {kFormat,
                                  static_cast<int64_t>(state.through),
                                  static_cast<int64_t>(state.acknowledged),
                                  state.parked_next,
                                  state.replay_until,
                                  state.parked_end};
  for (const PendingMessage& message : state.pending) {
    numbers.push_back(static_cast<int64_t>(message.position));
    numbers.push_back(message.attempts);
  }
  return list_text(numbers);
}

Result<SubscriptionState> parse_subscription_state(std::string_view text) {
  FIRN_ASSIGN(const std::vector<int64_t> numbers, parse_list(text, 5));
  if (numbers.size() % 2 == 0) return malformed(text);
  SubscriptionState state;
  state.through = static_cast<Position>(numbers[0]);
  state.acknowledged = static_cast<uint64_t>(numbers[1]);
  state.parked_next = numbers[2];
  state.replay_until = numbers[3];
  state.parked_end = numbers[4];
  for (size_t i = 5; i < numbers.size(); i += 2) {
    state.pending.push_back(
        {static_cast<Position>(numbers[i]), static_cast<uint32_t>(numbers[i + 1])});
  }
  return state;
}

std::string parked_message_text(const ParkedMessage& parked) {
  return list_text({kFormat, static_cast<int64_t>(parked.position), parked.attempts});
}

Result<ParkedMessage> parse_parked_message(std::string_view text) {
  FIRN_ASSIGN(const std::vector<int64_t> numbers, parse_list(text, 2));
  ParkedMessage parked;
  parked.position = static_cast<Position>(numbers[0]);
  parked.attempts = static_cast<uint32_t>(numbers[1]);
  return parked;
}

std::string subscription_stream(NamespaceId id, std::string_view name) {
  return stream_of("subscription", id, name);
}

std::string member_stream(NamespaceId id, std::string_view name, int64_t generation,
                          uint32_t member) {
  return stream_of("member", id, name) + "/" + std::to_string(generation) + "/" +
         std::to_string(member);
}

std::string parked_stream(NamespaceId id, std::string_view name, int64_t generation,
                          uint32_t member) {
  return stream_of("parked", id, name) + "/" + std::to_string(generation) + "/" +
         std::to_string(member);
}

}  // namespace firn
