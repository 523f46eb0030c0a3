#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/size.h"
#include "base/status.h"
#include "base/time.h"
#include "env/env.h"
#include "tier/tier.h"

namespace firn {

// A bucket, and how to talk to it (docs/object-storage.md). Empty: the default.
struct S3Settings {
  std::string region = {};       // us-east-1
  std::string endpoint = {};     // AWS's of the region
  std::string path_style = {};   // "true" or "false"; else as fits the endpoint
  std::string credentials = {};  // "auto", "environment", "file" or "instance_role"
  std::string profile = {};      // of the credentials file
  std::string ca_file = {};      // of certificates to trust instead of the system's
  uint64_t cache_bytes = 0;      // of the local read cache; 0: 1 GiB
  bool operator==(const S3Settings&) const = default;
};

// What is different for one dataset in a tier; unset: as for the tier.
struct DatasetPolicy {
  std::optional<DurationNs> keep_ns, compress_after_ns;
  std::optional<uint64_t> max_bytes;
  bool operator==(const DatasetPolicy&) const = default;
};

// One tier as configured. Which members a backend uses is said beside them; the others must keep
// their defaults, so that a setting without effect is refused instead of ignored.
struct TierConfig {
  std::string name = {};     // "hot"; unique in the list, names rows of `firn chunks`
  std::string backend = {};  // "memory", "sqlite", "parquet" or "postgres"
  // Applied by the store (docs/lifecycle.md):
  DurationNs keep_ns = INT64_MAX;            // how long rows stay before they move on
  DurationNs compress_after_ns = INT64_MAX;  // when chunks are compressed; INT64_MAX: by command
  uint64_t max_bytes = 0;                    // above it the oldest chunks move on; 0: any number
  std::map<Dataset, DatasetPolicy> datasets = {};
  uint64_t max_memory_bytes = 0;  // memory: size at which the store flushes early; 0: by age only
  // parquet: for packing and reading, all calls together; the store derives it from its budget.
  uint64_t work_memory_bytes = 512 * kMiB;
  // sqlite, parquet: where chunks are; created when missing. With a url: only what is local, files
  // being written and the read cache.
  std::string directory = {};
  // sqlite, postgres: "blocks" or "rows". Empty: blocks for sqlite, rows for postgres.
  std::string layout = {};
  // sqlite, postgres: attributes with an index of their own, see attribute_of() for what a key
  // names.
  std::vector<std::string> promoted_attributes = {};
  // parquet: attributes that get a column of their own, see parse_attribute_column().
  std::vector<std::string> columns = {};
  std::string url = {};       // parquet: "s3://bucket/prefix" when chunks are objects
  S3Settings s3 = {};         // with a url
  std::string dsn = {};       // postgres: connection string
  std::string schema = {};    // postgres: where everything is; "firn" when empty
  std::string store_id = {};  // postgres: whose data it is; set by the store, not configured
};

// What applies to a dataset in the tier.
DurationNs keep_of(const TierConfig& config, Dataset dataset);
DurationNs compress_after_of(const TierConfig& config, Dataset dataset);

// Every backend name make_tier() knows.
std::vector<std::string> tier_backends();

// kInvalidArgument naming the tier, the setting and what to write instead.
Status validate_tier(const TierConfig& config);

// Opens the tier. kInvalidArgument as above; otherwise what the backend's factory reports. `env`
// must outlive the tier.
Result<std::unique_ptr<Tier>> make_tier(Env* env, const TierConfig& config);

}  // namespace firn
