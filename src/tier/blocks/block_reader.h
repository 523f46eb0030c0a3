#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "tier/blocks/block.h"
#include "tier/blocks/block_index.h"
#include "tier/tier.h"

namespace firn {

// One read of a chunk: everything is seen as of one write.
class BlockSession : public BlockSource {
 public:
  virtual const ChunkKey& key() const = 0;
  // Where the chunk is, for messages: a path or a table.
  virtual const std::string& place() const = 0;
  virtual const BlockCounts& counts() const = 0;
  virtual BlockIndex* index() = 0;
  // kCorruption unless exactly so many columns and filters are stored for all blocks together.
  virtual Status verify_parts(uint64_t columns, uint64_t filters) = 0;
};

// Reads the chunk: blocks whose zone map or filters exclude the spec's filter are not touched; of
// the others first the columns the filter looks at, then, when rows are left, the rest of the
// projection. `cost` may be null and must outlive the reader.
Result<std::unique_ptr<BatchReader>> read_blocks(std::unique_ptr<BlockSession> session,
                                                 const ScanSpec& spec, ScanCost* cost);

// Unpacks every block and compares it with everything the chunk says of it.
Status verify_blocks(BlockSession* session);

}  // namespace firn
