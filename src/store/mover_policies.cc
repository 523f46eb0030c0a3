#include <algorithm>
#include <span>

#include "base/mutant.h"
#include "base/size.h"
#include "store/flush_extras.h"
#include "store/mover.h"

// What the mover does by itself as chunks grow old and tiers grow full (docs/lifecycle.md).

namespace firn {

namespace {

// So many bytes of an interval allow it one generation more in a tier.
constexpr uint64_t kBytesPerGeneration = 256 * kMiB;

std::vector<ChunkKey> intervals_of(const ManifestVersion& version) {
  std::vector<ChunkKey> intervals;
  for (const auto& [key, record] : version.chunks) {
    if (record->state == ChunkState::kDropped) continue;
    ChunkKey interval = key;
    interval.generation = 0;
    if (intervals.empty() || intervals.back() != interval) intervals.push_back(interval);
  }
  return intervals;
}

uint64_t sum_of_bytes(std::span<const ChunkRecordPtr> records) {
  uint64_t bytes = 0;
  for (const ChunkRecordPtr& record : records) bytes += record->stats.bytes;
  return bytes;
}

// The cheapest neighbours that have to become one for the run to have no more generations than its
// bytes allow; none when it has not.
std::span<const ChunkRecordPtr> due_for_joining(std::span<const ChunkRecordPtr> run) {
  const uint64_t allowed = sum_of_bytes(run) / kBytesPerGeneration + 1;
  if (run.size() <= allowed) return {};
  const size_t count = run.size() - allowed + 1;
  std::span<const ChunkRecordPtr> cheapest = run.first(count);
  for (size_t i = 1; i + count <= run.size(); ++i) {
    const auto candidate = run.subspan(i, count);
    if (sum_of_bytes(candidate) < sum_of_bytes(cheapest)) cheapest = candidate;
  }
  return cheapest;
}

}  // namespace

bool ended_before(const ChunkKey& key, TimeNs now, DurationNs age) {
  if (age == kForever) return false;
  TimeNs due = 0;
  return !__builtin_add_overflow(mutant(20) ? key.start : key.end, age, &due) && due <= now;
}

std::vector<std::vector<ChunkRecordPtr>> neighbour_runs(
    const std::vector<ChunkRecordPtr>& generations,
    const std::function<bool(const ChunkRecord&)>& is_wanted) {
  std::vector<std::vector<ChunkRecordPtr>> runs;
  const ChunkRecord* previous = nullptr;
  for (const ChunkRecordPtr& record : generations) {
    if (!is_wanted(*record)) {
      previous = nullptr;
      continue;
    }
    const bool goes_on = previous != nullptr && previous->tier == record->tier &&
                         previous->keep_until == record->keep_until;
    if (!goes_on) runs.emplace_back();
    runs.back().push_back(record);
    previous = record.get();
  }
  return runs;
}

Status Mover::apply_policies() {
  Status first;
  const auto keep_first = [&](const Status& status) {
    if (first.ok()) first = status;
  };
  keep_first(drop_oldest());
  keep_first(apply_keep());
  for (size_t i = 1; i < core_->tiers.size(); ++i) {
    const TierConfig& tier = core_->options.tiers[i];
    keep_first(apply_max_bytes(i, std::nullopt, tier.max_bytes));
    for (const auto& [dataset, policy] : tier.datasets) {
      keep_first(apply_max_bytes(i, dataset, policy.max_bytes.value_or(0)));
    }
  }
  keep_first(apply_compression());
  return first;
}

bool Mover::is_needed_by_samples(const ChunkKey& key) const {
  if (key.dataset != Dataset::kSeries) return false;
  constexpr Dataset kUsers[] = {Dataset::kSamples, Dataset::kRollups1, Dataset::kRollups2,
                                Dataset::kRollups3};
  return std::any_of(std::begin(kUsers), std::end(kUsers),
                     [&](Dataset dataset) { return has_rows(key, dataset); });
}

bool Mover::has_rows(const ChunkKey& interval, Dataset dataset) const {
  const auto is_same_interval = [&](const ChunkKey& other) {
    return other.namespace_id == interval.namespace_id && other.dataset == dataset &&
           other.start == interval.start;
  };
  const MemorySnapshot memory = core_->memory->snapshot();  // first: rows go from here to chunks
  for (const MemoryChunkInfo& chunk : memory.chunks(interval.namespace_id)) {
    if (is_same_interval(chunk.key) && chunk.stats.rows > 0) return true;
  }
  ChunkKey first = interval;
  first.dataset = dataset;
  first.end = INT64_MIN;
  first.generation = 0;
  const ManifestVersionPtr version = core_->manifest->current();
  for (auto it = version->chunks.lower_bound(first);
       it != version->chunks.end() && is_same_interval(it->first); ++it) {
    if (it->second->state != ChunkState::kDropped) return true;
  }
  return false;
}

// Looks twice: samples that were acknowledged as of known series before these were forgotten are
// there at the second look, and those after it are not acknowledged.
Status Mover::forget_series(const ChunkKey& key) {
  if (key.dataset != Dataset::kSeries) return Status();
  Status needed = conflict("chunk " + key.name() +
                           " defines series of samples that are still there; drop those "
                           "first");
  if (is_needed_by_samples(key)) return needed;
  core_->known_series->forget(key.namespace_id, key.start);
  return is_needed_by_samples(key) ? needed : Status();
}

Status Mover::drop_chunk(const ChunkRecordPtr& record, RowsGone gone) {
  FIRN_TRY(forget_series(record->key));
  ChunkRecord dropped = *record;
  dropped.state = ChunkState::kDropped;
  dropped.changed_at = core_->env->now();
  log_may_shrink_ = true;
  FlushExtras extras;
  extras.gone = gone;
  return core_->manifest->commit_chunk(std::move(dropped), extras);
}

Status Mover::drop_from_memory(const NamespacePtr& ns, const ChunkKey& interval) {
  const Position through = ns->positions(interval.dataset).published.load();
  FIRN_TRY(forget_series(interval));
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
    FlushExtras extras;
    extras.stream_heads = stream_heads_of(rows.slices);
    extras.gone = RowsGone::kAll;
    FIRN_TRY(core_->manifest->commit_chunk(std::move(tombstone), extras));
  }
  core_->memory->release(interval, through);
  log_may_shrink_ = true;
  update_flushed_through();
  return Status();
}

// A chunk that fails is tried again after a while, so that one damaged chunk does not keep the
// mover busy.
Status Mover::apply_keep() {
  const TimeNs now = core_->env->now();
  Status first = apply_keep_to_memory(now);
  const ManifestVersionPtr version = core_->manifest->current();
  for (const auto& [key, record] : version->chunks) {
    if (record->state == ChunkState::kDropped || must_wait(key)) continue;
    if (core_->stopping.load()) return first;
    const NamespacePtr ns = core_->find_namespace(key.namespace_id);
    const size_t index = tier_index(record->tier);
    const DurationNs keep = keep_of(core_->options.tiers[index], key.dataset);
    const bool tier_is_over =
        record->keep_until != 0 ? record->keep_until <= now : ended_before(key, now, keep);
    const bool is_last = index + 1 == core_->tiers.size();
    if ((ns != nullptr && ended_before(key, now, ns->retention_ns.load())) ||
        (tier_is_over && is_last)) {
      if (!is_needed_by_samples(key)) settle_chunk(key, drop_chunk(record), &first);
    } else if (tier_is_over) {
      settle_chunk(key, move_chunk(record, index + 1), &first);
    }
  }
  return first;
}

Status Mover::apply_keep_to_memory(TimeNs now) {
  Status first;
  const bool memory_is_last = core_->tiers.size() == 1;
  for (const NamespacePtr& ns : core_->all_namespaces()) {
    for (const MemoryChunkInfo& chunk : memory_chunks(ns)) {
      if (memory_is_last && is_needed_by_samples(chunk.key)) continue;
      const bool over = ended_before(chunk.key, now, ns->retention_ns.load());
      const DurationNs keep = keep_of(core_->options.tiers[0], chunk.key.dataset);
      if (memory_is_last && (over || ended_before(chunk.key, now, keep))) {
        settle_chunk(chunk.key, drop_from_memory(ns, chunk.key), &first);
      } else if (over && !must_wait(chunk.key)) {
        settle_chunk(chunk.key, flush_chunk(ns, chunk.key), &first);  // and dropped afterwards
      }
    }
  }
  return first;
}

Status Mover::apply_max_bytes(size_t index, std::optional<Dataset> dataset, uint64_t bytes_max) {
  if (bytes_max == 0) return Status();
  const TimeNs now = core_->env->now();
  const std::string_view tier = core_->tiers[index]->name();
  const ManifestVersionPtr version = core_->manifest->current();
  uint64_t bytes = 0;
  std::vector<ChunkRecordPtr> ended;
  for (const auto& [key, record] : version->chunks) {
    if (record->state == ChunkState::kDropped || record->tier != tier) continue;
    if (dataset.has_value() && key.dataset != *dataset) continue;
    bytes += record->stats.bytes;
    if (ended_before(key, now, 0) && !must_wait(key)) ended.push_back(record);
  }
  std::stable_sort(ended.begin(), ended.end(),
                   [](const auto& a, const auto& b) { return a->key.end < b->key.end; });
  Status first;
  for (const ChunkRecordPtr& record : ended) {
    if (bytes <= bytes_max || core_->stopping.load()) break;
    const bool is_last = index + 1 == core_->tiers.size();
    if (is_last && is_needed_by_samples(record->key)) continue;
    const Status status = is_last ? drop_chunk(record) : move_chunk(record, index + 1);
    settle_chunk(record->key, status, &first);
    if (status.ok()) bytes -= record->stats.bytes;
  }
  return first;
}

Status Mover::drop_oldest() {
  const uint64_t least = core_->options.drop_oldest_below_free_bytes;
  while (least != 0 && !core_->stopping.load()) {
    // What somebody still reads frees nothing yet.
    std::erase_if(dropped_for_space_, [](const auto& lease) { return lease.expired(); });
    if (!dropped_for_space_.empty()) return Status();
    const Result<uint64_t> free_bytes = core_->env->free_space(core_->options.data_dir);
    if (!free_bytes.ok() || *free_bytes >= least) return free_bytes.status();
    ChunkRecordPtr oldest = oldest_in_data_dir();
    if (oldest == nullptr) return Status();
    dropped_for_space_.push_back(oldest->lease);
    FIRN_TRY(drop_chunk(oldest));
    oldest.reset();
    FIRN_TRY(remove_unused());
  }
  return Status();
}

ChunkRecordPtr Mover::oldest_in_data_dir() const {
  const TimeNs now = core_->env->now();
  const ManifestVersionPtr version = core_->manifest->current();
  ChunkRecordPtr oldest;
  for (const auto& [key, record] : version->chunks) {
    if (record->state == ChunkState::kDropped || !ended_before(key, now, 0)) continue;
    if (!is_in_data_dir(core_->options.tiers[tier_index(record->tier)])) continue;
    if (is_needed_by_samples(key)) continue;
    if (oldest == nullptr || key.end < oldest->key.end) oldest = record;
  }
  return oldest;
}

Status Mover::apply_compression() {
  const TimeNs now = core_->env->now();
  const ManifestVersionPtr version = core_->manifest->current();
  Status first;
  for (const ChunkKey& interval : intervals_of(*version)) {
    if (core_->stopping.load()) return first;
    if (core_->find_namespace(interval.namespace_id) == nullptr) continue;
    ChunkKey waiting = interval;  // not what a flush of the interval waits by
    waiting.generation = UINT32_MAX;
    if (must_wait(waiting)) continue;
    settle_chunk(waiting, compress_interval(interval, now), &first);
  }
  return first;
}

Status Mover::compress_interval(const ChunkKey& interval, TimeNs now) {
  const auto is_due = [&](const ChunkRecord& record) {
    const TierConfig& tier = core_->options.tiers[tier_index(record.tier)];
    return record.state != ChunkState::kCompressed &&
           ended_before(interval, now, compress_after_of(tier, interval.dataset));
  };
  for (const ChunkRecordPtr& record : core_->manifest->current()->live_generations(interval)) {
    if (is_due(*record)) FIRN_TRY(compress({record}).status());
  }
  const auto is_settled = [](const ChunkRecord& record) {
    return record.is_complete() && record.keep_until == 0;
  };
  for (const auto& run :
       neighbour_runs(core_->manifest->current()->live_generations(interval), is_settled)) {
    const auto due = due_for_joining(run);
    if (due.empty()) continue;
    const bool compressed = std::all_of(due.begin(), due.end(), [](const ChunkRecordPtr& record) {
      return record->state == ChunkState::kCompressed;
    });
    Tier* tier = core_->find_tier(due.front()->tier);
    FIRN_TRY(rewrite({{due.begin(), due.end()}, tier, compressed, 0}).status());
  }
  return Status();
}

}  // namespace firn
