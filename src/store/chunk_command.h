#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "model/schema.h"
#include "store/series_choice.h"

namespace firn {

enum class ChunkAction : uint8_t {
  kFlush,      // from memory to the next tier
  kMove,       // from a durable tier to the next one
  kDrop,       // away for good
  kCompress,   // into the smallest form of its tier, together with its neighbours there
  kRehydrate,  // to a durable tier above
  kExport,     // a copy of its rows to a destination
  kPrune,      // of samples or rollups: without some series, into a new chunk of its tier
};

// What to do with which chunks of a namespace. Without names, tier and age: every chunk that can.
struct ChunkCommand {
  ChunkAction action = ChunkAction::kFlush;
  NamespaceId namespace_id = 0;
  std::vector<std::string> names;           // ChunkKey::name()
  std::optional<std::string> tier;          // only chunks in this tier
  std::optional<DurationNs> older_than_ns;  // only chunks that ended at least so long ago
  // kDrop, kPrune: a chunk with rows behind this position is refused (kConflict).
  Position positions_through = UINT64_MAX;
  std::shared_ptr<const SeriesChoice> series;  // kPrune: which ones go
  bool dry_run = false;                        // only answer what would be done
  std::string to_tier;                         // kRehydrate; empty: the next one above
  DurationNs keep_ns = INT64_MAX;  // kRehydrate: how long no age moves it down; INT64_MAX: ever
  std::string destination;         // kExport: a name of StoreOptions::exports
};

struct ChunkOutcome {
  std::string chunk;
  std::string from_tier;
  std::string to_tier;  // empty when all its rows went; of an export, the destination
  std::string into;     // the chunk that has the rows now, when that is another one
  uint64_t rows = 0;
  uint64_t bytes = 0;  // in from_tier
  Status status;
};

struct ChunkCommandResult {
  Status status;  // of the command: kNotFound for a name that is no chunk; else the first failure
  std::vector<ChunkOutcome> chunks;
};
using ChunkCommandCallback = std::function<void(const ChunkCommandResult&)>;

}  // namespace firn
