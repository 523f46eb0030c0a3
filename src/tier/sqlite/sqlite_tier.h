#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/size.h"
#include "base/status.h"
#include "env/env.h"
#include "tier/sqlite/sqlite_format.h"
#include "tier/tier.h"

namespace firn {

struct SqliteTierOptions {
  std::string name = "warm";
  std::string directory;                        // created when missing; a file per chunk in it
  SqliteLayout layout = SqliteLayout::kBlocks;  // of files to come; present ones keep theirs
  // Attributes whose equality is looked up by filter (layout `blocks`); at most
  // kPromotedAttributesMax. A file keeps the list it was made with.
  std::vector<std::string> promoted_attributes;
  size_t open_files_max = 64;             // chunk files kept open for the next use
  uint64_t cache_bytes_max = 128 * kMiB;  // of block filters, over all open files
};

// The warm tier: a SQLite database per chunk generation (docs/formats/sqlite_chunk.md).
//
// A scan is one read transaction: it sees the chunk as of one write, whatever is written meanwhile.
// seal() makes the file complete in itself unless it is being read just then; a write after seal()
// works, and opens the file again. drop() answers kUnavailable while the chunk is being read.
// stats() opens every file that it has not seen yet, once.
//
// kInvalidArgument for options that cannot be applied; the directory's error when it cannot be
// made. `env` must outlive the tier; one process at a time uses a directory. Readers may outlive
// the tier.
Result<std::unique_ptr<Tier>> open_sqlite_tier(Env* env, const SqliteTierOptions& options);

}  // namespace firn
