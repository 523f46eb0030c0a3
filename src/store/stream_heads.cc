#include "store/stream_heads.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/hash.h"
#include "base/status.h"

namespace firn {

namespace {

constexpr size_t kFirstSlots = 64;
constexpr size_t kNamesAtOnce = 32;  // lines that a core can wait for at once, and a few more

uint32_t hash_of(std::string_view stream) { return static_cast<uint32_t>(hash_bytes(stream)); }

}  // namespace

int64_t* StreamHeads::Table::find(std::string_view stream, uint32_t hash) {
  if (slots_.empty()) return nullptr;
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask; slots_[at].index != 0; at = (at + 1) & mask) {
    if (slots_[at].hash != hash) continue;
    Stream& candidate = streams_[slots_[at].index - 1];
    if (candidate.name == stream) return &candidate.next_position;
  }
  return nullptr;
}

void StreamHeads::Table::prefetch_slot(uint32_t hash) const {
  if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
}

void StreamHeads::Table::prefetch_stream(uint32_t hash) const {
  if (slots_.empty()) return;
  const Slot& slot = slots_[hash & (slots_.size() - 1)];
  if (slot.index != 0) __builtin_prefetch(&streams_[slot.index - 1]);
}

int64_t* StreamHeads::Table::insert(std::string_view stream, uint32_t hash, int64_t next_position) {
  FIRN_CHECK(streams_.size() < UINT32_MAX);
  if ((streams_.size() + 1) * 4 > slots_.size() * 3) {
    std::vector<Slot> old(std::max(kFirstSlots, slots_.size() * 2));
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.index != 0) put(slot);
    }
  }
  streams_.push_back({std::string(stream), next_position});
  Stream& added = streams_.back();
  // A short name lies within the string itself.
  const bool has_block = added.name.capacity() > std::string().capacity();
  stream_bytes_ += sizeof(Stream) + (has_block ? added.name.capacity() + 1 : 0);
  put({hash, static_cast<uint32_t>(streams_.size())});
  return &added.next_position;
}

void StreamHeads::Table::put(const Slot& slot) {
  const size_t mask = slots_.size() - 1;
  size_t at = slot.hash & mask;
  while (slots_[at].index != 0) at = (at + 1) & mask;
  slots_[at] = slot;
}

int64_t* StreamHeads::find(std::string_view stream, Position through) {
  return find(stream, hash_of(stream), through);
}

void StreamHeads::find_all(std::span<const std::string_view> streams, Position through,
                           std::span<int64_t*> heads) {
  FIRN_CHECK(heads.size() == streams.size());
  std::array<uint32_t, kNamesAtOnce> hashes;
  for (size_t begin = 0; begin < streams.size(); begin += kNamesAtOnce) {
    const size_t count = std::min(kNamesAtOnce, streams.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      hashes[i] = hash_of(streams[begin + i]);
      current_.prefetch_slot(hashes[i]);
    }
    for (size_t i = 0; i < count; ++i) current_.prefetch_stream(hashes[i]);
    for (size_t i = 0; i < count; ++i) {
      heads[begin + i] = find(streams[begin + i], hashes[i], through);
    }
  }
}

int64_t* StreamHeads::find(std::string_view stream, uint32_t hash, Position through) {
  int64_t* found = current_.find(stream, hash);
  if (found == nullptr) {
    const int64_t* old = older_.find(stream, hash);
    if (old != nullptr) found = current_.insert(stream, hash, *old);
  }
  if (found != nullptr) current_.through = std::max(current_.through, through);
  return found;
}

int64_t* StreamHeads::insert(std::string_view stream, int64_t next_position, Position through) {
  current_.through = std::max(current_.through, through);
  return current_.insert(stream, hash_of(stream), next_position);
}

void StreamHeads::forget_stored(Position stored_through) {
  if (older_.through <= stored_through) older_ = Table();
  if (older_.empty()) older_ = std::exchange(current_, Table());
  if (older_.through <= stored_through) older_ = Table();
}

}  // namespace firn
