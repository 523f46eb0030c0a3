#pragma once

#include <atomic>

#include "store/manifest.h"
#include "store/series_choice.h"
#include "tier/tier.h"

namespace firn {

// What identifies a set of rows.
struct CopiedRows {
  uint64_t rows = 0, checksum = 0;
};

// Rows of a chunk on their way from one tier to another.
struct ChunkCopy {
  Tier* source = nullptr;
  const ChunkRecord* record = nullptr;  // what the source must hold
  Tier* target = nullptr;
  ChunkKey target_key;
  Position above = 0;                           // rows at or below it are in the target already
  uint64_t piece_bytes = 0;                     // raw bytes that are in memory at once
  const std::atomic<bool>* stopping = nullptr;  // ends it with kCancelled
  // Leaves rows out; what is written is counted here. Both or neither.
  const SeriesChoice* without = nullptr;
  CopiedRows* copied = nullptr;
};

// Reads the series of the record's rows and counts those that would go and stay.
Result<ChosenRows> count_chosen(Tier* source, const ChunkRecord& record, const SeriesChoice& choice,
                                const std::atomic<bool>& stopping);

// Writes the record's rows behind those that the target's chunk has. kCorruption, and then some of
// them may be written, when all were read and are not those that the record counts.
Result<ChunkStats> copy_chunk(const ChunkCopy& copy);

// Brings the target's chunk into its final form if it is complete, reads it back, and compares it
// with what it must be (rows, checksum): kCorruption when it is not that.
Result<ChunkStats> finish_copy(Tier* target, const ChunkKey& key, const ChunkStats& expected,
                               bool is_complete = true);

}  // namespace firn
