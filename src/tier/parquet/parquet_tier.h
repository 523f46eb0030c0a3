#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/size.h"
#include "base/status.h"
#include "engine/engine.h"
#include "env/env.h"
#include "tier/object/object_env.h"
#include "tier/tier.h"

namespace firn {

struct ParquetOptions {
  std::string name = "cold";  // of the tier
  std::string directory;      // created when missing; "events/" begins below it
  uint32_t threads = 2;       // that pack and read; 1 keeps all work on the caller's thread
  uint64_t memory_bytes = 512 * kMiB;
  uint32_t row_group_rows = 100'000;       // five times as many of samples
  uint64_t large_file_bytes = 128 * kMiB;  // not joined with others
  // Of files to come, beside the dataset's own (events only); present files keep theirs.
  std::vector<AttributeColumn> attributes;
};

// The column that an item of `columns` in the configuration means: "host" or "http.status:integer"
// (text, integer, number, boolean). kInvalidArgument for another type or an empty key.
Result<AttributeColumn> parse_attribute_column(std::string_view item);

// The cold tier: chunks as Parquet files in a Hive-partitioned tree that any Parquet reader can use
// (docs/formats/parquet.md):
//   <directory>/events/namespace=<id>/date=<UTC date of the chunk's start>/
//       <chunk name>-p<first>-<last>-r<rows>.parquet
// where first..last are the positions the file accounts for: all rows of the chunk with a position
// in that range, perhaps none. The chunk's watermark is the greatest `last`.
//
// write() adds a file, so it should be given much at once; write_all() makes one of a whole stream,
// in little memory, or several when it is long; seal() merges a chunk's files into one,
// or into few when they are large. A file that a scan still reads stays on disk until the scan
// ends, even when its chunk was dropped; SQL that was given files() gets kUnavailable instead and
// asks again.
//
// Every read compares the checksums of the blocks it needs: damage, a file under another's name and
// a file that Firn did not write are kCorruption naming file, bytes and positions.
//
// Opening lists the tree, without reading files, and removes what an interrupted write, merge or
// drop left behind. kCorruption when files of a chunk overlap; kInvalidArgument without a
// directory; otherwise what Engine::open and Env return. `env` must outlive the tier; one process
// at a time uses a directory (the store's lock sees to that).
//
// With `objects` the tree is in an object store: `options.directory` is then not used, and the path
// of a file begins with the store's name.
Result<std::unique_ptr<Tier>> open_parquet_tier(Env* env, const ParquetOptions& options,
                                                std::unique_ptr<ObjectEnv> objects = nullptr);

// Whether an object with this key would be a file of the tier.
bool is_parquet_tier_key(std::string_view key);

}  // namespace firn
