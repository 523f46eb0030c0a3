#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/mutex.h"
#include "base/recent_cache.h"
#include "base/status.h"
#include "env/env.h"
#include "env/sqlite_db.h"
#include "model/schema.h"
#include "store/hash_list.h"
#include "store/stream_index.h"
#include "tier/tier.h"
#include "wal/wal.h"

namespace firn {

enum class ChunkState : uint8_t {
  kOpen = 0,        // flushes may add rows
  kSealed = 1,      // complete; rows that arrive later start the next generation
  kDropped = 2,     // its rows are gone from here; kept until the log has passed it
  kCompressed = 3,  // sealed, and in the smallest form that its tier has
};
std::string_view chunk_state_name(ChunkState state);

// Keeps a chunk's storage alive: every manifest version that names the chunk in this tier holds it.
// When doomed, the last holder reports it through `on_last` from its destructor.
struct ChunkLease {
  ChunkLease(std::string tier_name, ChunkKey chunk_key,
             std::function<void(const std::string&, const ChunkKey&)> last)
      : tier(std::move(tier_name)), key(chunk_key), on_last(std::move(last)) {}
  ~ChunkLease() {
    if (doomed.load()) on_last(tier, key);
  }
  std::string tier;
  ChunkKey key;
  std::function<void(const std::string&, const ChunkKey&)> on_last;
  std::atomic<bool> doomed{false};
};

// One chunk generation as the manifest knows it. `stats.watermark`: every row of the interval up to
// it belongs to this or an earlier generation.
struct ChunkRecord {
  ChunkKey key;
  std::string tier;
  ChunkState state = ChunkState::kOpen;
  ChunkStats stats;
  TimeNs created_at = 0;
  TimeNs changed_at = 0;
  // Rehydrated: no age moves it down before this; INT64_MAX: none does. 0 for all others.
  TimeNs keep_until = 0;
  TimeNs exported_at = 0;     // when its rows were last exported; 0: never
  uint64_t id_lists = 0;      // how many lists of client ids are stored for it
  uint64_t stream_lists = 0;  // how many lists of its streams; one per flush
  std::shared_ptr<ChunkLease> lease;

  // Flushes add no more rows.
  bool is_complete() const {
    return state == ChunkState::kSealed || state == ChunkState::kCompressed;
  }
};
using ChunkRecordPtr = std::shared_ptr<const ChunkRecord>;

// The manifest at one moment. Immutable and shared.
struct ManifestVersion {
  uint64_t number = 0;
  std::map<ChunkKey, ChunkRecordPtr> chunks;
  // Through which position samples or rollups of an interval were dropped for good: by namespace,
  // dataset and the interval's start. What is left of them is not all there was.
  std::map<std::tuple<NamespaceId, Dataset, TimeNs>, Position> dropped_rows;

  // The highest watermark of the interval's generations, 0 when there is none. `interval` is a key
  // with any generation.
  Position watermark(const ChunkKey& interval) const;
  // The generation that takes flushed rows, or null.
  ChunkRecordPtr open_generation(const ChunkKey& interval) const;
  // The interval's generations that have rows, by watermark: so by positions, too.
  std::vector<ChunkRecordPtr> live_generations(const ChunkKey& interval) const;
};
using ManifestVersionPtr = std::shared_ptr<const ManifestVersion>;

// What belongs to a namespace besides its data.
struct NamespaceProfile {
  std::string description;
  std::string token_sha256;  // 32 bytes; empty: it has no token
};

constexpr std::array<Position, kDatasetCount> first_positions() {
  std::array<Position, kDatasetCount> positions{};
  positions.fill(1);
  return positions;
}

struct NamespaceRecord {
  NamespaceId id = 0;
  std::string name;
  TimeNs created_at = 0;
  // By dataset_index(), as of the last trim of the log.
  std::array<Position, kDatasetCount> next_positions = first_positions();
  DurationNs retention_ns = INT64_MAX;  // rows older than this are dropped; INT64_MAX: tiers decide
  uint64_t series_limit = 0;            // 0: that of the store's options
  NamespaceProfile profile;
};

// The next position of a namespace's dataset.
struct NextPosition {
  NamespaceId id = 0;
  Dataset dataset = Dataset::kEvents;
  Position position = 1;
};

// What becomes of rows that a dropped chunk had. What is gone is told as long as the namespace is.
enum class RowsGone : uint8_t {
  kNone,        // they are in another chunk
  kAll,         // told of samples; rollups that go with their marks leave nobody to be misled
  kSomeSeries,  // told of samples and rollups: what stays does not show what is missing
};

// What a flush commits besides the chunk: heads of streams (next stream position), client ids, and
// which streams the rows belong to.
struct FlushExtras {
  std::vector<std::pair<std::string, int64_t>> stream_heads;
  std::shared_ptr<const HashList> ids;        // may be null
  std::shared_ptr<const StreamList> streams;  // null: no flush
  RowsGone gone = RowsGone::kNone;            // of a dropped chunk
};

// The last wall time that was trusted, and whether the one after it was not (clock_guard.h).
struct ClockRecord {
  TimeNs wall = 0;
  bool is_suspect = false;
};

class ManifestChange;

// The lists of one chunk, one for each of its flushes.
using HashLists = std::vector<std::shared_ptr<const HashList>>;
using StreamLists = std::vector<std::shared_ptr<const StreamList>>;

// The transactional record of where data is: a SQLite database in the data directory
// (docs/formats/manifest.md). Every change is one durable transaction; readers take the current
// version and never wait for a writer, only stream_head() and id_lists() may.
//
// Thread rule: any thread; changes are serialised inside.
class Manifest {
 public:
  // Opens or creates, and checks what it opens: kCorruption when any page, row or the sum over all
  // rows is wrong, and then nothing was changed. `existing_data`: true when the data directory
  // holds chunks or log segments, in which case a missing manifest is an error, not an empty store.
  // `on_failed_sync` hears, from whoever commits, that a sync failed: the outcome of that commit is
  // open, and nothing more can be written or looked up until the manifest is opened again.
  static Result<std::unique_ptr<Manifest>> open(
      Env* env, const std::string& path, bool existing_data, DurationNs chunk_interval_ns,
      std::function<void(const std::string&, const ChunkKey&)> on_unused,
      std::function<void(const Status&)> on_failed_sync);

  ManifestVersionPtr current() const;
  // The number for a new generation of any interval. Never one that was used before, so that a
  // chunk's name is never given to other rows while somebody may still read the old ones.
  uint32_t next_generation() const;
  // Numbers below `next` were used by chunks that the manifest does not know.
  void skip_generations(uint32_t next);
  // As next_generation(), and used up when it returns: neither this process nor one after a crash
  // gives it again, whether or not a chunk is committed under it.
  Result<uint32_t> take_generation();
  uint64_t id_secret() const { return id_secret_; }
  Lsn wal_begin() const;
  // As recorded when it was opened.
  const ClockRecord& clock_at_open() const { return clock_at_open_; }

  // Namespaces, ascending by id.
  std::vector<NamespaceRecord> namespaces() const;
  // kConflict when the name exists.
  Result<NamespaceRecord> create_namespace(const std::string& name, DurationNs retention,
                                           TimeNs now, const NamespaceProfile& profile = {});
  // Replaces what is known of it besides its data.
  Status set_profile(NamespaceId id, const NamespaceProfile& profile);
  Status set_retention(NamespaceId id, DurationNs retention);
  Status set_series_limit(NamespaceId id, uint64_t limit);
  // Whether the id was once that of a namespace, and is of none now.
  bool was_deleted(NamespaceId id) const;
  // Forgets the namespace, marks its chunks dropped, and creates an empty one with a new id and the
  // same name, retention and profile, in one change. kNotFound when there is no such id.
  Result<NamespaceRecord> replace_namespace(NamespaceId id, TimeNs now);
  // Forgets the namespace and marks its chunks dropped; ids are never used again.
  Status delete_namespace(NamespaceId id);

  // Ok when no commit has failed since the last one that succeeded. A failed commit may still be
  // found by the next opening until another one has succeeded; this makes that other one. Before it
  // is ok, no chunk may be removed or overwritten in any tier.
  Status settle();
  // Inserts or replaces the record of its key. A record that changes its tier or becomes dropped
  // dooms the old lease. kNotFound when the namespace was deleted or the chunk was dropped
  // meanwhile.
  Status commit_chunk(ChunkRecord record, const FlushExtras& extras);
  // Puts a new chunk in the place of live ones of its interval, which become dropped, in one
  // change: their lists become its lists, their leases are doomed. `sources` ascend by watermark.
  // `gone`: of rows that the new chunk does not have. kNotFound when one of them was dropped
  // meanwhile.
  Status commit_rewrite(ChunkRecord record, const std::vector<ChunkKey>& sources, RowsGone gone);
  // Records that the log begins at `begin`, and next positions; forgets tombstones
  // that no record of the log can contradict any more (`needless`).
  Status commit_trim(Lsn begin, const std::vector<NextPosition>& next_positions,
                     const std::vector<ChunkKey>& needless);
  Status commit_clock(const ClockRecord& clock);

  // Copies the file, as it is now, and returns what it says.
  Result<ManifestVersionPtr> copy_to(Env* env, const std::string& path);
  // For a copy that becomes the manifest of another data directory (docs/backup.md): these are all
  // chunks, each of which it knows; the log is empty; `now` is trusted.
  Status commit_restored(const std::vector<ChunkRecord>& chunks, TimeNs now);

  // Next stream position as of the last flush; 0 when the stream is unknown.
  Result<int64_t> stream_head(NamespaceId id, std::string_view stream);
  // The same for streams of the namespace behind `after` whose names begin with `prefix`, ascending
  // by bytes.
  Result<std::vector<std::pair<std::string, int64_t>>> stream_heads(NamespaceId id,
                                                                    std::string_view prefix,
                                                                    std::string_view after,
                                                                    uint32_t limit);
  // The stored lists of a chunk; fewer than its record counts when it was dropped meanwhile. Cached
  // within a budget of 64 MiB for ids and 32 MiB for streams.
  Result<HashLists> id_lists(const ChunkKey& key);
  Result<StreamLists> stream_lists(const ChunkKey& key);
  // SQLite's own check plus ours, as at each opening: kCorruption with the findings. Reads
  // everything; changes wait meanwhile.
  Status verify();

 private:
  Manifest() = default;
  Status create_schema(Env* env, bool existing_data, DurationNs chunk_interval_ns);
  Status write_record(const ChunkRecord& record, const FlushExtras& extras, bool is_new)
      REQUIRES(write_mutex_);
  // Adds the sources' lists to those of the record's chunk, and counts them in it.
  static Status copy_lists(ManifestChange* change, const std::vector<ChunkRecordPtr>& sources,
                           ChunkRecord* record);
  Status write_rewrite(ChunkRecord* record, const std::vector<ChunkRecordPtr>& sources,
                       RowsGone gone) REQUIRES(write_mutex_);
  bool is_alive(NamespaceId id) const;
  Status load(DurationNs chunk_interval_ns);
  Result<std::vector<NamespaceRecord>> load_namespaces();
  Status load_chunks();
  Status load_dropped_rows(ManifestVersion* version);
  Result<std::string> meta(const std::string& key);
  // Reads everything and compares it with its sum.
  Status check_content() REQUIRES(write_mutex_);
  Status commit(ManifestChange* change) REQUIRES(write_mutex_);
  void publish(std::shared_ptr<ManifestVersion> next);
  // Publishes the namespace's chunks as dropped.
  void doom_chunks(NamespaceId id) REQUIRES(write_mutex_);
  std::shared_ptr<ChunkLease> make_lease(const std::string& tier, const ChunkKey& key);

  std::string path_;
  Mutex write_mutex_;
  std::unique_ptr<SqliteDb> db_ GUARDED_BY(write_mutex_);
  uint64_t content_sum_ GUARDED_BY(write_mutex_) = 0;
  Mutex read_mutex_;
  std::unique_ptr<SqliteDb> read_db_ GUARDED_BY(read_mutex_);
  mutable Mutex version_mutex_;
  ManifestVersionPtr version_ GUARDED_BY(version_mutex_);
  std::vector<NamespaceRecord> namespaces_ GUARDED_BY(version_mutex_);
  NamespaceId next_namespace_ GUARDED_BY(version_mutex_) = 1;
  Lsn wal_begin_ GUARDED_BY(version_mutex_);
  std::atomic<uint32_t> next_generation_{0};
  std::atomic<bool> unsettled_{false};
  uint64_t id_secret_ = 0;
  ClockRecord clock_at_open_;
  std::function<void(const std::string&, const ChunkKey&)> on_unused_;
  std::function<void(const Status&)> on_failed_sync_;

  RecentCache<ChunkKey, HashLists> ids_cache_{size_t{64} << 20};
  RecentCache<ChunkKey, StreamLists> streams_cache_{size_t{32} << 20};
};

}  // namespace firn
