#include "store/backup.h"

#include <utility>

namespace firn {

BackupMaker::~BackupMaker() {
  std::optional<Job> left;
  {
    MutexLock lock(&mutex_);
    left = std::exchange(job_, std::nullopt);
  }
  if (left.has_value()) left->done(cancelled("the store is closing"));
}

void BackupMaker::start() {
  (void)core_->env->remove(cut_path());  // of a backup that a crash interrupted
  worker_.start(core_->env, "backup", [this] { step(); });
}

void BackupMaker::stop() {
  stopping_.store(true);
  worker_.stop();
}

void BackupMaker::submit(const std::string& destination, BackupCallback done) {
  {
    MutexLock lock(&mutex_);
    if (!job_.has_value()) {
      job_ = Job{destination, std::move(done), std::nullopt};
      done = nullptr;
    }
  }
  if (done) return done(conflict("another backup is at work; wait until it has ended"));
  mover_->cut(cut_path(), [this](const Result<ManifestVersionPtr>& cut) { set_cut(cut); });
}

void BackupMaker::set_cut(const Result<ManifestVersionPtr>& cut) {
  {
    MutexLock lock(&mutex_);
    job_->cut = cut;
  }
  worker_.notify();
}

std::string BackupMaker::cut_path() const {
  return join_path(core_->options.data_dir, "backup-manifest.db");
}

void BackupMaker::step() {
  std::string destination;
  std::optional<Result<ManifestVersionPtr>> cut;
  {
    MutexLock lock(&mutex_);
    if (!job_.has_value() || !job_->cut.has_value()) return;
    destination = job_->destination;
    cut = std::move(job_->cut);
  }
  BackupReport report;
  Status status = cut->status();
  if (status.ok()) status = run(destination, ***cut, &report);
  cut.reset();                           // its leases
  (void)core_->env->remove(cut_path());  // the next one replaces it
  BackupCallback done;
  {
    MutexLock lock(&mutex_);
    done = std::move(job_->done);
    job_.reset();
  }
  done(status.ok() ? Result<BackupReport>(report) : Result<BackupReport>(status));
}

Status BackupMaker::check_owner(const BackupPlace& place, const std::string& store_id) const {
  FIRN_ASSIGN(const std::string owner, place.owner());
  if (owner.empty() || owner == store_id) return Status();
  return conflict("'" + std::string(place.tier()->name()) +
                  "' holds the backup of another store, " + owner +
                  "; use another destination, or remove that backup");
}

Status BackupMaker::run(const std::string& destination, const ManifestVersion& cut,
                        BackupReport* report) {
  FIRN_ASSIGN(const std::string store_id, load_store_id(core_->env, core_->options.data_dir));
  FIRN_ASSIGN(const BackupPlace place, BackupPlace::open(core_->env, core_->options, destination));
  FIRN_TRY(check_owner(place, store_id));
  FIRN_ASSIGN(const auto listed, place.tier()->list());
  const std::set<ChunkKey> present(listed.begin(), listed.end());
  for (const auto& [key, record] : cut.chunks) {
    if (record->state == ChunkState::kDropped) continue;
    FIRN_TRY(store_chunk(*record, present.contains(key), place.tier(), report));
  }
  FIRN_TRY(replace_file(place.env(), place.manifest_path(store_id), core_->env, cut_path()));
  for (const ChunkKey& key : present) {
    const auto known = cut.chunks.find(key);
    const bool is_named = known != cut.chunks.end() && known->second->state != ChunkState::kDropped;
    if (!is_named) FIRN_TRY(place.tier()->drop(key));
  }
  return Status();
}

Status BackupMaker::store_chunk(const ChunkRecord& record, bool is_present, Tier* target,
                                BackupReport* report) {
  const ChunkStats& expected = record.stats;
  ++report->chunks;
  report->rows += expected.rows;
  ChunkStats present;
  if (is_present) {
    // Writes nothing, and tells.
    FIRN_ASSIGN(present, target->write(record.key, {}, 0));
  }
  const auto is_same = [&](const ChunkStats& stats) {
    return stats.watermark == expected.watermark && stats.rows == expected.rows &&
           stats.checksum == expected.checksum;
  };
  if (is_present && is_same(present)) {
    return record.is_complete() ? target->seal(record.key).status() : Status();
  }
  Status status;
  if (present.watermark < expected.watermark) {
    const ChunkCopy copy{.source = core_->find_tier(record.tier),
                         .record = &record,
                         .target = target,
                         .target_key = record.key,
                         .above = present.watermark,
                         .piece_bytes = core_->options.move_bytes(),
                         .stopping = &stopping_};
    FIRN_ASSIGN(const ChunkStats written, copy_chunk(copy));
    if (is_same(written)) {
      ++report->copied_chunks;
      report->copied_rows += expected.rows - present.rows;
      return finish_copy(target, record.key, expected, record.is_complete()).status();
    }
  }
  return conflict("'" + std::string(target->name()) + "' holds other rows as chunk " +
                  record.key.name() +
                  ", perhaps because this store was restored from an older backup meanwhile; use "
                  "another destination");
}

}  // namespace firn
