#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/record_batch.h"
#include "tier/blocks/block.h"

namespace firn {

// The blocks of a chunk within a transaction that changes them.
class BlockSink : public BlockSource {
 public:
  // The id of the first of the last `most` blocks; nothing without blocks.
  virtual Result<std::optional<int64_t>> first_of_last(size_t most) = 0;
  // Filters come as build_block_filters() makes them.
  virtual Status insert(const BlockHeader& header, std::vector<PackedColumn> columns,
                        std::vector<std::pair<uint32_t, std::string>> filters) = 0;
  // Takes the block away with its columns and filters.
  virtual Status remove(const BlockHeader& header) = 0;
};

// Adds rows to a chunk in blocks of the right size, and counts them. Inside a transaction. `sink`
// and `counts` must outlive it.
class BlockWriter {
 public:
  BlockWriter(BlockSink* sink, BlockCounts* counts)
      : sink_(sink), counts_(counts), builder_(Dataset::kEvents) {}

  // Rows that are not in the chunk yet, above all added before.
  Status add(const BatchSlice& slice);
  // Takes up the last blocks again while they are small against the `rows` that will follow. Before
  // the first add().
  Status absorb_tail(NamespaceId namespace_id, uint64_t rows);
  // Writes what is gathered. REQUIRED before the transaction commits.
  Status finish();

 private:
  // Gathers rows, and writes each block that is complete.
  Status pack_rows(const BatchSlice& slice);
  Status write_block();
  Status remove_block(const BlockHeader& header);

  BlockSink* const sink_;
  BlockCounts* const counts_;
  BatchBuilder builder_;
};

}  // namespace firn
