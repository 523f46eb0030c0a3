#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "env/parallel_tasks.h"
#include "model/record_batch.h"
#include "tier/blocks/block.h"
#include "tier/blocks/series_group.h"

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

// Adds rows to a chunk in blocks of the right size, and counts them. Inside a transaction. What it
// is made with must outlive it. Blocks are packed by `packing`, which nobody else may use
// meanwhile, while those before are inserted.
class BlockWriter {
 public:
  BlockWriter(BlockSink* sink, Dataset dataset, BlockCounts* counts, ParallelTasks* packing)
      : sink_(sink),
        dataset_(dataset),
        rows_max_(block_rows_max(dataset)),
        counts_(counts),
        packing_(packing),
        builder_(dataset) {}
  ~BlockWriter() { packing_->finish(); }
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;

  // Rows that are not in the chunk yet, above all added before.
  Status add(const BatchSlice& slice);
  // Takes up the last groups again while they are small against the `rows` that will follow. Before
  // the first add().
  Status absorb_tail(NamespaceId namespace_id, uint64_t rows);
  // Writes what is gathered. REQUIRED before the transaction commits.
  Status finish();

 private:
  struct Block {
    std::unique_ptr<RecordBatch> batch;
    bool begins_group = true;
    BlockHeader header;  // without ids
    std::vector<PackedColumn> columns;
    std::vector<std::pair<uint32_t, std::string>> filters;
  };
  // Where the groups to take up again begin in `tail`.
  size_t tail_to_absorb(std::span<const BlockHeader> tail, uint64_t rows) const;
  // Of datasets whose groups are blocks: fills one after the other.
  Status fill_blocks(const BatchSlice& slice);
  // Of the others: divides groups that are complete.
  Status fill_groups(const BatchSlice& slice);
  Status end_group();
  Status end_block(bool begins_group);
  // Begins to pack the blocks that are gathered and inserts those that were being packed.
  Status pack_gathered();
  static void pack_block(const std::vector<std::string>& attributes, Block* block);
  Status insert_block(Block block);
  Status remove_block(const BlockHeader& header);

  BlockSink* const sink_;
  const Dataset dataset_;
  const uint32_t rows_max_;  // of a block
  BlockCounts* const counts_;
  ParallelTasks* const packing_;
  SeriesGroup group_;
  BatchBuilder builder_;
  std::vector<Block> gathered_;
  uint64_t gathered_bytes_ = 0;
  std::vector<Block> in_work_;  // being packed
  int64_t first_block_ = 0;     // of the group that is inserted
};

}  // namespace firn
