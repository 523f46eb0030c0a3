#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/filter.h"
#include "model/packed.h"
#include "model/record_batch.h"
#include "tier/blocks/block_format.h"
#include "tier/tier.h"

namespace firn {

// What is stored of a block beside its columns and filters.
struct BlockHeader {
  int64_t id = 0;
  int64_t first_block = 0;  // of its group
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
  // "block 17 (positions 1 to 4096)".
  std::string describe() const;
};

// What can be said of a block by its rows alone: all but id, first_block, columns, filters and
// packed_bytes.
BlockHeader summarize_block(const RecordBatch& batch);

// False when no row of the block can satisfy the filter, as far as zone maps tell.
bool zone_may_match(const BlockHeader& header, const Filter& filter);
// True when every row satisfies the filter.
bool zone_is_inside(const BlockHeader& header, const Filter& filter);

// The header as it is stored: the members in their order, then the crc.
using BlockNumbers = std::array<uint64_t, 15>;
BlockNumbers block_numbers(const BlockHeader& header);
// Adds the header that is stored like this. kCorruption, naming the block, when the crc does not
// fit, or the block neither belongs to the group of the last of `headers` nor begins one behind it.
Status append_header(const BlockNumbers& numbers, std::vector<BlockHeader>* headers);

// Blocks that follow each other in a list of headers and are one group (docs/adr/0012).
struct BlockGroup {
  size_t begin = 0;  // the first of them
  uint32_t rows = 0;
  uint64_t raw_bytes = 0;
  Position position_max = 0;
  bool is_whole = false;  // its first block is among them
  // A later write leaves the group as it is.
  bool is_full(Dataset dataset) const {
    return rows >= group_rows_max(dataset) || raw_bytes >= group_raw_bytes_max(dataset) / 2;
  }
};
// Of the last header. REQUIRES: there is one.
BlockGroup last_group(std::span<const BlockHeader> headers);

// What a chunk says of all its blocks together.
struct BlockCounts {
  std::vector<std::string> attributes;  // promoted
  ChunkStats stats;
  uint64_t blocks = 0;
  int64_t next_block = 1;
  uint64_t epoch = 0;  // grows when blocks are removed
};

using FilterPtr = std::shared_ptr<const std::string>;

// The blocks of a chunk as one transaction of a backend sees them. Thread rule: one thread at a
// time. Everything below answers kCorruption, naming the block, when something is missing.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // The headers with from <= id < to, ascending.
  virtual Result<std::vector<BlockHeader>> load_headers(int64_t from, int64_t to) = 0;
  // Adds the block's columns whose bits are set; all are among those that the block has.
  virtual Status load_columns(const BlockHeader& header, uint64_t columns,
                              std::vector<PackedColumn>* out) = 0;
  // Adds the intact filters of a kind that all the blocks have, in the order of the blocks, which
  // ascend.
  virtual Status load_filters(uint32_t kind, std::span<const BlockHeader* const> blocks,
                              std::vector<FilterPtr>* out) = 0;
};

// Reads columns of blocks. Thread rule: one thread at a time. `source` must outlive it.
class ColumnReader {
 public:
  ColumnReader(BlockSource* source, Dataset dataset) : source_(source), dataset_(dataset) {}

  // The block with the columns of the projection that it has, and those they are packed by. Adds to
  // `cost` (may be null) the bytes that were not read by the call before for the same block.
  // kCorruption names the block.
  Result<BatchPtr> load(const BlockHeader& header, NamespaceId namespace_id,
                        const Projection& projection, ScanCost* cost);
  // The same of some rows only; see unpack_rows().
  Result<BatchPtr> load_rows(const BlockHeader& header, NamespaceId namespace_id,
                             const Projection& projection, std::span<const uint32_t> selected,
                             ScanCost* cost);

 private:
  // Leaves in packed_ what was asked for, and perhaps what was asked for before.
  Status fetch(const BlockHeader& header, const Projection& projection, ScanCost* cost);

  BlockSource* source_;
  const Dataset dataset_;
  int64_t block_ = 0;                 // whose columns are in packed_
  std::vector<PackedColumn> packed_;  // so that a second load of a block reads only what is new
  UnpackMemory memory_;
  BatchRecycler recycler_;
};

}  // namespace firn
