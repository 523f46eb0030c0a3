#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "store/flush_extras.h"
#include "store/new_manifest.h"
#include "store/restore.h"

// A manifest made of what the tiers hold (docs/backup.md).

namespace firn {

namespace {

struct FoundChunk {
  Tier* tier = nullptr;
  size_t tier_index = 0;
  ChunkKey key;
  ChunkStats stats;

  std::string describe() const { return key.name() + " in tier " + std::string(tier->name()); }
};

ChunkKey interval_of(ChunkKey key) {
  key.generation = 0;
  return key;
}

bool has_same_rows(const FoundChunk& a, const FoundChunk& b) {
  return a.stats.rows == b.stats.rows && a.stats.checksum == b.stats.checksum;
}

// Of chunks of an interval whose positions overlap, the one that has the rows of all: a move or a
// rewriting was interrupted, or its sources were still there.
Result<FoundChunk> choose(const std::vector<FoundChunk>& group) {
  const auto most = std::max_element(group.begin(), group.end(), [](const auto& a, const auto& b) {
    return std::pair(a.stats.rows, a.tier_index) < std::pair(b.stats.rows, b.tier_index);
  });
  uint64_t rows = 0, checksum = 0;
  bool are_copies = true;
  for (const FoundChunk& chunk : group) {
    if (&chunk == &*most) continue;
    are_copies = are_copies && has_same_rows(chunk, *most);
    rows += chunk.stats.rows;
    checksum += chunk.stats.checksum;
  }
  if (are_copies || (rows == most->stats.rows && checksum == most->stats.checksum)) return *most;
  std::string all;
  for (const FoundChunk& chunk : group) all += (all.empty() ? "" : ", ") + chunk.describe();
  return conflict("chunks with the same positions and different rows: " + all +
                  "; move away those that are not wanted, then try again");
}

class Rebuild {
 public:
  Rebuild(Env* env, const StoreOptions& options, const Store::Progress& progress)
      : env_(env), options_(options), progress_(progress) {}

  Status find() {
    for (size_t i = 1; i < options_.tiers.size(); ++i) {
      FIRN_ASSIGN(std::unique_ptr<Tier> tier, open_tier(env_, options_, options_.tiers[i]));
      FIRN_ASSIGN(const std::vector<ChunkKey> keys, tier->list());
      for (const ChunkKey& key : keys) found_[interval_of(key)].push_back({tier.get(), i, key, {}});
      chunks_total_ += keys.size();
      tiers_.push_back(std::move(tier));
    }
    if (chunks_total_ > 0) return Status();
    return not_found("no tier of the configuration below memory holds a chunk");
  }

  // Those that own rows.
  Status choose_owners() {
    for (auto& [interval, chunks] : found_) {
      for (FoundChunk& chunk : chunks) {
        FIRN_ASSIGN(chunk.stats, chunk.tier->verify(chunk.key));
        if (progress_) progress_(++chunks_done_, chunks_total_);
      }
      std::sort(chunks.begin(), chunks.end(), [](const FoundChunk& a, const FoundChunk& b) {
        return a.stats.watermark < b.stats.watermark;
      });
      std::vector<FoundChunk> group;
      Position reached = 0;
      for (const FoundChunk& chunk : chunks) {
        if (chunk.stats.rows == 0) continue;
        if (!group.empty() && chunk.stats.position_min > reached) FIRN_TRY(settle(&group));
        reached = std::max(reached, chunk.stats.position_max);
        group.push_back(chunk);
      }
      if (!group.empty()) FIRN_TRY(settle(&group));
    }
    return Status();
  }

  Status write(Manifest* manifest, const std::map<NamespaceId, std::string>& names,
               BackupReport* report) {
    FIRN_TRY(create_namespaces(manifest, names));
    std::map<std::pair<NamespaceId, Dataset>, Position> through;
    uint32_t generation = 0;
    for (const FoundChunk& chunk : owners_) {
      FIRN_TRY(add_chunk(manifest, chunk));
      Position& last = through[{chunk.key.namespace_id, chunk.key.dataset}];
      last = std::max(last, chunk.stats.watermark);
      ++report->chunks;
      report->rows += chunk.stats.rows;
    }
    for (const auto& [interval, chunks] : found_) {
      for (const FoundChunk& chunk : chunks)
        generation = std::max(generation, chunk.key.generation);
    }
    manifest->skip_generations(generation + 1);
    FIRN_TRY(manifest->take_generation().status());
    std::vector<NextPosition> next;
    next.reserve(through.size());
    for (const auto& [key, last] : through) next.push_back({key.first, key.second, last + 1});
    return manifest->commit_trim(Lsn{}, next, {});
  }

 private:
  Status settle(std::vector<FoundChunk>* group) {
    FIRN_ASSIGN(FoundChunk owner, choose(*group));
    owners_.push_back(owner);
    group->clear();
    return Status();
  }

  Status create_namespaces(Manifest* manifest, const std::map<NamespaceId, std::string>& names) {
    std::set<NamespaceId> ids;
    for (const auto& [interval, chunks] : found_) ids.insert(interval.namespace_id);
    for (NamespaceId id = 1; id <= *ids.rbegin(); ++id) {
      const auto named = names.find(id);
      std::string name = id == 1 ? "default" : "namespace-" + std::to_string(id);
      if (named != names.end()) name = named->second;
      FIRN_TRY(manifest->create_namespace(name, kForever, env_->now()).status());
      // Ids are given in turn; those of which nothing is left are used up.
      if (!ids.contains(id)) FIRN_TRY(manifest->delete_namespace(id));
    }
    return Status();
  }

  // One list of ids and streams for each piece, as flushes make them.
  Status add_chunk(Manifest* manifest, const FoundChunk& chunk) {
    ChunkRecord record;
    record.key = chunk.key;
    record.tier = chunk.tier->name();
    record.state = ChunkState::kSealed;
    record.stats = chunk.stats;
    record.created_at = record.changed_at = env_->now();
    ScanSpec spec;
    spec.order = ScanOrder::kPositionAscending;
    spec.complete_through = chunk.stats.watermark;
    FIRN_ASSIGN(const auto reader, chunk.tier->scan(chunk.key, spec, nullptr));
    const IdTagger tagger(manifest->id_secret());
    std::vector<BatchSlice> slices;
    uint64_t bytes = 0;
    while (true) {
      BatchSlice slice;
      FIRN_ASSIGN(const bool more, reader->next(&slice));
      if (!more) break;
      bytes += slice.batch->size_bytes();
      slices.push_back(std::move(slice));
      if (bytes < options_.move_bytes()) continue;
      FIRN_TRY(manifest->commit_chunk(record, extras_of(slices, tagger)));
      slices.clear();
      bytes = 0;
    }
    return manifest->commit_chunk(record, extras_of(slices, tagger));
  }

  Env* const env_;
  const StoreOptions& options_;
  const Store::Progress& progress_;
  std::vector<std::unique_ptr<Tier>> tiers_;
  std::map<ChunkKey, std::vector<FoundChunk>> found_;  // by interval
  std::vector<FoundChunk> owners_;
  uint64_t chunks_done_ = 0, chunks_total_ = 0;
};

}  // namespace

Result<BackupReport> rebuild_manifest(Env* env, const StoreOptions& options,
                                      const std::map<NamespaceId, std::string>& names,
                                      const Store::Progress& progress) {
  FIRN_TRY(validate_options(options));
  FIRN_ASSIGN(NewManifest manifest, NewManifest::create(env, options));
  Rebuild rebuild(env, options, progress);
  FIRN_TRY(rebuild.find());
  FIRN_TRY(rebuild.choose_owners());
  FIRN_TRY(manifest.begin_empty());
  BackupReport report;
  FIRN_TRY(rebuild.write(manifest.get(), names, &report));
  FIRN_TRY(manifest.publish());
  return report;
}

}  // namespace firn
