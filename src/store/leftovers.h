#pragma once

#include <memory>

#include "store/core.h"

namespace firn {

// Looks at every chunk of the durable tiers that the manifest does not count as theirs, as a crash
// leaves them (docs/formats/manifest.md, "Leftovers"). Removes those that surely are leftovers, if
// it may, and puts the others into StoreCore::stray_chunks; their generations are not used again.
// REQUIRES that the log was replayed and that no worker runs. The failure of a removal.
Status sweep_leftovers(const std::shared_ptr<StoreCore>& core, bool may_remove);

// Ok when the tier holds the chunk as far as the record says; kCorruption when it does not.
Status check_complete(Tier* tier, const ChunkRecord& record);

}  // namespace firn
