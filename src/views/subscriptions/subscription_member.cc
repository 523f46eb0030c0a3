#include "views/subscriptions/subscription_member.h"

#include <algorithm>

#include "views/streams/stream_append.h"
#include "views/streams/stream_reads.h"

namespace firn {

namespace {

constexpr uint64_t kReceiveBytes = 2 * kMiB;  // of new messages; more than any single one has
constexpr size_t kReasonBytes = 512;
static_assert(kReceiveBytes > kLimits.event_bytes);

EventRow state_row(const std::string& stream, std::string_view type, std::string_view data,
                   TimeNs now, const std::function<Id()>& make_id) {
  EventRow row;
  row.time = now;
  row.kind = EventKind::kMessage;
  row.id = make_id();
  row.type = type;
  row.stream = stream;
  row.data = data;
  return row;
}

}  // namespace

SubscriptionMember::SubscriptionMember(Place place, SubscriptionSettings settings,
                                       SubscriptionState state)
    : place_(std::move(place)), settings_(std::move(settings)), base_(std::move(state)) {
  for (const PendingMessage& message : base_.pending) {
    pending_.push_back({message.position, message.attempts, false, 0});
  }
  base_.pending.clear();
}

SubscriptionMember::Pending* SubscriptionMember::find(Position position) {
  const auto found = std::lower_bound(
      pending_.begin(), pending_.end(), position,
      [](const Pending& pending, Position wanted) { return pending.position < wanted; });
  return found != pending_.end() && found->position == position ? &*found : nullptr;
}

size_t SubscriptionMember::room() const {
  return settings_.in_flight_max - std::min<size_t>(pending_.size(), settings_.in_flight_max);
}

bool SubscriptionMember::fail_one(Pending* pending, const std::string& reason, bool park) {
  ++pending->attempts;
  pending->given_out = false;
  ++version_;
  if (park || pending->attempts >= settings_.attempts_max) {
    parking_.push_back(
        {pending->position, pending->attempts, reason.substr(0, kReasonBytes), place_.env->now()});
    ++base_.parked_end;
    return true;
  }
  DurationNs wait = settings_.retry_min_ns;
  for (uint32_t i = 1; i < pending->attempts && wait < settings_.retry_max_ns; ++i) wait *= 2;
  pending->due = place_.env->monotonic() + std::min(wait, settings_.retry_max_ns);
  return false;
}

void SubscriptionMember::fail_late() {
  const TimeNs now = place_.env->monotonic();
  for (auto pending = pending_.begin(); pending != pending_.end();) {
    const bool is_late = pending->given_out && pending->due <= now;
    const bool was_parked = is_late && fail_one(&*pending, "it was not answered in time", false);
    pending = was_parked ? pending_.erase(pending) : pending + 1;
  }
}

SubscriptionState SubscriptionMember::state() const {
  SubscriptionState now = base_;
  for (const Pending& pending : pending_) {
    now.pending.push_back({pending.position, pending.attempts});
  }
  return now;
}

std::vector<SubscriptionMember::Pending> SubscriptionMember::take_due(uint32_t max) {
  const TimeNs now = place_.env->monotonic();
  std::vector<Pending> due;
  for (Pending& pending : pending_) {
    if (due.size() == max) break;
    if (pending.given_out || pending.due > now) continue;
    pending.given_out = true;
    pending.due = now + settings_.answer_time_ns;
    due.push_back(pending);
  }
  return due;
}

Result<std::vector<GivenMessage>> SubscriptionMember::read_again(const std::vector<Pending>& due,
                                                                 const QueryGuard& guard) {
  std::vector<GivenMessage> given;
  if (due.empty()) return given;
  FIRN_ASSIGN(const SnapshotPtr snapshot, place_.store->snapshot(place_.name_space));
  std::vector<Position> gone, left;
  uint64_t bytes = 0;
  for (const Pending& pending : due) {
    if (bytes > kReceiveBytes) {
      left.push_back(pending.position);
      continue;
    }
    EventQuery query;
    query.filter.positions = {pending.position, pending.position + 1};
    query.limit = 1;
    query.wants_next = false;
    FIRN_ASSIGN(EventPage page, query_events(*snapshot, query, guard));
    if (page.events.empty()) {
      gone.push_back(pending.position);
      continue;
    }
    bytes += page.events[0].batch->row_bytes(page.events[0].row);
    given.push_back({std::move(page.events.front()), pending.attempts + 1});
  }
  give_back(left);
  MutexLock lock(&mutex_);
  for (const Position position : gone) {
    std::erase_if(pending_, [&](const Pending& pending) { return pending.position == position; });
    ++version_;
  }
  return given;
}

void SubscriptionMember::give_back(const std::vector<Position>& positions) {
  MutexLock lock(&mutex_);
  for (const Position position : positions) {
    Pending* pending = find(position);
    if (pending == nullptr) continue;
    pending->given_out = false;
    pending->due = 0;
  }
}

Status SubscriptionMember::bring_back(const QueryGuard& guard) {
  StreamRead read;
  read.stream = place_.parked_stream;
  {
    MutexLock lock(&mutex_);
    const int64_t left = base_.replay_until - base_.parked_next;
    read.from = base_.parked_next;
    read.limit = static_cast<uint64_t>(std::clamp<int64_t>(left, 0, static_cast<int64_t>(room())));
  }
  if (read.limit == 0) return Status();
  FIRN_ASSIGN(const SnapshotPtr snapshot, place_.store->snapshot(place_.state_space));
  FIRN_ASSIGN(const StreamPage page, read_stream(*snapshot, read, guard));
  std::vector<ParkedMessage> parked;
  for (const EventRef& event : page.events) {
    const EventRow row = event_row(*event.batch, event.row);
    FIRN_ASSIGN(ParkedMessage message, parse_parked_message(row.data));
    parked.push_back(std::move(message));
  }
  MutexLock lock(&mutex_);
  // Somebody else was quicker, or they were discarded meanwhile.
  if (base_.parked_next != read.from || room() < parked.size()) return Status();
  for (const ParkedMessage& message : parked) {
    pending_.push_back({message.position, 0, false, 0});
    ++base_.parked_next;
  }
  if (!parked.empty()) ++version_;
  std::sort(pending_.begin(), pending_.end(),
            [](const Pending& a, const Pending& b) { return a.position < b.position; });
  return Status();
}

Result<std::vector<EventRef>> SubscriptionMember::read_source(const Snapshot& snapshot,
                                                              Position after, uint32_t limit,
                                                              const QueryGuard& guard) const {
  while (true) {
    Result<StreamPage> page = StreamPage{};
    if (settings_.source == SubscriptionSource::kStream) {
      StreamRead read;
      read.stream = settings_.of;
      read.limit = limit;
      read.bytes_max = kReceiveBytes;
      read.from_position = after + 1;
      page = read_stream(snapshot, read, guard);
    } else {
      CategoryRead read;
      read.category = settings_.of;
      read.from = after + 1;
      read.limit = limit;
      read.bytes_max = kReceiveBytes;
      if (settings_.consumers > 1) {
        read.group = ConsumerGroup{place_.member, settings_.consumers};
      }
      page = read_category(snapshot, read, guard);
    }
    if (page.ok()) return std::move(page->events);
    if (page.status().code() != StatusCode::kTooLarge || limit == 1) return page.status();
    limit /= 2;
  }
}

Status SubscriptionMember::read_new(uint32_t max, const QueryGuard& guard,
                                    std::vector<GivenMessage>* given) {
  Position after = 0;
  uint32_t limit = 0;
  {
    MutexLock lock(&mutex_);
    limit = static_cast<uint32_t>(std::min<size_t>(max, room()));
    if (limit == 0 || reading_) return Status();
    reading_ = true;
    after = base_.through;
  }
  const Result<SnapshotPtr> snapshot = place_.store->snapshot(place_.name_space);
  Result<std::vector<EventRef>> events = std::vector<EventRef>();
  if (snapshot.ok()) {
    events = read_source(**snapshot, after, limit, guard);
  } else {
    events = snapshot.status();
  }
  MutexLock lock(&mutex_);
  reading_ = false;
  FIRN_TRY(events.status());
  const TimeNs due = place_.env->monotonic() + settings_.answer_time_ns;
  for (EventRef& event : *events) {
    base_.through = event.batch->position(event.row);
    pending_.push_back({base_.through, 0, true, due});
    given->push_back({std::move(event), 1});
  }
  // The read may have asked for fewer than `limit`, so only an empty page surely saw the end.
  if (given->empty()) base_.through = std::max(base_.through, (*snapshot)->published());
  return Status();
}

Result<std::vector<GivenMessage>> SubscriptionMember::receive(uint32_t max,
                                                              const QueryGuard& guard) {
  std::vector<Pending> due;
  {
    MutexLock lock(&mutex_);
    fail_late();
  }
  FIRN_TRY(bring_back(guard));
  {
    MutexLock lock(&mutex_);
    due = take_due(max);
  }
  Result<std::vector<GivenMessage>> given = read_again(due, guard);
  if (given.ok() && given->size() < max) {
    std::vector<GivenMessage> fresh;
    const Status read = read_new(max - static_cast<uint32_t>(given->size()), guard, &fresh);
    if (!read.ok() && given->empty()) return read;
    for (GivenMessage& message : fresh) given->push_back(std::move(message));
  }
  if (given.ok()) {
    store_state();  // with the failures of those that were late
    return given;
  }
  // Nobody got them.
  std::vector<Position> positions;
  positions.reserve(due.size());
  for (const Pending& pending : due) positions.push_back(pending.position);
  give_back(positions);
  return given;
}

uint32_t SubscriptionMember::acknowledge(const std::vector<Position>& positions,
                                         SubscriptionDone done) {
  uint32_t found = 0;
  {
    MutexLock lock(&mutex_);
    for (const Position position : positions) {
      const Pending* pending = find(position);
      if (pending == nullptr) continue;
      pending_.erase(pending_.begin() + (pending - pending_.data()));
      ++found;
    }
    base_.acknowledged += found;
    if (found > 0) ++version_;
  }
  when_durable(std::move(done));
  return found;
}

uint32_t SubscriptionMember::fail(const std::vector<Position>& positions, const std::string& reason,
                                  bool park, SubscriptionDone done) {
  uint32_t found = 0;
  {
    MutexLock lock(&mutex_);
    for (const Position position : positions) {
      Pending* pending = find(position);
      if (pending == nullptr || !pending->given_out) continue;
      ++found;
      if (fail_one(pending, reason, park)) {
        pending_.erase(pending_.begin() + (pending - pending_.data()));
      }
    }
  }
  when_durable(std::move(done));
  return found;
}

Result<std::vector<ParkedMessage>> SubscriptionMember::parked(uint64_t skip, uint32_t limit,
                                                              const QueryGuard& guard) {
  StreamRead read;
  read.stream = place_.parked_stream;
  {
    MutexLock lock(&mutex_);
    const int64_t left = base_.parked_end - base_.parked_next;
    skip = std::min(skip, static_cast<uint64_t>(left));
    read.from = base_.parked_next + static_cast<int64_t>(skip);
  }
  read.limit = limit;
  FIRN_ASSIGN(const SnapshotPtr snapshot, place_.store->snapshot(place_.state_space));
  FIRN_ASSIGN(const StreamPage page, read_stream(*snapshot, read, guard));
  std::vector<ParkedMessage> messages;
  for (const EventRef& event : page.events) {
    const EventRow row = event_row(*event.batch, event.row);
    FIRN_ASSIGN(ParkedMessage message, parse_parked_message(row.data));
    message.reason = row.subject;
    message.time = row.time;
    messages.push_back(std::move(message));
  }
  return messages;
}

uint64_t SubscriptionMember::replay(uint64_t limit, SubscriptionDone done) {
  uint64_t count = 0;
  {
    MutexLock lock(&mutex_);
    const int64_t from = std::max(base_.replay_until, base_.parked_next);
    count = std::min(limit, static_cast<uint64_t>(base_.parked_end - from));
    base_.replay_until = from + static_cast<int64_t>(count);
    if (count > 0) ++version_;
  }
  when_durable(std::move(done));
  return count;
}

uint64_t SubscriptionMember::discard(uint64_t limit, SubscriptionDone done) {
  uint64_t count = 0;
  {
    MutexLock lock(&mutex_);
    count = std::min(limit, static_cast<uint64_t>(base_.parked_end - base_.parked_next));
    base_.parked_next += static_cast<int64_t>(count);
    base_.replay_until = std::max(base_.replay_until, base_.parked_next);
    if (count > 0) ++version_;
  }
  when_durable(std::move(done));
  return count;
}

Result<SubscriptionProgress> SubscriptionMember::progress() {
  FIRN_ASSIGN(const SnapshotPtr snapshot, place_.store->snapshot(place_.name_space));
  SubscriptionProgress progress;
  progress.member = place_.member;
  {
    MutexLock lock(&mutex_);
    fail_late();
    progress.through = base_.through;
    for (const Pending& pending : pending_) {
      ++(pending.given_out ? progress.in_flight : progress.waiting);
    }
    progress.parked = static_cast<uint64_t>(base_.parked_end - base_.parked_next);
    progress.acknowledged = base_.acknowledged;
  }
  const Position published = snapshot->published();
  progress.behind = published > progress.through ? published - progress.through : 0;
  store_state();
  return progress;
}

void SubscriptionMember::when_durable(SubscriptionDone done) {
  {
    MutexLock lock(&mutex_);
    if (version_ > durable_version_) {
      waiters_.push_back({version_, std::move(done)});
      done = nullptr;
    }
  }
  if (done != nullptr) return done(Status());
  store_state();
}

void SubscriptionMember::store_state() {
  std::vector<ParkedMessage> parking;
  SubscriptionState now;
  uint64_t version = 0;
  {
    MutexLock lock(&mutex_);
    if (storing_ || version_ == durable_version_) return;
    storing_ = true;
    now = state();
    parking = parking_;
    version = version_;
  }
  const TimeNs time = place_.env->now();
  const std::function<Id()> make_id = place_.store->id_source();
  BatchBuilder builder(Dataset::kEvents);
  for (const ParkedMessage& parked : parking) {
    const std::string text = parked_message_text(parked);
    EventRow row = state_row(place_.parked_stream, "parked", text, parked.time, make_id);
    row.subject = parked.reason;
    builder.add(row);
  }
  const std::string text = subscription_state_text(now);
  builder.add(state_row(place_.state_stream, "state", text, time, make_id));
  AppendRequest request;
  request.batch = builder.finish();
  place_.store->append(place_.state_space, std::move(request),
                       [self = shared_from_this(), version,
                        parked_rows = parking.size()](const Result<AppendResult>& result) {
                         self->on_stored(version, parked_rows, result.status());
                       });
}

void SubscriptionMember::on_stored(uint64_t version, size_t parked_rows, const Status& status) {
  std::vector<Waiter> answered;
  {
    MutexLock lock(&mutex_);
    storing_ = false;
    if (status.ok()) {
      durable_version_ = version;
      parking_.erase(parking_.begin(), parking_.begin() + static_cast<ptrdiff_t>(parked_rows));
    }
    // After a refusal nobody waits, so that a store that closes is left alone.
    const auto waits_on = [&](const Waiter& waiter) {
      return status.ok() && waiter.version > version;
    };
    const auto begin = std::stable_partition(waiters_.begin(), waiters_.end(), waits_on);
    std::move(begin, waiters_.end(), std::back_inserter(answered));
    waiters_.erase(begin, waiters_.end());
  }
  for (const Waiter& waiter : answered) waiter.done(status);
  if (status.ok()) store_state();
}

}  // namespace firn
