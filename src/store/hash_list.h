#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace firn {

// Sorted 48-bit hashes, six bytes each: a hint what may be somewhere, with false hits about once in
// 10^8 for a million entries. Immutable.
class HashList {
 public:
  // The part of a 64-bit hash that is kept.
  static uint64_t cut(uint64_t hash) { return hash >> 16; }

  HashList() = default;
  // Of cut hashes in any order; repeated ones are kept once.
  explicit HashList(std::vector<uint64_t> hashes);
  // kCorruption for bytes that encoded() cannot have given.
  static Result<HashList> parse(ByteView encoded);
  const std::string& encoded() const { return hashes_; }
  bool may_contain(uint64_t hash) const;
  size_t size() const { return hashes_.size() / 6; }
  size_t bytes() const { return hashes_.size(); }

 private:
  std::string hashes_;  // 6 bytes each, big-endian so that bytes sort
};

}  // namespace firn
