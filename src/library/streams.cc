#include <firn/streams.h>

#include <atomic>
#include <utility>

#include "env/env.h"
#include "library/database_parts.h"
#include "views/streams/stream_append.h"
#include "views/streams/stream_lists.h"
#include "views/streams/stream_reads.h"

namespace firn {

namespace {

constexpr uint64_t kReadBytes = 64 * kMiB;
constexpr uint32_t kFollowEvents = 1000;
constexpr uint64_t kFollowBytes = 1 * kMiB;

Result<std::optional<Id>> parse_id(std::string_view text) {
  if (text.empty()) return std::optional<Id>();
  const std::optional<Id> id = Id::parse(text);
  if (id.has_value()) return id;
  return invalid_argument("id is '" + std::string(text) +
                          "'; expected a UUID or 32 hexadecimal digits");
}

Result<std::optional<ConsumerGroup>> group_of(int64_t member, int64_t size) {
  if (size == 1 && member == 0) return std::optional<ConsumerGroup>();
  if (member >= 0 && member < size) return std::optional(ConsumerGroup{member, size});
  return invalid_argument("a member must be from 0 to below the group's size");
}

MessagePage page_of(const StreamPage& found) {
  MessagePage page;
  page.dropped = found.dropped;
  page.messages.reserve(found.events.size());
  for (const EventRef& event : found.events) page.messages.push_back(stored_event(event));
  return page;
}

}  // namespace

Result<AppendedMessages> Streams::append(std::span<const Message> messages,
                                         std::span<const StreamCondition> conditions) {
  Database::Parts* parts = database_->parts_.get();
  FIRN_ASSIGN(const NamespaceId id, parts->namespace_id(name_space_));
  const TimeNs now = posix_env()->now();
  std::vector<NewMessage> rows;
  rows.reserve(messages.size());
  for (const Message& message : messages) {
    FIRN_ASSIGN(const std::optional<Id> message_id, parse_id(message.id));
    rows.push_back({message.stream, message.type, message.data, message.metadata, message_id,
                    message.time_ns != 0 ? message.time_ns : now});
  }
  std::vector<ExpectedVersion> expected;
  expected.reserve(conditions.size());
  for (const StreamCondition& condition : conditions) {
    expected.push_back({condition.stream, condition.version});
  }
  FIRN_ASSIGN(AppendRequest request,
              make_stream_append(rows, std::move(expected), parts->store->id_source(), kLimits));
  const auto details = request.details;
  FIRN_ASSIGN(const AppendResult result, parts->store->append_and_wait(id, std::move(request)));
  AppendedMessages appended;
  appended.duplicates = result.duplicates;
  appended.places.reserve(details->rows.size());
  for (const RowPosition& row : details->rows) {
    appended.places.push_back({row.position, row.stream_position});
  }
  return appended;
}

Result<MessagePage> Streams::read_stream(const std::string& stream, const StreamRange& range) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  StreamRead read;
  read.stream = stream;
  read.from = range.from;
  read.backward = range.backward;
  read.limit = range.limit;
  read.bytes_max = kReadBytes;
  FIRN_ASSIGN(const StreamPage page, firn::read_stream(*snapshot, read, nullptr));
  return page_of(page);
}

Result<MessagePage> Streams::read_category(const std::string& category,
                                           const CategoryRange& range) {
  CategoryRead read;
  FIRN_ASSIGN(read.group, group_of(range.member, range.size));
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  read.category = category;
  read.from = range.from;
  read.backward = range.backward;
  read.limit = range.limit;
  read.bytes_max = kReadBytes;
  read.correlation = range.correlation;
  FIRN_ASSIGN(const StreamPage page, firn::read_category(*snapshot, read, nullptr));
  return page_of(page);
}

Result<MessagePage> Streams::read_all(const CategoryRange& range) {
  return read_category("", range);
}

Result<std::optional<StoredEvent>> Streams::last(const std::string& stream,
                                                 const std::string& type) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  FIRN_ASSIGN(const EventRef last, last_of_stream(*snapshot, stream, type, nullptr));
  if (last.batch == nullptr) return std::optional<StoredEvent>();
  return std::optional(stored_event(last));
}

Result<int64_t> Streams::version(const std::string& stream) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  return stream_version(*snapshot, stream);
}

Result<std::vector<StreamDescription>> Streams::list_streams(const std::string& prefix,
                                                             const std::string& after,
                                                             uint32_t limit) {
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  FIRN_ASSIGN(std::vector<StreamInfo> infos,
              firn::list_streams(*snapshot, prefix, after, limit, nullptr));
  std::vector<StreamDescription> streams;
  streams.reserve(infos.size());
  for (StreamInfo& info : infos) {
    streams.push_back({std::move(info.stream), info.version, info.last_time});
  }
  return streams;
}

Result<std::vector<CategoryDescription>> Streams::list_categories() {
  FIRN_ASSIGN(const SnapshotPtr snapshot, database_->parts_->snapshot(name_space_));
  FIRN_ASSIGN(std::vector<CategoryInfo> infos, firn::list_categories(*snapshot, kNoLimit, nullptr));
  std::vector<CategoryDescription> categories;
  categories.reserve(infos.size());
  for (CategoryInfo& info : infos) {
    categories.push_back({std::move(info.category), info.streams, info.messages});
  }
  return categories;
}

// Only the worker touches what is not atomic.
struct StreamFollower::Parts {
  Store* store = nullptr;
  NamespaceId name_space = 0;
  EventQuery query;
  std::optional<ConsumerGroup> group;
  std::function<void(const StoredEvent&)> on_message;
  std::function<void(const Status&)> on_end;
  Position through = 0;  // everything up to here was looked at
  bool ended = false;
  std::atomic<bool> stopping{false};
  uint64_t subscription = 0;
  std::unique_ptr<Worker> worker;

  void step();
  Result<bool> read_page();
};

// A page of messages; true when there may be more.
Result<bool> StreamFollower::Parts::read_page() {
  FIRN_ASSIGN(const SnapshotPtr snapshot, store->snapshot(name_space));
  if (snapshot->published() <= through) return false;
  query.filter.positions.from = through + 1;
  FIRN_ASSIGN(const EventPage page, query_events(*snapshot, query, [this] {
                return stopping.load() ? cancelled("nobody follows any more") : Status();
              }));
  for (const EventRef& event : page.events) {
    if (stopping.load()) return false;
    through = event.batch->position(event.row);
    const std::string_view stream = event.batch->strings(ColumnId::kStream)[event.row];
    if (!group.has_value() || is_member(*group, stream)) on_message(stored_event(event));
  }
  if (!page.next.has_value()) through = std::max(through, snapshot->published());
  return true;
}

void StreamFollower::Parts::step() {
  while (!ended && !stopping.load()) {
    const Result<bool> more = read_page();
    if (more.ok() && !*more) return;
    if (more.ok()) continue;
    ended = true;
    if (on_end != nullptr && !stopping.load()) on_end(more.status());
  }
}

StreamFollower::StreamFollower(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

StreamFollower::~StreamFollower() {
  parts_->stopping.store(true);
  parts_->store->unsubscribe(parts_->subscription);
  parts_->worker.reset();
}

Result<std::unique_ptr<StreamFollower>> Streams::follow(
    const Following& what, std::function<void(const StoredEvent&)> on_message,
    std::function<void(const Status&)> on_end) {
  if (!what.stream.empty() && !what.category.empty()) {
    return invalid_argument("follow a stream or a category, not both");
  }
  auto parts = std::make_unique<StreamFollower::Parts>();
  FIRN_ASSIGN(parts->group, group_of(what.member, what.size));
  parts->store = database_->parts_->store.get();
  FIRN_ASSIGN(parts->name_space, database_->parts_->namespace_id(name_space_));
  parts->through = what.after;
  parts->on_message = std::move(on_message);
  parts->on_end = std::move(on_end);
  parts->query.limit = kFollowEvents;
  parts->query.bytes_max = kFollowBytes;
  parts->query.filter.predicates = category_predicates(what.category);
  if (!what.stream.empty()) {
    Predicate predicate;
    predicate.column = ColumnId::kStream;
    predicate.texts = {what.stream};
    parts->query.filter.predicates = {std::move(predicate)};
  }
  StreamFollower::Parts* raw = parts.get();
  parts->worker = posix_env()->start_worker("firn-follow", [raw] { raw->step(); });
  parts->subscription = parts->store->subscribe(
      parts->name_space, [worker = parts->worker.get()](Position) { worker->notify(); });
  parts->worker->notify();
  return std::unique_ptr<StreamFollower>(new StreamFollower(std::move(parts)));
}

}  // namespace firn
