#include "store/mover.h"

#include <algorithm>
#include <set>

#include "base/mutant.h"
#include "model/checksum.h"

namespace firn {

namespace {

constexpr DurationNs kRetryNs = 1 * kSecondNs;
constexpr DurationNs kFailedChunkRetryNs = 10 * kMinuteNs;
constexpr DurationNs kUnavailableRetryNs = 5 * kSecondNs;  // nothing is wrong with the chunk

bool ended_before(const ChunkKey& key, TimeNs now, DurationNs age) {
  if (age == kForever) return false;
  TimeNs due = 0;
  return !__builtin_add_overflow(mutant(20) ? key.start : key.end, age, &due) && due <= now;
}

}  // namespace

void Mover::stop() {
  core_->stopping.store(true);
  worker_.stop();
  std::deque<Queued> left;
  {
    MutexLock lock(&mutex_);
    left.swap(queue_);
  }
  for (Queued& queued : left) queued.done({cancelled("the store is closing"), {}});
}

void Mover::start() {
  worker_.start(core_->env, "mover", [this] { step(); });
  worker_.notify();
}

void Mover::wake() { worker_.notify(); }

void Mover::submit(ChunkCommand command, ChunkCommandCallback done) {
  {
    MutexLock lock(&mutex_);
    queue_.push_back({std::move(command), std::move(done)});
  }
  wake();
}

void Mover::step() {
  std::optional<Queued> next;
  {
    MutexLock lock(&mutex_);
    if (!queue_.empty()) {
      next = std::move(queue_.front());
      queue_.pop_front();
    }
  }
  if (next.has_value()) {
    next->done(execute(next->command));
    worker_.notify();
    return;
  }
  const Status status = run_policies();
  core_->condition.set_mover_error(status);
  worker_.notify_after(status.ok() ? core_->options.mover_interval_ns : kRetryNs);
}

void Mover::check_reserve() {
  const Result<uint64_t> free_bytes = core_->env->free_space(core_->options.data_dir);
  if (!free_bytes.ok()) return;  // the log asks for itself before it grows
  core_->condition.set_reserve_used(*free_bytes < core_->options.disk_reserve_bytes);
}

Status Mover::run_policies() {
  check_reserve();
  FIRN_TRY(core_->manifest->settle());
  // One policy that fails does not stop the others: dropping old chunks may be what frees the disk
  // that a flush is waiting for.
  Status first;
  const auto keep_first = [&](const Status& status) {
    if (first.ok()) first = status;
  };
  keep_first(leftovers_.sweep_late());
  keep_first(forget_deleted_namespaces());
  keep_first(relieve_pressure());
  keep_first(flush_aged());
  keep_first(clock_.check());
  if (!core_->condition.clock_suspect()) keep_first(apply_keep());
  keep_first(remove_unfinished());
  keep_first(remove_unused());
  keep_first(trim_log());
  return first;
}

size_t Mover::tier_index(std::string_view name) const {
  for (size_t i = 0; i < core_->tiers.size(); ++i) {
    if (core_->tiers[i]->name() == name) return i;
  }
  return core_->tiers.size();
}

std::vector<MemoryChunkInfo> Mover::memory_chunks(const NamespacePtr& ns) const {
  return core_->memory->snapshot().chunks(ns->id);
}

Status Mover::flush_aged() {
  const DurationNs keep = core_->options.tiers[0].keep_ns;
  if (core_->tiers.size() < 2 || keep == kForever) return Status();
  const TimeNs now = core_->env->monotonic();
  Status first;
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    for (const MemoryChunkInfo& chunk : memory_chunks(ns)) {
      if (chunk.arrived_at + keep > now || must_wait(chunk.key)) continue;
      settle_chunk(chunk.key, flush_chunk(ns, chunk.key), &first);
    }
  }
  return first;
}

bool Mover::must_wait(const ChunkKey& key) {
  const auto found = failed_until_.find(key);
  if (found == failed_until_.end()) return false;
  if (found->second > core_->env->monotonic()) return true;
  failed_until_.erase(found);
  return false;
}

void Mover::settle_chunk(const ChunkKey& key, const Status& status, Status* first) {
  if (status.ok()) return;
  const bool is_away =
      status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kOutcomeUnknown;
  failed_until_[key] =
      core_->env->monotonic() + (is_away ? kUnavailableRetryNs : kFailedChunkRetryNs);
  if (first->ok()) *first = status;
}

// The flush that is tried again may get another generation, and then nobody names the first.
Status Mover::remove_unfinished() {
  FIRN_TRY(core_->manifest->settle());  // a commit without known outcome may name it
  const ManifestVersionPtr version = core_->manifest->current();
  for (auto it = unfinished_.begin(); it != unfinished_.end();) {
    const ChunkKey key = *it;
    if (key.generation == core_->manifest->next_generation()) {
      ++it;  // the next try goes on with it
      continue;
    }
    it = unfinished_.erase(it);
    if (!version->chunks.contains(key)) {
      FIRN_TRY(leftovers_.settle(core_->tiers[1].get(), key));
    }
  }
  return Status();
}

Status Mover::seal_chunk(ChunkRecordPtr* record) {
  if ((*record)->state == ChunkState::kSealed) return Status();
  const ChunkKey key = (*record)->key;
  // A flush that was interrupted before its manifest commit left rows in the tier that are still
  // memory's. Flushing once more settles them, so that the sealed chunk is exactly its record.
  ChunkKey interval = key;
  interval.generation = 0;
  const NamespacePtr ns = core_->find_namespace(key.namespace_id);
  if (ns == nullptr) return not_found("the namespace of chunk " + key.name() + " was deleted");
  FIRN_TRY(flush_chunk(ns, interval));
  const ManifestVersionPtr version = core_->manifest->current();
  const auto flushed = version->chunks.find(key);
  if (flushed == version->chunks.end()) return not_found("chunk " + key.name() + " was dropped");
  ChunkRecord sealed = *flushed->second;
  FIRN_ASSIGN(sealed.stats, core_->find_tier(sealed.tier)->seal(key));
  if (sealed.stats.watermark != flushed->second->stats.watermark) {
    return corruption("chunk " + key.name() + " in tier " + sealed.tier +
                      " holds rows that neither the manifest nor the log knows");
  }
  sealed.state = ChunkState::kSealed;
  sealed.changed_at = core_->env->now();
  FIRN_TRY(core_->manifest->commit_chunk(std::move(sealed), {}));
  const ManifestVersionPtr after = core_->manifest->current();
  const auto found = after->chunks.find(key);
  if (found == after->chunks.end()) return not_found("chunk " + key.name() + " was dropped");
  *record = found->second;
  return Status();
}

Result<ChunkStats> Mover::copy_chunk(const ChunkRecord& record, Tier* source, Tier* target) {
  ScanSpec spec;
  spec.order = ScanOrder::kPositionAscending;
  spec.filter.positions = {0, record.stats.watermark + 1};
  spec.complete_through = record.stats.watermark;
  FIRN_ASSIGN(const auto reader, source->scan(record.key, spec, nullptr));
  std::vector<BatchSlice> slices;
  uint64_t bytes = 0, rows = 0, checksum = 0;
  while (true) {
    BatchSlice slice;
    if (core_->stopping.load()) return cancelled("the store is closing");
    FIRN_ASSIGN(const bool more, reader->next(&slice));
    if (!more) break;
    bytes += slice.batch->size_bytes();
    rows += slice.rows();
    checksum += rows_checksum(slice);
    slices.push_back(std::move(slice));
    if (bytes < core_->options.move_bytes()) continue;
    const BatchSlice& last = slices.back();
    const Position through = last.batch->position(last.row(last.rows() - 1));
    FIRN_TRY(target->write(record.key, slices, through).status());
    slices.clear();
    bytes = 0;
  }
  if (rows != record.stats.rows || checksum != record.stats.checksum) {
    return corruption("chunk " + record.key.name() + " in tier " + record.tier + " has " +
                      std::to_string(rows) + " rows, the manifest says " +
                      std::to_string(record.stats.rows) +
                      ", or their checksum differs; it was not moved. Run firn verify");
  }
  return target->write(record.key, slices, record.stats.watermark);
}

Status Mover::move_chunk(const ChunkRecordPtr& open_record, size_t target_index) {
  ChunkRecordPtr record = open_record;
  Tier* source = core_->find_tier(record->tier);
  Tier* target = core_->tiers[target_index].get();
  FIRN_TRY(leftovers_.check_swept(target));
  FIRN_TRY(seal_chunk(&record));
  FIRN_TRY(check_complete(source, *record));
  // What an interrupted move left behind.
  FIRN_TRY(target->drop(record->key));
  FIRN_TRY(copy_chunk(*record, source, target).status());
  FIRN_TRY(target->seal(record->key).status());
  if (mutant(9)) FIRN_TRY(source->drop(record->key));
  FIRN_ASSIGN(const ChunkStats stored, target->verify(record->key));
  if (stored.rows != record->stats.rows || stored.checksum != record->stats.checksum) {
    return corruption("chunk " + record->key.name() + " reads back differently from tier " +
                      std::string(target->name()) + "; it stays in tier " + record->tier);
  }
  ChunkRecord moved = *record;
  moved.tier = target->name();
  moved.stats = stored;
  moved.stats.watermark = record->stats.watermark;
  moved.changed_at = core_->env->now();
  return core_->manifest->commit_chunk(std::move(moved), {});
}

bool Mover::is_needed_by_samples(const ChunkKey& key) const {
  if (key.dataset != Dataset::kSeries) return false;
  const auto is_same_interval = [&](const ChunkKey& other) {
    return other.namespace_id == key.namespace_id && other.dataset == Dataset::kSamples &&
           other.start == key.start;
  };
  const MemorySnapshot memory = core_->memory->snapshot();  // first: rows go from here to chunks
  for (const MemoryChunkInfo& chunk : memory.chunks(key.namespace_id)) {
    if (is_same_interval(chunk.key) && chunk.stats.rows > 0) return true;
  }
  ChunkKey first = key;
  first.dataset = Dataset::kSamples;
  first.end = INT64_MIN;
  first.generation = 0;
  const ManifestVersionPtr version = core_->manifest->current();
  for (auto it = version->chunks.lower_bound(first);
       it != version->chunks.end() && is_same_interval(it->first); ++it) {
    if (it->second->state != ChunkState::kDropped) return true;
  }
  return false;
}

Status Mover::drop_chunk(const ChunkRecordPtr& record) {
  if (is_needed_by_samples(record->key)) {
    return conflict("chunk " + record->key.name() +
                    " defines series of samples that are still there; drop those first");
  }
  if (record->key.dataset == Dataset::kSeries) {
    core_->known_series->forget(record->key.namespace_id, record->key.start);
  }
  ChunkRecord dropped = *record;
  dropped.state = ChunkState::kDropped;
  dropped.changed_at = core_->env->now();
  log_may_shrink_ = true;
  return core_->manifest->commit_chunk(std::move(dropped), {});
}

Status Mover::drop_from_memory(const NamespacePtr& ns, const ChunkKey& interval) {
  const Position through = ns->positions(interval.dataset).published.load();
  if (is_needed_by_samples(interval)) {
    return conflict("samples of the interval of " + interval.name() + " are still in memory");
  }
  if (interval.dataset == Dataset::kSeries) {
    core_->known_series->forget(interval.namespace_id, interval.start);
  }
  const ManifestVersionPtr version = core_->manifest->current();
  if (version->watermark(interval) < through) {
    Collected rows;  // the streams go on counting behind what is dropped
    FIRN_TRY(collect(core_->memory->snapshot(), interval, {0, through + 1}, UINT64_MAX, &rows));
    ChunkRecord tombstone;
    tombstone.key = interval;
    tombstone.key.generation = core_->manifest->next_generation();
    tombstone.tier = core_->memory->name();
    tombstone.state = ChunkState::kDropped;
    tombstone.stats.watermark = through;
    tombstone.stats.time_min = interval.start;
    tombstone.stats.time_max = interval.start;
    tombstone.created_at = tombstone.changed_at = core_->env->now();
    FIRN_TRY(core_->manifest->commit_chunk(std::move(tombstone), rows.extras));
  }
  core_->memory->release(interval, through);
  log_may_shrink_ = true;
  update_flushed_through();
  return Status();
}

// Moves chunks on that are older than their tier keeps them, and drops those that are older than
// the last tier or their namespace keeps them. A chunk that fails is tried again after a while, so
// that one damaged chunk does not keep the mover busy.
Status Mover::apply_keep() {
  const TimeNs now = core_->env->now();
  Status first;
  const auto settle = [&](const ChunkKey& key, const Status& status) {
    settle_chunk(key, status, &first);
  };
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    const bool memory_is_last = core_->tiers.size() == 1;
    for (const MemoryChunkInfo& chunk : memory_chunks(ns)) {
      const bool over = ended_before(chunk.key, now, ns->retention_ns.load());
      if (memory_is_last && is_needed_by_samples(chunk.key)) continue;
      if (memory_is_last &&
          (over || ended_before(chunk.key, now, core_->options.tiers[0].keep_ns))) {
        settle(chunk.key, drop_from_memory(ns, chunk.key));
      } else if (over && !must_wait(chunk.key)) {
        settle(chunk.key, flush_chunk(ns, chunk.key));  // and dropped below
      }
    }
  }
  const ManifestVersionPtr version = core_->manifest->current();
  for (const auto& [key, record] : version->chunks) {
    if (record->state == ChunkState::kDropped || must_wait(key)) continue;
    const NamespacePtr ns = core_->find_namespace(key.namespace_id);
    const size_t index = tier_index(record->tier);
    const bool tier_is_over = ended_before(key, now, core_->options.tiers[index].keep_ns);
    const bool is_last = index + 1 == core_->tiers.size();
    if ((ns != nullptr && ended_before(key, now, ns->retention_ns.load())) ||
        (tier_is_over && is_last)) {
      if (!is_needed_by_samples(key)) settle(key, drop_chunk(record));
    } else if (tier_is_over) {
      settle(key, move_chunk(record, index + 1));
    }
  }
  return first;
}

Status Mover::forget_deleted_namespaces() {
  for (const MemoryChunkInfo& chunk : core_->memory->snapshot().chunks()) {
    if (core_->find_namespace(chunk.key.namespace_id) != nullptr) continue;
    FIRN_TRY(core_->memory->drop(chunk.key));
    log_may_shrink_ = true;
  }
  return Status();
}

Status Mover::remove_unused() {
  std::vector<std::pair<std::string, ChunkKey>> unused;
  {
    MutexLock lock(&core_->unused->mutex);
    unused.swap(core_->unused->chunks);
  }
  Status first;
  for (const auto& [tier_name, key] : unused) {
    Tier* tier = core_->find_tier(tier_name);
    if (tier == nullptr || !tier->is_durable()) continue;
    const Status status = tier->drop(key);
    if (status.ok()) continue;
    if (first.ok()) first = status;
    MutexLock lock(&core_->unused->mutex);
    core_->unused->chunks.emplace_back(tier_name, key);  // tried again at the next look
  }
  return first;
}

// Those that no record of the log from the segment on can contradict, and whose chunks are in no
// tier: a chunk without its tombstone would look like one that the manifest has lost.
Result<std::vector<ChunkKey>> Mover::needless_tombstones(const ManifestVersion& version,
                                                         uint64_t segment) {
  std::vector<ChunkKey> needless;
  for (const auto& [key, record] : version.chunks) {
    if (record->state != ChunkState::kDropped) continue;
    const std::optional<Position> first =
        core_->wal_needs.first_position_from(segment, key.namespace_id, key.dataset);
    const bool is_deleted = core_->find_namespace(key.namespace_id) == nullptr;
    if (!is_deleted && first.has_value() && record->stats.watermark >= *first) continue;
    needless.push_back(key);
  }
  return stored_nowhere(*core_, std::move(needless));
}

Status Mover::trim_log() {
  if (!log_may_shrink_ || core_->condition.fenced()) return Status();
  const ManifestVersionPtr version = core_->manifest->current();
  // Read before the needs: every record in an earlier segment has told its needs by then.
  const uint64_t applied = core_->applied_segment.load();
  const std::optional<uint64_t> needed = core_->wal_needs.first_needed(
      *version, [&](NamespaceId id) { return core_->find_namespace(id) != nullptr; });
  const bool limited = needed.has_value() && !mutant(5);
  const Lsn begin{limited ? std::min(*needed, applied) : applied, 0};
  if (begin <= core_->manifest->wal_begin() || begin <= core_->wal->begin()) {
    log_may_shrink_ = false;
    return Status();
  }
  std::vector<NextPosition> next_positions;
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    for (const Dataset dataset : kDatasets) {
      const Position published = ns->positions(dataset).published.load();
      if (published > 0) next_positions.push_back({ns->id, dataset, published + 1});
    }
  }
  FIRN_ASSIGN(const std::vector<ChunkKey> needless, needless_tombstones(*version, begin.segment));
  FIRN_TRY(core_->manifest->commit_trim(begin, next_positions, needless));
  FIRN_TRY(core_->wal->trim(begin));
  log_may_shrink_ = false;
  return Status();
}

Status Mover::check_command(const ChunkCommand& command) {
  if (core_->find_namespace(command.namespace_id) == nullptr) {
    return not_found("the namespace was deleted");
  }
  if (command.older_than_ns.has_value() && core_->condition.clock_suspect()) {
    return conflict(
        "the wall clock jumped, so 'older than' cannot be decided; look at the clock, then confirm "
        "it, or name the chunks");
  }
  return core_->manifest->settle();
}

ChunkCommandResult Mover::execute(const ChunkCommand& command) {
  ChunkCommandResult result;
  const NamespacePtr ns = core_->find_namespace(command.namespace_id);
  result.status = check_command(command);
  if (!result.status.ok()) return result;
  const TimeNs now = core_->env->now();
  std::set<std::string> unmatched(command.names.begin(), command.names.end());
  const auto selected = [&](const ChunkKey& key, std::string_view tier) {
    if (command.tier.has_value() && *command.tier != tier) return false;
    if (command.older_than_ns.has_value() && !ended_before(key, now, *command.older_than_ns)) {
      return false;
    }
    if (command.names.empty()) return true;
    const std::string name = key.name();
    unmatched.erase(name);
    return std::find(command.names.begin(), command.names.end(), name) != command.names.end();
  };
  const auto report = [&](const ChunkKey& key, std::string from, std::string to, uint64_t rows,
                          Status status) {
    if (!status.ok() && result.status.ok()) result.status = status;
    result.chunks.push_back({key.name(), std::move(from), std::move(to), rows, std::move(status)});
  };
  if (command.action != ChunkAction::kMove) {
    const std::string from(core_->memory->name());
    const bool has_next = core_->tiers.size() > 1;
    for (const MemoryChunkInfo& chunk : memory_chunks(ns)) {
      if (!selected(chunk.key, from)) continue;
      const bool drop = command.action == ChunkAction::kDrop;
      if (!drop && !has_next) {
        report(chunk.key, from, "", chunk.stats.rows,
               unsupported("there is no tier below '" + from + "' to flush to"));
        continue;
      }
      // Rows in memory are dropped with the generation they are flushed into, below.
      const Status status = has_next ? flush_chunk(ns, chunk.key) : drop_from_memory(ns, chunk.key);
      if (drop && has_next && status.ok()) continue;
      report(chunk.key, from, drop ? "" : std::string(core_->tiers[1]->name()), chunk.stats.rows,
             status);
    }
  }
  if (command.action != ChunkAction::kFlush) {
    const ManifestVersionPtr version = core_->manifest->current();
    for (const auto& [key, record] : version->chunks) {
      if (key.namespace_id != ns->id || record->state == ChunkState::kDropped) continue;
      const size_t index = tier_index(record->tier);
      const bool can_move = index + 1 < core_->tiers.size();
      if (!selected(key, record->tier)) continue;
      if (command.action == ChunkAction::kDrop) {
        report(key, record->tier, "", record->stats.rows, drop_chunk(record));
      } else if (can_move) {
        report(key, record->tier, std::string(core_->tiers[index + 1]->name()), record->stats.rows,
               move_chunk(record, index + 1));
      }
    }
  }
  if (!unmatched.empty() && result.status.ok()) {
    result.status = not_found("no chunk '" + *unmatched.begin() +
                              "' that this can be done to; list them with GET .../chunks");
  }
  if (result.status.ok()) result.status = remove_unused();
  if (result.status.ok()) result.status = trim_log();
  return result;
}

}  // namespace firn
