#include "store/core.h"

#include <algorithm>

namespace firn {

void WalNeeds::add(uint64_t segment, const ChunkKey& interval, Position last) {
  MutexLock lock(&mutex_);
  Position& known = segments_[segment][interval];
  known = std::max(known, last);
}

void WalNeeds::note_record(uint64_t segment, const RecordBatch& batch) {
  MutexLock lock(&mutex_);
  records_[segment].emplace(
      std::pair(batch.namespace_id(), batch.dataset()),
      batch.first_position());  // positions ascend, so the first one noted is the least
}

std::optional<Position> WalNeeds::first_position_from(uint64_t segment, NamespaceId id,
                                                      Dataset dataset) {
  MutexLock lock(&mutex_);
  records_.erase(records_.begin(), records_.lower_bound(segment));
  for (const auto& [number, firsts] : records_) {
    const auto found = firsts.find({id, dataset});
    if (found != firsts.end()) return found->second;
  }
  return std::nullopt;
}

std::optional<uint64_t> WalNeeds::first_needed(const ManifestVersion& version,
                                               const std::function<bool(NamespaceId)>& is_alive) {
  MutexLock lock(&mutex_);
  while (!segments_.empty()) {
    auto& needs = segments_.begin()->second;
    for (auto it = needs.begin(); it != needs.end();) {
      const bool satisfied =
          !is_alive(it->first.namespace_id) || version.watermark(it->first) >= it->second;
      if (!satisfied) return segments_.begin()->first;
      it = needs.erase(it);
    }
    segments_.erase(segments_.begin());
  }
  return std::nullopt;
}

std::string StrayChunk::describe() const {
  std::string text = "tier " + tier + " holds chunk " + key.name() +
                     ", which the manifest does not name and whose rows are nowhere else. It is "
                     "kept; perhaps the manifest is older than the data";
  if (!problem.ok()) text += " (" + problem.to_string() + ")";
  return text;
}

void StrayChunks::add(StrayChunk stray) {
  MutexLock lock(&mutex_);
  problems_.insert_or_assign({std::move(stray.tier), stray.key}, std::move(stray.problem));
}

void StrayChunks::remove(const std::string& tier, const ChunkKey& key) {
  MutexLock lock(&mutex_);
  problems_.erase({tier, key});
}

std::vector<StrayChunk> StrayChunks::all() const {
  MutexLock lock(&mutex_);
  std::vector<StrayChunk> strays;
  for (const auto& [where, problem] : problems_) {
    strays.push_back({where.first, where.second, problem});
  }
  return strays;
}

void StoreCondition::fence(const Status& reason) {
  MutexLock lock(&mutex_);
  if (!stopped_.load()) reason_ = reason;
  fenced_.store(true);
  stopped_.store(true);
}

void StoreCondition::make_read_only(const Status& reason) {
  MutexLock lock(&mutex_);
  if (!stopped_.load()) reason_ = reason;
  stopped_.store(true);
}

void StoreCondition::set_mover_error(const Status& error) {
  MutexLock lock(&mutex_);
  mover_error_ = error;
}

Status StoreCondition::refusal() const {
  MutexLock lock(&mutex_);
  FIRN_CHECK(!reason_.ok());
  return reason_;
}

Status StoreCondition::mover_error() const {
  MutexLock lock(&mutex_);
  return mover_error_;
}

uint64_t Subscribers::add(NamespaceId id, Dataset dataset,
                          std::function<void(Position)> on_published) {
  MutexLock lock(&mutex_);
  const uint64_t subscription = next_++;
  by_dataset_[{id, dataset}].emplace(subscription, std::move(on_published));
  count_.fetch_add(1);
  return subscription;
}

void Subscribers::remove(uint64_t subscription) {
  MutexLock lock(&mutex_);
  for (auto it = by_dataset_.begin(); it != by_dataset_.end(); ++it) {
    if (it->second.erase(subscription) == 0) continue;
    count_.fetch_sub(1);
    if (it->second.empty()) by_dataset_.erase(it);
    return;
  }
}

void Subscribers::notify(NamespaceId id, Dataset dataset, Position published) {
  if (count_.load() == 0) return;
  MutexLock lock(&mutex_);
  const auto found = by_dataset_.find({id, dataset});
  if (found == by_dataset_.end()) return;
  for (const auto& [subscription, on_published] : found->second) on_published(published);
}

NamespacePtr StoreCore::find_namespace(std::string_view name) {
  MutexLock lock(&namespaces_mutex);
  const auto found = namespaces_by_name.find(name);
  return found == namespaces_by_name.end() ? nullptr : found->second;
}

NamespacePtr StoreCore::find_namespace(NamespaceId id) {
  MutexLock lock(&namespaces_mutex);
  const auto found = namespaces_by_id.find(id);
  return found == namespaces_by_id.end() ? nullptr : found->second;
}

std::vector<NamespacePtr> StoreCore::all_namespaces() {
  MutexLock lock(&namespaces_mutex);
  std::vector<NamespacePtr> all;
  for (const auto& [name, state] : namespaces_by_name) all.push_back(state);
  return all;
}

Tier* StoreCore::find_tier(std::string_view name) const {
  for (const auto& tier : tiers) {
    if (tier->name() == name) return tier.get();
  }
  return nullptr;
}

std::vector<TierInfo> StoreCore::tier_infos() const {
  std::vector<TierInfo> infos;
  for (size_t i = 0; i < tiers.size(); ++i) {
    infos.push_back({std::string(tiers[i]->name()), std::string(tiers[i]->backend()),
                     options.tiers[i].keep_ns, tiers[i]->stats()});
  }
  return infos;
}

ChunkKey StoreCore::interval_of(NamespaceId id, Dataset dataset, TimeNs time) const {
  ChunkKey key;
  key.namespace_id = id;
  key.dataset = dataset;
  key.start = interval_start(time, options.chunk_interval_ns);
  // The last interval of representable time includes INT64_MAX, as TimeRange has it.
  if (__builtin_add_overflow(key.start, options.chunk_interval_ns, &key.end)) key.end = INT64_MAX;
  return key;
}

std::vector<std::pair<ChunkKey, BatchSlice>> split_by_interval(const StoreCore& core,
                                                               const BatchPtr& batch) {
  std::vector<std::pair<ChunkKey, BatchSlice>> slices;
  const NamespaceId id = batch->namespace_id();
  const ChunkKey first = core.interval_of(id, batch->dataset(), batch->time_min());
  if (first.start == core.interval_of(id, batch->dataset(), batch->time_max()).start) {
    slices.emplace_back(first, BatchSlice{batch, nullptr});
    return slices;
  }
  std::map<ChunkKey, std::vector<uint32_t>> rows;
  const auto times = batch->int64s(ColumnId::kTime);
  for (uint32_t row = 0; row < batch->rows(); ++row) {
    rows[core.interval_of(id, batch->dataset(), times[row])].push_back(row);
  }
  for (auto& [key, selected] : rows) {
    slices.emplace_back(
        key, BatchSlice{batch, std::make_shared<const std::vector<uint32_t>>(std::move(selected))});
  }
  return slices;
}

}  // namespace firn
