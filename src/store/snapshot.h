#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/core.h"
#include "tier/tier.h"

namespace firn {

// A chunk as one snapshot sees it: where it is and which positions of it belong there.
struct SnapshotChunk {
  ChunkKey key;
  std::string tier;
  std::string backend;
  ChunkState state = ChunkState::kOpen;
  // Rows outside belong to another tier or are newer than the snapshot. From 0 on, unless the chunk
  // is in memory.
  PositionRange owned;
  ChunkStats stats;        // for chunks in memory: of what the hot tier holds, owned or not
  TimeNs keep_until = 0;   // as in ChunkRecord
  TimeNs exported_at = 0;  // likewise
  bool in_memory = false;
  bool stats_are_exact = false;  // stats count exactly the owned rows

  // Raw bytes for each byte on disk; nothing for what is not on disk.
  std::optional<double> compression_ratio() const {
    if (in_memory || stats.bytes == 0) return std::nullopt;
    return static_cast<double>(stats.raw_bytes) / static_cast<double>(stats.bytes);
  }
};

// A fixed reading of one namespace: what it holds never changes, whatever is appended, flushed or
// moved meanwhile. Chunks it names are not removed while it lives. Thread rule: immutable, any
// thread.
class Snapshot {
 public:
  Snapshot(std::shared_ptr<StoreCore> core, NamespacePtr name_space);

  NamespaceId namespace_id() const { return namespace_->id; }
  const std::string& namespace_name() const { return namespace_->name; }
  // The last visible position of events.
  Position published() const { return published(Dataset::kEvents); }
  Position published(Dataset dataset) const { return published_[dataset_index(dataset)]; }

  // The chunks that may hold rows of the filter's time and position ranges, ascending by key, tiers
  // from old to fresh within an interval.
  std::vector<SnapshotChunk> chunks(Dataset dataset, const Filter& filter) const;
  // Those of them that are in memory, in no order.
  std::vector<SnapshotChunk> memory_chunks(Dataset dataset) const;
  // All chunks of all datasets, in that order within each.
  std::vector<SnapshotChunk> all_chunks() const;
  // Reads rows of the chunk that it owns and that satisfy the filter.
  Result<std::unique_ptr<BatchReader>> scan(const SnapshotChunk& chunk, ScanSpec spec,
                                            ScanCost* cost) const;
  Result<AggregateStates> aggregate(const SnapshotChunk& chunk, AggregateSpec spec,
                                    ScanCost* cost) const;
  // Samples or rollups of the interval were dropped for good, all or some up to this position; 0:
  // none were. Of rollups that went as a whole nothing is told.
  Position dropped_through(Dataset dataset, TimeNs interval_start) const;
  // As docs/lifecycle.md names it, with what the mover does just now.
  std::string_view state_name(const SnapshotChunk& chunk) const;
  // All tiers of the store, fresh to old, with what they hold of all namespaces.
  std::vector<TierInfo> tiers() const;
  // Files of a chunk, for engines that read its format themselves; empty when it has none.
  std::vector<StoredFile> files(const SnapshotChunk& chunk) const;
  // What opens them; see Tier::file_env().
  Env* file_env(const SnapshotChunk& chunk) const;
  // False when a row with this id certainly is not in the chunk.
  Result<bool> may_contain_id(const SnapshotChunk& chunk, const Id& id) const;
  // False when certainly no row of the chunk has this stream, or one of this category.
  Result<bool> may_contain_stream(const SnapshotChunk& chunk, std::string_view stream) const;
  Result<bool> may_contain_category(const SnapshotChunk& chunk, std::string_view category) const;
  // Heads of streams (the next stream position) as of the last flush: not fixed, they may be newer
  // than the snapshot, but never count what was not published. Rows in memory go beyond them. 0
  // when the stream is unknown.
  Result<int64_t> flushed_stream_head(std::string_view stream) const;
  // As Manifest::stream_heads().
  Result<std::vector<std::pair<std::string, int64_t>>> flushed_stream_heads(std::string_view prefix,
                                                                            std::string_view after,
                                                                            uint32_t limit) const;

 private:
  template <typename MayContain>
  Result<bool> look_in_stream_lists(const SnapshotChunk& chunk,
                                    const MayContain& may_contain) const;

  std::shared_ptr<StoreCore> core_;
  NamespacePtr namespace_;
  std::array<Position, kDatasetCount> published_;
  MemorySnapshot memory_;
  ManifestVersionPtr version_;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace firn
