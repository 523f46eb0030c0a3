#include "tests/crash/sim_store.h"

#include <sqlite3.h>

#include <algorithm>

namespace firn {

namespace {

constexpr TimeNs kFirstDay = 1'700'006'400 * kSecondNs;  // a midnight
constexpr uint64_t kStepsMax = 200'000;

std::string token_json(const std::string& token) { return "{\"token\":\"" + token + "\"}"; }

}  // namespace

// SQLite draws its journal nonces from a generator of the whole process, so it is seeded here too.
SimStore::SimStore(uint64_t seed) : env(seed) {
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed & 0xffff) + 1, nullptr);
}

StoreOptions SimStore::options() const {
  StoreOptions options = default_store_options("/data");
  options.wal_segment_bytes = 1 * kMiB;
  options.wal_group_bytes = 256 * kKiB;
  options.memory_bytes_max = 64 * kMiB;
  options.disk_reserve_bytes = 0;
  return options;
}

bool SimStore::boot() {
  Result<std::unique_ptr<Store>> opened = Store::open(&env, options());
  if (!opened.ok()) {
    FIRN_CHECK(env.has_crashed());
    return false;
  }
  store_ = std::move(*opened);
  return true;
}

SentBatch SimStore::make_batch(uint32_t events, int day, bool with_stream) {
  SentBatch batch;
  for (uint32_t i = 0; i < events; ++i) {
    const uint64_t number = ++next_token_;
    batch.tokens.push_back("t" + std::to_string(number));
    Id id;
    store_le<uint64_t>(id.bytes.data(), number * 0x9e3779b97f4a7c15ull);
    store_le<uint64_t>(id.bytes.data() + 8, number);
    batch.ids.push_back(id);
    batch.streams.push_back(with_stream ? "stream-" + std::to_string(number % 3) : "");
    // Mostly one day; every fifth event is a day early, so that batches span chunks.
    const TimeNs start = kFirstDay + day * kDayNs - (number % 5 == 0 ? kDayNs : 0);
    batch.times.push_back(start + static_cast<TimeNs>(number) * kMillisecondNs);
  }
  return batch;
}

void SimStore::send(size_t index, bool* done) {
  const SentBatch& batch = sent[index];
  BatchBuilder builder(Dataset::kEvents);
  AppendRequest request;
  for (uint32_t i = 0; i < batch.tokens.size(); ++i) {
    const std::string data = token_json(batch.tokens[i]);
    EventRow row;
    row.time = batch.times[i];
    row.id = batch.ids[i];
    row.type = "sim";
    row.source = "oracle";
    row.stream = batch.streams[i];
    row.data = data;
    builder.add(row);
    request.rows_with_client_id.push_back(i);
  }
  request.batch = builder.finish();
  const NamespaceId id = store_->find_namespace("default")->id;
  store_->append(id, std::move(request), [this, index, done](const Result<AppendResult>& result) {
    SentBatch& answered = sent[index];
    if (result.ok()) {
      FIRN_CHECK(!answered.acked || (answered.first == result->first_position &&
                                     answered.last == result->last_position));
      answered.acked = true;
      answered.first = result->first_position;
      answered.last = result->last_position;
    }
    answered.answered = true;
    *done = true;
  });
}

void SimStore::run_until(const bool* done) {
  (void)env.run_until([&] { return *done || env.has_crashed(); }, kStepsMax);
}

void SimStore::append(uint32_t events, int day, bool with_stream) {
  if (has_crashed()) return;
  sent.push_back(make_batch(events, day, with_stream));
  bool done = false;
  send(sent.size() - 1, &done);
  run_until(&done);
  if (!done) shut_down();  // the answer would come after this frame is gone
}

void SimStore::append_together(const std::vector<uint32_t>& sizes, int day) {
  if (has_crashed()) return;
  const std::unique_ptr<bool[]> done(new bool[sizes.size()]());
  for (size_t i = 0; i < sizes.size(); ++i) {
    sent.push_back(make_batch(sizes[i], day, i % 2 == 0));
    send(sent.size() - 1, &done[i]);
  }
  for (size_t i = 0; i < sizes.size(); ++i) run_until(&done[i]);
  if (has_crashed()) shut_down();
}

void SimStore::retry(size_t index) {
  if (has_crashed()) return;
  bool done = false;
  send(index, &done);
  run_until(&done);
  if (!done) shut_down();
}

void SimStore::command(ChunkAction action) { command_on(action, ""); }

void SimStore::command_on(ChunkAction action, const std::string& chunk) {
  if (has_crashed()) return;
  ChunkCommand command;
  command.action = action;
  command.namespace_id = store_->find_namespace("default")->id;
  if (!chunk.empty()) command.names.push_back(chunk);
  if (action == ChunkAction::kDrop) {
    Filter everything;
    const SnapshotPtr snapshot = *store_->snapshot(command.namespace_id);
    for (const SnapshotChunk& candidate : snapshot->chunks(Dataset::kEvents, everything)) {
      if (candidate.key.name() != chunk) continue;
      Result<std::unique_ptr<BatchReader>> reader = snapshot->scan(candidate, ScanSpec{}, nullptr);
      BatchSlice slice;
      while (reader.ok() && *(*reader)->next(&slice)) {
        for (uint32_t i = 0; i < slice.rows(); ++i) {
          dropped_.insert(slice.batch->position(slice.row(i)));
        }
      }
    }
  }
  bool done = false;
  Status status;
  store_->command(std::move(command), [&](const ChunkCommandResult& result) {
    status = result.status;
    done = true;
  });
  run_until(&done);
  if (!done) shut_down();
  if (!has_crashed() && done) FIRN_CHECK(status.ok());
}

void SimStore::settle() {
  for (int i = 0; i < 50 && env.run_one(); ++i) {
  }
}

void SimStore::shut_down() { store_.reset(); }

void SimStore::power_cut(CrashMode mode, uint64_t seed) {
  env.crash(mode, seed);
  store_.reset();
}

uint64_t SimStore::acked_events() const {
  uint64_t count = 0;
  for (const SentBatch& batch : sent) count += batch.acked ? batch.tokens.size() : 0;
  return count;
}

size_t SimStore::rows_readable() {
  const NamespaceId id = store_->find_namespace("default")->id;
  AggregateSpec spec;
  const auto answer = query_aggregate(**store_->snapshot(id), Dataset::kEvents, spec, nullptr);
  FIRN_CHECK(answer.ok());
  return answer->states.empty() ? 0 : answer->states.begin()->second.count;
}

std::vector<std::string> SimStore::chunk_names() {
  std::vector<std::string> names;
  const NamespaceId id = store_->find_namespace("default")->id;
  const SnapshotPtr snapshot = *store_->snapshot(id);
  for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
    if (!chunk.in_memory) names.push_back(chunk.key.name());
  }
  return names;
}

std::string SimStore::check_batch(const SentBatch& batch,
                                  const std::map<std::string, EventRef>& by_token) {
  size_t present = 0;
  bool may_be_dropped = false;
  Position previous = 0;
  for (size_t i = 0; i < batch.tokens.size(); ++i) {
    const auto found = by_token.find(token_json(batch.tokens[i]));
    if (found == by_token.end()) {
      may_be_dropped = may_be_dropped || !dropped_.empty();
      continue;
    }
    ++present;
    const EventRow row = event_row(*found->second.batch, found->second.row);
    const Position position = found->second.batch->position(found->second.row);
    if (row.id != batch.ids[i] || row.time != batch.times[i] || row.stream != batch.streams[i]) {
      return "torn: " + batch.tokens[i] + " came back changed";
    }
    if (position <= previous) return "order: " + batch.tokens[i];
    previous = position;
    if (batch.acked && (position < batch.first || position > batch.last)) {
      return "order: " + batch.tokens[i] + " at " + std::to_string(position) + ", acked at " +
             std::to_string(batch.first) + "-" + std::to_string(batch.last);
    }
  }
  if (present == batch.tokens.size() || may_be_dropped) return "";
  const std::string count =
      std::to_string(present) + " of " + std::to_string(batch.tokens.size()) + " events";
  if (batch.acked) return "lost: " + count + " of " + batch.tokens[0];
  return present == 0 ? "" : "torn: " + count + " of " + batch.tokens[0];
}

std::string SimStore::check() {
  const NamespaceId id = store_->find_namespace("default")->id;
  const SnapshotPtr snapshot = *store_->snapshot(id);
  EventQuery query;
  query.limit = 10'000;
  const Result<EventPage> page = query_events(*snapshot, query, nullptr);
  if (!page.ok()) return "cannot read: " + page.status().to_string();
  if (page->next.has_value()) return "the test stored more events than a page";
  std::map<std::string, EventRef> by_token;
  std::map<std::string, int64_t, std::less<>> stream_heads;
  Position expected = 0;
  for (const EventRef& event : page->events) {
    const EventRow row = event_row(*event.batch, event.row);
    const Position position = event.batch->position(event.row);
    for (++expected; expected < position && dropped_.contains(expected);) ++expected;
    if (position != expected) {
      return "order: position " + std::to_string(position) + " where " + std::to_string(expected) +
             " should be";
    }
    if (!by_token.emplace(std::string(row.data), event).second) {
      return "dup: " + std::string(row.data);
    }
    if (row.stream.empty() || !dropped_.empty()) continue;
    int64_t& head = stream_heads[std::string(row.stream)];
    if (row.stream_position != head++) return "order: stream " + std::string(row.stream);
  }
  std::set<std::string> known;
  for (const SentBatch& batch : sent) {
    for (const std::string& token : batch.tokens) known.insert(token_json(token));
    const std::string problem = check_batch(batch, by_token);
    if (!problem.empty()) return problem;
  }
  for (const auto& [token, event] : by_token) {
    if (!known.contains(token)) return "ghost: " + token;
  }
  if (rows_readable() != page->events.size()) {
    return "lost: the count says " + std::to_string(rows_readable()) + ", the page has " +
           std::to_string(page->events.size());
  }
  return "";
}

}  // namespace firn
