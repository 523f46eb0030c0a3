#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/filter.h"
#include "model/pod_buffer.h"
#include "model/record_batch.h"

namespace firn {

// The compressed form of a batch's columns, one by one, so that a reader loads only those it needs
// (docs/formats/batch.md, "packed columns"): integers as differences, byte-shuffled; ids shuffled;
// strings as dictionary, as plain or as their numbers; then zstd level 1. Column kPosition carries
// the positions.
inline constexpr uint64_t kPackedBatchBytesMax = uint64_t{256} << 20;  // of the batch, unpacked

struct PackedColumn {
  ColumnId id;
  std::string bytes;  // self-describing: transform, sizes, crc32c, payload
};

// Columns that hold only defaults are left out. `level` is zstd's. REQUIRES: a batch of at most
// kPackedBatchBytesMax.
std::vector<PackedColumn> pack_columns(const RecordBatch& batch, int level = 1);

// What unpacking needs for the while, kept from call to call: blocks are large enough that fresh
// memory for each costs as much as unpacking it.
struct UnpackMemory {
  PodBuffer<char> raw, values, texts;
  BatchBuffer batch;  // of the batch itself, which takes it along; may be empty
};

// The batch of `rows` rows from the given columns, in any order; the ones not given are absent, and
// without kPosition the batch has no positions. The bytes may be anything: kCorruption names the
// column, and no more than a few times kPackedBatchBytesMax is allocated.
Result<std::unique_ptr<RecordBatch>> unpack_columns(Dataset dataset, NamespaceId namespace_id,
                                                    uint32_t rows,
                                                    const std::vector<PackedColumn>& columns,
                                                    UnpackMemory* memory);

// As unpack_columns(), but the batch has only some of the rows: no value of the others is in it.
// REQUIRES: `selected` ascends, is not empty and stays below `rows`.
Result<std::unique_ptr<RecordBatch>> unpack_rows(Dataset dataset, NamespaceId namespace_id,
                                                 uint32_t rows,
                                                 const std::vector<PackedColumn>& columns,
                                                 std::span<const uint32_t> selected,
                                                 UnpackMemory* memory);

}  // namespace firn
