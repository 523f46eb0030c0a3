#include "tier/registry.h"

#include "tier/blocks/block_format.h"
#include "tier/memory/memory_tier.h"
#include "tier/parquet/parquet_tier.h"
#include "tier/postgres/postgres_tier.h"
#include "tier/sqlite/sqlite_tier.h"

namespace firn {

namespace {

Status refuse(const TierConfig& config, const std::string& what) {
  return invalid_argument("tier '" + config.name + "': " + what);
}

PostgresTierOptions postgres_options(const TierConfig& config) {
  PostgresTierOptions options;
  options.name = config.name;
  options.server.dsn = config.dsn;
  if (!config.schema.empty()) options.schema = config.schema;
  options.owner = config.store_id + "/" + config.name;
  options.layout = config.layout == "blocks" ? PostgresLayout::kBlocks : PostgresLayout::kRows;
  options.promoted_attributes = config.promoted_attributes;
  return options;
}

}  // namespace

std::vector<std::string> tier_backends() { return {"memory", "sqlite", "parquet", "postgres"}; }

Status validate_tier(const TierConfig& config) {
  if (config.name.empty()) return invalid_argument("a tier needs a name, for instance 'hot'");
  const bool memory = config.backend == "memory";
  const bool sqlite = config.backend == "sqlite";
  const bool postgres = config.backend == "postgres";
  if (!memory && !sqlite && !postgres && config.backend != "parquet") {
    return refuse(config, "backend '" + config.backend +
                              "' is not known; write memory, sqlite, parquet or postgres");
  }
  if (config.keep_ns <= 0) return refuse(config, "keep must be positive");
  const bool has_directory = !memory && !postgres;
  if (has_directory == config.directory.empty()) {
    return refuse(config, has_directory ? "a directory is needed"
                                        : "a " + config.backend + " tier has no directory");
  }
  if (!memory && config.max_memory_bytes != 0) {
    return refuse(config, "max_memory only applies to backend memory");
  }
  if (!sqlite && !postgres && !config.layout.empty()) {
    return refuse(config, "layout only applies to backends sqlite and postgres");
  }
  if (!config.layout.empty() && config.layout != "blocks" && config.layout != "rows") {
    return refuse(config, "layout '" + config.layout + "' is not known; write blocks or rows");
  }
  const bool has_filters = sqlite || (postgres && config.layout == "blocks");
  if (!has_filters && !config.promoted_attributes.empty()) {
    return refuse(config,
                  "promoted_attributes only applies to backend sqlite, and to postgres with layout "
                  "blocks");
  }
  if (!postgres && (!config.dsn.empty() || !config.schema.empty())) {
    return refuse(config, "dsn and schema only apply to backend postgres");
  }
  if (config.promoted_attributes.size() > kPromotedAttributesMax) {
    return refuse(config,
                  "more than " + std::to_string(kPromotedAttributesMax) + " promoted_attributes");
  }
  if (postgres) return check_postgres_options(postgres_options(config));
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
  if (config.backend == "postgres") return open_postgres_tier(env, postgres_options(config));
  SqliteTierOptions options;
  options.name = config.name;
  options.directory = config.directory;
  options.layout = config.layout == "rows" ? SqliteLayout::kRows : SqliteLayout::kBlocks;
  options.promoted_attributes = config.promoted_attributes;
  return open_sqlite_tier(env, options);
}

}  // namespace firn
