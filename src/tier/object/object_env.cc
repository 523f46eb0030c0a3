#include "tier/object/object_env.h"

#include <algorithm>

namespace firn {

namespace {

constexpr std::string_view kStagedSuffix = ".tmp";

bool is_staged_name(std::string_view key) { return key.ends_with(kStagedSuffix); }

Status unsupported_here(const std::string& path, const char* what) {
  return unsupported(path + ": objects cannot be " + what);
}

class ObjectFile final : public File {
 public:
  ObjectFile(ObjectStore* store, ObjectInfo object) : store_(store), object_(std::move(object)) {}

  Result<size_t> read_at(uint64_t offset, void* out, size_t size) const override {
    return store_->read_at(object_, offset, static_cast<char*>(out), size);
  }
  Status write_at(uint64_t, std::span<const ByteView>) override { return refuse(); }
  Status sync() override { return refuse(); }
  Status truncate(uint64_t) override { return refuse(); }
  Status allocate(uint64_t) override { return refuse(); }
  Result<uint64_t> size() const override { return object_.size_bytes; }

 private:
  Status refuse() const { return unsupported_here(object_.key, "changed"); }

  ObjectStore* const store_;
  const ObjectInfo object_;
};

std::string without_slash(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace

Result<std::unique_ptr<ObjectEnv>> ObjectEnv::open(
    Env* base, std::unique_ptr<CachedStore> store, const std::string& staging_directory,
    const std::function<bool(std::string_view)>& is_ours) {
  std::unique_ptr<ObjectEnv> env(new ObjectEnv(base, std::move(store), staging_directory));
  FIRN_TRY(env->load(is_ours));
  return env;
}

ObjectEnv::ObjectEnv(Env* base, std::unique_ptr<CachedStore> store, std::string staging_directory)
    : base_(base),
      store_(std::move(store)),
      root_(without_slash(store_->name())),
      staging_directory_(std::move(staging_directory)) {}

Status ObjectEnv::load(const std::function<bool(std::string_view)>& is_ours) {
  FIRN_TRY(base_->create_directories(staging_directory_));
  FIRN_ASSIGN(const auto leftovers, base_->list_directory(staging_directory_));
  for (const DirectoryEntry& entry : leftovers) {
    if (entry.is_directory || !is_staged_name(entry.name)) continue;
    FIRN_TRY(base_->remove(join_path(staging_directory_, entry.name)));
  }
  FIRN_TRY(store_->sweep("", is_ours));
  const MutexLock lock(&mutex_);
  return list_objects(store_.get(), "", [&](const ObjectInfo& object) REQUIRES(mutex_) {
    objects_[object.key] = object;
    return Status();
  });
}

std::optional<std::string> ObjectEnv::key_of(const std::string& path) const {
  if (path == root_) return "";
  if (!path.starts_with(root_ + "/")) return {};
  return without_slash(path.substr(root_.size() + 1));
}

std::string ObjectEnv::staged(const std::string& key) {
  const MutexLock lock(&mutex_);
  std::string& local = staged_[key];
  if (local.empty()) {
    local =
        join_path(staging_directory_, std::to_string(++staged_count_) + std::string(kStagedSuffix));
  }
  return local;
}

void ObjectEnv::forget_cached(const std::string& path) {
  if (const auto key = key_of(path)) store_->forget_cached(*key);
}

Result<std::unique_ptr<File>> ObjectEnv::open(const std::string& path, OpenMode mode) {
  const auto key = key_of(path);
  if (!key) return base_->open(path, mode);
  if (is_staged_name(*key)) return base_->open(staged(*key), mode);
  if (mode != OpenMode::kRead) return unsupported_here(path, "written under their own name");
  const MutexLock lock(&mutex_);
  const auto object = objects_.find(*key);
  if (object == objects_.end()) return not_found(path + ": there is no such object");
  return std::unique_ptr<File>(std::make_unique<ObjectFile>(store_.get(), object->second));
}

Status ObjectEnv::remove(const std::string& path) {
  const auto key = key_of(path);
  if (!key) return base_->remove(path);
  if (is_staged_name(*key)) return base_->remove(staged(*key));
  {
    const MutexLock lock(&mutex_);
    if (objects_.erase(*key) == 0) return not_found(path + ": there is no such object");
  }
  // After a failure the object may be there; then it counts again from the next opening.
  return store_->remove(*key);
}

Status ObjectEnv::rename(const std::string& from, const std::string& to) {
  const auto from_key = key_of(from), to_key = key_of(to);
  if (!from_key && !to_key) return base_->rename(from, to);
  if (!from_key || !to_key || !is_staged_name(*from_key) || is_staged_name(*to_key)) {
    return unsupported_here(from, "renamed");
  }
  const std::string local = staged(*from_key);
  FIRN_ASSIGN(ObjectInfo object, publish(*to_key, local));
  (void)base_->remove(local);  // else the next opening does
  const MutexLock lock(&mutex_);
  objects_[*to_key] = std::move(object);
  staged_.erase(*from_key);
  return {};
}

Result<ObjectInfo> ObjectEnv::publish(const std::string& key, const std::string& local) {
  FIRN_ASSIGN(const auto file, base_->open(local, OpenMode::kRead));
  FIRN_ASSIGN(const uint64_t size, file->size());
  const FileContent content(file.get(), local, size);
  FIRN_ASSIGN(const uint32_t crc, content_crc32c(content));
  FIRN_ASSIGN(ObjectInfo object, store_->put(key, content, PutMode::kReplace));
  FIRN_TRY(verify_object(store_->uncached(), key, size, crc));
  return object;
}

Status ObjectEnv::sync_directory(const std::string& path) {
  return key_of(path) ? Status() : base_->sync_directory(path);
}

Status ObjectEnv::create_directories(const std::string& path) {
  return key_of(path) ? Status() : base_->create_directories(path);
}

Status ObjectEnv::remove_directory(const std::string& path) {
  return key_of(path) ? Status() : base_->remove_directory(path);
}

Result<std::vector<DirectoryEntry>> ObjectEnv::list_directory(const std::string& path) {
  const auto key = key_of(path);
  if (!key) return base_->list_directory(path);
  const std::string directory = key->empty() ? "" : *key + "/";
  std::vector<DirectoryEntry> entries;
  const MutexLock lock(&mutex_);
  for (auto at = objects_.lower_bound(directory);
       at != objects_.end() && at->first.starts_with(directory);) {
    const size_t slash = at->first.find('/', directory.size());
    if (slash == std::string::npos) {
      entries.push_back({at->first.substr(directory.size()), false, at->second.size_bytes});
      ++at;
    } else {
      const std::string child = at->first.substr(0, slash);
      entries.push_back({child.substr(directory.size()), true, 0});
      // Behind everything that begins with "<child>/".
      at = objects_.lower_bound(child + static_cast<char>('/' + 1));
    }
  }
  // "a-b" lies between "a" and "a/b", so a name may have come as a file and as a directory.
  std::sort(entries.begin(), entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  return entries;
}

Result<bool> ObjectEnv::exists(const std::string& path) {
  const auto key = key_of(path);
  if (!key) return base_->exists(path);
  if (is_staged_name(*key)) return base_->exists(staged(*key));
  const MutexLock lock(&mutex_);
  const auto below = objects_.lower_bound(*key + "/");
  return key->empty() || objects_.contains(*key) ||
         (below != objects_.end() && below->first.starts_with(*key + "/"));
}

Result<std::unique_ptr<FileLock>> ObjectEnv::lock_file(const std::string& path) {
  return key_of(path) ? unsupported_here(path, "locked") : base_->lock_file(path);
}

Result<uint64_t> ObjectEnv::free_space(const std::string& path) {
  return base_->free_space(key_of(path) ? staging_directory_ : path);
}

}  // namespace firn
