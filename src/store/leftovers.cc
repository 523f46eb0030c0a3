#include "store/leftovers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "model/checksum.h"
#include "store/snapshot.h"

namespace firn {

namespace {

constexpr PositionRange kNoPositions{0, 1};  // positions begin at 1

// Rows one after the other, ascending by position.
class RowCursor {
 public:
  explicit RowCursor(std::unique_ptr<BatchReader> reader) : reader_(std::move(reader)) {}

  // Steps to the next row, from none to the first; false at the end.
  Result<bool> next() {
    for (++index_; index_ >= slice_.rows(); index_ = 0) {
      FIRN_ASSIGN(const bool more, reader_->next(&slice_));
      if (!more) return false;
    }
    return true;
  }
  // REQUIRES: a row.
  Position position() const { return slice_.batch->position(slice_.row(index_)); }
  uint64_t checksum() const { return row_checksum(*slice_.batch, slice_.row(index_)); }

 private:
  std::unique_ptr<BatchReader> reader_;
  BatchSlice slice_;
  uint32_t index_ = UINT32_MAX;
};

// What the store shows of an interval, in the order of positions.
class ShownRows {
 public:
  // The snapshot must outlive it. Generations of an interval do not overlap in positions, and their
  // watermarks tell their order.
  ShownRows(const Snapshot& snapshot, const ChunkKey& interval) : snapshot_(snapshot) {
    for (SnapshotChunk& chunk : snapshot.chunks(interval.dataset, Filter{})) {
      if (chunk.key.start != interval.start || chunk.key.end != interval.end) continue;
      chunks_.push_back(std::move(chunk));
    }
    const auto order = [](const SnapshotChunk& chunk) {
      return std::pair(chunk.in_memory, chunk.stats.watermark);
    };
    std::sort(chunks_.begin(), chunks_.end(),
              [&](const SnapshotChunk& a, const SnapshotChunk& b) { return order(a) < order(b); });
  }

  // Whether this row is among them. Called with ascending positions.
  Result<bool> contains(Position position, uint64_t checksum) {
    while (!rows_ || rows_->position() < position) {
      FIRN_ASSIGN(const bool more, step(position));
      if (!more) return false;
    }
    return rows_->position() == position && rows_->checksum() == checksum;
  }

 private:
  // To the next row, of which those before the position may be left out.
  Result<bool> step(Position position) {
    while (true) {
      if (rows_) {
        FIRN_ASSIGN(const bool more, rows_->next());
        if (more) return true;
        rows_.reset();
      }
      // What is not needed may be damaged.
      while (next_ < chunks_.size() && chunks_[next_].stats.position_max < position) ++next_;
      if (next_ == chunks_.size()) return false;
      ScanSpec spec;
      spec.order = ScanOrder::kPositionAscending;
      spec.filter.positions.from = position;
      FIRN_ASSIGN(auto reader, snapshot_.scan(chunks_[next_++], spec, nullptr));
      rows_.emplace(std::move(reader));
    }
  }

  const Snapshot& snapshot_;
  std::vector<SnapshotChunk> chunks_;
  size_t next_ = 0;
  std::optional<RowCursor> rows_;  // at a row between calls
};

// Whether each row of the chunk, which the manifest does not know, is shown without it: as after a
// crash between the first flush of a generation, or a rewriting, and its commit. Rows that the
// store shows besides say nothing against it: a rewriting may leave some out.
Result<bool> is_shown_elsewhere(const std::shared_ptr<StoreCore>& core, Tier* tier,
                                const ChunkKey& key) {
  const NamespacePtr ns = core->find_namespace(key.namespace_id);
  if (ns == nullptr) return core->manifest->was_deleted(key.namespace_id);
  ScanSpec spec;
  spec.order = ScanOrder::kPositionAscending;
  Result<std::unique_ptr<BatchReader>> reader = tier->scan(key, spec, nullptr);
  if (reader.status().code() == StatusCode::kNotFound) return true;  // nothing was committed to it
  FIRN_TRY(reader.status());
  RowCursor found(std::move(*reader));
  const Snapshot snapshot(core, ns);
  ShownRows shown(snapshot, key);
  while (true) {
    FIRN_ASSIGN(const bool more, found.next());
    if (!more) return true;
    FIRN_ASSIGN(const bool is_shown, shown.contains(found.position(), found.checksum()));
    if (!is_shown) return false;
  }
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
