#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "env/sqlite_db.h"
#include "model/filter.h"
#include "model/packed.h"
#include "model/record_batch.h"
#include "tier/sqlite/sqlite_format.h"
#include "tier/tier.h"

namespace firn {

// A row of the table `blocks`.
struct BlockHeader {
  int64_t id = 0;
  uint32_t rows = 0;
  Position position_min = 0, position_max = 0;  // inclusive
  TimeNs time_min = 0, time_max = 0;            // inclusive
  uint8_t severity_max = 0;
  uint64_t kinds = 0;    // bit per event kind that occurs
  uint64_t columns = 0;  // bit per column that is stored
  uint64_t filters = 0;  // bit per kind of filter that is stored
  uint64_t raw_bytes = 0;
  uint64_t packed_bytes = 0;
  uint64_t checksum = 0;

  uint32_t crc() const;
  // Full: a later write leaves the block as it is.
  bool is_full() const { return rows >= kBlockRowsMax || raw_bytes >= kBlockRawBytesMax / 2; }
  // "block 17 (positions 1 to 4096)".
  std::string describe() const;
};

// What can be said of a block by its rows alone: all but id, columns, filters and packed_bytes.
BlockHeader summarize_block(const RecordBatch& batch);

// False when no row of the block can satisfy the filter, as far as zone maps tell.
bool zone_may_match(const BlockHeader& header, const Filter& filter);
// True when every row satisfies the filter.
bool zone_is_inside(const BlockHeader& header, const Filter& filter);

// The headers with from <= id < to, ascending. kCorruption names the block.
Result<std::vector<BlockHeader>> load_headers(SqliteDb* db, int64_t from, int64_t to);

// Reads columns of blocks. Thread rule: one thread at a time. `db` must outlive it.
class ColumnReader {
 public:
  static Result<ColumnReader> open(SqliteDb* db);

  // The block with the columns of the projection that it has. Adds to `cost` (may be null) the
  // bytes that were not read by the call before for the same block. kCorruption names the block.
  Result<BatchPtr> load(const BlockHeader& header, NamespaceId namespace_id,
                        const Projection& projection, ScanCost* cost);

 private:
  explicit ColumnReader(SqliteStatement select) : select_(std::move(select)) {}

  SqliteStatement select_;
  int64_t block_ = 0;                 // whose columns are in packed_
  std::vector<PackedColumn> packed_;  // so that a second load of a block reads only what is new
};

}  // namespace firn
