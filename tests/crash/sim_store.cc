#include "tests/crash/sim_store.h"

#include <sqlite3.h>

#include <algorithm>

namespace firn {

namespace {

constexpr TimeNs kFirstDay = 1'700'006'400 * kSecondNs;  // a midnight
constexpr uint64_t kStepsMax = 200'000;
constexpr const char* kLake = "lake";  // where exports go

std::string token_json(const std::string& token) { return "{\"token\":\"" + token + "\"}"; }

// Text that no two tokens share and that does not compress.
std::string filler(const std::string& token, uint32_t bytes) {
  std::string text = "\"";
  uint64_t state = std::hash<std::string>{}(token);
  while (text.size() < bytes + 1) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    text += static_cast<char>('a' + (state >> 33) % 26);
  }
  return text + "\"";
}

// The answers after which a client may be sure that nothing was stored, see docs/guarantees.md.
bool is_refusal(StatusCode code) {
  return code == StatusCode::kUnavailable || code == StatusCode::kNoSpace ||
         code == StatusCode::kConflict;
}

}  // namespace

StoreOptions sim_store_options() {
  StoreOptions options = default_store_options("/data");
  options.wal_segment_bytes = 1 * kMiB;
  options.wal_group_bytes = 256 * kKiB;
  options.memory_bytes_max = 64 * kMiB;
  options.disk_reserve_bytes = 0;
  TierConfig lake;
  lake.name = kLake;
  lake.backend = "parquet";
  lake.directory = "lake";
  options.exports = {lake};
  return options;
}

StoreOptions sim_sqlite_options() {
  StoreOptions options = sim_store_options();
  options.tiers[2].backend = "sqlite";
  options.tiers[2].layout = "rows";
  return options;
}

// SQLite draws its journal nonces from a generator of the whole process, so it is seeded here too.
SimStore::SimStore(uint64_t seed) : env(seed) {
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed & 0xffff) + 1, nullptr);
}

bool SimStore::boot() {
  const Status status = try_boot();
  FIRN_CHECK(status.ok() || env.has_crashed() || faults.faults_injected() > 0);
  return status.ok();
}

Status SimStore::try_boot() {
  FIRN_ASSIGN(store_, Store::open(&faults, options));
  return {};
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
  SentBatch& batch = sent[index];
  ++batch.attempts;
  BatchBuilder builder(Dataset::kEvents);
  AppendRequest request;
  for (uint32_t i = 0; i < batch.tokens.size(); ++i) {
    const std::string data = token_json(batch.tokens[i]);
    const std::string metadata = filler(batch.tokens[i], filler_bytes);
    EventRow row;
    row.time = batch.times[i];
    row.id = batch.ids[i];
    row.type = "sim";
    row.source = "oracle";
    row.stream = batch.streams[i];
    row.data = data;
    if (filler_bytes > 0) row.metadata = metadata;
    builder.add(row);
    request.rows_with_client_id.push_back(i);
  }
  if (batch.expected_version.has_value()) {
    request.expected_versions = {{batch.streams[0], *batch.expected_version}};
  }
  request.batch = builder.finish();
  const NamespaceId id = store_->find_namespace("default")->id;
  store_->append(id, std::move(request), [this, index, done](const Result<AppendResult>& result) {
    answer(index, result);
    *done = true;
  });
}

void SimStore::answer(size_t index, const Result<AppendResult>& result) {
  SentBatch& batch = sent[index];
  if (!result.ok()) {
    if (is_refusal(result.status().code())) ++batch.refusals;
    return;
  }
  FIRN_CHECK(!batch.acked ||
             (batch.first == result->first_position && batch.last == result->last_position));
  batch.acked = true;
  batch.first = result->first_position;
  batch.last = result->last_position;
}

void SimStore::run_until(const bool* done) {
  (void)env.run_until([&] { return *done || env.has_crashed(); }, kStepsMax);
  hung_ = hung_ || (!*done && !env.has_crashed());
}

void SimStore::append(uint32_t events, int day, bool with_stream) {
  if (has_crashed() || store_ == nullptr) return;
  sent.push_back(make_batch(events, day, with_stream));
  bool done = false;
  send(sent.size() - 1, &done);
  run_until(&done);
  if (!done) shut_down();  // the answer would come after this frame is gone
}

void SimStore::append_together(const std::vector<uint32_t>& sizes, int day) {
  if (has_crashed() || store_ == nullptr) return;
  const std::unique_ptr<bool[]> done(new bool[sizes.size()]());
  for (size_t i = 0; i < sizes.size(); ++i) {
    sent.push_back(make_batch(sizes[i], day, i % 2 == 0));
    send(sent.size() - 1, &done[i]);
  }
  for (size_t i = 0; i < sizes.size(); ++i) run_until(&done[i]);
  if (has_crashed()) shut_down();
}

void SimStore::append_rivals(int day) {
  if (has_crashed() || store_ == nullptr) return;
  int64_t version = -1;
  for (const SentBatch& batch : sent) version += batch.acked && batch.expected_version ? 1 : 0;
  bool done[2] = {false, false};
  for (bool& answered : done) {
    SentBatch batch = make_batch(1, day, false);
    batch.streams = {"rivals"};
    batch.expected_version = version;
    sent.push_back(std::move(batch));
    send(sent.size() - 1, &answered);
  }
  run_until(&done[0]);
  run_until(&done[1]);
  if (!done[0] || !done[1]) shut_down();
}

void SimStore::retry(size_t index) {
  if (has_crashed() || store_ == nullptr) return;
  bool done = false;
  send(index, &done);
  run_until(&done);
  if (!done) shut_down();
}

void SimStore::command(ChunkAction action) { command_on(action, ""); }

void SimStore::command_on(ChunkAction action, const std::string& chunk) {
  if (has_crashed() || store_ == nullptr) return;
  ChunkCommand command;
  command.action = action;
  command.namespace_id = store_->find_namespace("default")->id;
  if (action == ChunkAction::kExport) command.destination = kLake;
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
  if (!has_crashed() && done) FIRN_CHECK(status.ok() || faults.faults_injected() > 0);
}

void SimStore::settle() {
  if (store_ == nullptr) return;
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
  if (present > 0 && batch.refused()) return "ghost: refused, but stored: " + batch.tokens[0];
  if (present == batch.tokens.size() || may_be_dropped) return "";
  const std::string count =
      std::to_string(present) + " of " + std::to_string(batch.tokens.size()) + " events";
  if (batch.acked) return "lost: " + count + " of " + batch.tokens[0];
  return present == 0 ? "" : "torn: " + count + " of " + batch.tokens[0];
}

// One winner per version, in the place it asked for.
std::string SimStore::check_rivals(const std::map<std::string, EventRef>& by_token) {
  std::set<int64_t> taken;
  for (const SentBatch& batch : sent) {
    if (!batch.expected_version.has_value()) continue;
    const auto found = by_token.find(token_json(batch.tokens[0]));
    if (found == by_token.end()) continue;
    const EventRow row = event_row(*found->second.batch, found->second.row);
    if (row.stream_position != *batch.expected_version + 1) {
      return "order: " + batch.tokens[0] + " expected another version";
    }
    if (!taken.insert(row.stream_position).second) return "dup: two winners of one version";
  }
  return "";
}

std::string SimStore::verify() {
  std::string found;
  for (const VerifyFinding& finding : store_->verify().findings) {
    found += finding.file + ": " + finding.status.to_string() + "; ";
  }
  return found;
}

std::string event_line(const RecordBatch& batch, uint32_t row) {
  const EventRow event = event_row(batch, row);
  std::string line = std::to_string(batch.position(row)) + " " + std::to_string(event.time) + " " +
                     event.id.to_uuid() + " " + std::to_string(event.stream_position);
  for (const std::string_view text :
       {event.type, event.source, event.subject, event.stream, event.correlation_id, event.data,
        event.metadata, event.context}) {
    line += " '" + std::string(text) + "'";
  }
  return line + " " + std::to_string(static_cast<int>(event.kind)) + " " +
         std::to_string(event.severity) + " " + std::to_string(event.observed_time) + " " +
         std::to_string(event.duration) + " " + event.trace_id.to_uuid() + " " +
         event.parent_id.to_uuid();
}

std::string SimStore::content() {
  const NamespaceId id = store_->find_namespace("default")->id;
  const SnapshotPtr snapshot = *store_->snapshot(id);
  EventQuery query;
  query.limit = 10'000;
  const Result<EventPage> page = query_events(*snapshot, query, nullptr);
  if (!page.ok()) return "cannot read: " + page.status().to_string();
  std::string text = "published " + std::to_string(snapshot->published()) + "\n";
  for (const EventRef& event : page->events) text += event_line(*event.batch, event.row) + "\n";
  return text;
}

std::string SimStore::check() {
  if (hung_) return "hung: an append or a command was never answered";
  // A crash leaves nothing that a start could not tell from what the manifest has lost.
  const StoreHealth health = store_->health();
  if (!health.stray_chunks.empty() && faults.faults_injected() == 0) {
    return "stray: " + health.stray_chunks.front();
  }
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
    std::string problem = check_batch(batch, by_token);
    if (!problem.empty()) return problem;
  }
  std::string rivals = check_rivals(by_token);
  if (!rivals.empty()) return rivals;
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
