#pragma once

#include <memory>
#include <span>

#include "tier/postgres/chunk_row.h"

// Layout `rows`: a partition with a row per event.

namespace firn {

// Copies rows that are not there yet into the partition and counts them in `chunk`. Inside a
// transaction.
Status write_rows(PostgresConnection* connection, const SessionPool& pool,
                  std::span<const BatchSlice> slices, PostgresChunk* chunk);

// As Tier::scan().
Result<std::unique_ptr<BatchReader>> read_rows(std::unique_ptr<SessionPool::ReadSession> session,
                                               PostgresChunk chunk, const ScanSpec& spec,
                                               ScanCost* cost);

// Reads every row and compares it with what is told of the chunk.
Status verify_rows(std::unique_ptr<SessionPool::ReadSession> session, const PostgresChunk& chunk);

// The states as SQL, in the session's transaction. Nothing where SQL would not say exactly the
// same.
Result<std::optional<AggregateStates>> aggregate_rows(SessionPool::ReadSession* session,
                                                      const PostgresChunk& chunk,
                                                      const AggregateSpec& spec, ScanCost* cost);

}  // namespace firn
