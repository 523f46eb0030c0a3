#pragma once

#include <memory>

#include "base/status.h"
#include "tier/sqlite/chunk_file.h"
#include "tier/tier.h"

namespace firn {

// Reads a chunk of layout `blocks`: blocks whose zone map or filters exclude the spec's filter are
// not touched; of the others first the columns the filter looks at, then, when rows are left, the
// rest of the projection. `cost` may be null and must outlive the reader.
Result<std::unique_ptr<BatchReader>> read_blocks(std::unique_ptr<ChunkFile::Session> session,
                                                 const ScanSpec& spec, ScanCost* cost);

// Unpacks every block and compares it with everything the file says of it.
Status verify_blocks(ChunkFile::Session* session);

}  // namespace firn
