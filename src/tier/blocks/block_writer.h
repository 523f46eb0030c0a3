#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "env/sqlite_db.h"
#include "model/record_batch.h"
#include "tier/sqlite/block.h"
#include "tier/sqlite/chunk_meta.h"

namespace firn {

// Adds rows to the tables of layout `blocks`, in blocks of the right size, and counts them in
// `meta`. Inside a transaction of `db`, which must outlive it.
class BlockWriter {
 public:
  // `meta` must outlive it.
  static Result<std::unique_ptr<BlockWriter>> open(SqliteDb* db, ChunkMeta* meta);

  // Rows that are not in the chunk yet, above all added before.
  Status add(const BatchSlice& slice);
  // Takes up the last blocks again while they are small against the `rows` that will follow. Before
  // the first add().
  Status absorb_tail(NamespaceId namespace_id, uint64_t rows);
  // Writes what is gathered. REQUIRED before the transaction commits.
  Status finish();

 private:
  BlockWriter(SqliteDb* db, ChunkMeta* meta) : db_(db), meta_(meta), builder_(Dataset::kEvents) {}
  // Gathers rows, and writes each block that is complete.
  Status pack_rows(const BatchSlice& slice);
  Status write_block();
  Status remove_block(const BlockHeader& header);

  SqliteDb* const db_;
  ChunkMeta* const meta_;
  BatchBuilder builder_;
  SqliteStatement insert_block_, insert_column_, insert_filter_;
};

}  // namespace firn
