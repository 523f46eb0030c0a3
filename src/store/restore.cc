#include "store/restore.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <vector>

#include "env/remove_tree.h"
#include "store/chunk_copy.h"
#include "store/places.h"

namespace firn {

namespace {

constexpr const char* kManifestName = "manifest.db";

// The manifest on its way: under its own name, which its pages know, in a directory of its own.
class RestoredManifest {
 public:
  RestoredManifest(Env* env, const std::string& data_dir)
      : env_(env), data_dir_(data_dir), directory_(join_path(data_dir, "restore.tmp")) {}

  Status fetch(const BackupPlace& place, DurationNs chunk_interval_ns) {
    FIRN_ASSIGN(const std::string owner, place.owner());
    if (owner.empty()) {
      return not_found("there is no backup at '" + std::string(place.tier()->name()) +
                       "': none was completed there");
    }
    FIRN_TRY(remove_tree(env_, directory_));
    FIRN_TRY(env_->create_directories(directory_));
    const std::string path = join_path(directory_, kManifestName);
    FIRN_TRY(replace_file(env_, path, place.env(), place.manifest_path(owner)));
    FIRN_ASSIGN(manifest_, Manifest::open(
                               env_, path, true, chunk_interval_ns,
                               [](const std::string&, const ChunkKey&) {}, nullptr));
    return Status();
  }
  Manifest* get() const { return manifest_.get(); }
  // From now on it is the manifest of the data directory.
  Status publish() {
    manifest_.reset();
    FIRN_TRY(
        env_->rename(join_path(directory_, kManifestName), join_path(data_dir_, kManifestName)));
    FIRN_TRY(env_->sync_directory(data_dir_));
    return remove_tree(env_, directory_);
  }

 private:
  Env* const env_;
  const std::string data_dir_, directory_;
  std::unique_ptr<Manifest> manifest_;
};

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
  FIRN_TRY(env->create_directories(options.data_dir));
  FIRN_ASSIGN(const auto lock, lock_data_dir(env, options.data_dir));
  FIRN_ASSIGN(const bool exists, env->exists(join_path(options.data_dir, kManifestName)));
  if (exists) {
    return conflict(options.data_dir +
                    " holds a store already; restore into a directory without one");
  }
  FIRN_ASSIGN(const BackupPlace place, BackupPlace::open(env, options, destination));
  RestoredManifest manifest(env, options.data_dir);
  FIRN_TRY(manifest.fetch(place, options.chunk_interval_ns));
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
