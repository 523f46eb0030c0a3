#include "tier/blocks/block_index.h"

namespace firn {

namespace {

// Block ids are far below 2^40: a chunk would have to hold 4 * 10^15 rows.
uint64_t filter_key(uint32_t kind, const BlockHeader& block) {
  return (uint64_t{kind} << 40) + static_cast<uint64_t>(block.id);
}

}  // namespace

Result<BlockIndex::Headers> BlockIndex::headers(BlockSource* source, const BlockCounts& counts) {
  Headers known;
  int64_t known_end = 0;
  {
    MutexLock lock(&mutex_);
    if (headers_ != nullptr && headers_epoch_ == counts.epoch &&
        headers_end_ <= counts.next_block) {
      if (headers_end_ == counts.next_block) return headers_;
      known = headers_;
      known_end = headers_end_;
    }
  }
  FIRN_ASSIGN(const auto loaded, source->load_headers(known_end, counts.next_block));
  auto all = std::make_shared<std::vector<BlockHeader>>();
  if (known != nullptr) *all = *known;
  all->insert(all->end(), loaded.begin(), loaded.end());
  uint64_t rows = 0;
  for (const BlockHeader& header : *all) rows += header.rows;
  if (all->size() != counts.blocks || rows != counts.stats.rows) {
    return corruption(std::to_string(all->size()) + " blocks with " + std::to_string(rows) +
                      " rows, but meta counts " + std::to_string(counts.blocks) + " with " +
                      std::to_string(counts.stats.rows));
  }
  MutexLock lock(&mutex_);
  // A read that began earlier must not put its older view in place of a newer one.
  if (headers_ == nullptr || counts.epoch > headers_epoch_ ||
      (counts.epoch == headers_epoch_ && counts.next_block > headers_end_)) {
    headers_ = all;
    headers_epoch_ = counts.epoch;
    headers_end_ = counts.next_block;
  }
  return Headers(std::move(all));
}

Result<std::vector<FilterPtr>> BlockIndex::filters(BlockSource* source, uint32_t kind,
                                                   std::span<const BlockHeader* const> blocks) {
  std::vector<FilterPtr> found(blocks.size());
  std::vector<const BlockHeader*> missing;
  {
    MutexLock lock(&mutex_);
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (((blocks[i]->filters >> kind) & 1) == 0) continue;
      const auto it = filters_.find(filter_key(kind, *blocks[i]));
      if (it != filters_.end()) {
        found[i] = it->second;
      } else {
        missing.push_back(blocks[i]);
      }
    }
  }
  if (missing.empty()) return found;
  std::vector<FilterPtr> loaded;
  FIRN_TRY(source->load_filters(kind, missing, &loaded));
  FIRN_CHECK(loaded.size() == missing.size());
  {
    MutexLock lock(&mutex_);
    for (size_t i = 0; i < missing.size(); ++i) {
      if (filters_.emplace(filter_key(kind, *missing[i]), loaded[i]).second) {
        cache_bytes_.fetch_add(loaded[i]->size() + 96);  // with what the map and pointers take
      }
    }
  }
  size_t next = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (next < missing.size() && blocks[i] == missing[next]) found[i] = loaded[next++];
  }
  return found;
}

void BlockIndex::drop_filters() {
  MutexLock lock(&mutex_);
  filters_.clear();
  cache_bytes_.store(0);
}

void BlockIndex::clear() {
  MutexLock lock(&mutex_);
  headers_.reset();
  headers_epoch_ = 0;
  headers_end_ = 0;
  filters_.clear();
  cache_bytes_.store(0);
}

}  // namespace firn
