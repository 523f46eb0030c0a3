#include "store/restore.h"

#include <atomic>
#include <set>
#include <vector>

#include "store/chunk_copy.h"
#include "store/new_manifest.h"

namespace firn {

namespace {

// Brings the chunk's rows to the target, behind those that an interrupted restore left there.
Result<ChunkRecord> restore_chunk(const ChunkRecord& record, bool is_present, Tier* source,
                                  Tier* target, uint64_t piece_bytes) {
  const std::atomic<bool> never{false};
  ChunkStats present;
  if (is_present) {
    FIRN_ASSIGN(present, target->write(record.key, {}, 0));
  }
  if (present.watermark < record.stats.watermark) {
    const ChunkCopy copy{.source = source,
                         .record = &record,
                         .target = target,
                         .target_key = record.key,
                         .above = present.watermark,
                         .piece_bytes = piece_bytes,
                         .stopping = &never};
    FIRN_TRY(copy_chunk(copy).status());
  }
  ChunkRecord restored = record;
  restored.tier = target->name();
  restored.state = ChunkState::kSealed;
  restored.keep_until = 0;
  Result<ChunkStats> stored = finish_copy(target, record.key, record.stats);
  if (!stored.ok()) {
    return stored.status().with_context("what was restored to tier '" + restored.tier + "'");
  }
  restored.stats = *stored;
  return restored;
}

}  // namespace

Result<BackupReport> restore_backup(Env* env, const StoreOptions& options,
                                    const std::string& destination,
                                    const Store::Progress& progress) {
  FIRN_TRY(validate_options(options));
  if (options.tiers.size() < 2) {
    return unsupported("a backup is restored into the last tier, and it must be a durable one");
  }
  FIRN_ASSIGN(NewManifest manifest, NewManifest::create(env, options));
  FIRN_ASSIGN(const BackupPlace place, BackupPlace::open(env, options, destination));
  FIRN_TRY(manifest.begin_with(place));
  FIRN_ASSIGN(const auto target, open_tier(env, options, options.tiers.back()));
  FIRN_ASSIGN(const auto listed, target->list());
  const std::set<ChunkKey> present(listed.begin(), listed.end());

  const ManifestVersionPtr version = manifest.get()->current();
  uint64_t total = 0;
  for (const auto& [key, record] : version->chunks) {
    if (record->state != ChunkState::kDropped) total += record->stats.rows;
  }
  BackupReport report;
  std::vector<ChunkRecord> chunks;
  for (const auto& [key, record] : version->chunks) {
    if (record->state == ChunkState::kDropped) continue;
    FIRN_ASSIGN(ChunkRecord restored, restore_chunk(*record, present.contains(key), place.tier(),
                                                    target.get(), options.move_bytes()));
    ++report.chunks;
    report.rows += restored.stats.rows;
    chunks.push_back(std::move(restored));
    if (progress) progress(report.rows, total);
  }
  FIRN_TRY(manifest.get()->commit_restored(chunks, env->now()));
  FIRN_TRY(manifest.publish());
  return report;
}

}  // namespace firn
