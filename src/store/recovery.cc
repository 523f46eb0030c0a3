#include "store/recovery.h"

#include <algorithm>

#include "base/mutant.h"
#include "env/parallel_tasks.h"
#include "wal/open_wal.h"

namespace firn {

namespace {

// Rows of the slice above the watermark; a null batch when there are none.
BatchSlice rows_above(const BatchSlice& slice, Position watermark) {
  const RecordBatch& batch = *slice.batch;
  if (batch.first_position() > watermark) return slice;
  auto rows = std::make_shared<std::vector<uint32_t>>();
  for (uint32_t i = 0; i < slice.rows(); ++i) {
    const uint32_t row = slice.row(i);
    if (batch.position(row) > watermark) rows->push_back(row);
  }
  if (rows->empty()) return {};
  return {slice.batch, std::move(rows)};
}

// Applies the records of the log, one by one.
class Replay {
 public:
  Replay(StoreCore* core, Mover* mover)
      : core_(core),
        mover_(mover),
        tagger_(core->manifest->id_secret()),
        flush_above_(core->options.memory_bytes_max / 4),
        wait_above_(core->options.memory_bytes_max / 8 * 7),
        flushing_(core->env, "flush") {}

  Status apply(Lsn lsn, ByteView payload) {
    FIRN_ASSIGN(std::unique_ptr<RecordBatch> parsed, RecordBatch::parse(payload));
    const BatchPtr batch(std::move(parsed));
    core_->applied_segment.store(lsn.segment);
    const NamespacePtr ns = core_->find_namespace(batch->namespace_id());
    if (ns == nullptr) return Status();  // deleted since
    if (!batch->has_contiguous_positions()) return corruption("a logged batch has position gaps");
    FIRN_TRY(check_order(ns.get(), *batch));
    const Position last = batch->last_position();
    core_->wal_needs.note_record(lsn.segment, *batch);
    const ManifestVersionPtr version = core_->manifest->current();
    bool any = false;
    for (const auto& [key, whole] : split_by_interval(*core_, batch)) {
      const BatchSlice slice = rows_above(whole, mutant(15) ? 0 : version->watermark(key));
      if (slice.batch == nullptr) continue;
      any = true;
      core_->wal_needs.add(lsn.segment, key, last);
      FIRN_TRY(core_->memory->write(key, {&slice, 1}, last).status());
    }
    if (any) {
      FIRN_TRY(remember(ns.get(), *batch));
      core_->count_index(ns.get());
    }
    PositionSequence& sequence = ns->positions(batch->dataset());
    sequence.next = std::max(sequence.next, last + 1);
    // Not further: a flush during the replay must not claim rows that are still to come.
    sequence.published.store(last);
    return relieve();
  }

  // How much of the log is still to be read, about.
  void set_bytes_left(uint64_t bytes) { bytes_left_ = bytes; }

  // After the last record.
  Status finish() { return is_flushing_ ? end_flush() : Status(); }

 private:
  // The log holds a contiguous run of positions of each namespace's datasets.
  Status check_order(NamespaceState* ns, const RecordBatch& batch) {
    Position& expected = expected_[{ns->id, batch.dataset()}];
    const Position next = ns->positions(batch.dataset()).next;
    const Position first = batch.first_position();
    const bool fits = expected == 0 ? first <= next : first == expected;
    if (!fits) {
      return corruption("namespace '" + ns->name + "': the log goes on at position " +
                        std::to_string(first) + " where " +
                        std::to_string(expected == 0 ? next : expected) + " should come");
    }
    expected = batch.last_position() + 1;
    return Status();
  }

  Status remember(NamespaceState* ns, const RecordBatch& batch) {
    const auto ids = batch.ids(ColumnId::kId);
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      const Id& id = ids[row];
      if (!id.is_zero() && !tagger_.has_tag(id)) ns->recent_ids.insert(id, batch.position(row));
    }
    if (!batch.has_column(ColumnId::kStreamPosition)) return Status();
    const StringColumn streams = batch.strings(ColumnId::kStream);
    const auto positions = batch.int64s(ColumnId::kStreamPosition);
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      if (positions[row] == kAbsentInt64) continue;
      int64_t* head = ns->stream_heads.find(streams[row], batch.last_position());
      if (head == nullptr) {
        // Later rows of the stream may lie in another interval, which was flushed already.
        FIRN_ASSIGN(const int64_t stored, core_->manifest->stream_head(ns->id, streams[row]));
        head = ns->stream_heads.insert(streams[row], stored, batch.last_position());
      }
      *head = std::max(*head, positions[row] + 1);
    }
    return Status();
  }

  // Keeps memory within its budget although the log may be larger: the reading waits from seven
  // eighths of it on. So that it seldom has to, what will not fit is flushed beside it, early.
  Status relieve() {
    if (core_->options.read_only) return Status();
    if (is_flushing_ && flushing_.is_done()) FIRN_TRY(end_flush());
    while (core_->memory_in_use() > wait_above_) {
      if (!is_flushing_) begin_flush();
      FIRN_TRY(end_flush());
      if (!flushed_) return Status();
    }
    const uint64_t in_use = core_->memory_in_use();
    const bool will_fit = in_use + bytes_left_ <= wait_above_;
    if (!is_flushing_ && !will_fit && in_use > flush_above_) begin_flush();
    return Status();
  }

  void begin_flush() {
    is_flushing_ = true;
    flushing_.begin({[this] { flush_result_ = mover_->flush_largest(); }});
  }

  Status end_flush() {
    flushing_.finish();
    is_flushing_ = false;
    const uint64_t budget = core_->options.memory_bytes_max;
    const StatusCode code = flush_result_.status().code();
    flushed_ = flush_result_.ok() && *flush_result_;
    // The tier cannot take rows now, or holds some already that are still to be replayed. To serve
    // what is there matters more than the budget.
    const bool may_go_on = code == StatusCode::kUnavailable ||
                           code == StatusCode::kOutcomeUnknown || code == StatusCode::kNoSpace;
    if (!flush_result_.ok() && !may_go_on) return flush_result_.status();
    const uint64_t in_use = flushed_ ? 0 : core_->memory_in_use() + budget / 16;
    flush_above_ = std::max(budget / 4, in_use);
    wait_above_ = std::max(budget / 8 * 7, in_use);
    for (const NamespacePtr& ns : core_->all_namespaces()) core_->prune_index(ns.get());
    return Status();
  }

  StoreCore* core_;
  Mover* mover_;
  IdTagger tagger_;
  std::map<std::pair<NamespaceId, Dataset>, Position> expected_;
  uint64_t flush_above_, wait_above_;  // bytes of memory in use
  uint64_t bytes_left_ = 0;
  bool is_flushing_ = false;
  bool flushed_ = false;  // by the last flush
  Result<bool> flush_result_ = false;
  ParallelTasks flushing_;  // last: its task uses the rest
};

}  // namespace

Status load_namespaces(StoreCore* core) {
  MutexLock lock(&core->namespaces_mutex);
  for (const NamespaceRecord& record : core->manifest->namespaces()) {
    auto state = std::make_shared<NamespaceState>(record.id, record.name);
    state->retention_ns.store(record.retention_ns);
    state->series_limit.store(record.series_limit);
    state->created_at.store(record.created_at);
    state->set_profile(record.profile);
    for (size_t i = 0; i < kDatasetCount; ++i) {
      PositionSequence& sequence = state->sequences[i];
      sequence.next = mutant(13) ? 1 : record.next_positions[i];
      sequence.published.store(sequence.next - 1);
    }
    core->namespaces_by_name.emplace(record.name, state);
    core->namespaces_by_id.emplace(record.id, state);
  }
  return Status();
}

Status check_chunk_tiers(const StoreCore& core) {
  for (const auto& [key, record] : core.manifest->current()->chunks) {
    if (record->state == ChunkState::kDropped || core.find_tier(record->tier) != nullptr) continue;
    return invalid_argument("chunk " + key.name() + " is in tier '" + record->tier +
                            "', which the configuration does not have; put the tier back");
  }
  return Status();
}

Status replay_log(StoreCore* core, Mover* mover, const Store::Progress& progress) {
  Replay replay(core, mover);
  const auto note_progress = [&](uint64_t bytes_done, uint64_t bytes_total) {
    replay.set_bytes_left(bytes_total - bytes_done);
    if (progress) progress(bytes_done, bytes_total);
  };
  Status status = core->wal->replay(
      core->manifest->wal_begin(),
      [&](Lsn lsn, ByteView payload) { return replay.apply(lsn, payload); }, note_progress);
  const Status flushed = replay.finish();
  if (status.ok()) status = flushed;
  for (const NamespacePtr& ns : core->all_namespaces()) {
    for (PositionSequence& sequence : ns->sequences) sequence.published.store(sequence.next - 1);
    core->count_index(ns.get());
  }
  if (status.ok()) return Status();
  if (status.code() != StatusCode::kCorruption) return status;
  core->condition.make_read_only(corruption(
      "the log in " + join_path(core->options.data_dir, "wal") +
      " is damaged, so the store is open for reading only: " + std::string(status.message()) +
      ". Run firn verify to see what is affected"));
  return Status();
}

VerifyReport verify_store(StoreCore* core, const Store::Progress& progress) {
  VerifyReport report;
  const auto found = [&](std::string where, Status status) {
    if (!status.ok()) report.findings.push_back({std::move(where), std::move(status)});
  };
  found(join_path(core->options.data_dir, "manifest.db"), core->manifest->verify());
  const Result<std::vector<WalDamage>> log_damage =
      verify_wal(core->env, join_path(core->options.data_dir, "wal"));
  if (!log_damage.ok()) {
    found(join_path(core->options.data_dir, "wal"), log_damage.status());
  } else {
    for (const WalDamage& damage : *log_damage) {
      if (!damage.acknowledged) continue;
      found(damage.file,
            corruption("offset " + std::to_string(damage.offset) + ": " + damage.reason));
    }
  }
  report.log_records = core->wal->stats().records;
  for (const StrayChunk& stray : core->stray_chunks.all()) {
    found(stray.key.name(), corruption(stray.describe()));
  }
  const ManifestVersionPtr version = core->manifest->current();
  uint64_t done = 0;
  for (const auto& [key, record] : version->chunks) {
    if (progress) progress(done++, version->chunks.size());
    if (record->state == ChunkState::kDropped) continue;
    const Result<ChunkStats> stats = core->find_tier(record->tier)->verify(key);
    if (!stats.ok()) {
      found(key.name(), stats.status());
      continue;
    }
    ++report.chunks;
    report.rows += stats->rows;
    // An unfinished flush may have left more rows than the manifest knows; never fewer.
    const bool same =
        stats->rows == record->stats.rows && stats->checksum == record->stats.checksum;
    if (same || stats->watermark > record->stats.watermark) continue;
    found(key.name(), corruption("has " + std::to_string(stats->rows) +
                                 " rows or another checksum, the manifest says " +
                                 std::to_string(record->stats.rows) + " rows"));
  }
  return report;
}

}  // namespace firn
