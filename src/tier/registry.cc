#include "tier/registry.h"

#include "tier/blocks/block_format.h"
#include "tier/memory/memory_tier.h"
#include "tier/parquet/parquet_tier.h"
#include "tier/sqlite/sqlite_tier.h"

namespace firn {

namespace {

Status refuse(const TierConfig& config, const std::string& what) {
  return invalid_argument("tier '" + config.name + "': " + what);
}

}  // namespace

std::vector<std::string> tier_backends() { return {"memory", "sqlite", "parquet"}; }

Status validate_tier(const TierConfig& config) {
  if (config.name.empty()) return invalid_argument("a tier needs a name, for instance 'hot'");
  const bool memory = config.backend == "memory";
  const bool sqlite = config.backend == "sqlite";
  if (!memory && !sqlite && config.backend != "parquet") {
    return refuse(config,
                  "backend '" + config.backend + "' is not known; write memory, sqlite or parquet");
  }
  if (config.keep_ns <= 0) return refuse(config, "keep must be positive");
  if (memory != config.directory.empty()) {
    return refuse(config, memory ? "a memory tier has no directory" : "a directory is needed");
  }
  if (!memory && config.max_memory_bytes != 0) {
    return refuse(config, "max_memory only applies to backend memory");
  }
  if (!sqlite && !config.layout.empty()) {
    return refuse(config, "layout only applies to backend sqlite");
  }
  if (!config.layout.empty() && config.layout != "blocks" && config.layout != "rows") {
    return refuse(config, "layout '" + config.layout + "' is not known; write blocks or rows");
  }
  if (!sqlite && !config.promoted_attributes.empty()) {
    return refuse(config, "promoted_attributes only applies to backend sqlite");
  }
  if (config.promoted_attributes.size() > kPromotedAttributesMax) {
    return refuse(config,
                  "more than " + std::to_string(kPromotedAttributesMax) + " promoted_attributes");
  }
  return Status();
}

Result<std::unique_ptr<Tier>> make_tier(Env* env, const TierConfig& config) {
  FIRN_TRY(validate_tier(config));
  if (config.backend == "memory") {
    return std::unique_ptr<Tier>(std::make_unique<MemoryTier>(env, config.name));
  }
  if (config.backend == "parquet") {
    ParquetOptions options;
    options.name = config.name;
    options.directory = config.directory;
    return open_parquet_tier(env, options);
  }
  SqliteTierOptions options;
  options.name = config.name;
  options.directory = config.directory;
  options.layout = config.layout == "rows" ? SqliteLayout::kRows : SqliteLayout::kBlocks;
  options.promoted_attributes = config.promoted_attributes;
  return open_sqlite_tier(env, options);
}

}  // namespace firn
