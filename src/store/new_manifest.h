#pragma once

#include <memory>
#include <string>

#include "store/manifest.h"
#include "store/options.h"
#include "store/places.h"

namespace firn {

// The manifest of a data directory that has none yet, on its way: in a directory of its own, under
// its own name, which its pages know, until publish().
class NewManifest {
 public:
  // Locks the data directory, creating it when missing. kConflict when a process uses it, or when
  // it has a manifest.
  static Result<NewManifest> create(Env* env, const StoreOptions& options);

  // Begins with an empty one, or with that of a backup; kNotFound when there is none, kCorruption
  // when it is damaged.
  Status begin_empty();
  Status begin_with(const BackupPlace& place);
  Manifest* get() const { return manifest_.get(); }
  // From now on it is the manifest of the data directory.
  Status publish();

 private:
  NewManifest(Env* env, const StoreOptions& options, std::unique_ptr<FileLock> lock);
  Status clear();
  Status open(bool is_there);

  Env* env_;
  std::string data_dir_, directory_;
  DurationNs chunk_interval_ns_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Manifest> manifest_;
};

}  // namespace firn
