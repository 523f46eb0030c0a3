#pragma once

#include <memory>
#include <string>

#include "env/env.h"
#include "store/options.h"
#include "tier/tier.h"

// Where the parts of a store and its backups are. Internal to the room.

namespace firn {

// Held while the process uses the data directory, which must exist. kConflict when another one
// does.
Result<std::unique_ptr<FileLock>> lock_data_dir(Env* env, const std::string& data_dir);

// What names this store to a server that keeps some of its data, and to its backups: random, made
// at the first call. kCorruption when the file holds something else.
Result<std::string> load_store_id(Env* env, const std::string& data_dir);

// Opens a tier of the options below memory, or a destination. As make_tier().
Result<std::unique_ptr<Tier>> open_tier(Env* env, const StoreOptions& options,
                                        const TierConfig& configured);

// kNotFound when the configuration has no such destination.
Result<TierConfig> find_destination(const StoreOptions& options, const std::string& name);

// The place of backups at a destination.
class BackupPlace {
 public:
  // As find_destination() and open_tier().
  static Result<BackupPlace> open(Env* env, const StoreOptions& options,
                                  const std::string& destination);

  Tier* tier() const { return tier_.get(); }
  // What opens manifests there, and the path of that of a store.
  Env* env() const { return env_; }
  std::string manifest_path(const std::string& store_id) const;
  // The id of the store whose backup it is; empty when there is none. kConflict: of several.
  Result<std::string> owner() const;

 private:
  BackupPlace(Env* env, std::unique_ptr<Tier> tier, std::string root)
      : tier_(std::move(tier)),
        env_(tier_->file_env() != nullptr ? tier_->file_env() : env),
        root_(std::move(root)) {}

  std::unique_ptr<Tier> tier_;
  Env* env_;
  std::string root_;
};

}  // namespace firn
