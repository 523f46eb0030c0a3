#include "store/sequencer.h"

#include <algorithm>
#include <unordered_map>

#include "base/mutant.h"
#include "store/snapshot.h"

namespace firn {

namespace {

// Requests up to this size are joined: copying their rows is cheaper than a record of their own.
constexpr uint32_t kJoinedRequestRowsMax = 16;
constexpr size_t kJoinedRequestBytesMax = 64 * kKiB;
// A group of joined requests is full.
constexpr uint32_t kGroupRowsMax = 1024;

// Whether a repeated id names the same event. Times are left out: a client that leaves them to us
// gets others on its second try.
bool same_content(const EventRow& a, const EventRow& b) {
  if (mutant(16)) return true;
  return a.kind == b.kind && a.type == b.type && a.source == b.source && a.subject == b.subject &&
         a.severity == b.severity && a.stream == b.stream && a.correlation_id == b.correlation_id &&
         a.trace_id == b.trace_id && a.span_id == b.span_id && a.parent_id == b.parent_id &&
         a.duration == b.duration && a.data == b.data && a.metadata == b.metadata &&
         a.context == b.context;
}

// The stored row with this id, or a null batch.
Result<BatchSlice> find_by_id(const Snapshot& snapshot, const SnapshotChunk& chunk, const Id& id,
                              PositionRange positions) {
  ScanSpec spec;
  spec.filter.positions = positions;
  Predicate predicate;
  predicate.column = ColumnId::kId;
  predicate.ids = {id};
  spec.filter.predicates.push_back(std::move(predicate));
  FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, std::move(spec), nullptr));
  BatchSlice slice;
  FIRN_ASSIGN(const bool found, reader->next(&slice));
  return found ? slice : BatchSlice{};
}

struct IdHash {
  size_t operator()(const Id& id) const { return hash_id(id); }
};

}  // namespace

std::string_view ack_level_name(AckLevel level) {
  switch (level) {
    case AckLevel::kFsync:
      return "fsync";
    case AckLevel::kOs:
      return "os";
    case AckLevel::kMemory:
      return "memory";
  }
  return "unknown";
}

// One batch on its way through the log. Answers the client exactly once, at the latest when the log
// is closed under it.
struct Sequencer::Commit {
  std::shared_ptr<StoreCore> core;
  NamespacePtr name_space;
  BatchPtr batch;  // null: a barrier for a request of duplicates
  std::vector<std::pair<ChunkKey, BatchSlice>> slices;
  struct Request {
    AppendResult result;
    AppendCallback done;  // null once it was called
  };
  std::vector<Request> requests;  // in the order of their positions
  size_t bytes = 0;               // of core->queued_bytes

  // The callbacks are taken out first, because the log may answer the others on its own thread.
  std::vector<Request> take_requests(AckLevel ack) {
    std::vector<Request> taken;
    for (Request& request : requests) {
      if (request.result.ack != ack || !request.done) continue;
      taken.push_back({request.result, std::exchange(request.done, nullptr)});
    }
    return taken;
  }
  // Answers everyone who waits: with the own result when `status` is ok.
  void answer(const Status& status) {
    for (Request& request : requests) {
      const AppendCallback callback = std::exchange(request.done, nullptr);
      if (!callback) continue;
      if (status.ok()) {
        callback(request.result);
      } else {
        callback(status);
      }
    }
  }
  ~Commit() {
    core->queued_bytes.fetch_sub(bytes);
    answer(
        outcome_unknown("the store was closed before the append was confirmed; repeat it with "
                        "the same ids to be sure"));
  }
};

// What the search for duplicates of one request reads.
struct Sequencer::Lookup {
  NamespacePtr name_space;
  Snapshot snapshot;
  std::vector<SnapshotChunk> chunks;
};

struct Sequencer::Duplicates {
  std::vector<Position> original;  // per row of the request; 0: new. Empty: all are new
  uint32_t count = 0;
};

Sequencer::Sequencer(std::shared_ptr<StoreCore> core)
    : core_(std::move(core)), tagger_(core_->manifest->id_secret()) {
  worker_.start(core_->env, "commit", [this] { step(); });
}

void Sequencer::stop() {
  worker_.stop();
  std::vector<Pending> left;
  {
    MutexLock lock(&mutex_);
    left.swap(queue_);
  }
  for (Pending& pending : left) {
    core_->queued_bytes.fetch_sub(pending.bytes);
    pending.done(cancelled("the store is closing; nothing of this append was stored"));
  }
}

bool Sequencer::may_join(const AppendRequest& request) {
  return request.batch->rows() <= kJoinedRequestRowsMax &&
         request.batch->size_bytes() <= kJoinedRequestBytesMax;
}

bool Sequencer::may_wait() const { return !queue_is_urgent_ && queued_rows_ < kGroupRowsMax; }

void Sequencer::submit(NamespacePtr name_space, AppendRequest request, AppendCallback done) {
  const size_t bytes = request.batch->size_bytes();
  core_->queued_bytes.fetch_add(bytes);
  bool wakes = false;
  {
    MutexLock lock(&mutex_);
    // Whoever finds the queue empty wakes the worker; the others' work is taken with it.
    wakes = queue_.empty();
    queued_rows_ += request.batch->rows();
    if (request.ack != AckLevel::kFsync || !may_join(request)) queue_is_urgent_ = true;
    queue_.push_back({std::move(name_space), std::move(request), std::move(done), bytes});
    if (holds_queue_ && !may_wait()) {
      holds_queue_ = false;
      wakes = true;
    }
  }
  if (wakes) worker_.notify();
}

std::vector<Sequencer::Pending> Sequencer::take_queue() {
  std::vector<Pending> taken;
  MutexLock lock(&mutex_);
  // The log's last answer wakes us, see on_durable().
  holds_queue_ = !queue_.empty() && outstanding_.load() != 0 && may_wait();
  if (holds_queue_) return taken;
  taken.swap(queue_);
  queued_rows_ = 0;
  queue_is_urgent_ = false;
  return taken;
}

void Sequencer::step() {
  if (refused_.load() && !resume_after_refusal()) return;
  for (Pending& pending : take_queue()) sequence(std::move(pending));
  close_groups();
}

bool Sequencer::resume_after_refusal() {
  // The last answer of the log wakes us again.
  if (outstanding_.load() != 0) return false;
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    const Position published = ns->published.load();
    while (!ns->in_flight.empty() && ns->in_flight.back()->first_position() > published) {
      const RecordBatch& batch = *ns->in_flight.back();
      if (batch.has_column(ColumnId::kStreamPosition) && !mutant(11)) {
        const auto positions = batch.int64s(ColumnId::kStreamPosition);
        const StringColumn streams = batch.strings(ColumnId::kStream);
        // From the last row to the first, so that the smallest position given out is what stays.
        for (uint32_t row = batch.rows(); row-- > 0;) {
          if (positions[row] == kAbsentInt64) continue;
          *ns->stream_heads.find(streams[row]) = positions[row];
        }
      }
      ns->in_flight.pop_back();
    }
    ns->next_position = published + 1;
    ns->recent_ids.forget_after(published);
    core_->count_ids(ns.get());
  }
  refused_.store(false);
  core_->wal->resume();
  return true;
}

void Sequencer::prune_in_flight(NamespaceState* ns) {
  const Position published = ns->published.load();
  while (!ns->in_flight.empty() && ns->in_flight.front()->last_position() <= published) {
    ns->in_flight.pop_front();
  }
  ns->recent_ids.expire(ns->flushed_through.load());
  core_->count_ids(ns);
}

void Sequencer::sequence(Pending pending) {
  NamespaceState* ns = pending.name_space.get();
  const auto fail = [&](const Status& status) {
    core_->queued_bytes.fetch_sub(pending.bytes);
    pending.done(status);
  };
  if (!core_->condition.accepts_writes()) return fail(core_->condition.refusal());
  if (ns->deleted.load()) {
    return fail(not_found("namespace '" + ns->name + "' was deleted"));
  }
  Group* group = group_of(pending.name_space, pending.request.batch->dataset());
  Result<Duplicates> duplicates = find_duplicates(group, pending.request);
  if (!duplicates.ok()) return fail(duplicates.status());
  const bool joins = may_join(pending.request);
  std::unique_ptr<RecordBatch> batch = std::move(pending.request.batch);
  const uint32_t rows = batch->rows();
  if (duplicates->count == rows) {
    batch.reset();
  } else if (duplicates->count > 0) {
    std::vector<uint32_t> fresh;
    for (uint32_t row = 0; row < rows; ++row) {
      if (duplicates->original[row] == 0) fresh.push_back(row);
    }
    batch = take_rows(*batch, fresh);
  }

  if (!joins || group->rows + rows > kGroupRowsMax) close_group(group);
  AppendResult result;
  result.count = rows;
  result.duplicates = duplicates->count;
  result.ack = pending.request.ack;
  const Status status = give_positions(group, std::move(batch), pending.request.rows_with_client_id,
                                       *duplicates, &result);
  if (!status.ok()) return fail(status);
  if (group->commit == nullptr) {
    group->commit = std::make_shared<Commit>();
    group->commit->core = core_;
  }
  group->commit->requests.push_back({result, std::move(pending.done)});
  group->commit->bytes += pending.bytes;
  if (!joins) close_group(group);
}

Status Sequencer::give_positions(Group* group, std::unique_ptr<RecordBatch> batch,
                                 const std::vector<uint32_t>& rows_with_client_id,
                                 const Duplicates& duplicates, AppendResult* result) {
  NamespaceState* ns = group->name_space.get();
  Position first = UINT64_MAX, last = 0;
  for (const Position position : duplicates.original) {
    if (position == 0) continue;
    first = std::min(first, position);
    last = std::max(last, position);
  }
  if (batch != nullptr) {
    Part part;
    FIRN_ASSIGN(part.stream_positions, assign_stream_positions(ns, *batch));
    part.first_position = ns->next_position;
    first = std::min(first, ns->next_position);
    ns->next_position += batch->rows();
    last = std::max(last, ns->next_position - 1);
    remember_ids(ns, rows_with_client_id, duplicates, *batch, part.first_position);
    group->rows += batch->rows();
    part.batch = std::move(batch);
    group->parts.push_back(std::move(part));
  }
  result->first_position = first;
  result->last_position = last;
  return Status();
}

Sequencer::Group* Sequencer::group_of(const NamespacePtr& ns, Dataset dataset) {
  for (Group& group : groups_) {
    if (group.name_space == ns && group.dataset == dataset) return &group;
  }
  // Before its rows are looked up the first time: what is forgotten here, a later snapshot has.
  prune_in_flight(ns.get());
  groups_.emplace_back();
  groups_.back().name_space = ns;
  groups_.back().dataset = dataset;
  return &groups_.back();
}

// The rows of a single request stay the batch they are; those of several are copied into one.
void Sequencer::close_group(Group* group) {
  if (group->commit == nullptr) return;
  std::unique_ptr<RecordBatch> batch;
  std::vector<int64_t> stream_positions;
  if (group->parts.size() == 1) {
    batch = std::move(group->parts[0].batch);
    stream_positions = std::move(group->parts[0].stream_positions);
  } else if (!group->parts.empty()) {
    BatchBuilder builder(group->dataset);
    for (Part& part : group->parts) {
      const uint32_t rows = part.batch->rows();
      stream_positions.insert(stream_positions.end(), part.stream_positions.begin(),
                              part.stream_positions.end());
      if (part.stream_positions.empty()) {
        stream_positions.insert(stream_positions.end(), rows, kAbsentInt64);
      }
      builder.add_rows({BatchPtr(std::move(part.batch)), nullptr});
    }
    batch = builder.finish();
    if (!batch->has_column(ColumnId::kStream)) stream_positions.clear();
  }
  if (batch != nullptr) {
    batch->stamp(group->name_space->id, group->parts[0].first_position, stream_positions);
  }
  log(group->name_space, std::move(batch), std::move(group->commit));
  group->commit = nullptr;
  group->parts.clear();
  group->rows = 0;
}

void Sequencer::close_groups() {
  for (Group& group : groups_) {
    close_group(&group);
    core_->count_ids(group.name_space.get());
  }
  groups_.clear();
}

Result<Sequencer::Duplicates> Sequencer::find_duplicates(Group* group,
                                                         const AppendRequest& request) {
  Duplicates found;
  if (request.rows_with_client_id.empty()) return found;
  const RecordBatch& batch = *request.batch;
  const NamespacePtr& ns = group->name_space;
  if (group->lookup == nullptr) {
    Snapshot snapshot(core_, ns);
    std::vector<SnapshotChunk> chunks = snapshot.chunks(batch.dataset(), Filter{});
    group->lookup =
        std::shared_ptr<const Lookup>(new Lookup{ns, std::move(snapshot), std::move(chunks)});
  }
  const Lookup& lookup = *group->lookup;
  found.original.assign(batch.rows(), 0);
  const auto ids = batch.ids(ColumnId::kId);
  // Rows of the batch by id; a repeat inside the batch gets the position its first row will have.
  std::unordered_map<Id, uint32_t, IdHash> seen;
  seen.reserve(request.rows_with_client_id.size());
  std::vector<std::pair<uint32_t, uint32_t>> repeats;  // (row, its first row)
  for (const uint32_t row : request.rows_with_client_id) {
    const auto [first, inserted] = seen.emplace(ids[row], row);
    if (!inserted) {
      if (!same_content(event_row(batch, row), event_row(batch, first->second))) {
        return conflict("event " + std::to_string(row) + " has the id " + ids[row].to_uuid() +
                        " of event " + std::to_string(first->second) +
                        " of the same request, but other content; nothing was stored");
      }
      repeats.emplace_back(row, first->second);
      ++found.count;
      continue;
    }
    FIRN_ASSIGN(found.original[row], find_original(lookup, batch, row));
    if (found.original[row] != 0) ++found.count;
  }
  if (repeats.empty()) return found;
  // Positions of new rows are given out in row order, so they are known before they are stamped.
  std::vector<bool> is_repeat(batch.rows(), false);
  for (const auto& [row, first_row] : repeats) is_repeat[row] = true;
  std::vector<Position> will_have(batch.rows(), 0);
  Position next = ns->next_position;
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    if (is_repeat[row]) continue;
    will_have[row] = found.original[row] != 0 ? found.original[row] : next++;
  }
  for (const auto& [row, first_row] : repeats) found.original[row] = will_have[first_row];
  return found;
}

Result<Position> Sequencer::find_original(const Lookup& lookup, const RecordBatch& batch,
                                          uint32_t row) {
  if (mutant(8)) return Position{0};
  NamespaceState* ns = lookup.name_space.get();
  const EventRow wanted = event_row(batch, row);
  const auto judge = [&](const EventRow& stored, Position position) -> Result<Position> {
    if (same_content(stored, wanted)) return position;
    return conflict("event " + std::to_string(row) + ": id " + wanted.id.to_uuid() +
                    " is stored at position " + std::to_string(position) +
                    " with other content; nothing was stored. Send another id for another event");
  };
  const auto judge_stored = [&](const SnapshotChunk& chunk,
                                PositionRange positions) -> Result<Position> {
    FIRN_ASSIGN(const BatchSlice found, find_by_id(lookup.snapshot, chunk, wanted.id, positions));
    if (found.batch == nullptr) return Position{0};
    return judge(event_row(*found.batch, found.row(0)), found.batch->position(found.row(0)));
  };
  const std::vector<Position> recent = ns->recent_ids.find(wanted.id);
  for (const Position position : recent) {
    uint32_t at = 0;
    const RecordBatch* batch_there = find_unpublished(ns, position, &at);
    if (batch_there != nullptr && batch_there->ids(ColumnId::kId)[at] == wanted.id) {
      return judge(event_row(*batch_there, at), position);
    }
  }
  const bool is_listed = !tagger_.has_tag(wanted.id);
  for (const SnapshotChunk& chunk : lookup.chunks) {
    for (const Position position : recent) {
      if (!chunk.owned.contains(position)) continue;
      FIRN_ASSIGN(const Position original, judge_stored(chunk, {position, position + 1}));
      if (original != 0) return original;
    }
    if (is_listed && chunk.in_memory) continue;  // then it was among the recent ones
    FIRN_ASSIGN(const bool may_be_there, lookup.snapshot.may_contain_id(chunk, wanted.id));
    if (!may_be_there) continue;
    FIRN_ASSIGN(const Position original, judge_stored(chunk, chunk.owned));
    if (original != 0) return original;
  }
  return Position{0};
}

const RecordBatch* Sequencer::find_unpublished(NamespaceState* ns, Position position,
                                               uint32_t* row) {
  const auto holds = [&](const RecordBatch& batch, Position first) {
    *row = static_cast<uint32_t>(position - first);
    return position >= first && position - first < batch.rows();
  };
  for (const BatchPtr& flying : ns->in_flight) {
    if (holds(*flying, flying->first_position())) return flying.get();
  }
  for (const Group& group : groups_) {
    if (group.name_space.get() != ns) continue;
    for (const Part& part : group.parts) {
      if (holds(*part.batch, part.first_position)) return part.batch.get();
    }
  }
  return nullptr;
}

void Sequencer::remember_ids(NamespaceState* ns, const std::vector<uint32_t>& rows_with_client_id,
                             const Duplicates& duplicates, const RecordBatch& batch,
                             Position first_position) {
  const auto ids = batch.ids(ColumnId::kId);
  // Rows of the request that turned out to be duplicates are not in the batch that is logged.
  uint32_t skipped = 0, next_request_row = 0;
  for (const uint32_t row : rows_with_client_id) {
    for (; next_request_row < row; ++next_request_row) {
      if (duplicates.original[next_request_row] != 0) ++skipped;
    }
    if (duplicates.original[row] != 0) continue;
    ns->recent_ids.insert(ids[row - skipped], first_position + row - skipped);
  }
}

Result<std::vector<int64_t>> Sequencer::assign_stream_positions(NamespaceState* ns,
                                                                const RecordBatch& batch) {
  std::vector<int64_t> positions;
  if (!batch.has_column(ColumnId::kStream)) return positions;
  const StringColumn streams = batch.strings(ColumnId::kStream);
  // Every head is known before the first is changed, so that a failure changes nothing.
  std::vector<int64_t*> heads(streams.entries(), nullptr);
  positions.assign(batch.rows(), kAbsentInt64);
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    int64_t*& head = heads[streams.entry_of(row)];
    const std::string_view stream = streams[row];
    if (head != nullptr || stream.empty()) continue;
    head = ns->stream_heads.find(stream);
    if (head == nullptr) {
      FIRN_ASSIGN(const int64_t stored, core_->manifest->stream_head(ns->id, stream));
      head = ns->stream_heads.insert(stream, stored);
    }
  }
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    int64_t* head = heads[streams.entry_of(row)];
    if (head != nullptr) positions[row] = (*head)++;
  }
  return positions;
}

void Sequencer::log(const NamespacePtr& name_space, std::unique_ptr<RecordBatch> batch,
                    std::shared_ptr<Commit> commit) {
  WalAppend record;
  if (batch != nullptr) {
    commit->batch = BatchPtr(std::move(batch));
    commit->slices = split_by_interval(*core_, commit->batch);
    name_space->in_flight.push_back(commit->batch);
    record.parts.push_back(commit->batch->encoded());
  }
  commit->name_space = name_space;
  // Taken out before the log can answer on its own thread.
  const std::vector<Commit::Request> early = commit->take_requests(AckLevel::kMemory);
  record.owner = commit;
  record.on_durable = [this, commit](const Status& status, Lsn lsn) {
    on_durable(commit, status, lsn);
  };
  record.on_written = [commit](Lsn) {
    for (const Commit::Request& request :
         commit->take_requests(mutant(2) ? AckLevel::kFsync : AckLevel::kOs)) {
      request.done(request.result);
    }
  };
  outstanding_.fetch_add(1);
  core_->wal->append(std::move(record));
  for (const Commit::Request& request : early) request.done(request.result);
}

void Sequencer::on_durable(const std::shared_ptr<Commit>& commit, const Status& status, Lsn lsn) {
  NamespaceState* ns = commit->name_space.get();
  if (status.ok()) {
    core_->condition.set_disk_full(false);
    if (commit->batch != nullptr) {
      const Position last = commit->batch->last_position();
      core_->wal_needs.note_record(lsn.segment, ns->id, commit->batch->first_position());
      for (const auto& [key, slice] : commit->slices) {
        core_->wal_needs.add(lsn.segment, key, last);
        const auto written = core_->memory->write(key, {&slice, 1}, last);
        FIRN_CHECK(written.ok());
      }
      core_->applied_segment.store(lsn.segment);
      ns->published.store(last);
      core_->subscribers.notify(ns->id, last);
      if (core_->memory_in_use() > core_->options.flush_bytes()) core_->wake_mover();
    }
    commit->answer(Status());
  } else {
    if (status.code() == StatusCode::kNoSpace) {
      core_->condition.set_disk_full(true);
      refused_.store(true);
    } else {
      core_->condition.fence(status);
    }
    commit->answer(status);
  }
  if (outstanding_.fetch_sub(1) != 1) return;
  bool wakes = refused_.load();
  {
    MutexLock lock(&mutex_);
    wakes = std::exchange(holds_queue_, false) || wakes;
  }
  if (wakes) worker_.notify();
}

}  // namespace firn
