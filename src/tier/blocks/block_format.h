#pragma once

#include <cstddef>
#include <cstdint>

#include "base/size.h"
#include "model/schema.h"

// Constants of blocks as docs/formats/sqlite_chunk.md describes them, shared by every backend that
// keeps them and by reader and writer.

namespace firn {

inline constexpr uint32_t kBlockRowsMax = 4096;
// Samples are packed by series: many of each series must meet in a block.
inline constexpr uint32_t kSampleBlockRowsMax = 32'768;
constexpr uint32_t block_rows_max(Dataset dataset) {
  return dataset == Dataset::kSamples || is_rollups(dataset) ? kSampleBlockRowsMax : kBlockRowsMax;
}
inline constexpr uint64_t kBlockRawBytesMax = 16 * kMiB;
inline constexpr uint32_t kAttributeFilterKind = 32;  // of the first promoted attribute
inline constexpr size_t kPromotedAttributesMax = 32;

inline constexpr size_t kFilterLineBytes = 64;
inline constexpr size_t kFilterBitsPerValue = 12;
inline constexpr size_t kFilterProbes = 6;
inline constexpr uint64_t kFilterMultiplier = 0x9e3779b97f4a7c15;

}  // namespace firn
