#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "model/schema.h"

namespace firn {

enum class ChunkAction : uint8_t {
  kFlush,  // from memory to the next tier
  kMove,   // from a durable tier to the next one
  kDrop,   // away for good
};

// What to do with which chunks of a namespace. Without names, tier and age: every chunk that can.
struct ChunkCommand {
  ChunkAction action = ChunkAction::kFlush;
  NamespaceId namespace_id = 0;
  std::vector<std::string> names;           // ChunkKey::name()
  std::optional<std::string> tier;          // only chunks in this tier
  std::optional<DurationNs> older_than_ns;  // only chunks that ended at least so long ago
};

struct ChunkOutcome {
  std::string chunk;
  std::string from_tier;
  std::string to_tier;  // empty when dropped
  uint64_t rows = 0;
  Status status;
};

struct ChunkCommandResult {
  Status status;  // of the command: kNotFound for a name that is no chunk; else the first failure
  std::vector<ChunkOutcome> chunks;
};
using ChunkCommandCallback = std::function<void(const ChunkCommandResult&)>;

}  // namespace firn
