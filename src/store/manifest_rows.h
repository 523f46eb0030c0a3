#pragma once

#include <array>

#include "store/manifest.h"
#include "store/manifest_change.h"

// Rows of the manifest's tables as values of statements. Internal to manifest*.cc.

namespace firn {

std::array<ManifestValue, 5> key_values(const ChunkKey& key);

// Unsigned numbers are stored as the signed ones of the same bits.
inline ManifestValue pattern(uint64_t number) { return static_cast<int64_t>(number); }

Status write_chunk(ManifestChange* change, const ChunkRecord& record);
Status set_clock(const ClockRecord& clock, ManifestChange* change);
Status set_wal_begin(Lsn begin, ManifestChange* change);

}  // namespace firn
