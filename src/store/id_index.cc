#include "store/id_index.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace firn {

namespace {

constexpr size_t kEpochCapacity = size_t{1} << 18;
constexpr size_t kEpochFirstCapacity = size_t{1} << 8;

// Whether a table of this size takes one more.
bool has_room(size_t used, size_t capacity) { return (used + 1) * 4 <= capacity * 3; }

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

void RecentIds::put(Epoch* epoch, const Entry& entry) {
  const size_t mask = epoch->entries.size() - 1;
  size_t slot = entry.hash & mask;
  while (epoch->entries[slot].offset != 0) slot = (slot + 1) & mask;
  epoch->entries[slot] = entry;
  ++epoch->used;
}

template <typename Keep>
void RecentIds::rebuild(Epoch* epoch, size_t capacity, const Keep& keep) {
  bytes_ -= epoch->entries.size() * sizeof(Entry);
  const std::vector<Entry> old = std::move(epoch->entries);
  epoch->entries.assign(capacity, Entry{});
  bytes_ += capacity * sizeof(Entry);
  epoch->used = 0;
  for (const Entry& entry : old) {
    if (entry.offset != 0 && keep(entry)) put(epoch, entry);
  }
}

void RecentIds::insert(const Id& id, Position position) {
  const bool fits = !epochs_.empty() && has_room(epochs_.back().used, kEpochCapacity) &&
                    position - epochs_.back().first < UINT32_MAX;
  if (!fits) {
    epochs_.emplace_back();
    epochs_.back().first = position;
  }
  Epoch& epoch = epochs_.back();
  if (!has_room(epoch.used, epoch.entries.size())) {
    const size_t capacity = std::max(kEpochFirstCapacity, epoch.entries.size() * 2);
    rebuild(&epoch, capacity, [](const Entry&) { return true; });
  }
  put(&epoch,
      {static_cast<uint32_t>(hash_id(id)), static_cast<uint32_t>(1 + position - epoch.first)});
  epoch.last = position;
}

std::vector<Position> RecentIds::find(const Id& id) const {
  std::vector<Position> found;
  const auto hash = static_cast<uint32_t>(hash_id(id));
  for (const Epoch& epoch : epochs_) {
    const size_t mask = epoch.entries.size() - 1;
    for (size_t slot = hash & mask; epoch.entries[slot].offset != 0; slot = (slot + 1) & mask) {
      const Entry& entry = epoch.entries[slot];
      if (entry.hash == hash) found.push_back(epoch.first + entry.offset - 1);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

void RecentIds::expire(Position position) {
  while (!epochs_.empty() && epochs_.front().last <= position) {
    bytes_ -= epochs_.front().entries.size() * sizeof(Entry);
    epochs_.pop_front();
  }
}

void RecentIds::forget_after(Position position) {
  while (!epochs_.empty() && epochs_.back().last > position) {
    Epoch& epoch = epochs_.back();
    if (epoch.first > position) {
      bytes_ -= epoch.entries.size() * sizeof(Entry);
      epochs_.pop_back();
      continue;
    }
    rebuild(&epoch, epoch.entries.size(),
            [&](const Entry& entry) { return epoch.first + entry.offset - 1 <= position; });
    epoch.last = position;
  }
}

uint64_t listed_id(const Id& id) { return HashList::cut(hash_id(id)); }

std::shared_ptr<const HashList> list_ids(const std::vector<BatchSlice>& slices,
                                         const IdTagger& tagger) {
  std::vector<uint64_t> hashes;
  for (const BatchSlice& slice : slices) {
    const auto ids = slice.batch->ids(ColumnId::kId);
    for (uint32_t i = 0; i < slice.rows(); ++i) {
      const Id& id = ids[slice.row(i)];
      if (!id.is_zero() && !tagger.has_tag(id)) hashes.push_back(listed_id(id));
    }
  }
  if (hashes.empty()) return nullptr;
  return std::make_shared<const HashList>(std::move(hashes));
}

}  // namespace firn
