#include "store/stream_heads.h"

#include <algorithm>

#include "base/hash.h"
#include "base/status.h"

namespace firn {

namespace {

constexpr size_t kFirstSlots = 64;

uint32_t hash_of(std::string_view stream) { return static_cast<uint32_t>(hash_bytes(stream)); }

}  // namespace

int64_t* StreamHeads::find(std::string_view stream) {
  if (slots_.empty()) return nullptr;
  const uint32_t hash = hash_of(stream);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].index != 0; at = (at + 1) & mask) {
    if (slots_[at].hash != hash) continue;
    Stream& candidate = streams_[slots_[at].index - 1];
    if (candidate.name == stream) return &candidate.next_position;
  }
  return nullptr;
}

int64_t* StreamHeads::insert(std::string_view stream, int64_t next_position) {
  FIRN_CHECK(streams_.size() < UINT32_MAX);
  if ((streams_.size() + 1) * 4 > slots_.size() * 3) {
    std::vector<Slot> old(std::max(kFirstSlots, slots_.size() * 2));
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.index != 0) put(slot);
    }
  }
  streams_.push_back({std::string(stream), next_position});
  put({hash_of(stream), static_cast<uint32_t>(streams_.size())});
  return &streams_.back().next_position;
}

void StreamHeads::put(const Slot& slot) {
  const size_t mask = slots_.size() - 1;
  size_t at = slot.hash & mask;
  while (slots_[at].index != 0) at = (at + 1) & mask;
  slots_[at] = slot;
}

}  // namespace firn
