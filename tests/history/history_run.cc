#include "tests/history/history_run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "env/fault_env.h"
#include "env/test_directory.h"
#include "query/query.h"
#include "store/store.h"
#include "views/streams/stream_reads.h"

namespace firn {

namespace {

constexpr TimeNs kFirstDay = 1'700'006'400 * kSecondNs;  // a midnight
constexpr uint32_t kStreamsPerWriter = 2;
constexpr uint32_t kRaceStreams = 2;
constexpr uint64_t kWindowMax = 300;  // positions of one reading
constexpr uint64_t kFarAway = UINT64_MAX;

// What all threads share.
struct Shared {
  Store* store = nullptr;
  NamespaceId name_space = 0;
  std::atomic<Moment> clock{1};
  std::atomic<bool> stopping{false};
  Mutex mutex;
  CondVar changed;
  uint64_t acks GUARDED_BY(mutex) = 0;
  History history GUARDED_BY(mutex);

  Moment tick() { return clock.fetch_add(1); }
  void count_ack() {
    MutexLock lock(&mutex);
    ++acks;
    changed.notify_all();
  }
  // Waits for so many more acknowledgements. False when the run is over.
  bool wait_for_acks(uint64_t more) {
    MutexLock lock(&mutex);
    const uint64_t enough = acks + more;
    while (acks < enough && !stopping.load()) changed.wait(&mutex);
    return !stopping.load();
  }
  void stop() {
    MutexLock lock(&mutex);
    stopping.store(true);
    changed.notify_all();
  }
  SnapshotPtr snapshot() { return *store->snapshot(name_space); }
};

std::string stream_name(uint32_t stream) { return "s" + std::to_string(stream); }

uint64_t number_in(std::string_view text) {
  const size_t begin = std::min(text.find_first_of("0123456789"), text.size());
  uint64_t number = 0;
  std::from_chars(text.data() + begin, text.data() + text.size(), number);
  return number;
}

SeenEvent seen_event(const EventRef& event) {
  const EventRow row = event_row(*event.batch, event.row);
  return {event.batch->position(event.row), number_in(row.data),
          static_cast<uint32_t>(number_in(row.stream)),
          row.stream.empty() ? 0 : row.stream_position};
}

// The events at positions [from, to], of one stream or of all (0), ascending.
std::vector<SeenEvent> read_events(const Snapshot& snapshot, uint64_t from, uint64_t to,
                                   uint32_t stream) {
  EventQuery query;
  query.filter.positions = {from, to + 1};
  if (stream != 0) {
    Predicate predicate;
    predicate.column = ColumnId::kStream;
    predicate.texts = {stream_name(stream)};
    query.filter.predicates.push_back(std::move(predicate));
  }
  query.limit = 1000;
  std::vector<SeenEvent> events;
  while (true) {
    const Result<EventPage> page = query_events(snapshot, query, nullptr);
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    if (!page.ok()) return events;
    for (const EventRef& event : page->events) events.push_back(seen_event(event));
    if (!page->next.has_value()) return events;
    query.cursor = page->next;
  }
}

AppendRequest request_of(const AppendOp& op) {
  BatchBuilder builder(Dataset::kEvents);
  AppendRequest request;
  const std::string stream = op.stream == 0 ? "" : stream_name(op.stream);
  for (const uint64_t token : op.tokens) {
    const std::string data = "{\"token\":" + std::to_string(token) + "}";
    EventRow row;
    row.time = kFirstDay + static_cast<TimeNs>(token % 3) * kDayNs;
    store_le<uint64_t>(row.id.bytes.data(), token * 0x9e3779b97f4a7c15ull);
    store_le<uint64_t>(row.id.bytes.data() + 8, token);
    row.type = "history";
    row.stream = stream;
    row.data = data;
    request.rows_with_client_id.push_back(builder.rows());
    builder.add(row);
  }
  if (op.expected.has_value()) request.expected_versions = {{stream, *op.expected}};
  request.details = std::make_shared<AppendDetails>();
  request.batch = builder.finish();
  return request;
}

// Sends the request and notes the answer.
void send_and_note(Shared* shared, AppendOp* op) {
  AppendRequest request = request_of(*op);
  const auto details = request.details;
  op->begin = shared->tick();
  const Result<AppendResult> result =
      shared->store->append_and_wait(shared->name_space, std::move(request));
  op->end = shared->tick();
  op->acked = result.ok();
  if (result.ok()) {
    op->first = result->first_position;
    op->last = result->last_position;
    EXPECT_EQ(result->duplicates, op->is_retry ? op->tokens.size() : 0);
    shared->count_ack();
  } else if (details->version_conflict.has_value()) {
    op->actual = details->version_conflict->actual;
  }
}

uint64_t token_of(uint32_t client, uint64_t number) {
  return (uint64_t{client} + 1) * 1'000'000'000 + number;
}

class Writer {
 public:
  Writer(Shared* shared, uint32_t number, uint64_t seed)
      : shared_(shared), number_(number), random_(seed + number) {}

  void run() {
    while (!shared_->stopping.load()) {
      if (!ops_.empty() && random_() % 16 == 0) {
        repeat();
      } else {
        send_new();
      }
    }
    MutexLock lock(&shared_->mutex);
    auto& all = shared_->history.appends;
    all.insert(all.end(), ops_.begin(), ops_.end());
  }

 private:
  void send_new() {
    AppendOp op;
    const uint64_t dice = random_() % 20;
    const uint64_t events = dice < 14 ? 1 : dice < 19 ? 2 + random_() % 19 : 100;
    for (uint64_t i = 0; i < events; ++i) {
      op.tokens.push_back(token_of(number_, ++sent_));
    }
    const uint64_t stream = random_() % (kStreamsPerWriter + 1);
    op.stream = stream == 0 ? 0 : number_ * kStreamsPerWriter + static_cast<uint32_t>(stream);
    send(std::move(op));
  }

  // Mostly one of the last requests, at times an old one, whose events lie in a lower tier.
  void repeat() {
    const size_t among = random_() % 8 == 0 ? ops_.size() : std::min<size_t>(ops_.size(), 50);
    const AppendOp& original = ops_[ops_.size() - 1 - random_() % among];
    if (!original.acked) return;
    AppendOp op;
    op.tokens = original.tokens;
    op.stream = original.stream;
    op.is_retry = true;
    send(std::move(op));
  }

  void send(AppendOp op) {
    send_and_note(shared_, &op);
    ops_.push_back(std::move(op));
  }

  Shared* const shared_;
  const uint32_t number_;
  std::mt19937_64 random_;
  uint64_t sent_ = 0;
  std::vector<AppendOp> ops_;
};

// Reads the version of a stream that others append to as well, and appends if it is still that.
class Racer {
 public:
  Racer(Shared* shared, uint32_t number, const HistoryPlan& plan)
      : shared_(shared),
        client_(plan.writers + number),
        streams_(plan.writers * kStreamsPerWriter),
        random_(plan.seed + 2000 + number) {}

  void run() {
    while (!shared_->stopping.load()) {
      const size_t last = ops_.size();
      if (last > 0 && ops_[last - 1].acked && random_() % 8 == 0) {
        repeat(ops_[last - 1]);
      } else {
        race();
      }
    }
    MutexLock lock(&shared_->mutex);
    auto& appends = shared_->history.appends;
    appends.insert(appends.end(), ops_.begin(), ops_.end());
    auto& versions = shared_->history.versions;
    versions.insert(versions.end(), versions_.begin(), versions_.end());
  }

 private:
  void race() {
    AppendOp op;
    op.stream = streams_ + 1 + static_cast<uint32_t>(random_() % kRaceStreams);
    op.expected = ask_version(op.stream);
    const uint64_t events = 1 + random_() % 3;
    for (uint64_t i = 0; i < events; ++i) op.tokens.push_back(token_of(client_, ++sent_));
    send_and_note(shared_, &op);
    ops_.push_back(std::move(op));
  }

  // The version has moved on since; what is stored already does not ask.
  void repeat(const AppendOp& original) {
    AppendOp op;
    op.tokens = original.tokens;
    op.stream = original.stream;
    op.expected = original.expected;
    op.is_retry = true;
    send_and_note(shared_, &op);
    EXPECT_TRUE(op.acked);
    ops_.push_back(std::move(op));
  }

  int64_t ask_version(uint32_t stream) {
    VersionOp op;
    op.stream = stream;
    op.begin = shared_->tick();
    const Result<int64_t> version = stream_version(*shared_->snapshot(), stream_name(stream));
    op.end = shared_->tick();
    EXPECT_TRUE(version.ok()) << version.status().to_string();
    op.version = version.ok() ? *version : -1;
    versions_.push_back(op);
    return op.version;
  }

  Shared* const shared_;
  const uint32_t client_;
  const uint32_t streams_;  // of the writers
  std::mt19937_64 random_;
  uint64_t sent_ = 0;
  std::vector<AppendOp> ops_;
  std::vector<VersionOp> versions_;
};

class Reader {
 public:
  Reader(Shared* shared, uint32_t number, const HistoryPlan& plan)
      : shared_(shared),
        number_(number),
        streams_(plan.writers * kStreamsPerWriter + kRaceStreams),
        random_(plan.seed + 1000 + number) {}

  void run() {
    while (shared_->wait_for_acks(1)) {
      if (random_() % 3 == 0) {
        count();
      } else {
        read();
      }
    }
    MutexLock lock(&shared_->mutex);
    auto& reads = shared_->history.reads;
    reads.insert(reads.end(), reads_.begin(), reads_.end());
    auto& counts = shared_->history.counts;
    counts.insert(counts.end(), counts_.begin(), counts_.end());
  }

 private:
  // Near the end mostly, where things happen; at times anywhere.
  uint64_t choose_from(uint64_t published) {
    const uint64_t back = random_() % (random_() % 4 == 0 ? published : kWindowMax);
    return published > back ? published - back : 1;
  }

  void read() {
    ReadOp op;
    op.reader = number_;
    op.begin = shared_->tick();
    const SnapshotPtr snapshot = shared_->snapshot();
    op.end = shared_->tick();  // of taking it; what it shows never changes
    op.published = snapshot->published();
    op.from = choose_from(op.published);
    op.to = std::min(op.published, op.from + kWindowMax);
    op.stream = random_() % 3 == 0 ? 1 + static_cast<uint32_t>(random_() % streams_) : 0;
    op.events = read_events(*snapshot, op.from, op.to, op.stream);
    reads_.push_back(std::move(op));
  }

  void count() {
    CountOp op;
    op.reader = number_;
    op.begin = shared_->tick();
    const SnapshotPtr snapshot = shared_->snapshot();
    op.end = shared_->tick();
    op.published = op.to = snapshot->published();
    op.from = random_() % 2 == 0 ? 1 : choose_from(op.published);
    AggregateSpec spec;
    spec.filter.positions = {op.from, op.to + 1};
    const auto answer = query_aggregate(*snapshot, Dataset::kEvents, spec, nullptr);
    EXPECT_TRUE(answer.ok()) << answer.status().to_string();
    if (!answer.ok()) return;
    for (const auto& [group, state] : answer->states) op.count += state.count;
    counts_.push_back(op);
  }

  Shared* const shared_;
  const uint32_t number_;
  const uint32_t streams_;
  std::mt19937_64 random_;
  std::vector<ReadOp> reads_;
  std::vector<CountOp> counts_;
};

class Subscriber {
 public:
  Subscriber(Shared* shared, uint64_t start_after_acks)
      : shared_(shared), start_after_acks_(start_after_acks) {}

  void run() {
    if (start_after_acks_ > 0) (void)shared_->wait_for_acks(start_after_acks_);
    const uint64_t subscription = shared_->store->subscribe(
        shared_->name_space, [this](Position position) { on_published(position); });
    // Behind the subscription, so that nothing falls between what is read and what is told.
    seen_.from = shared_->snapshot()->published();
    uint64_t got = seen_.from;
    while (const uint64_t newest = wait_for_more(got)) {
      const SnapshotPtr snapshot = shared_->snapshot();
      EXPECT_TRUE(newest == kFarAway || snapshot->published() >= newest);
      for (const SeenEvent& event : read_events(*snapshot, got + 1, snapshot->published(), 0)) {
        seen_.events.push_back(event);
      }
      got = snapshot->published();
      if (newest == kFarAway) break;
    }
    shared_->store->unsubscribe(subscription);
    MutexLock own_lock(&mutex_);
    MutexLock lock(&shared_->mutex);
    shared_->history.subscriptions.push_back(std::move(seen_));
  }
  // No more will come; what was published is still to be read.
  void finish() {
    MutexLock lock(&mutex_);
    newest_ = kFarAway;
    changed_.notify_all();
  }

 private:
  void on_published(Position position) {
    MutexLock lock(&mutex_);
    seen_.notices.push_back({shared_->tick(), position});
    if (newest_ == kFarAway) return;
    newest_ = std::max(newest_, position);
    changed_.notify_all();
  }
  uint64_t wait_for_more(uint64_t got) {
    MutexLock lock(&mutex_);
    while (newest_ <= got) changed_.wait(&mutex_);
    return newest_;
  }

  Shared* const shared_;
  const uint64_t start_after_acks_;
  Mutex mutex_;
  CondVar changed_;
  uint64_t newest_ GUARDED_BY(mutex_) = 0;
  Subscription seen_;  // notices under mutex_, the rest by the thread alone
};

// Flushes all the time, and moves on what was flushed now and then.
void disturb(Shared* shared) {
  for (uint64_t round = 1; shared->wait_for_acks(300); ++round) {
    ChunkCommand command;
    command.namespace_id = shared->name_space;
    command.action = round % 4 == 0 ? ChunkAction::kMove : ChunkAction::kFlush;
    const ChunkCommandResult result = shared->store->command_and_wait(command);
    EXPECT_TRUE(result.status.ok()) << result.status.to_string();
  }
}

StoreOptions history_options(const std::string& directory) {
  StoreOptions options = default_store_options(directory);
  options.tiers[1].keep_ns = 36'500 * kDayNs;  // only commands move chunks on
  options.wal_segment_bytes = 1 * kMiB;
  options.disk_reserve_bytes = 0;
  options.mover_interval_ns = 20 * kMillisecondNs;
  return options;
}

void run_threads(Shared* shared, const HistoryPlan& plan) {
  std::vector<std::unique_ptr<Writer>> writers;
  std::vector<std::unique_ptr<Racer>> racers;
  std::vector<std::unique_ptr<Reader>> readers;
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  std::vector<std::thread> threads, subscriber_threads;
  for (uint32_t i = 0; i < plan.subscribers; ++i) {
    subscribers.push_back(std::make_unique<Subscriber>(shared, uint64_t{i} * 200));
    subscriber_threads.emplace_back([one = subscribers.back().get()] { one->run(); });
  }
  for (uint32_t i = 0; i < plan.writers; ++i) {
    writers.push_back(std::make_unique<Writer>(shared, i, plan.seed));
    threads.emplace_back([one = writers.back().get()] { one->run(); });
  }
  for (uint32_t i = 0; i < plan.racers; ++i) {
    racers.push_back(std::make_unique<Racer>(shared, i, plan));
    threads.emplace_back([one = racers.back().get()] { one->run(); });
  }
  for (uint32_t i = 0; i < plan.readers; ++i) {
    readers.push_back(std::make_unique<Reader>(shared, i + 1, plan));
    threads.emplace_back([one = readers.back().get()] { one->run(); });
  }
  threads.emplace_back([shared] { disturb(shared); });
  const TimeNs end = posix_env()->monotonic() + plan.duration_ns;
  while (posix_env()->monotonic() < end && shared->wait_for_acks(1)) {
  }
  shared->stop();
  for (std::thread& thread : threads) thread.join();
  for (const auto& subscriber : subscribers) subscriber->finish();
  for (std::thread& thread : subscriber_threads) thread.join();
}

// Everything, as the next process finds it.
std::vector<SeenEvent> read_all_again(const std::string& directory) {
  Result<std::unique_ptr<Store>> store = Store::open(posix_env(), history_options(directory));
  EXPECT_TRUE(store.ok()) << store.status().to_string();
  if (!store.ok()) return {};
  for (const VerifyFinding& finding : (*store)->verify().findings) {
    ADD_FAILURE() << finding.file << ": " << finding.status.to_string();
  }
  const SnapshotPtr snapshot = *(*store)->snapshot((*store)->find_namespace("default")->id);
  return read_events(*snapshot, 1, snapshot->published(), 0);
}

}  // namespace

History run_history(const HistoryPlan& plan) {
  const TestDirectory directory;
  FaultEnv env(posix_env());  // for its hook; nothing fails
  Shared shared;
  env.before_sync([&shared](const std::string& path) {
    if (path.find("/wal/") == std::string::npos) return;
    MutexLock lock(&shared.mutex);
    shared.history.log_syncs.push_back(shared.tick());
  });
  {
    Result<std::unique_ptr<Store>> store = Store::open(&env, history_options(directory.path()));
    EXPECT_TRUE(store.ok()) << store.status().to_string();
    if (!store.ok()) return {};
    shared.store = store->get();
    shared.name_space = (*store)->find_namespace("default")->id;
    run_threads(&shared, plan);
  }
  MutexLock lock(&shared.mutex);
  shared.history.final_events = read_all_again(directory.path());
  return std::move(shared.history);
}

}  // namespace firn
