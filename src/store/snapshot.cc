#include "store/snapshot.h"

#include <algorithm>

#include "base/mutant.h"

namespace firn {

namespace {

PositionRange intersect(PositionRange a, PositionRange b) {
  return {std::max(a.from, b.from), std::min(a.to, b.to)};
}

// Series before samples in the log, so after them here: what a sample shown belongs to is shown.
std::array<Position, kDatasetCount> read_published(NamespaceState* ns) {
  std::array<Position, kDatasetCount> published{};
  for (const Dataset dataset : kDatasets) {
    published[dataset_index(dataset)] = ns->positions(dataset).published.load();
  }
  return published;
}

}  // namespace

// The order of the three readings matters: see docs/commit-path.md, "Snapshots".
Snapshot::Snapshot(std::shared_ptr<StoreCore> core, NamespacePtr name_space)
    : core_(std::move(core)),
      namespace_(std::move(name_space)),
      published_(read_published(namespace_.get())),
      memory_(core_->memory->snapshot()),
      version_(core_->manifest->current()) {}

std::vector<SnapshotChunk> Snapshot::chunks(Dataset dataset, const Filter& filter) const {
  std::vector<SnapshotChunk> found;
  const Position published = this->published(dataset);
  const auto consider = [&](SnapshotChunk chunk) {
    const PositionRange wanted = intersect(chunk.owned, filter.positions);
    if (wanted.from >= wanted.to) return;
    if (!filter.time.overlaps(chunk.stats.time_min, chunk.stats.time_max)) return;
    if (!filter.positions.overlaps(chunk.stats.position_min, chunk.stats.position_max)) return;
    found.push_back(std::move(chunk));
  };
  ChunkKey first;
  first.namespace_id = namespace_->id;
  first.dataset = dataset;
  first.start = first.end = INT64_MIN;
  for (auto it = version_->chunks.lower_bound(first); it != version_->chunks.end(); ++it) {
    const ChunkRecord& record = *it->second;
    if (it->first.namespace_id != namespace_->id || it->first.dataset != dataset) break;
    if (record.state == ChunkState::kDropped) continue;
    const Tier* tier = core_->find_tier(record.tier);
    FIRN_CHECK(tier != nullptr);
    SnapshotChunk chunk;
    chunk.key = record.key;
    chunk.tier = record.tier;
    chunk.backend = tier->backend();
    chunk.state = record.state;
    chunk.stats = record.stats;
    chunk.keep_until = record.keep_until;
    chunk.exported_at = record.exported_at;
    // A flush may have stored rows that the manifest does not know yet, or that this snapshot is
    // too old to see: they still belong to memory here.
    const Position through =
        mutant(12) ? record.stats.watermark : std::min(record.stats.watermark, published);
    chunk.owned = {0, through + 1};
    chunk.stats_are_exact = record.stats.watermark <= published;
    consider(std::move(chunk));
  }
  for (SnapshotChunk& chunk : memory_chunks(dataset)) consider(std::move(chunk));
  std::stable_sort(found.begin(), found.end(), [](const SnapshotChunk& a, const SnapshotChunk& b) {
    if (a.key.start != b.key.start) return a.key.start < b.key.start;
    if (a.in_memory != b.in_memory) return b.in_memory;
    return a.key.generation < b.key.generation;
  });
  return found;
}

std::vector<SnapshotChunk> Snapshot::memory_chunks(Dataset dataset) const {
  std::vector<SnapshotChunk> found;
  const Position published = this->published(dataset);
  for (const auto& held : memory_.chunks(namespace_->id)) {
    const PositionRange owned{version_->watermark(held.key) + 1, published + 1};
    if (held.key.dataset != dataset || owned.from >= owned.to) continue;
    SnapshotChunk& chunk = found.emplace_back();
    chunk.key = held.key;
    chunk.tier = core_->memory->name();
    chunk.backend = core_->memory->backend();
    chunk.stats = held.stats;
    chunk.owned = owned;
    chunk.in_memory = true;
    chunk.stats_are_exact =
        chunk.owned.from <= held.stats.position_min && held.stats.position_max <= published;
  }
  return found;
}

std::vector<SnapshotChunk> Snapshot::all_chunks() const {
  std::vector<SnapshotChunk> all;
  for (const Dataset dataset : kDatasets) {
    for (SnapshotChunk& chunk : chunks(dataset, Filter{})) all.push_back(std::move(chunk));
  }
  return all;
}

namespace {

// What the manifest names is there, or something is wrong: an answer without it would be one that
// hides rows.
template <typename T>
Result<T> as_known(Result<T> result, const SnapshotChunk& chunk) {
  if (result.status().code() != StatusCode::kNotFound) return result;
  return corruption("the chunk " + chunk.key.name() + " with positions " +
                    std::to_string(chunk.stats.position_min) + " to " +
                    std::to_string(chunk.stats.position_max) + " is missing in tier '" +
                    chunk.tier + "'; bring it back from a backup");
}

}  // namespace

Result<std::unique_ptr<BatchReader>> Snapshot::scan(const SnapshotChunk& chunk, ScanSpec spec,
                                                    ScanCost* cost) const {
  spec.filter.positions = intersect(spec.filter.positions, chunk.owned);
  if (chunk.in_memory) return memory_.scan(chunk.key, spec, cost);
  spec.complete_through = chunk.stats.watermark;
  return as_known(core_->find_tier(chunk.tier)->scan(chunk.key, spec, cost), chunk);
}

Result<AggregateStates> Snapshot::aggregate(const SnapshotChunk& chunk, AggregateSpec spec,
                                            ScanCost* cost) const {
  spec.filter.positions = intersect(spec.filter.positions, chunk.owned);
  if (!chunk.in_memory) {
    spec.complete_through = chunk.stats.watermark;
    return as_known(core_->find_tier(chunk.tier)->aggregate(chunk.key, spec, cost), chunk);
  }
  ScanSpec scan_spec;
  scan_spec.filter = spec.filter;
  scan_spec.projection = aggregate_projection(spec).with(spec.filter);
  FIRN_ASSIGN(const auto reader, memory_.scan(chunk.key, scan_spec, cost));
  return aggregate_reader(reader.get(), spec);
}

Position Snapshot::dropped_through(Dataset dataset, TimeNs interval_start) const {
  const auto found = version_->dropped_rows.find({namespace_->id, dataset, interval_start});
  return found == version_->dropped_rows.end() ? 0 : found->second;
}

std::string_view Snapshot::state_name(const SnapshotChunk& chunk) const {
  if (chunk.in_memory) return chunk_state_name(ChunkState::kOpen);
  if (core_->busy_chunks.contains(chunk.key)) return "moving";
  return chunk.keep_until != 0 ? "rehydrated" : chunk_state_name(chunk.state);
}

std::vector<TierInfo> Snapshot::tiers() const { return core_->tier_infos(); }

std::vector<StoredFile> Snapshot::files(const SnapshotChunk& chunk) const {
  if (chunk.in_memory) return {};
  return core_->find_tier(chunk.tier)->files(chunk.key);
}

Env* Snapshot::file_env(const SnapshotChunk& chunk) const {
  return chunk.in_memory ? nullptr : core_->find_tier(chunk.tier)->file_env();
}

Result<int64_t> Snapshot::flushed_stream_head(std::string_view stream) const {
  return core_->manifest->stream_head(namespace_->id, stream);
}

Result<std::vector<std::pair<std::string, int64_t>>> Snapshot::flushed_stream_heads(
    std::string_view prefix, std::string_view after, uint32_t limit) const {
  return core_->manifest->stream_heads(namespace_->id, prefix, after, limit);
}

Result<bool> Snapshot::may_contain_id(const SnapshotChunk& chunk, const Id& id) const {
  // Ids made here are not listed (store/id_index.h).
  if (chunk.in_memory || IdTagger(core_->manifest->id_secret()).has_tag(id)) return true;
  const auto found = version_->chunks.find(chunk.key);
  if (found == version_->chunks.end() || found->second->id_lists == 0) return false;
  FIRN_ASSIGN(const auto lists, core_->manifest->id_lists(chunk.key));
  if (lists.size() < found->second->id_lists) return true;  // dropped since, but kept for this
  for (const auto& list : lists) {
    if (list->may_contain(listed_id(id))) return true;
  }
  return false;
}

template <typename MayContain>
Result<bool> Snapshot::look_in_stream_lists(const SnapshotChunk& chunk,
                                            const MayContain& may_contain) const {
  if (chunk.in_memory) return true;
  const auto found = version_->chunks.find(chunk.key);
  if (found == version_->chunks.end() || found->second->stream_lists == 0) return true;
  FIRN_ASSIGN(const auto lists, core_->manifest->stream_lists(chunk.key));
  if (lists.size() < found->second->stream_lists) return true;  // as above
  for (const auto& list : lists) {
    if (may_contain(*list)) return true;
  }
  return false;
}

Result<bool> Snapshot::may_contain_stream(const SnapshotChunk& chunk,
                                          std::string_view stream) const {
  if (stream.empty()) return true;  // rows without a stream are not listed
  return look_in_stream_lists(
      chunk, [&](const StreamList& list) { return list.may_contain_stream(stream); });
}

Result<bool> Snapshot::may_contain_category(const SnapshotChunk& chunk,
                                            std::string_view category) const {
  return look_in_stream_lists(
      chunk, [&](const StreamList& list) { return list.may_contain_category(category); });
}

}  // namespace firn
