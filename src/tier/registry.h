#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "env/env.h"
#include "tier/tier.h"

namespace firn {

// One tier as configured. Which members a backend uses is said beside them; the others must keep
// their defaults, so that a setting without effect is refused instead of ignored.
struct TierConfig {
  std::string name = {};           // "hot"; unique in the list, names rows of `firn chunks`
  std::string backend = {};        // "memory", "sqlite", "parquet" or "postgres"
  DurationNs keep_ns = INT64_MAX;  // how long rows stay before they move on; applied by the store
  uint64_t max_memory_bytes = 0;   // memory: size at which the store flushes early; 0: by age only
  std::string directory = {};      // sqlite, parquet: where chunks are; created when missing
  // sqlite, postgres: "blocks" or "rows". Empty: blocks for sqlite, rows for postgres.
  std::string layout = {};
  // sqlite, postgres: attributes with an index of their own, see attribute_of() for what a key
  // names.
  std::vector<std::string> promoted_attributes = {};
  std::string dsn = {};       // postgres: connection string
  std::string schema = {};    // postgres: where everything is; "firn" when empty
  std::string store_id = {};  // postgres: whose data it is; set by the store, not configured
};

// Every backend name make_tier() knows.
std::vector<std::string> tier_backends();

// kInvalidArgument naming the tier, the setting and what to write instead.
Status validate_tier(const TierConfig& config);

// Opens the tier. kInvalidArgument as above; otherwise what the backend's factory reports. `env`
// must outlive the tier.
Result<std::unique_ptr<Tier>> make_tier(Env* env, const TierConfig& config);

}  // namespace firn
