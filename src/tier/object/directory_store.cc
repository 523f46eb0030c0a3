#include "tier/object/directory_store.h"

#include <algorithm>
#include <atomic>

#include "base/mutex.h"

namespace firn {

namespace {

constexpr std::string_view kUnfinishedSuffix = ".tmp";

class DirectoryStore final : public ObjectStore {
 public:
  DirectoryStore(Env* env, std::string directory) : env_(env), directory_(std::move(directory)) {}

  std::string name() const override { return "file:" + directory_; }

  Result<ObjectInfo> put(const std::string& key, const ObjectContent& content,
                         PutMode mode) override EXCLUDES(put_mutex_) {
    FIRN_TRY(check(key));
    ++requests_;
    const MutexLock lock(&put_mutex_);
    const std::string path = path_of(key);
    if (mode == PutMode::kIfAbsent) {
      FIRN_ASSIGN(const bool there, env_->exists(path));
      if (there) return conflict(path + " exists already");
    }
    FIRN_TRY(env_->create_directories(parent_path(path)));
    const std::string unfinished = path + std::string(kUnfinishedSuffix);
    auto crc = write_file(unfinished, content);
    const Status status = crc.ok() ? env_->rename(unfinished, path) : crc.status();
    if (!status.ok()) {
      (void)env_->remove(unfinished);  // else sweep() does
      return status;
    }
    FIRN_TRY(env_->sync_directory(parent_path(path)));
    sent_bytes_ += content.size_bytes();
    return ObjectInfo{key, content.size_bytes(), "", *crc};
  }

  Result<size_t> read_at(const ObjectInfo& object, uint64_t offset, char* out,
                         size_t size) override {
    FIRN_TRY(check(object.key));
    ++requests_;
    FIRN_ASSIGN(const auto file, env_->open(path_of(object.key), OpenMode::kRead));
    FIRN_ASSIGN(const size_t count, file->read_at(offset, out, size));
    received_bytes_ += count;
    return count;
  }

  Result<ObjectInfo> head(const std::string& key) override {
    FIRN_TRY(check(key));
    ++requests_;
    FIRN_ASSIGN(const auto file, env_->open(path_of(key), OpenMode::kRead));
    FIRN_ASSIGN(const uint64_t size, file->size());
    return ObjectInfo{key, size, "", std::nullopt};
  }

  // The tree has to be walked in any case, so everything comes in one page.
  Result<ObjectPage> list_page(const std::string& prefix, const std::string& after) override {
    FIRN_TRY(check_cancelled());
    ++requests_;
    ObjectPage page;
    FIRN_TRY(walk(prefix, [&](const std::string& key, uint64_t size) {
      if (key > after && !key.ends_with(kUnfinishedSuffix))
        page.objects.push_back({key, size, "", {}});
      return Status();
    }));
    std::sort(page.objects.begin(), page.objects.end(),
              [](const ObjectInfo& a, const ObjectInfo& b) { return a.key < b.key; });
    return page;
  }

  Status remove(const std::string& key) override {
    FIRN_TRY(check(key));
    ++requests_;
    return remove_file(path_of(key));
  }

  Status sweep(const std::string& prefix,
               const std::function<bool(std::string_view)>& is_ours) override {
    FIRN_TRY(check_cancelled());
    return walk(prefix, [&](const std::string& key, uint64_t) {
      std::string_view stem = key;
      if (!stem.ends_with(kUnfinishedSuffix)) return Status();
      stem.remove_suffix(kUnfinishedSuffix.size());
      return is_ours(stem) ? remove_file(path_of(key)) : Status();
    });
  }

  void cancel() override { cancelled_ = true; }

  ObjectStoreStats stats() const override {
    ObjectStoreStats stats;
    stats.requests = requests_;
    stats.sent_bytes = sent_bytes_;
    stats.received_bytes = received_bytes_;
    return stats;
  }

 private:
  using OnFile = std::function<Status(const std::string& key, uint64_t size_bytes)>;

  std::string path_of(const std::string& key) const { return join_path(directory_, key); }

  Status check_cancelled() const {
    return cancelled_ ? cancelled(name() + ": the store is closing") : Status();
  }
  Status check(const std::string& key) const {
    FIRN_TRY(check_cancelled());
    return check_object_key(key);
  }

  // Writes and syncs; returns the checksum of what was written.
  Result<uint32_t> write_file(const std::string& path, const ObjectContent& content) {
    FIRN_ASSIGN(const auto file, env_->open(path, OpenMode::kCreate));
    FIRN_TRY(file->truncate(0));
    FIRN_ASSIGN(const uint32_t crc, content_crc32c(content, [&](uint64_t at, ByteView piece) {
                  return file->write_at(at, piece);
                }));
    FIRN_TRY(file->sync());
    return crc;
  }

  Status remove_file(const std::string& path) {
    const Status status = env_->remove(path);
    if (status.code() == StatusCode::kNotFound) return {};
    FIRN_TRY(status);
    return env_->sync_directory(parent_path(path));
  }

  // Every file whose key begins with the prefix.
  Status walk(const std::string& prefix, const OnFile& on_file) {
    const size_t slash = prefix.rfind('/');
    const std::string top = slash == std::string::npos ? "" : prefix.substr(0, slash);
    return walk_directory(top, prefix, on_file);
  }
  Status walk_directory(const std::string& key, const std::string& prefix, const OnFile& on_file) {
    const auto entries = env_->list_directory(key.empty() ? directory_ : path_of(key));
    if (entries.status().code() == StatusCode::kNotFound) return {};
    FIRN_TRY(entries.status());
    for (const DirectoryEntry& entry : *entries) {
      const std::string child = key.empty() ? entry.name : key + "/" + entry.name;
      const size_t common = std::min(child.size(), prefix.size());
      if (child.compare(0, common, prefix, 0, common) != 0) continue;
      if (entry.is_directory) {
        FIRN_TRY(walk_directory(child, prefix, on_file));
      } else if (child.size() >= prefix.size()) {
        FIRN_TRY(on_file(child, entry.size_bytes));
      }
    }
    return {};
  }

  Env* const env_;
  const std::string directory_;
  Mutex put_mutex_;  // one put at a time: two of one key would share their temporary file
  std::atomic<bool> cancelled_ = false;
  std::atomic<uint64_t> requests_ = 0, sent_bytes_ = 0, received_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_directory_store(Env* env, const std::string& directory) {
  if (directory.empty()) return invalid_argument("an object store needs a directory");
  FIRN_TRY(env->create_directories(directory));
  return std::unique_ptr<ObjectStore>(std::make_unique<DirectoryStore>(env, directory));
}

}  // namespace firn
