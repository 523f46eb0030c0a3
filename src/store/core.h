#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"
#include "env/stoppable_worker.h"
#include "model/known_series.h"
#include "store/id_index.h"
#include "store/manifest.h"
#include "store/options.h"
#include "store/stream_heads.h"
#include "tier/memory/memory_tier.h"
#include "wal/wal.h"

// What the parts of an open store share. Internal to the room: users see store.h.

namespace firn {

// A tier of the store as it is now.
struct TierInfo {
  std::string name;
  std::string backend;
  DurationNs keep_ns = kForever;
  TierStats stats;
};

// The positions of one dataset of a namespace.
struct PositionSequence {
  // Every row at or below it is durable and visible. Written by the log worker only.
  std::atomic<Position> published{0};
  // Every row at or below it is in a tier below memory. Written by the mover.
  std::atomic<Position> flushed_through{0};
  // The rest belongs to the commit worker (and to recovery, before there is one).
  Position next = 1;
  std::deque<BatchPtr> in_flight;  // sequenced, perhaps not published yet; pruned lazily
};

// A namespace in memory. Shared by everyone who works for it.
struct NamespaceState {
  NamespaceState(NamespaceId namespace_id, std::string namespace_name)
      : id(namespace_id), name(std::move(namespace_name)) {}

  const NamespaceId id;
  const std::string name;
  std::atomic<bool> deleted{false};
  std::atomic<DurationNs> retention_ns{kForever};
  std::atomic<TimeNs> created_at{0};
  std::atomic<uint64_t> series_limit{0};  // 0: that of the store
  std::shared_ptr<const NamespaceProfile> profile() const EXCLUDES(profile_mutex) {
    MutexLock lock(&profile_mutex);
    return current_profile;
  }
  void set_profile(NamespaceProfile changed) EXCLUDES(profile_mutex) {
    auto next = std::make_shared<const NamespaceProfile>(std::move(changed));
    MutexLock lock(&profile_mutex);
    current_profile = std::move(next);
  }
  mutable Mutex profile_mutex;
  std::shared_ptr<const NamespaceProfile> current_profile GUARDED_BY(profile_mutex) =
      std::make_shared<const NamespaceProfile>();

  PositionSequence& positions(Dataset dataset) { return sequences[dataset_index(dataset)]; }
  std::array<PositionSequence, kDatasetCount> sequences;

  // The rest belongs to the commit worker (and to recovery, before there is one).
  StreamHeads stream_heads;
  RecentIds recent_ids;
  size_t counted_index_bytes = 0;  // its part of StoreCore::index_bytes
};
using NamespacePtr = std::shared_ptr<NamespaceState>;

// Which rows the segments of the log still hold for memory: per segment the highest position of
// each chunk interval. Any thread.
class WalNeeds {
 public:
  void add(uint64_t segment, const ChunkKey& interval, Position last);
  // The record's first position, whether or not its rows are still needed.
  void note_record(uint64_t segment, const RecordBatch& batch);
  // The first segment that holds a row above its interval's watermark; nothing when none does.
  std::optional<uint64_t> first_needed(const ManifestVersion& version,
                                       const std::function<bool(NamespaceId)>& is_alive);
  // The first position of the namespace's dataset in this segment and later ones; nothing when it
  // has none. Forgets earlier segments.
  std::optional<Position> first_position_from(uint64_t segment, NamespaceId id, Dataset dataset);

 private:
  Mutex mutex_;
  std::map<uint64_t, std::map<ChunkKey, Position>> segments_ GUARDED_BY(mutex_);
  std::map<uint64_t, std::map<std::pair<NamespaceId, Dataset>, Position>> records_
      GUARDED_BY(mutex_);
};

// Why the store does less than everything. Any thread.
class StoreCondition {
 public:
  // The first reason stays.
  void fence(const Status& reason);                          // a write or sync of the log failed
  void make_read_only(const Status& reason);                 // synced bytes of the log are damaged
  void set_disk_full(bool full) { disk_full_.store(full); }  // the log was refused space
  void set_reserve_used(bool used) {
    reserve_used_.store(used);
  }                                           // by whatever else is on the disk
  void set_mover_error(const Status& error);  // ok clears it
  void suspect_clock() { clock_suspect_.store(true); }
  void confirm_clock() { clock_suspect_.store(false); }

  bool accepts_writes() const { return !stopped_.load(); }
  // Why not; REQUIRES !accepts_writes().
  Status refusal() const;
  bool fenced() const { return fenced_.load(); }
  bool disk_full() const { return disk_full_.load() || reserve_used(); }
  bool reserve_used() const { return reserve_used_.load(); }
  bool clock_suspect() const { return clock_suspect_.load(); }
  Status mover_error() const;

 private:
  std::atomic<bool> stopped_{false}, fenced_{false}, disk_full_{false}, reserve_used_{false},
      clock_suspect_{false};
  mutable Mutex mutex_;
  Status reason_ GUARDED_BY(mutex_);
  Status mover_error_ GUARDED_BY(mutex_);
};

// Who wants to hear of new published positions. Any thread.
class Subscribers {
 public:
  // `on_published` gets kNamespaceGone, too.
  uint64_t add(NamespaceId id, Dataset dataset, std::function<void(Position)> on_published);
  // After it returns the function is not running and will not be called again.
  void remove(uint64_t subscription);
  void notify(NamespaceId id, Dataset dataset, Position published);

 private:
  Mutex mutex_;
  uint64_t next_ GUARDED_BY(mutex_) = 1;
  using Functions = std::map<uint64_t, std::function<void(Position)>>;
  std::map<std::pair<NamespaceId, Dataset>, Functions> by_dataset_ GUARDED_BY(mutex_);
  std::atomic<size_t> count_{0};
};

// A chunk in a tier that neither the manifest nor the log accounts for. It is kept and not shown.
struct StrayChunk {
  std::string tier;
  ChunkKey key;
  Status problem;  // why its rows could not be compared with what is shown; ok when they were
  std::string describe() const;
};

// Any thread.
class StrayChunks {
 public:
  void add(StrayChunk stray);
  void remove(const std::string& tier, const ChunkKey& key);  // also when it is none
  std::vector<StrayChunk> all() const;

 private:
  mutable Mutex mutex_;
  std::map<std::pair<std::string, ChunkKey>, Status> problems_ GUARDED_BY(mutex_);
};

// The chunks that the mover works on just now, to be shown as such. Any thread.
class BusyChunks {
 public:
  void set(std::set<ChunkKey> keys) EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    keys_ = std::move(keys);
  }
  bool contains(const ChunkKey& key) const EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return keys_.contains(key);
  }

 private:
  mutable Mutex mutex_;
  std::set<ChunkKey> keys_ GUARDED_BY(mutex_);
};

struct StoreCore {
  Env* env = nullptr;
  StoreOptions options;
  std::unique_ptr<FileLock> directory_lock;
  // Leases report unused chunks here; the mover takes them. Outlives the manifest's versions.
  struct Unused {
    Mutex mutex;
    std::vector<std::pair<std::string, ChunkKey>> chunks GUARDED_BY(mutex);
    std::function<void()> wake GUARDED_BY(mutex);
  };
  std::shared_ptr<Unused> unused = std::make_shared<Unused>();
  std::vector<std::shared_ptr<Tier>> tiers;  // in the order of the options
  std::shared_ptr<MemoryTier> memory;        // tiers[0]
  std::unique_ptr<Manifest> manifest;
  std::unique_ptr<Wal> wal;
  StrayChunks stray_chunks;
  std::unique_ptr<KnownSeries> known_series;  // set when the options are
  BusyChunks busy_chunks;
  WalNeeds wal_needs;
  StoreCondition condition;
  Subscribers subscribers;
  // The log segment of the newest record whose rows are in memory and in wal_needs.
  std::atomic<uint64_t> applied_segment{0};
  std::atomic<uint64_t> queued_bytes{0};  // appended, not published
  std::atomic<uint64_t> index_bytes{0};   // recent ids and stream heads of all namespaces
  std::atomic<bool> stopping{false};      // long work on the mover ends at the next chance
  std::function<void()> wake_mover;       // set before any worker runs
  // Asks the commit worker to give memory back that a flush made needless. Set as above.
  std::function<void()> prune_indexes = [] {};

  Mutex namespaces_mutex;
  std::map<std::string, NamespacePtr, std::less<>> namespaces_by_name GUARDED_BY(namespaces_mutex);
  std::unordered_map<NamespaceId, NamespacePtr> namespaces_by_id GUARDED_BY(namespaces_mutex);

  NamespacePtr find_namespace(std::string_view name);
  NamespacePtr find_namespace(NamespaceId id);
  std::vector<NamespacePtr> all_namespaces();
  Tier* find_tier(std::string_view name) const;
  std::vector<TierInfo> tier_infos() const;
  // The interval that a row of this time belongs to; generation 0.
  ChunkKey interval_of(NamespaceId id, Dataset dataset, TimeNs time) const;
  // Brings index_bytes up to date after the namespace's ids or heads changed. Commit worker.
  void count_index(NamespaceState* ns) {
    const size_t now = ns->recent_ids.bytes() + ns->stream_heads.bytes();
    index_bytes.fetch_add(now - ns->counted_index_bytes);  // wraps around when it shrank
    ns->counted_index_bytes = now;
  }
  // Forgets what the tiers below memory know by now. Heads of streams are kept while there is room,
  // since reading one back costs a query. Commit worker.
  void prune_index(NamespaceState* ns) {
    const Position flushed = ns->positions(Dataset::kEvents).flushed_through.load();
    ns->recent_ids.expire(flushed);
    if (index_bytes.load() > options.memory_bytes_max / 16) ns->stream_heads.forget_stored(flushed);
    count_index(ns);
  }
  // Rows in memory, on their way there, and what is kept to recognise them.
  uint64_t memory_in_use() const {
    return memory->memory_bytes() + queued_bytes.load() + index_bytes.load();
  }
};

// The slices of a batch by chunk interval, ascending; one slice with all rows in the common case.
std::vector<std::pair<ChunkKey, BatchSlice>> split_by_interval(const StoreCore& core,
                                                               const BatchPtr& batch);

}  // namespace firn
