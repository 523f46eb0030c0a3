#pragma once

#include <span>

#include "base/status.h"
#include "tier/tier.h"

// Small questions about slices that every backend asks.

namespace firn {

struct SliceZone {
  TimeNs time_min = INT64_MAX, time_max = INT64_MIN;     // inclusive
  Position position_min = UINT64_MAX, position_max = 0;  // inclusive
};

// REQUIRES: the slice has rows.
SliceZone slice_zone(const BatchSlice& slice);

// The slice's rows with positions above `watermark`: the slice itself when all are, a null batch
// when none is.
BatchSlice rows_after(const BatchSlice& slice, Position watermark);

// The slice's rows with index in [begin, end): the slice itself when that is all.
BatchSlice slice_part(const BatchSlice& slice, uint32_t begin, uint32_t end);

// kInternal unless the slices are what Tier::write() may be given: rows of the chunk's dataset and
// namespace, inside its time range, ascending by position and none above `through`.
Status check_slices(const ChunkKey& key, std::span<const BatchSlice> slices, Position through);

// kCorruption when the chunk is not complete_through (ScanSpec) what the caller knows it held.
Status check_complete_through(const ChunkKey& key, Position watermark, Position complete_through);

// Adds a zone, and counts the caller has made, to a chunk's stats.
void widen(ChunkStats* stats, const SliceZone& zone);

}  // namespace firn
