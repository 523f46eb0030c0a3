#include "store/manifest_rows.h"
#include "store/manifest_schema.h"

// What backups need of the manifest (docs/backup.md).

namespace firn {

// Between two changes the file is whole: its journal is gone.
Result<ManifestVersionPtr> Manifest::copy_to(Env* env, const std::string& path) {
  MutexLock write_lock(&write_mutex_);
  FIRN_TRY(replace_file(env, path, env, path_));
  return current();
}

Status Manifest::commit_restored(const std::vector<ChunkRecord>& chunks, TimeNs now) {
  MutexLock write_lock(&write_mutex_);
  ManifestChange change(db_.get(), &content_sum_);
  FIRN_TRY(change.begin());
  FIRN_TRY(change.run(kForgetTombstones, {}, {}));
  for (const ChunkRecord& record : chunks) FIRN_TRY(write_chunk(&change, record));
  FIRN_TRY(set_wal_begin(Lsn{}, &change));
  FIRN_TRY(set_clock({now, false}, &change));
  return commit(&change);
}

}  // namespace firn
