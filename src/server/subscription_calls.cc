#include "server/subscription_calls.h"

#include <algorithm>
#include <utility>

#include "server/api_face.h"
#include "wire/json_events.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"
#include "wire/json_values.h"

namespace firn {

namespace {

constexpr uint64_t kParkedMax = 1000;  // in one answer
// Rows of a receive(), old and new, twice while they are found, and their text.
constexpr uint64_t kReceiveMemoryBytes = 8 * kMiB;

Status read_positions(std::string_view json, std::vector<Position>* positions) {
  StringPool pool;
  JsonReader reader(json, 2, &pool);
  if (!reader.enter_array()) return invalid_argument("'positions' must be an array");
  while (reader.next_element()) {
    std::string_view text;
    if (!reader.read_raw(&text)) break;
    FIRN_ASSIGN(const int64_t position, json_integer(text, "positions"));
    if (position < 1) return invalid_argument("'positions' are numbers from 1");
    positions->push_back(static_cast<Position>(position));
    if (positions->size() <= kSubscriptionInFlightMax) continue;
    return too_large("'positions' has more than " + std::to_string(kSubscriptionInFlightMax));
  }
  return reader.finish();
}

Status read_start(std::string_view json, SubscriptionOptions* options) {
  if (json == "\"begin\"") return Status();
  options->from_end = json == "\"end\"";
  if (options->from_end) return Status();
  const Result<int64_t> position = json_integer(json, "from");
  if (!position.ok() || *position < 1) {
    return invalid_argument("'from' must be \"begin\", \"end\" or a position");
  }
  options->settings.start = static_cast<Position>(*position) - 1;
  return Status();
}

Result<uint64_t> read_count(std::string_view json, std::string_view name, uint64_t most) {
  FIRN_ASSIGN(const int64_t number, json_integer(json, name));
  if (number >= 0 && static_cast<uint64_t>(number) <= most) return static_cast<uint64_t>(number);
  return invalid_argument("'" + std::string(name) + "' must be from 0 to " + std::to_string(most));
}

Result<bool> read_flag(std::string_view json, std::string_view name) {
  if (json == "true" || json == "false") return json == "true";
  return invalid_argument("'" + std::string(name) + "' must be true or false");
}

// False when it is no setting of a subscription.
Result<bool> set_setting(std::string_view name, std::string_view json,
                         SubscriptionOptions* options) {
  SubscriptionSettings& settings = options->settings;
  for (const auto& [known, number] : {std::pair("consumers", &settings.consumers),
                                      std::pair("in_flight_max", &settings.in_flight_max),
                                      std::pair("attempts_max", &settings.attempts_max)}) {
    if (name != known) continue;
    FIRN_ASSIGN(const uint64_t count, read_count(json, name, UINT32_MAX));
    *number = static_cast<uint32_t>(count);
    return true;
  }
  for (const auto& [known, duration] : {std::pair("answer_time", &settings.answer_time_ns),
                                        std::pair("retry_min", &settings.retry_min_ns),
                                        std::pair("retry_max", &settings.retry_max_ns)}) {
    if (name != known) continue;
    FIRN_ASSIGN(const std::string text, json_text(json, name));
    const auto parsed = parse_duration(text);
    if (parsed.has_value()) {
      *duration = *parsed;
      return true;
    }
    return invalid_argument("'" + std::string(name) + "' must be a duration such as 30s");
  }
  if (name == "from") {
    FIRN_TRY(read_start(json, options));
    return true;
  }
  if (name != "stream" && name != "category" && name != "all") return false;
  if (std::exchange(options->has_settings, true)) {
    return invalid_argument("give exactly one of 'stream', 'category' and 'all'");
  }
  if (name == "all") {
    FIRN_ASSIGN(options->has_settings, read_flag(json, name));
    return true;
  }
  settings.source = name == "stream" ? SubscriptionSource::kStream : SubscriptionSource::kCategory;
  FIRN_ASSIGN(settings.of, json_text(json, name));
  return true;
}

void append_settings(const std::string& name, const SubscriptionSettings& settings,
                     JsonObjectWriter* object) {
  object->text("name", name);
  if (settings.source == SubscriptionSource::kAll) {
    object->boolean("all", true);
  } else {
    object->text(subscription_source_name(settings.source), settings.of);
  }
  object->unsigned_integer("from", settings.start + 1);
  object->unsigned_integer("consumers", settings.consumers);
  object->unsigned_integer("in_flight_max", settings.in_flight_max);
  object->unsigned_integer("attempts_max", settings.attempts_max);
  object->text("answer_time", format_duration(settings.answer_time_ns));
  object->text("retry_min", format_duration(settings.retry_min_ns));
  object->text("retry_max", format_duration(settings.retry_max_ns));
}

std::string info_json(const SubscriptionInfo& info) {
  std::string body;
  JsonObjectWriter object(&body);
  append_settings(info.name, info.settings, &object);
  if (!info.members.empty()) {
    object.member("members");
    body.push_back('[');
    for (const SubscriptionProgress& progress : info.members) {
      if (!body.ends_with('[')) body.push_back(',');
      JsonObjectWriter one(&body);
      one.unsigned_integer("member", progress.member);
      one.unsigned_integer("through", progress.through);
      one.unsigned_integer("in_flight", progress.in_flight);
      one.unsigned_integer("waiting", progress.waiting);
      one.unsigned_integer("parked", progress.parked);
      one.unsigned_integer("acknowledged", progress.acknowledged);
      one.unsigned_integer("behind", progress.behind);
      one.close();
    }
    body.push_back(']');
  }
  object.close();
  return body;
}

Result<std::string> describe(const SubscriptionCall& call) {
  FIRN_ASSIGN(const SubscriptionInfo info,
              call.open->subscriptions->describe(call.name_space, call.name));
  return info_json(info);
}

Result<std::string> create(const SubscriptionCall& call) {
  if (!call.options.has_settings) {
    return invalid_argument("give exactly one of 'stream', 'category' and 'all'");
  }
  Subscriptions* subscriptions = call.open->subscriptions.get();
  SubscriptionSettings settings = call.options.settings;
  if (call.options.from_end) {
    // One that exists began at another end.
    const Result<SubscriptionInfo> known = subscriptions->describe(call.name_space, call.name);
    settings.start = known.ok() ? known->settings.start : call.published;
  }
  FIRN_TRY(subscriptions->create(call.name_space, call.name, settings));
  return describe(call);
}

Result<std::string> remove(const SubscriptionCall& call) {
  FIRN_TRY(call.open->subscriptions->remove(call.name_space, call.name));
  return std::string("{}");
}

Result<std::string> list(const SubscriptionCall& call) {
  FIRN_ASSIGN(
      const std::vector<SubscriptionInfo> infos,
      call.open->subscriptions->list(call.name_space, make_guard(call.services, call.request)));
  std::string body = "{\"subscriptions\":[";
  for (const SubscriptionInfo& info : infos) {
    if (!body.ends_with('[')) body.push_back(',');
    body += info_json(info);
  }
  return body + "]}";
}

Result<std::shared_ptr<SubscriptionMember>> member_of(const SubscriptionCall& call) {
  return call.open->subscriptions->member(call.name_space, call.name, call.options.member);
}

Result<std::string> parked(const SubscriptionCall& call) {
  FIRN_ASSIGN(const auto member, member_of(call));
  const uint64_t limit = std::min(call.options.limit.value_or(100), kParkedMax);
  FIRN_ASSIGN(const std::vector<ParkedMessage> messages,
              member->parked(call.options.skip, static_cast<uint32_t>(limit),
                             make_guard(call.services, call.request)));
  std::string body = "{\"parked\":[";
  for (const ParkedMessage& message : messages) {
    if (!body.ends_with('[')) body.push_back(',');
    JsonObjectWriter object(&body);
    object.unsigned_integer("position", message.position);
    object.unsigned_integer("attempts", message.attempts);
    object.text("reason", message.reason);
    object.text("time", format_time(message.time));
    object.close();
  }
  return body + "]}";
}

// {"attempt":1, and the members of the event.
void append_given(const GivenMessage& message, std::string* out) {
  std::string event;
  append_event_json(*message.event.batch, message.event.row, &event);
  *out += "{\"attempt\":";
  append_json_unsigned(message.attempt, out);
  out->push_back(',');
  out->append(event, 1);
}

void receive(const SubscriptionCall& call, const SubscriptionAnswer& answer) {
  Result<MemoryBudget::Share> share = take_memory(
      call.services, *call.request, call.services->answer_memory.get(), kReceiveMemoryBytes);
  if (!share.ok()) return answer(share.status(), {});
  const auto member = member_of(call);
  if (!member.ok()) return answer(member.status(), {});
  const auto given = (*member)->receive(static_cast<uint32_t>(call.options.max),
                                        make_guard(call.services, call.request));
  if (!given.ok()) return answer(given.status(), {});
  std::string body = "{\"messages\":[";
  for (const GivenMessage& message : *given) {
    if (!body.ends_with('[')) body.push_back(',');
    append_given(message, &body);
  }
  body += "]}";
  share->resize(std::min<uint64_t>(share->bytes(), body.capacity()));
  answer(std::move(body), std::move(*share));
}

// Runs `change`, which tells a number, and answers with it when it is durable. The callback of the
// store holds nothing of the call, which has the store.
template <typename Change>
void answer_durably(const char* name, const SubscriptionCall& call,
                    const SubscriptionAnswer& answer, const Change& change) {
  const auto member = member_of(call);
  if (!member.ok()) return answer(member.status(), {});
  struct Outcome {
    Mutex mutex;
    std::optional<uint64_t> count GUARDED_BY(mutex);
    std::optional<Status> status GUARDED_BY(mutex);
  };
  // Both the number and the word that it is durable come, in either order.
  const auto outcome = std::make_shared<Outcome>();
  const auto finish = [outcome, answer, name](std::optional<uint64_t> count,
                                              const std::optional<Status>& status) {
    Status durable;
    uint64_t number = 0;
    {
      MutexLock lock(&outcome->mutex);
      if (count.has_value()) outcome->count = count;
      if (status.has_value()) outcome->status = status;
      if (!outcome->count.has_value() || !outcome->status.has_value()) return;
      durable = *outcome->status;
      number = *outcome->count;
    }
    if (!durable.ok()) return answer(durable, {});
    std::string body;
    JsonObjectWriter object(&body);
    object.unsigned_integer(name, number);
    object.close();
    answer(std::move(body), {});
  };
  const uint64_t count =
      change(member->get(), [finish](const Status& status) { finish(std::nullopt, status); });
  finish(count, std::nullopt);
}

void acknowledge(const SubscriptionCall& call, const SubscriptionAnswer& answer) {
  answer_durably("acknowledged", call, answer, [&](SubscriptionMember* member, auto done) {
    return member->acknowledge(call.options.positions, std::move(done));
  });
}

void fail(const SubscriptionCall& call, const SubscriptionAnswer& answer) {
  answer_durably("failed", call, answer, [&](SubscriptionMember* member, auto done) {
    return member->fail(call.options.positions, call.options.reason, call.options.park,
                        std::move(done));
  });
}

void replay(const SubscriptionCall& call, const SubscriptionAnswer& answer) {
  answer_durably("replayed", call, answer, [&](SubscriptionMember* member, auto done) {
    return member->replay(call.options.limit.value_or(UINT64_MAX), std::move(done));
  });
}

void discard(const SubscriptionCall& call, const SubscriptionAnswer& answer) {
  answer_durably("discarded", call, answer, [&](SubscriptionMember* member, auto done) {
    return member->discard(call.options.limit.value_or(UINT64_MAX), std::move(done));
  });
}

// A method whose answer is known when it returns.
template <Result<std::string> (*kMethod)(const SubscriptionCall&)>
void at_once(const SubscriptionCall& call, const SubscriptionAnswer& answer) {
  answer(kMethod(call), {});
}

}  // namespace

Status set_subscription_option(std::string_view name, std::string_view json,
                               SubscriptionOptions* options) {
  FIRN_ASSIGN(const bool is_setting, set_setting(name, json, options));
  if (is_setting) return Status();
  if (name == "positions") return read_positions(json, &options->positions);
  if (name == "reason") {
    FIRN_ASSIGN(options->reason, json_text(json, name));
  } else if (name == "park") {
    FIRN_ASSIGN(options->park, read_flag(json, name));
  } else if (name == "member") {
    FIRN_ASSIGN(const uint64_t member, read_count(json, name, kSubscriptionConsumersMax));
    options->member = static_cast<uint32_t>(member);
  } else if (name == "max") {
    FIRN_ASSIGN(options->max, read_count(json, name, kSubscriptionInFlightMax));
  } else if (name == "limit") {
    FIRN_ASSIGN(options->limit, read_count(json, name, INT64_MAX));
  } else if (name == "skip") {
    FIRN_ASSIGN(options->skip, read_count(json, name, INT64_MAX));
  } else {
    return invalid_argument("there is no option '" + std::string(name) + "'");
  }
  return Status();
}

Status read_subscription_options(std::string_view json, SubscriptionOptions* options) {
  if (json.empty()) return Status();
  if (!is_json_object(json)) return invalid_argument("the options must be an object");
  return visit_members(json, [options](std::string_view name, std::string_view value) {
    return set_subscription_option(name, value, options);
  });
}

SubscriptionMethod find_subscription_method(std::string_view name) {
  constexpr std::pair<std::string_view, SubscriptionMethod> kMethods[] = {
      {"create", at_once<create>},
      {"list", at_once<list>},
      {"info", at_once<describe>},
      {"delete", at_once<remove>},
      {"receive", receive},
      {"ack", acknowledge},
      {"nack", fail},
      {"parked", at_once<parked>},
      {"replay", replay},
      {"discard", discard},
  };
  for (const auto& [known, method] : kMethods) {
    if (known == name) return method;
  }
  return nullptr;
}

}  // namespace firn
