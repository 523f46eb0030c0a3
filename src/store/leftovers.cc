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
  return check_complete(core->find_tier(record->tier), *record).ok();
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

Status sweep_leftovers(const std::shared_ptr<StoreCore>& core, bool may_remove) {
  const ManifestVersionPtr version = core->manifest->current();
  for (const auto& tier : core->tiers) {
    if (!tier->is_durable()) continue;
    FIRN_ASSIGN(const std::vector<ChunkKey> found, tier->list());
    for (const ChunkKey& key : found) {
      const auto known = version->chunks.find(key);
      const ChunkRecord* record = known == version->chunks.end() ? nullptr : known->second.get();
      const bool owned = record != nullptr && record->state != ChunkState::kDropped &&
                         record->tier == tier->name();
      if (owned) continue;
      const Result<bool> needless = is_needless(core, tier.get(), key, record);
      if (needless.ok() && *needless) {
        if (may_remove) FIRN_TRY(tier->drop(key));
        continue;
      }
      core->stray_chunks.push_back({std::string(tier->name()), key, needless.status()});
      core->manifest->skip_generations(key.generation + 1);
    }
  }
  return Status();
}

}  // namespace firn
