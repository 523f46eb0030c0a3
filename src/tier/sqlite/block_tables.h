#pragma once

#include <memory>

#include "base/status.h"
#include "env/sqlite_db.h"
#include "tier/blocks/block_reader.h"
#include "tier/blocks/block_writer.h"
#include "tier/sqlite/chunk_file.h"

// Blocks in the tables of a chunk file: layout `blocks` of docs/formats/sqlite_chunk.md.

namespace firn {

std::unique_ptr<BlockSession> make_block_session(std::unique_ptr<ChunkFile::Session> session);

// Inside a transaction of `db`, which must outlive it.
Result<std::unique_ptr<BlockSink>> open_block_sink(SqliteDb* db);

}  // namespace firn
