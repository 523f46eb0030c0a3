#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "store/core.h"

namespace firn {

// Looks at every chunk of the durable tiers that the manifest does not count as theirs, as a crash
// leaves them (docs/formats/manifest.md, "Leftovers"). Removes those that surely are leftovers, and
// puts the others into StoreCore::stray_chunks; their generations are not used again. Belongs to
// the mover's worker, and before it runs to the thread that opens the store.
class Leftovers {
 public:
  explicit Leftovers(std::shared_ptr<StoreCore> core) : core_(std::move(core)) {}

  // REQUIRES that the log was replayed and that no worker runs. Ok, too, when a tier is away.
  // Without `may_remove`, what would be removed just stays. The failure of a removal or of a
  // listing.
  Status sweep(bool may_remove);
  // Looks at what could not be judged yet, because a tier was away or could not be read.
  // kUnavailable while one still is.
  Status sweep_late();
  // kUnavailable for a tier that nobody looked at yet. Nothing may be written to it: it may hold a
  // chunk of the same name.
  Status check_swept(Tier* tier) const;
  // Removes the chunk if it surely is a leftover, else notes it as stray unless the tier owns it.
  // REQUIRES that no snapshot reads it. kUnavailable when a tier is away that is needed to decide:
  // sweep_late() tries again. The failure of the removal.
  Status settle(Tier* tier, const ChunkKey& key);

 private:
  Status look_at(Tier* tier, std::set<ChunkKey> owned_at_start);

  const std::shared_ptr<StoreCore> core_;
  bool may_remove_ = false;
  // Tiers that were away, with what they owned at the start: snapshots may read that, and it is
  // removed through its leases.
  std::map<Tier*, std::set<ChunkKey>> unswept_;
};

// Ok when the tier holds the chunk as far as the record says; kCorruption when it does not.
Status check_complete(Tier* tier, const ChunkRecord& record);

// Those of the chunks that are in no durable tier; none while one of the tiers is away, because
// nobody knows what it holds.
Result<std::vector<ChunkKey>> stored_nowhere(const StoreCore& core, std::vector<ChunkKey> keys);

}  // namespace firn
