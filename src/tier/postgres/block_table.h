#pragma once

#include <memory>

#include "tier/blocks/block_reader.h"
#include "tier/blocks/block_writer.h"
#include "tier/postgres/chunk_row.h"

// Layout `blocks`: a partition with a row per column block.

namespace firn {

std::unique_ptr<BlockSession> make_block_session(std::unique_ptr<SessionPool::ReadSession> session,
                                                 PostgresChunk chunk,
                                                 std::shared_ptr<BlockIndex> index);

// Adds rows that are not there yet and counts them in `chunk`. Inside a transaction.
Status write_blocks(PostgresConnection* connection, const SessionPool& pool, ParallelTasks* packing,
                    std::span<const BatchSlice> slices, PostgresChunk* chunk);

}  // namespace firn
