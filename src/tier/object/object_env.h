#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"
#include "tier/object/cached_store.h"

namespace firn {

// The objects of a store as files of an Env, for code that writes a file under a temporary name,
// renames it, and from then on only reads it. The root is the store's name ("s3://bucket/prefix");
// the object a/b is the file <root>/a/b. Paths outside of the root, clocks and all else are the
// base's.
//
//   - A name that ends with ".tmp" is a file in the local staging directory, which is emptied when
//     the ObjectEnv is opened.
//   - rename("<x>.tmp", "<y>") puts the object y, reads it back from the store, compares, and only
//     then lets the name count. Durable when it returns. After a failure the object may be there,
//     whole, although no file has the name; it counts from the next opening.
//   - Files without ".tmp" are opened for reading only. Reads go through the store's cache.
//   - Directories are there as long as a file is below them; creating, syncing and removing them
//     does nothing.
//   - kUnsupported for everything else.
//
// The store is listed once, at the opening; afterwards names, sizes and versions are remembered, so
// one process at a time may change the objects. An object that somebody else replaces or removes is
// kConflict or kNotFound when it is read.
//
// Thread rule: as Env.
class ObjectEnv final : public Env {
 public:
  // `base` must outlive the ObjectEnv, and that its files. Errors of the listing and of Env.
  // `is_ours` says for which keys unfinished uploads are removed from the store.
  static Result<std::unique_ptr<ObjectEnv>> open(
      Env* base, std::unique_ptr<CachedStore> store, const std::string& staging_directory,
      const std::function<bool(std::string_view key)>& is_ours);

  const std::string& root() const { return root_; }
  // The next read of this file comes from the store itself.
  void forget_cached(const std::string& path);
  CachedStore* store() { return store_.get(); }

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override
      EXCLUDES(mutex_);
  Status remove(const std::string& path) override EXCLUDES(mutex_);
  Status rename(const std::string& from, const std::string& to) override EXCLUDES(mutex_);
  Status sync_directory(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list_directory(const std::string& path) override
      EXCLUDES(mutex_);
  Result<bool> exists(const std::string& path) override EXCLUDES(mutex_);
  Result<std::unique_ptr<FileLock>> lock_file(const std::string& path) override;
  Result<uint64_t> free_space(const std::string& path) override;
  bool has_real_paths() const override { return false; }
  TimeNs now() override { return base_->now(); }
  TimeNs monotonic() override { return base_->monotonic(); }
  uint64_t random_u64() override { return base_->random_u64(); }
  std::optional<std::string> environment_variable(const std::string& name) override {
    return base_->environment_variable(name);
  }
  std::unique_ptr<Worker> start_worker(std::string name, std::function<void()> step) override {
    return base_->start_worker(std::move(name), std::move(step));
  }

 private:
  ObjectEnv(Env* base, std::unique_ptr<CachedStore> store, std::string staging_directory);
  Status load(const std::function<bool(std::string_view key)>& is_ours) EXCLUDES(mutex_);
  // The key of a path below the root, "" for the root itself; nothing outside.
  std::optional<std::string> key_of(const std::string& path) const;
  // The local file of a name that ends with ".tmp"; a new one when there is none yet.
  std::string staged(const std::string& key) EXCLUDES(mutex_);
  Result<ObjectInfo> publish(const std::string& key, const std::string& local);

  Env* const base_;
  const std::unique_ptr<CachedStore> store_;
  const std::string root_;
  const std::string staging_directory_;
  Mutex mutex_;
  std::map<std::string, ObjectInfo> objects_ GUARDED_BY(mutex_);
  std::map<std::string, std::string> staged_ GUARDED_BY(mutex_);  // local paths by key
  uint64_t staged_count_ GUARDED_BY(mutex_) = 0;
};

}  // namespace firn
