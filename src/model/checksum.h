#pragma once

#include <cstdint>

#include "model/record_batch.h"

namespace firn {

// A 64-bit hash of all columns of a row, position included (XXH3 over column id and value in column
// order, strings with their length; defaults left out). Equal for equal rows whatever batch,
// encoding or tier they come from, and stays so when columns are added to the schema. It is stored
// in the manifest.
uint64_t row_checksum(const RecordBatch& batch, uint32_t row);
// The sum (mod 2^64) of the rows' checksums: the same for the same set of rows in any order.
uint64_t rows_checksum(const BatchSlice& slice);

}  // namespace firn
