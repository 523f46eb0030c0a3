#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "model/record_batch.h"
#include "store/hash_list.h"

namespace firn {

// The streams that rows of one flush belong to, and their categories: a hint, kept beside the chunk
// in the manifest, that saves opening chunks which cannot hold what is asked for. Immutable.
struct StreamList {
  // Above it a flush lists none: its chunk is then always looked into.
  static constexpr size_t kStreamsMax = 16'384;

  bool is_complete = true;  // false: any stream may be there
  HashList hashes;          // of names and of categories

  // Never null.
  static std::shared_ptr<const StreamList> build(const std::vector<BatchSlice>& slices);
  // False when certainly no row has this stream, or one of this category.
  bool may_contain_stream(std::string_view stream) const;
  bool may_contain_category(std::string_view category) const;
  size_t bytes() const { return sizeof(StreamList) + hashes.bytes(); }
};

}  // namespace firn
