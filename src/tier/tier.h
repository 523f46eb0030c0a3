#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/size.h"
#include "base/status.h"
#include "base/time.h"
#include "model/aggregate.h"
#include "model/filter.h"
#include "model/record_batch.h"
#include "model/scan_cost.h"
#include "model/schema.h"

namespace firn {

class Env;

// All rows of one (namespace, dataset) whose time lies in [start, end), as far as they belong to
// one generation: rows that arrive after a generation was sealed start the next one.
struct ChunkKey {
  NamespaceId namespace_id = 0;
  Dataset dataset = Dataset::kEvents;
  TimeNs start = 0;
  TimeNs end = 0;
  uint32_t generation = 0;
  auto operator<=>(const ChunkKey&) const = default;
  // Whether times from `min` to `max` (inclusive) lie inside; an end of INT64_MAX includes it.
  bool covers(TimeNs min, TimeNs max) const {
    return min >= start && (max < end || end == INT64_MAX);
  }
  // "ns1-events-20261121T000000Z-20261122T000000Z-g0"; unique, safe as a file name.
  std::string name() const;
  static std::optional<ChunkKey> parse(std::string_view name);
};

// What a tier knows of a chunk it holds.
struct ChunkStats {
  uint64_t rows = 0;
  uint64_t bytes = 0;                                 // on disk, or in memory for the memory tier
  uint64_t raw_bytes = 0;                             // of the same rows as uncompressed batches
  TimeNs time_min = INT64_MAX, time_max = INT64_MIN;  // inclusive
  Position position_min = UINT64_MAX, position_max = 0;  // inclusive
  // Every row of the chunk at or below it is stored here, durably if the tier is durable.
  Position watermark = 0;
  // Order-independent sum over rows (model/checksum.h): equal in every tier for the same rows.
  uint64_t checksum = 0;
};

// Rows on their way into a chunk, ascending by position.
struct RowStream {
  BatchReader* reader = nullptr;
  Position through = 0;               // the chunk's watermark when all of them are written
  uint64_t rows = 0, raw_bytes = 0;   // about how much it is
  uint64_t piece_bytes = 128 * kMiB;  // raw bytes that may be in memory at once
};

enum class ScanOrder : uint8_t { kAny, kPositionAscending, kPositionDescending };

struct ScanSpec {
  Filter filter;
  Projection projection = Projection::all();
  // A promise about the order of slices, not within them: with kPositionDescending a later slice
  // holds only smaller positions; rows inside a slice always ascend.
  ScanOrder order = ScanOrder::kAny;
  // What the caller knows of the chunk: it holds every row up to here. One that holds less has lost
  // some, and scan() answers kCorruption. Backends whose chunks cannot get shorter need not look.
  Position complete_through = 0;
};

// What holds a chunk, or some of it, in storage.
struct StoredFile {
  std::string path;            // a table's name where that is what it is
  Position last = UINT64_MAX;  // no row in it is beyond
};

struct TierStats {
  uint64_t chunks = 0, rows = 0, bytes = 0;
};

// A backend with data in it, at some place of the store's list of tiers. Narrow on purpose: no
// analysis in here. Thread rule: write, write_all, seal, create_compressed and drop come one at
// a time (from the mover and its flusher; the commit thread writes the memory tier); everything
// else from any thread, beside them.
//
// A scan never sees rows of a write() that began after the scan did unless they lie outside the
// positions the caller asked for: the caller bounds positions by what its snapshot knows.
class Tier {
 public:
  virtual ~Tier() = default;

  virtual std::string_view name() const = 0;     // of the configuration: "hot"
  virtual std::string_view backend() const = 0;  // "memory", "sqlite", "parquet"
  // True when what write() stored survives a power cut.
  virtual bool is_durable() const = 0;

  // Adds rows to the chunk, creating it when needed, and sets its watermark to `through`, in one
  // transaction: after a crash both or neither are there. Slices ascend by position and lie within
  // the chunk; rows at or below the chunk's watermark are skipped, so a repeated write is a no-op.
  // Durable when it returns, if the tier is. Returns the chunk's stats afterwards.
  virtual Result<ChunkStats> write(const ChunkKey& key, std::span<const BatchSlice> slices,
                                   Position through) = 0;
  // write() of everything that the stream gives, in as many transactions as the backend finds
  // right: after a crash or a failure the first rows may be there, with the watermark that says so.
  // Errors of the reader come back unchanged.
  virtual Result<ChunkStats> write_all(const ChunkKey& key, const RowStream& stream);
  // No further write() will come for the chunk; brings its storage into its final form.
  virtual Result<ChunkStats> seal(const ChunkKey& key) = 0;
  // Whether the sealed chunk is in the smallest form that the backend has. kNotFound.
  virtual Result<bool> is_compressed(const ChunkKey& key);
  // Makes an empty chunk to which write() adds rows in that form, whatever the tier is configured
  // to write; ok when it is there already. The default, for backends with one form, does nothing.
  virtual Status create_compressed(const ChunkKey& key);
  // Rows of the chunk that satisfy the filter. kNotFound when the chunk is not here. `cost` (may be
  // null) must outlive the reader. With an empty range of positions: whether the chunk is there.
  virtual Result<std::unique_ptr<BatchReader>> scan(const ChunkKey& key, const ScanSpec& spec,
                                                    ScanCost* cost) = 0;
  // Partial states of the chunk. The default runs over scan() with the spec's complete_through.
  virtual Result<AggregateStates> aggregate(const ChunkKey& key, const AggregateSpec& spec,
                                            ScanCost* cost);
  // Reads everything back and checks it: checksums of blocks, counts, order. kCorruption names
  // file, offset or block, and positions.
  virtual Result<ChunkStats> verify(const ChunkKey& key) = 0;
  // Removes the chunk and gives its space back; ok when it is not there.
  virtual Status drop(const ChunkKey& key) = 0;
  // Every chunk found in storage, for the sweep of leftovers.
  virtual Result<std::vector<ChunkKey>> list() = 0;
  virtual TierStats stats() const = 0;
  // Ascending by position; for people and for engines that read the format themselves.
  virtual std::vector<StoredFile> files(const ChunkKey& key) const = 0;
  // What opens files(), as long as the tier lives; null: the Env that the tier was made with.
  virtual Env* file_env() const { return nullptr; }
};

}  // namespace firn
