#include "store/hash_list.h"

#include <algorithm>
#include <utility>

namespace firn {

namespace {

constexpr size_t kHashBytes = 6;

void put48(uint64_t hash, char* out) {
  for (size_t i = 0; i < kHashBytes; ++i) {
    out[i] = static_cast<char>((hash >> (8 * (kHashBytes - 1 - i))) & 0xff);
  }
}

uint64_t get48(const char* in) {
  uint64_t hash = 0;
  for (size_t i = 0; i < kHashBytes; ++i) hash = (hash << 8) | static_cast<uint8_t>(in[i]);
  return hash;
}

}  // namespace

HashList::HashList(std::vector<uint64_t> hashes) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  hashes_.resize(hashes.size() * kHashBytes);
  for (size_t i = 0; i < hashes.size(); ++i) put48(hashes[i], hashes_.data() + i * kHashBytes);
}

Result<HashList> HashList::parse(ByteView encoded) {
  if (encoded.size() % kHashBytes != 0) {
    return corruption("a list of hashes has " + std::to_string(encoded.size()) +
                      " bytes, which is no multiple of " + std::to_string(kHashBytes));
  }
  HashList list;
  list.hashes_.assign(encoded);
  return list;
}

bool HashList::may_contain(uint64_t hash) const {
  size_t low = 0, high = size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const uint64_t found = get48(hashes_.data() + middle * kHashBytes);
    if (found == hash) return true;
    if (found < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return false;
}

}  // namespace firn
