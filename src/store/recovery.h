#pragma once

#include "store/core.h"
#include "store/mover.h"
#include "store/store.h"

// What happens between opening the files and serving: the parts of Store::open, and Store::verify.

namespace firn {

// Makes the manifest's namespaces known.
Status load_namespaces(StoreCore* core);
// kInvalidArgument when a chunk lies in a tier that the configuration does not have.
Status check_chunk_tiers(const StoreCore& core);
// Brings the rows of the log that no tier owns back to memory and restores next positions, stream
// positions and recent ids. Damage below the synced position makes the store read-only.
Status replay_log(StoreCore* core, Mover* mover, const Store::Progress& progress);
VerifyReport verify_store(StoreCore* core, const Store::Progress& progress);

}  // namespace firn
