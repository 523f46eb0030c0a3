#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "env/sqlite_db.h"
#include "tier/blocks/block.h"
#include "tier/sqlite/sqlite_format.h"
#include "tier/tier.h"

namespace firn {

// What the table `meta` of a chunk file says (docs/formats/sqlite_chunk.md).
struct ChunkMeta : BlockCounts {  // stats.bytes is the size of the database
  SqliteLayout layout = SqliteLayout::kBlocks;
};

// Nothing when the file holds no chunk yet. kCorruption when the values contradict their crc or the
// key, kUnsupported when a newer Firn wrote the file.
Result<std::optional<ChunkMeta>> load_meta(SqliteDb* db, const ChunkKey& key);

// Creates the tables of a new chunk. Inside a transaction.
Status create_chunk_tables(SqliteDb* db, const ChunkMeta& meta);

// Replaces all values. Inside a transaction.
Status store_meta(SqliteDb* db, const ChunkKey& key, const ChunkMeta& meta);

// The size of the database as this connection sees it.
Result<uint64_t> database_bytes(SqliteDb* db);

// Runs a statement that returns one integer.
Result<int64_t> query_integer(SqliteDb* db, const std::string& sql);

}  // namespace firn
