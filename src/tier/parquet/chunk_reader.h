#pragma once

#include <memory>
#include <vector>

#include "engine/engine.h"
#include "tier/parquet/file_set.h"
#include "tier/parquet/unpacked_files.h"
#include "tier/tier.h"

namespace firn {

// Reads a chunk's files one behind the other in the order of `spec`, skipping files outside of its
// positions and times. `files` ascend by position. `engine`, `unpacked` and `cost` (may be null)
// must outlive the reader; the reader keeps the files.
std::unique_ptr<BatchReader> make_chunk_reader(Engine* engine, UnpackedFiles* unpacked,
                                               std::vector<ParquetFilePtr> files,
                                               const ScanSpec& spec, ScanCost* cost);

// Whether the file can hold rows that satisfy the filter.
bool may_match(const ParquetFileStats& stats, const Filter& filter);

}  // namespace firn
