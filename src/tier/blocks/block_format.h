#pragma once

#include <cstddef>
#include <cstdint>

#include "base/size.h"
#include "model/schema.h"

// Constants of blocks as docs/formats/sqlite_chunk.md describes them, shared by every backend that
// keeps them and by reader and writer.

namespace firn {

inline constexpr uint32_t kBlockRowsMax = 4096;
inline constexpr uint64_t kBlockRawBytesMax = 16 * kMiB;
// Samples are packed by series: many of each series must meet in a block. So the rows of a group of
// blocks are divided by series.
inline constexpr uint32_t kSampleBlockRowsMax = 32'768;
inline constexpr uint32_t kSampleGroupRowsMax = 16 * kSampleBlockRowsMax;
inline constexpr uint64_t kSampleGroupRawBytesMax = 4 * kBlockRawBytesMax;

constexpr bool is_divided_by_series(Dataset dataset) {
  return dataset == Dataset::kSamples || is_rollups(dataset);
}
// Rollups are read a series at a time, and a day of one is some hundred rows at most.
inline constexpr uint32_t kRollupBlockRowsMax = 1024;
constexpr uint32_t block_rows_max(Dataset dataset) {
  if (dataset == Dataset::kSamples) return kSampleBlockRowsMax;
  return is_rollups(dataset) ? kRollupBlockRowsMax : kBlockRowsMax;
}
constexpr uint32_t group_rows_max(Dataset dataset) {
  return is_divided_by_series(dataset) ? kSampleGroupRowsMax : kBlockRowsMax;
}
constexpr uint64_t group_raw_bytes_max(Dataset dataset) {
  return is_divided_by_series(dataset) ? kSampleGroupRawBytesMax : kBlockRawBytesMax;
}
inline constexpr uint32_t kAttributeFilterKind = 32;  // of the first promoted attribute
inline constexpr size_t kPromotedAttributesMax = 32;

inline constexpr size_t kFilterLineBytes = 64;
inline constexpr size_t kFilterBitsPerValue = 12;
inline constexpr size_t kFilterProbes = 6;
inline constexpr uint64_t kFilterMultiplier = 0x9e3779b97f4a7c15;

}  // namespace firn
