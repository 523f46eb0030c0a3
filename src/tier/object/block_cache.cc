#include "tier/object/block_cache.h"

#include "base/crc32c.h"

namespace firn {

BlockCache::BlockCache(std::unique_ptr<File> file, uint64_t slots, uint64_t block_bytes)
    : file_(std::move(file)), slots_(slots), block_bytes_(block_bytes) {}

bool BlockCache::read(const BlockKey& key, std::string* out) {
  uint64_t slot = 0;
  uint32_t crc = 0;
  {
    const MutexLock lock(&mutex_);
    const auto found = blocks_.find(key);
    if (found == blocks_.end()) return false;
    by_use_.splice(by_use_.end(), by_use_, found->second.use);
    slot = found->second.slot;
    crc = found->second.crc32c;
    out->resize(found->second.size_bytes);
  }
  // Meanwhile the slot may be given to another block. The checksum tells.
  const auto count = file_->read_at(slot * block_bytes_, out->data(), out->size());
  const bool is_good = count.ok() && *count == out->size() && crc32c(*out) == crc;
  const MutexLock lock(&mutex_);
  if (is_good) {
    ++stats_.hits;
    return true;
  }
  const auto found = blocks_.find(key);
  if (found != blocks_.end() && found->second.slot == slot && found->second.crc32c == crc) {
    ++stats_.failures;
    erase(found);
  }
  return false;
}

bool BlockCache::begin_load(const BlockKey& key) {
  const MutexLock lock(&mutex_);
  if (loading_.insert(key).second) {
    ++stats_.misses;
    return true;
  }
  while (loading_.contains(key)) load_ended_.wait(&mutex_);
  return false;
}

bool BlockCache::try_begin_load(const BlockKey& key) {
  const MutexLock lock(&mutex_);
  if (blocks_.contains(key) || !loading_.insert(key).second) return false;
  ++stats_.misses;
  return true;
}

void BlockCache::loaded(const BlockKey& key, ByteView bytes) {
  if (!bytes.empty()) {
    const MutexLock write_lock(&write_mutex_);
    store(key, bytes);
  }
  const MutexLock lock(&mutex_);
  loading_.erase(key);
  load_ended_.notify_all();
}

void BlockCache::store(const BlockKey& key, ByteView bytes) {
  FIRN_CHECK(bytes.size() <= block_bytes_);
  uint64_t slot = 0;
  {
    const MutexLock lock(&mutex_);
    if (blocks_.contains(key)) return;
    slot = take_slot();
  }
  const Status status = file_->write_at(slot * block_bytes_, bytes);
  const MutexLock lock(&mutex_);
  if (!status.ok()) {
    ++stats_.failures;
    free_slots_.push_back(slot);
    return;
  }
  by_use_.push_back(key);
  blocks_[key] = {slot, bytes.size(), crc32c(bytes), std::prev(by_use_.end())};
}

uint64_t BlockCache::take_slot() {
  if (free_slots_.empty() && slots_begun_ < slots_) return slots_begun_++;
  if (free_slots_.empty()) {
    ++stats_.evictions;
    erase(blocks_.find(by_use_.front()));
  }
  const uint64_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

BlockCache::Blocks::iterator BlockCache::erase(Blocks::iterator block) {
  free_slots_.push_back(block->second.slot);
  by_use_.erase(block->second.use);
  return blocks_.erase(block);
}

void BlockCache::forget(const std::string& object) {
  const MutexLock lock(&mutex_);
  auto block = blocks_.lower_bound(BlockKey{object, "", 0});
  while (block != blocks_.end() && block->first.object == object) block = erase(block);
}

ReadCacheStats BlockCache::stats() const {
  const MutexLock lock(&mutex_);
  ReadCacheStats stats = stats_;
  stats.used_bytes = blocks_.size() * block_bytes_;
  return stats;
}

}  // namespace firn
