#include "store/new_manifest.h"

#include "env/remove_tree.h"

namespace firn {

namespace {

constexpr const char* kManifestName = "manifest.db";

}  // namespace

NewManifest::NewManifest(Env* env, const StoreOptions& options, std::unique_ptr<FileLock> lock)
    : env_(env),
      data_dir_(options.data_dir),
      directory_(join_path(options.data_dir, "restore.tmp")),
      chunk_interval_ns_(options.chunk_interval_ns),
      lock_(std::move(lock)) {}

Result<NewManifest> NewManifest::create(Env* env, const StoreOptions& options) {
  FIRN_TRY(env->create_directories(options.data_dir));
  FIRN_ASSIGN(auto lock, lock_data_dir(env, options.data_dir));
  FIRN_ASSIGN(const bool exists, env->exists(join_path(options.data_dir, kManifestName)));
  if (!exists) return NewManifest(env, options, std::move(lock));
  return conflict(options.data_dir +
                  " holds a store already; restore into a directory without a manifest.db");
}

Status NewManifest::clear() {
  FIRN_TRY(remove_tree(env_, directory_));
  return env_->create_directories(directory_);
}

Status NewManifest::open(bool is_there) {
  FIRN_ASSIGN(manifest_,
              Manifest::open(
                  env_, join_path(directory_, kManifestName), is_there, chunk_interval_ns_,
                  [](const std::string&, const ChunkKey&) {}, nullptr));
  return Status();
}

Status NewManifest::begin_empty() {
  FIRN_TRY(clear());
  return open(false);
}

Status NewManifest::begin_with(const BackupPlace& place) {
  FIRN_ASSIGN(const std::string owner, place.owner());
  if (owner.empty()) {
    return not_found("there is no backup at '" + std::string(place.tier()->name()) +
                     "': none was completed there");
  }
  FIRN_TRY(clear());
  FIRN_TRY(replace_file(env_, join_path(directory_, kManifestName), place.env(),
                        place.manifest_path(owner)));
  return open(true);
}

Status NewManifest::publish() {
  manifest_.reset();
  FIRN_TRY(env_->rename(join_path(directory_, kManifestName), join_path(data_dir_, kManifestName)));
  FIRN_TRY(env_->sync_directory(data_dir_));
  return remove_tree(env_, directory_);
}

}  // namespace firn
