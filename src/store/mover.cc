#include "store/mover.h"

#include <algorithm>
#include <set>

#include "base/mutant.h"

namespace firn {

namespace {

constexpr DurationNs kRetryNs = 1 * kSecondNs;
constexpr DurationNs kFailedChunkRetryNs = 10 * kMinuteNs;
constexpr DurationNs kUnavailableRetryNs = 5 * kSecondNs;  // nothing is wrong with the chunk

// Gives up a mutex that the caller has, until the end of the block.
class MutexPause {
 public:
  explicit MutexPause(Mutex* mutex) NO_THREAD_SAFETY_ANALYSIS : mutex_(mutex) { mutex_->unlock(); }
  ~MutexPause() NO_THREAD_SAFETY_ANALYSIS { mutex_->lock(); }
  MutexPause(const MutexPause&) = delete;
  MutexPause& operator=(const MutexPause&) = delete;

 private:
  Mutex* const mutex_;
};

}  // namespace

void Mover::stop() {
  core_->stopping.store(true);
  worker_.stop();
  flusher_.stop();
  std::deque<Queued> left;
  {
    MutexLock lock(&mutex_);
    left.swap(queue_);
  }
  for (Queued& queued : left) queued.refuse(cancelled("the store is closing"));
}

void Mover::start() {
  worker_.start(core_->env, "mover", [this] { step(); });
  flusher_.start(core_->env, "flusher", [this] { flush_beside_copy(); });
  worker_.notify();
}

void Mover::wake() {
  worker_.notify();
  if (is_copying_.load()) flusher_.notify();
}

void Mover::submit(ChunkCommand command, ChunkCommandCallback done) {
  queue({[this, command = std::move(command), done] { done(execute(command)); },
         [done = std::move(done)](const Status& refusal) {
           done({refusal, {}});
         }});
}

void Mover::cut(std::string manifest_path,
                std::function<void(const Result<ManifestVersionPtr>&)> done) {
  queue({[this, path = std::move(manifest_path), done] { done(make_cut(path)); }, std::move(done)});
}

void Mover::queue(Queued queued) {
  {
    MutexLock lock(&mutex_);
    queue_.push_back(std::move(queued));
  }
  wake();
}

void Mover::step() {
  MutexLock working(&work_);
  std::optional<Queued> next;
  {
    MutexLock lock(&mutex_);
    if (!queue_.empty()) {
      next = std::move(queue_.front());
      queue_.pop_front();
    }
  }
  if (next.has_value()) {
    next->run();
    worker_.notify();
    return;
  }
  const Status status = run_policies();
  core_->condition.set_mover_error(status);
  worker_.notify_after(status.ok() ? core_->options.mover_interval_ns : kRetryNs);
}

void Mover::flush_beside_copy() {
  if (!is_copying_.load()) return;
  MutexLock working(&work_);
  // The copy may have ended meanwhile.
  if (!is_copying_.load() || core_->stopping.load()) return;
  const Status status = relieve_pressure();
  if (!status.ok()) core_->condition.set_mover_error(status);
  flusher_.notify_after(core_->options.mover_interval_ns);
}

Status Mover::copy_beside_flushes(const Tier* target, const std::function<Status()>& copy) {
  if (core_->tiers.size() > 1 && target == core_->tiers[1].get()) return copy();
  Status status;
  is_copying_.store(true);
  {
    const MutexPause pause(&work_);
    flusher_.notify();
    status = copy();
  }
  is_copying_.store(false);
  return status;
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
  if (!core_->condition.clock_suspect()) keep_first(apply_policies());
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
  if (core_->tiers.size() < 2) return Status();
  const TimeNs now = core_->env->monotonic();
  Status first;
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    for (const MemoryChunkInfo& chunk : memory_chunks(ns)) {
      const DurationNs keep = keep_of(core_->options.tiers[0], chunk.key.dataset);
      if (keep == kForever || chunk.arrived_at + keep > now || must_wait(chunk.key)) continue;
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

// What is tried again may get another generation, and then nobody names the first.
Status Mover::remove_unfinished() {
  FIRN_TRY(core_->manifest->settle());  // a commit without known outcome may name it
  const ManifestVersionPtr version = core_->manifest->current();
  for (auto it = unfinished_.begin(); it != unfinished_.end();) {
    const auto [key, tier] = *it;
    if (key.generation == core_->manifest->next_generation()) {
      ++it;  // the next try goes on with it
      continue;
    }
    it = unfinished_.erase(it);
    if (!version->chunks.contains(key)) {
      FIRN_TRY(leftovers_.settle(tier, key));
    }
  }
  return Status();
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

}  // namespace firn
