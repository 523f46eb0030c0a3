#include "store/id_index.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace firn {

namespace {

constexpr size_t kHashBytes = 6;
constexpr size_t kEpochCapacity = size_t{1}
                                  << 18;  // entries of one epoch, at most half of them used
constexpr size_t kEpochFirstCapacity = size_t{1} << 10;

uint64_t hash48(const Id& id) { return hash_id(id) >> 16; }

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

uint16_t IdTagger::tag_of(const Id& id) const {
  const ByteView rest(reinterpret_cast<const char*>(id.bytes.data()), 14);
  return static_cast<uint16_t>(hash_bytes(rest, secret_));
}

Id IdTagger::tag(Id id) const {
  store_le<uint16_t>(id.bytes.data() + 14, tag_of(id));
  return id;
}

bool IdTagger::has_tag(const Id& id) const {
  return load_le<uint16_t>(id.bytes.data() + 14) == tag_of(id);
}

void RecentIds::put(Epoch* epoch, uint64_t hash, Position position) {
  const size_t mask = epoch->entries.size() - 1;
  size_t slot = hash & mask;
  while (epoch->entries[slot].position != 0) slot = (slot + 1) & mask;
  epoch->entries[slot] = {hash, position};
}

void RecentIds::insert(const Id& id, Position position) {
  if (epochs_.empty() || epochs_.back().used * 2 >= kEpochCapacity) {
    epochs_.emplace_back();
    epochs_.back().entries.resize(kEpochFirstCapacity);
  }
  Epoch& epoch = epochs_.back();
  if ((epoch.used + 1) * 2 > epoch.entries.size()) {
    std::vector<Entry> old = std::move(epoch.entries);
    epoch.entries.assign(old.size() * 2, Entry{});
    for (const Entry& entry : old) {
      if (entry.position != 0) put(&epoch, entry.hash, entry.position);
    }
  }
  put(&epoch, hash_id(id), position);
  ++epoch.used;
  epoch.last = std::max(epoch.last, position);
}

std::vector<Position> RecentIds::find(const Id& id) const {
  std::vector<Position> found;
  const uint64_t hash = hash_id(id);
  for (const Epoch& epoch : epochs_) {
    const size_t mask = epoch.entries.size() - 1;
    for (size_t slot = hash & mask; epoch.entries[slot].position != 0; slot = (slot + 1) & mask) {
      if (epoch.entries[slot].hash == hash) found.push_back(epoch.entries[slot].position);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

void RecentIds::expire(Position position) {
  while (!epochs_.empty() && epochs_.front().last <= position) epochs_.pop_front();
}

void RecentIds::forget_after(Position position) {
  for (Epoch& epoch : epochs_) {
    if (epoch.last <= position) continue;
    const std::vector<Entry> old = std::move(epoch.entries);
    epoch.entries.assign(old.size(), Entry{});
    epoch.used = 0;
    for (const Entry& entry : old) {
      if (entry.position == 0 || entry.position > position) continue;
      put(&epoch, entry.hash, entry.position);
      ++epoch.used;
    }
    epoch.last = position;
  }
}

size_t RecentIds::bytes() const {
  size_t total = 0;
  for (const Epoch& epoch : epochs_) total += epoch.entries.size() * sizeof(Entry);
  return total;
}

std::shared_ptr<const IdList> IdList::build(const std::vector<BatchSlice>& slices,
                                            const IdTagger& tagger) {
  std::vector<uint64_t> hashes;
  for (const BatchSlice& slice : slices) {
    const auto ids = slice.batch->ids(ColumnId::kId);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const Id& id = ids[slice.row(i)];
      if (!id.is_zero() && !tagger.has_tag(id)) hashes.push_back(hash48(id));
    }
  }
  if (hashes.empty()) return nullptr;
  std::sort(hashes.begin(), hashes.end());
  auto list = std::make_shared<IdList>();
  list->hashes_.resize(hashes.size() * kHashBytes);
  for (size_t i = 0; i < hashes.size(); ++i)
    put48(hashes[i], list->hashes_.data() + i * kHashBytes);
  return list;
}

std::string IdList::encode() const { return hashes_; }

Result<std::shared_ptr<const IdList>> IdList::parse(ByteView encoded) {
  if (encoded.size() % kHashBytes != 0) {
    return corruption("id list has " + std::to_string(encoded.size()) +
                      " bytes, which is no multiple of " + std::to_string(kHashBytes));
  }
  auto list = std::make_shared<IdList>();
  list->hashes_.assign(encoded);
  return std::shared_ptr<const IdList>(std::move(list));
}

bool IdList::may_contain(const Id& id) const {
  const uint64_t wanted = hash48(id);
  size_t low = 0, high = size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const uint64_t hash = get48(hashes_.data() + middle * kHashBytes);
    if (hash == wanted) return true;
    if (hash < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return false;
}

}  // namespace firn
