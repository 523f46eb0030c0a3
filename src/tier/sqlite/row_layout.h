#pragma once

#include <memory>
#include <span>

#include "base/status.h"
#include "tier/sqlite/chunk_file.h"
#include "tier/tier.h"

// Layout `rows`: a table with a row per event.

namespace firn {

// Inserts rows that are not there yet and counts them in `meta`. Inside a transaction.
Status write_rows(SqliteDb* db, std::span<const BatchSlice> slices, ChunkMeta* meta);

// As Tier::scan(). Time, positions and equality are part of the SQL.
Result<std::unique_ptr<BatchReader>> read_rows(std::unique_ptr<ChunkFile::Session> session,
                                               const ScanSpec& spec, ScanCost* cost);

// Reads every row and compares count, ranges and checksum with what meta says.
Status verify_rows(std::unique_ptr<ChunkFile::Session> session);

}  // namespace firn
