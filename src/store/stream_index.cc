#include "store/stream_index.h"

#include <string>
#include <unordered_set>

#include "base/hash.h"
#include "model/filter.h"

namespace firn {

namespace {

// Seeds, so that a stream named like a category is another entry.
constexpr uint64_t kStreamSeed = 1;
constexpr uint64_t kCategorySeed = 2;

uint64_t stream_hash(std::string_view stream) {
  return HashList::cut(hash_bytes(stream, kStreamSeed));
}
uint64_t category_hash(std::string_view category) {
  return HashList::cut(hash_bytes(category, kCategorySeed));
}

}  // namespace

std::shared_ptr<const StreamList> StreamList::build(const std::vector<BatchSlice>& slices) {
  auto list = std::make_shared<StreamList>();
  std::unordered_set<uint64_t> streams;
  std::vector<uint64_t> hashes;
  std::string_view last;
  for (const BatchSlice& slice : slices) {
    if (!slice.batch->has_column(ColumnId::kStream)) continue;
    const StringColumn column = slice.batch->strings(ColumnId::kStream);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const std::string_view stream = column[slice.row(i)];
      if (stream.empty() || stream == last) continue;
      last = stream;
      const uint64_t hash = stream_hash(stream);
      if (!streams.insert(hash).second) continue;
      if (streams.size() > kStreamsMax) {
        list->is_complete = false;
        return list;
      }
      hashes.push_back(hash);
      hashes.push_back(category_hash(category_of(stream)));
    }
  }
  list->hashes = HashList(std::move(hashes));
  return list;
}

bool StreamList::may_contain_stream(std::string_view stream) const {
  return !is_complete || hashes.may_contain(stream_hash(stream));
}

bool StreamList::may_contain_category(std::string_view category) const {
  return !is_complete || hashes.may_contain(category_hash(category));
}

}  // namespace firn
