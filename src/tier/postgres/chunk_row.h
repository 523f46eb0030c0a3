#pragma once

#include <optional>
#include <string>

#include "tier/blocks/block.h"
#include "tier/postgres/session_pool.h"

namespace firn {

// A row of the table `chunks`.
struct PostgresChunk {
  ChunkKey key;
  int32_t number = 0;  // names the partition
  PostgresLayout layout = PostgresLayout::kRows;
  uint64_t raw_rows = 0;  // layout `rows`: with bytes that text cannot hold
  BlockCounts counts;     // without stats.bytes

  // "events_17": the partition, without the schema.
  std::string table() const;
};

// Nothing when there is no such chunk. kCorruption when the values contradict their crc or key.
// `for_update` locks the row until the transaction ends.
Result<std::optional<PostgresChunk>> load_chunk(PostgresConnection* connection,
                                                const SessionPool& pool, const ChunkKey& key,
                                                bool for_update);

// Number and layout alone, which is all that dropping needs: damaged counts do not matter to it.
// Locks the row.
Result<std::optional<PostgresChunk>> find_chunk(PostgresConnection* connection,
                                                const SessionPool& pool, const ChunkKey& key);

// Adds the row and the partition, and sets `number`. Inside a transaction.
Status create_chunk(PostgresConnection* connection, const SessionPool& pool, PostgresChunk* chunk);

// Replaces watermark and counts. Inside a transaction.
Status store_chunk(PostgresConnection* connection, const SessionPool& pool,
                   const PostgresChunk& chunk);

// What the partition takes on disk, with indexes.
Result<uint64_t> partition_bytes(PostgresConnection* connection, const SessionPool& pool,
                                 const PostgresChunk& chunk);

}  // namespace firn
