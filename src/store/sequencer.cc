#include "store/sequencer.h"

#include <algorithm>

#include "base/mutant.h"

namespace firn {

namespace {

// Requests up to this size are joined: copying their rows is cheaper than a record of their own.
constexpr uint32_t kJoinedRequestRowsMax = 16;
constexpr size_t kJoinedRequestBytesMax = 64 * kKiB;
// A group of joined requests is full.
constexpr uint32_t kGroupRowsMax = 1024;

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

std::optional<AckLevel> parse_ack_level(std::string_view name) {
  for (const AckLevel level : {AckLevel::kFsync, AckLevel::kOs, AckLevel::kMemory}) {
    if (name == ack_level_name(level)) return level;
  }
  return std::nullopt;
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
    Status refusal;       // instead of the result, once everything before it is durable
    AppendCallback done;  // null once it was called
  };
  std::vector<Request> requests;  // in the order of their positions
  size_t bytes = 0;               // of core->queued_bytes

  // The callbacks are taken out first, because the log may answer the others on its own thread.
  std::vector<Request> take_requests(AckLevel ack) {
    std::vector<Request> taken;
    for (Request& request : requests) {
      if (request.result.ack != ack || !request.done) continue;
      taken.push_back({request.result, request.refusal, std::exchange(request.done, nullptr)});
    }
    return taken;
  }
  // Answers everyone who waits: with the own result or refusal when `status` is ok.
  void answer(const Status& status) {
    for (Request& request : requests) {
      const AppendCallback callback = std::exchange(request.done, nullptr);
      if (!callback) continue;
      const Status& failure = status.ok() ? request.refusal : status;
      if (failure.ok()) {
        callback(request.result);
      } else {
        callback(failure);
      }
    }
  }
  // The batch is in memory's tier, or nowhere: it is counted there, and not here any more.
  void leave_queue() { core->queued_bytes.fetch_sub(std::exchange(bytes, 0)); }
  ~Commit() {
    leave_queue();
    answer(
        outcome_unknown("the store was closed before the append was confirmed; repeat it with "
                        "the same ids to be sure"));
  }
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
    is_stopped_ = true;
    left.swap(queue_);
  }
  for (Pending& pending : left) cancel(&pending);
}

void Sequencer::cancel(Pending* pending) {
  core_->queued_bytes.fetch_sub(pending->bytes);
  pending->done(cancelled("the store is closing; nothing of this append was stored"));
}

void Sequencer::prune() {
  prunes_.store(true);
  worker_.notify();
}

bool Sequencer::may_join(const AppendRequest& request) {
  return request.batch->rows() <= kJoinedRequestRowsMax &&
         request.batch->size_bytes() <= kJoinedRequestBytesMax;
}

bool Sequencer::may_wait() const { return !queue_is_urgent_ && queued_rows_ < kGroupRowsMax; }

void Sequencer::submit(NamespacePtr name_space, AppendRequest request, AppendCallback done) {
  const size_t bytes = request.batch->size_bytes();
  core_->queued_bytes.fetch_add(bytes);
  Pending pending{std::move(name_space), std::move(request), std::move(done), bytes, {}};
  bool wakes = false, is_stopped = false;
  {
    MutexLock lock(&mutex_);
    is_stopped = is_stopped_;
    if (!is_stopped) wakes = add_to_queue(std::move(pending));
  }
  if (is_stopped) return cancel(&pending);
  if (wakes) worker_.notify();
}

bool Sequencer::add_to_queue(Pending pending) {
  bool wakes = queue_.empty();
  const AppendRequest& request = pending.request;
  queued_rows_ += request.batch->rows();
  if (request.ack != AckLevel::kFsync || !may_join(request)) queue_is_urgent_ = true;
  queue_.push_back(std::move(pending));
  if (holds_queue_ && !may_wait()) {
    holds_queue_ = false;
    wakes = true;
  }
  return wakes;
}

std::vector<Sequencer::Pending> Sequencer::take_queue() {
  std::vector<Pending> taken;
  MutexLock lock(&mutex_);
  // The log's last answer wakes us, see on_durable(). Not when that would be the answer of the
  // group after the next: then what waits here goes into the next one.
  holds_queue_ =
      !queue_.empty() && outstanding_.load() != 0 && may_wait() && !core_->wal->next_group_begun();
  if (holds_queue_) return taken;
  taken.swap(queue_);
  queued_rows_ = 0;
  queue_is_urgent_ = false;
  return taken;
}

void Sequencer::step() {
  if (refused_.load() && !resume_after_refusal()) return;
  std::vector<Pending> taken = take_queue();
  search_chunks(&taken);
  for (Pending& pending : taken) sequence(std::move(pending));
  close_groups();
  if (!prunes_.exchange(false)) return;
  for (const NamespacePtr& ns : core_->all_namespaces()) prune_in_flight(ns.get());
}

bool Sequencer::resume_after_refusal() {
  // The last answer of the log wakes us again.
  if (outstanding_.load() != 0) return false;
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    take_back(ns.get());
    core_->count_index(ns.get());
  }
  refused_.store(false);
  core_->wal->resume();
  return true;
}

// What the log refused: positions, stream positions and ids that nobody saw.
void Sequencer::take_back(NamespaceState* ns) {
  for (PositionSequence& sequence : ns->sequences) {
    const Position published = sequence.published.load();
    while (!sequence.in_flight.empty() && sequence.in_flight.back()->first_position() > published) {
      const RecordBatch& batch = *sequence.in_flight.back();
      if (batch.has_column(ColumnId::kStreamPosition) && !mutant(11)) {
        const auto positions = batch.int64s(ColumnId::kStreamPosition);
        const StringColumn streams = batch.strings(ColumnId::kStream);
        // From the last row to the first, so that the smallest position given out is what stays.
        for (uint32_t row = batch.rows(); row-- > 0;) {
          if (positions[row] == kAbsentInt64) continue;
          *ns->stream_heads.find(streams[row], published) = positions[row];
        }
      }
      sequence.in_flight.pop_back();
    }
    sequence.next = published + 1;
  }
  ns->recent_ids.forget_after(ns->positions(Dataset::kEvents).published.load());
}

void Sequencer::prune_in_flight(NamespaceState* ns) {
  for (PositionSequence& sequence : ns->sequences) {
    const Position published = sequence.published.load();
    while (!sequence.in_flight.empty() &&
           sequence.in_flight.front()->last_position() <= published) {
      sequence.in_flight.pop_front();
    }
  }
  core_->prune_index(ns);
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
  const AppendRequest& request = pending.request;
  Result<Duplicates> duplicates = find_duplicates(ns, pending);
  const uint32_t rows = request.batch->rows();
  Status status = duplicates.status();
  if (status.ok() && duplicates->count < rows) status = check_versions(ns, request);
  if (status.code() == StatusCode::kConflict) {
    return answer_when_durable(group, &pending, AppendResult{}, status);
  }
  if (!status.ok()) return fail(status);
  const bool joins = may_join(request);
  std::unique_ptr<RecordBatch> batch = std::move(pending.request.batch);
  if (duplicates->count == rows) {
    batch.reset();
  } else if (duplicates->count > 0) {
    std::vector<uint32_t> fresh;
    for (uint32_t row = 0; row < rows; ++row) {
      if (duplicates->original[row].position == 0) fresh.push_back(row);
    }
    batch = take_rows(*batch, fresh);
  }

  if (!joins || group->rows + rows > kGroupRowsMax) close_group(group);
  AppendResult result;
  result.count = rows;
  result.duplicates = duplicates->count;
  result.ack = request.ack;
  status = give_positions(group, std::move(batch), request, *duplicates, &result);
  if (!status.ok()) return fail(status);
  answer_when_durable(group, &pending, result, Status());
  if (!joins) close_group(group);
}

// A refusal waits like a result: it tells of rows that may not be durable yet, and that a crash or
// a log without space may still take back.
void Sequencer::answer_when_durable(Group* group, Pending* pending, const AppendResult& result,
                                    const Status& refusal) {
  if (group->commit == nullptr) {
    group->commit = std::make_shared<Commit>();
    group->commit->core = core_;
  }
  group->commit->requests.push_back({result, refusal, std::move(pending->done)});
  group->commit->bytes += pending->bytes;
}

Status Sequencer::give_positions(Group* group, std::unique_ptr<RecordBatch> batch,
                                 const AppendRequest& request, const Duplicates& duplicates,
                                 AppendResult* result) {
  NamespaceState* ns = group->name_space.get();
  Position& next = ns->positions(group->dataset).next;
  Part part;
  if (batch != nullptr) {
    FIRN_ASSIGN(part.stream_positions, assign_stream_positions(ns, *batch));
    part.first_position = next;
  }
  if (request.details != nullptr) {
    request.details->rows = row_positions(duplicates, part, result->count);
  }
  Position first = UINT64_MAX, last = 0;
  for (const RowPosition& original : duplicates.original) {
    if (original.position == 0) continue;
    first = std::min(first, original.position);
    last = std::max(last, original.position);
  }
  if (batch != nullptr) {
    first = std::min(first, next);
    next += batch->rows();
    last = std::max(last, next - 1);
    remember_ids(ns, request.rows_with_client_id, duplicates, *batch, part.first_position);
    group->rows += batch->rows();
    part.batch = std::move(batch);
    group->parts.push_back(std::move(part));
  }
  result->first_position = first;
  result->last_position = last;
  return Status();
}

std::vector<RowPosition> Sequencer::row_positions(const Duplicates& duplicates, const Part& part,
                                                  uint32_t count) {
  std::vector<RowPosition> rows = duplicates.original;
  rows.resize(count);
  uint32_t fresh = 0;
  for (RowPosition& row : rows) {
    if (row.position != 0) continue;
    row.position = part.first_position + fresh;
    if (!part.stream_positions.empty()) row.stream_position = part.stream_positions[fresh];
    ++fresh;
  }
  for (const auto& [row, first_row] : duplicates.repeats) rows[row] = rows[first_row];
  return rows;
}

Sequencer::Group* Sequencer::group_of(const NamespacePtr& ns, Dataset dataset) {
  for (Group& group : groups_) {
    if (group.name_space == ns && group.dataset == dataset) return &group;
  }
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
    core_->count_index(group.name_space.get());
  }
  groups_.clear();
}

void Sequencer::remember_ids(NamespaceState* ns, const std::vector<uint32_t>& rows_with_client_id,
                             const Duplicates& duplicates, const RecordBatch& batch,
                             Position first_position) {
  const auto ids = batch.ids(ColumnId::kId);
  // Rows of the request that turned out to be duplicates are not in the batch that is logged.
  uint32_t skipped = 0, next_request_row = 0;
  for (const uint32_t row : rows_with_client_id) {
    for (; next_request_row < row; ++next_request_row) {
      if (duplicates.original[next_request_row].position != 0) ++skipped;
    }
    if (duplicates.original[row].position != 0) continue;
    ns->recent_ids.insert(ids[row - skipped], first_position + row - skipped);
  }
}

Result<int64_t*> Sequencer::find_head(NamespaceState* ns, std::string_view stream, uint32_t rows,
                                      bool insert) {
  const Position through = ns->positions(Dataset::kEvents).next + rows;
  int64_t* head = ns->stream_heads.find(stream, through);
  if (head != nullptr) return head;
  FIRN_ASSIGN(const int64_t stored, core_->manifest->stream_head(ns->id, stream));
  if (stored == 0 && !insert) return head;
  return ns->stream_heads.insert(stream, stored, through);
}

Status Sequencer::check_versions(NamespaceState* ns, const AppendRequest& request) {
  for (const ExpectedVersion& wanted : request.expected_versions) {
    // Streams that do not exist are not kept: their names cost whoever asks nothing.
    FIRN_ASSIGN(const int64_t* head,
                find_head(ns, wanted.stream, request.batch->rows(), wanted.version == -1));
    const int64_t actual = head == nullptr ? -1 : *head - 1;
    if (actual == wanted.version) continue;
    if (request.details != nullptr) {
      request.details->version_conflict = {wanted.stream, wanted.version, actual};
    }
    return conflict("stream '" + wanted.stream + "' has version " + std::to_string(actual) +
                    ", not the expected " + std::to_string(wanted.version) +
                    " (-1: no event); nothing was stored. Read the stream and decide again");
  }
  return Status();
}

Result<std::vector<int64_t>> Sequencer::assign_stream_positions(NamespaceState* ns,
                                                                const RecordBatch& batch) {
  std::vector<int64_t> positions;
  if (!batch.has_column(ColumnId::kStream)) return positions;
  const StringColumn streams = batch.strings(ColumnId::kStream);
  // Every head is known before the first is changed, so that a failure changes nothing.
  std::vector<std::string_view> names(streams.entries());
  std::vector<int64_t*> heads(streams.entries(), nullptr);
  for (uint32_t entry = 0; entry < streams.entries(); ++entry) names[entry] = streams.entry(entry);
  ns->stream_heads.find_all(names, ns->positions(Dataset::kEvents).next + batch.rows(), heads);
  positions.assign(batch.rows(), kAbsentInt64);
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    int64_t*& head = heads[streams.entry_of(row)];
    if (head != nullptr || streams[row].empty()) continue;
    FIRN_ASSIGN(head, find_head(ns, streams[row], batch.rows(), true));
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
    name_space->positions(commit->batch->dataset()).in_flight.push_back(commit->batch);
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
      core_->wal_needs.note_record(lsn.segment, *commit->batch);
      for (const auto& [key, slice] : commit->slices) {
        core_->wal_needs.add(lsn.segment, key, last);
        const auto written = core_->memory->write(key, {&slice, 1}, last);
        FIRN_CHECK(written.ok());
      }
      commit->leave_queue();
      core_->applied_segment.store(lsn.segment);
      ns->positions(commit->batch->dataset()).published.store(last);
      if (core_->memory_in_use() > core_->options.flush_bytes()) core_->wake_mover();
    }
    commit->answer(Status());
    if (commit->batch != nullptr) {
      core_->subscribers.notify(ns->id, commit->batch->dataset(), commit->batch->last_position());
    }
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
