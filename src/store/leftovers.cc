#include "store/leftovers.h"

#include <algorithm>

#include "model/checksum.h"
#include "store/snapshot.h"

namespace firn {

namespace {

constexpr PositionRange kNoPositions{0, 1};  // positions begin at 1

// What identifies a set of rows.
struct RowsSum {
  uint64_t rows = 0, checksum = 0;
  PositionRange positions{UINT64_MAX, 0};

  Status add(BatchReader* reader) {
    while (true) {
      BatchSlice slice;
      FIRN_ASSIGN(const bool more, reader->next(&slice));
      if (!more) return Status();
      rows += slice.rows();
      checksum += rows_checksum(slice);
      for (uint32_t i = 0; i < slice.rows(); ++i) {
        const Position position = slice.batch->position(slice.row(i));
        positions.from = std::min(positions.from, position);
        positions.to = std::max(positions.to, position + 1);
      }
    }
  }
};

// Adds the rows of the interval that the store shows at these positions.
Status add_owned(const Snapshot& snapshot, const ChunkKey& interval, PositionRange positions,
                 RowsSum* sum) {
  Filter filter;
  filter.positions = positions;
  for (const SnapshotChunk& chunk : snapshot.chunks(interval.dataset, filter)) {
    if (chunk.key.start != interval.start || chunk.key.end != interval.end) continue;
    ScanSpec spec;
    spec.filter = filter;
    FIRN_ASSIGN(const auto reader, snapshot.scan(chunk, spec, nullptr));
    FIRN_TRY(sum->add(reader.get()));
  }
  return Status();
}

// Whether everything in the chunk, which the manifest does not know, is shown without it: as after
// a crash between the first flush of a generation and its commit.
Result<bool> is_shown_elsewhere(const std::shared_ptr<StoreCore>& core, Tier* tier,
                                const ChunkKey& key) {
  const NamespacePtr ns = core->find_namespace(key.namespace_id);
  if (ns == nullptr) return core->manifest->was_deleted(key.namespace_id);
  Result<std::unique_ptr<BatchReader>> reader = tier->scan(key, ScanSpec{}, nullptr);
  if (reader.status().code() == StatusCode::kNotFound) return true;  // nothing was committed to it
  FIRN_TRY(reader.status());
  RowsSum found, owned;
  FIRN_TRY(found.add(reader->get()));
  if (found.rows == 0) return true;
  FIRN_TRY(add_owned(Snapshot(core, ns), key, found.positions, &owned));
  return owned.rows == found.rows && owned.checksum == found.checksum;
}

Result<bool> is_needless(const std::shared_ptr<StoreCore>& core, Tier* tier, const ChunkKey& key,
                         const ChunkRecord* record) {
  if (record == nullptr) return is_shown_elsewhere(core, tier, key);
  if (record->state == ChunkState::kDropped) return true;
  // A move was interrupted before or after its commit. Only a chunk that is where the manifest says
  // makes the other copy needless: an old manifest may name one that was removed long ago.
  const Status status = check_complete(core->find_tier(record->tier), *record);
  if (status.code() == StatusCode::kUnavailable) return status;
  return status.ok();
}

bool is_owner(const Tier& tier, const ChunkRecord* record) {
  return record != nullptr && record->state != ChunkState::kDropped && record->tier == tier.name();
}

}  // namespace

Status check_complete(Tier* tier, const ChunkRecord& record) {
  ScanSpec spec;
  spec.filter.positions = kNoPositions;
  spec.complete_through = record.stats.watermark;
  Status status = tier->scan(record.key, spec, nullptr).status();
  if (status.code() != StatusCode::kNotFound) return status;
  return corruption("chunk " + record.key.name() + " is missing in tier " + record.tier +
                    ", where the manifest has it: " + std::string(status.message()));
}

Result<std::vector<ChunkKey>> stored_nowhere(const StoreCore& core, std::vector<ChunkKey> keys) {
  if (keys.empty()) return keys;
  for (const auto& tier : core.tiers) {
    if (!tier->is_durable()) continue;
    const Result<std::vector<ChunkKey>> stored = tier->list();
    if (stored.status().code() == StatusCode::kUnavailable) return std::vector<ChunkKey>();
    FIRN_TRY(stored.status());
    const std::set<ChunkKey> kept(stored->begin(), stored->end());
    std::erase_if(keys, [&](const ChunkKey& key) { return kept.contains(key); });
  }
  return keys;
}

Status Leftovers::sweep(bool may_remove) {
  const ManifestVersionPtr version = core_->manifest->current();
  may_remove_ = may_remove;
  for (const auto& tier : core_->tiers) {
    if (!tier->is_durable()) continue;
    std::set<ChunkKey> owned;
    for (const auto& [key, record] : version->chunks) {
      if (is_owner(*tier, record.get())) owned.insert(key);
    }
    const Status status = look_at(tier.get(), std::move(owned));
    if (status.code() != StatusCode::kUnavailable) FIRN_TRY(status);
  }
  return Status();
}

Status Leftovers::sweep_late() {
  Status first;
  const auto keep_first = [&](const Status& status) {
    if (first.ok()) first = status;
  };
  for (const auto& [tier, owned] : std::map(unswept_)) keep_first(look_at(tier, owned));
  for (const StrayChunk& stray : core_->stray_chunks.all()) {
    // What was judged stays so; what could not be looked at may be by now.
    if (stray.problem.ok() || stray.problem.code() == StatusCode::kCorruption) continue;
    keep_first(settle(core_->find_tier(stray.tier), stray.key));
  }
  return first;
}

Status Leftovers::check_swept(Tier* tier) const {
  if (!unswept_.contains(tier)) return Status();
  return unavailable("tier '" + std::string(tier->name()) +
                     "' was away at the start; what it holds has to be looked at first");
}

Status Leftovers::look_at(Tier* tier, std::set<ChunkKey> owned_at_start) {
  const Result<std::vector<ChunkKey>> found = tier->list();
  if (!found.ok()) {
    unswept_.emplace(tier, std::move(owned_at_start));
    return found.status();
  }
  unswept_.erase(tier);
  Status first;
  for (const ChunkKey& key : *found) {
    if (owned_at_start.contains(key)) continue;
    const Status status = settle(tier, key);
    if (first.ok()) first = status;
  }
  return first;
}

Status Leftovers::settle(Tier* tier, const ChunkKey& key) {
  const ManifestVersionPtr version = core_->manifest->current();
  const auto known = version->chunks.find(key);
  const ChunkRecord* record = known == version->chunks.end() ? nullptr : known->second.get();
  const std::string name(tier->name());
  core_->stray_chunks.remove(name, key);
  if (is_owner(*tier, record)) return Status();
  const Result<bool> needless = is_needless(core_, tier, key, record);
  Status problem = needless.status();
  if (needless.ok() && *needless) {
    if (may_remove_) problem = tier->drop(key);
    if (problem.ok()) return problem;
  }
  core_->stray_chunks.add({name, key, problem});
  core_->manifest->skip_generations(key.generation + 1);
  // Otherwise what is wrong with the chunk is told, and it is nobody's failure.
  const bool failed = needless.ok() || problem.code() == StatusCode::kUnavailable;
  return failed ? problem : Status();
}

}  // namespace firn
