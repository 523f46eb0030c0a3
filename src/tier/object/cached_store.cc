#include "tier/object/cached_store.h"

#include <algorithm>

#include "tier/object/block_cache.h"

namespace firn {

namespace {

constexpr uint64_t kBlocksMin = 16;
constexpr uint64_t kRunBlocksMax = 16;  // read by one request

class CachedStoreImpl final : public CachedStore {
 public:
  CachedStoreImpl(std::unique_ptr<ObjectStore> base, std::unique_ptr<File> file,
                  const ReadCacheOptions& options)
      : base_(std::move(base)),
        block_bytes_(options.block_bytes),
        cache_(std::move(file), options.budget_bytes / options.block_bytes, options.block_bytes) {}

  std::string name() const override { return base_->name(); }

  Result<ObjectInfo> put(const std::string& key, const ObjectContent& content,
                         PutMode mode) override {
    cache_.forget(key);
    return base_->put(key, content, mode);
  }

  Result<size_t> read_at(const ObjectInfo& object, uint64_t offset, char* out,
                         size_t size) override {
    if (object.version.empty()) return base_->read_at(object, offset, out, size);
    if (offset >= object.size_bytes) return size_t{0};
    const uint64_t end = offset + std::min<uint64_t>(size, object.size_bytes - offset);
    for (uint64_t at = offset; at < end;) {
      FIRN_ASSIGN(const uint64_t copied, read_some(object, at, end, out + (at - offset)));
      at += copied;
    }
    return static_cast<size_t>(end - offset);
  }

  Result<ObjectInfo> head(const std::string& key) override { return base_->head(key); }
  Result<ObjectPage> list_page(const std::string& prefix, const std::string& after) override {
    return base_->list_page(prefix, after);
  }
  Status remove(const std::string& key) override {
    cache_.forget(key);
    return base_->remove(key);
  }
  Status sweep(const std::string& prefix,
               const std::function<bool(std::string_view)>& is_ours) override {
    return base_->sweep(prefix, is_ours);
  }
  void cancel() override { base_->cancel(); }
  ObjectStoreStats stats() const override { return base_->stats(); }
  ReadCacheStats cache_stats() const override { return cache_.stats(); }
  void forget_cached(const std::string& key) override { cache_.forget(key); }
  ObjectStore* uncached() override { return base_.get(); }

 private:
  BlockKey block_at(const ObjectInfo& object, uint64_t offset) const {
    return {object.key, object.version, offset / block_bytes_};
  }

  // Copies what of [at, end) lies in a block or in a run of missing ones; returns how much.
  Result<uint64_t> read_some(const ObjectInfo& object, uint64_t at, uint64_t end, char* out) {
    BlockKey key = block_at(object, at);
    std::string bytes;
    for (;;) {
      if (cache_.read(key, &bytes)) break;
      if (cache_.begin_load(key)) {
        FIRN_ASSIGN(bytes, load_run(object, key, end));
        break;
      }
      // Somebody else has loaded it, or has tried to.
    }
    const uint64_t skipped = at - key.number * block_bytes_;
    const uint64_t copied = std::min<uint64_t>(bytes.size() - skipped, end - at);
    std::copy_n(bytes.data() + skipped, copied, out);
    return copied;
  }

  // Reads the block, which the caller is to load, and the missing ones behind it up to `end`.
  Result<std::string> load_run(const ObjectInfo& object, const BlockKey& first, uint64_t end) {
    std::vector<BlockKey> run = {first};
    while (run.size() < kRunBlocksMax) {
      BlockKey next = run.back();
      ++next.number;
      if (next.number * block_bytes_ >= end || !cache_.try_begin_load(next)) break;
      run.push_back(std::move(next));
    }
    const uint64_t begin = first.number * block_bytes_;
    std::string bytes(std::min(run.size() * block_bytes_, object.size_bytes - begin), '\0');
    const auto count = base_->read_at(object, begin, bytes.data(), bytes.size());
    const bool is_whole = count.ok() && *count == bytes.size();
    for (size_t i = 0; i < run.size(); ++i) {
      cache_.loaded(run[i], is_whole ? ByteView(bytes).substr(i * block_bytes_, block_bytes_) : "");
    }
    FIRN_TRY(count.status());
    if (is_whole) return bytes;
    return corruption(base_->name() + ": '" + object.key + "' ends at byte " +
                      std::to_string(begin + *count) + " of " + std::to_string(object.size_bytes));
  }

  const std::unique_ptr<ObjectStore> base_;
  const uint64_t block_bytes_;
  BlockCache cache_;
};

}  // namespace

Result<std::unique_ptr<CachedStore>> open_cached_store(Env* env, std::unique_ptr<ObjectStore> base,
                                                       const ReadCacheOptions& options) {
  FIRN_CHECK(options.block_bytes > 0);
  if (options.budget_bytes / options.block_bytes < kBlocksMin) {
    return invalid_argument("a read cache needs at least " +
                            format_size(kBlocksMin * options.block_bytes));
  }
  FIRN_TRY(env->create_directories(parent_path(options.path)));
  FIRN_ASSIGN(auto file, env->open(options.path, OpenMode::kCreate));
  FIRN_TRY(file->truncate(0));
  return std::unique_ptr<CachedStore>(
      std::make_unique<CachedStoreImpl>(std::move(base), std::move(file), options));
}

}  // namespace firn
