#include "tier/memory/row_index.h"

#include <utility>

#include "tier/lookup.h"
#include "tier/memory/memory_run.h"

namespace firn {

std::unique_ptr<RowIndex> RowIndex::build(const MemoryRun& run, const ColumnSchema& column) {
  std::vector<std::pair<uint64_t, uint32_t>> found;
  const uint32_t slices = run.published();
  uint32_t before = 0;
  for (uint32_t s = 0; s < slices; ++s) {
    const BatchSlice& slice = run.entry(s).slice;
    visit_hashes(slice, column,
                 [&](uint32_t index, uint64_t hash) { found.emplace_back(hash, before + index); });
    before += slice.rows();
  }
  auto index = std::make_unique<RowIndex>();
  // About four rows share a bucket.
  unsigned bits = 1;
  while (bits < 31 && (size_t{4} << bits) < found.size()) ++bits;
  index->shift_ = 64 - bits;
  index->bucket_begin_.assign((size_t{1} << bits) + 1, 0);
  for (const auto& [hash, row] : found) ++index->bucket_begin_[index->bucket_of(hash) + 1];
  for (size_t b = 1; b < index->bucket_begin_.size(); ++b) {
    index->bucket_begin_[b] += index->bucket_begin_[b - 1];
  }
  std::vector<uint32_t> next(index->bucket_begin_.begin(), index->bucket_begin_.end() - 1);
  index->items_.resize(found.size());
  for (const auto& [hash, row] : found) {
    index->items_[next[index->bucket_of(hash)]++] = {static_cast<uint32_t>(hash), row};
  }
  return index;
}

void RowIndex::find(uint64_t hash, std::vector<uint32_t>* row_numbers) const {
  const uint32_t bucket = bucket_of(hash);
  for (uint32_t i = bucket_begin_[bucket]; i < bucket_begin_[bucket + 1]; ++i) {
    if (items_[i].hash_low == static_cast<uint32_t>(hash)) {
      row_numbers->push_back(items_[i].row_number);
    }
  }
}

size_t RowIndex::size_bytes() const {
  return sizeof(*this) + bucket_begin_.capacity() * sizeof(uint32_t) +
         items_.capacity() * sizeof(Item);
}

}  // namespace firn
