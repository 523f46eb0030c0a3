#include "store/places.h"

#include <string_view>

namespace firn {

namespace {

constexpr std::string_view kBackupDirectory = "backup";
constexpr std::string_view kManifestPrefix = "manifest-", kManifestSuffix = ".db";

}  // namespace

Result<std::unique_ptr<FileLock>> lock_data_dir(Env* env, const std::string& data_dir) {
  Result<std::unique_ptr<FileLock>> lock = env->lock_file(join_path(data_dir, "LOCK"));
  if (lock.status().code() != StatusCode::kConflict) return lock;
  return conflict("another process uses the data directory " + data_dir +
                  "; stop it first, or choose another directory");
}

Result<std::string> load_store_id(Env* env, const std::string& data_dir) {
  constexpr size_t kIdBytes = 32;  // hexadecimal digits
  const std::string path = join_path(data_dir, "STORE_ID");
  FIRN_ASSIGN(const bool exists, env->exists(path));
  if (!exists) {
    Id id;
    store_le(id.bytes.data(), env->random_u64());
    store_le(id.bytes.data() + 8, env->random_u64());
    FIRN_TRY(replace_file(env, path, id.to_hex()));
  }
  FIRN_ASSIGN(std::string id, read_file(env, path, kIdBytes));
  if (id.size() == kIdBytes && Id::parse(id).has_value()) return id;
  return corruption(path + ": is not the id of a store: 32 hexadecimal digits");
}

Result<std::unique_ptr<Tier>> open_tier(Env* env, const StoreOptions& options,
                                        const TierConfig& configured) {
  TierConfig config = options.resolved(configured);
  if (config.backend == "postgres") {
    FIRN_ASSIGN(config.store_id, load_store_id(env, options.data_dir));
  }
  FIRN_ASSIGN(std::unique_ptr<Tier> tier, make_tier(env, config));
  if (tier->is_durable()) return tier;
  return invalid_argument("tier '" + config.name + "' is not durable");
}

Result<TierConfig> find_destination(const StoreOptions& options, const std::string& name) {
  for (const TierConfig& known : options.exports) {
    if (known.name == name) return known;
  }
  return not_found("there is no destination '" + name +
                   "'; name one under 'exports' of the configuration");
}

Result<BackupPlace> BackupPlace::open(Env* env, const StoreOptions& options,
                                      const std::string& destination) {
  FIRN_ASSIGN(TierConfig config, find_destination(options, destination));
  config.directory = join_path(config.directory, kBackupDirectory);
  if (!config.url.empty()) config.url = join_path(config.url, kBackupDirectory);
  const TierConfig resolved = options.resolved(config);
  FIRN_ASSIGN(std::unique_ptr<Tier> tier, open_tier(env, options, config));
  return BackupPlace(env, std::move(tier),
                     resolved.url.empty() ? resolved.directory : resolved.url);
}

std::string BackupPlace::manifest_path(const std::string& store_id) const {
  return join_path(root_, std::string(kManifestPrefix) + store_id + std::string(kManifestSuffix));
}

Result<std::string> BackupPlace::owner() const {
  std::string found;
  FIRN_ASSIGN(const auto entries, env_->list_directory(root_));
  for (const DirectoryEntry& entry : entries) {
    std::string_view name = entry.name;
    if (!name.starts_with(kManifestPrefix) || !name.ends_with(kManifestSuffix)) continue;
    name.remove_prefix(kManifestPrefix.size());
    name.remove_suffix(kManifestSuffix.size());
    if (!found.empty()) {
      return conflict(root_ + " holds manifests of two stores, " + found + " and " +
                      std::string(name) + "; remove the one that is not wanted");
    }
    found = name;
  }
  return found;
}

}  // namespace firn
