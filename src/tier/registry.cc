#include "tier/registry.h"

#include <set>

#include "base/size.h"
#include "tier/blocks/block_format.h"
#include "tier/memory/memory_tier.h"
#include "tier/object/object_env.h"
#include "tier/object/s3_store.h"
#include "tier/parquet/parquet_tier.h"
#include "tier/postgres/postgres_tier.h"
#include "tier/sqlite/sqlite_tier.h"

namespace firn {

namespace {

constexpr uint64_t kMemoryForThreads = 128 * kMiB;

Status refuse(const TierConfig& config, const std::string& what) {
  return invalid_argument("tier '" + config.name + "': " + what);
}

Result<S3Options> s3_options(const TierConfig& config) {
  const S3Settings& settings = config.s3;
  S3Options options;
  FIRN_TRY(parse_s3_url(config.url, &options));
  if (!settings.region.empty()) options.region = settings.region;
  options.endpoint = settings.endpoint;
  if (!settings.path_style.empty()) {
    if (settings.path_style != "true" && settings.path_style != "false") {
      return invalid_argument("path_style is '" + settings.path_style + "'; write true or false");
    }
    options.path_style = settings.path_style == "true";
  }
  const std::string& source = settings.credentials;
  if (source == "environment") {
    options.credentials.source = CredentialsSource::kEnvironment;
  } else if (source == "file") {
    options.credentials.source = CredentialsSource::kFile;
  } else if (source == "instance_role") {
    options.credentials.source = CredentialsSource::kInstanceRole;
  } else if (!source.empty() && source != "auto") {
    return invalid_argument("credentials '" + source +
                            "' are not known; write auto, environment, file or instance_role");
  }
  options.credentials.profile = settings.profile;
  options.transfer.ca_file = settings.ca_file;
  FIRN_TRY(validate_s3_options(options));
  return options;
}

Result<std::vector<AttributeColumn>> attribute_columns(const TierConfig& config) {
  std::vector<AttributeColumn> columns;
  std::set<std::string> names;
  for (const std::string& item : config.columns) {
    auto column = parse_attribute_column(item);
    if (!column.ok()) return refuse(config, std::string(column.status().message()));
    if (!names.insert(column->name).second) {
      return refuse(config, "two of its columns would be named '" + column->name + "'");
    }
    columns.push_back(std::move(*column));
  }
  if (columns.size() <= kPromotedAttributesMax) return columns;
  return refuse(config, "more than " + std::to_string(kPromotedAttributesMax) + " columns");
}

Status validate_columns(const TierConfig& config) {
  if (config.backend == "parquet") return attribute_columns(config).status();
  if (config.columns.empty()) return Status();
  return refuse(config, "columns only applies to backend parquet");
}

Status validate_url(const TierConfig& config) {
  if (config.url.empty()) {
    return config.s3 == S3Settings{} ? Status()
                                     : refuse(config, "settings of S3 without a url s3://...");
  }
  if (config.backend != "parquet") return refuse(config, "url s3: only applies to backend parquet");
  const Status status = s3_options(config).status();
  return status.with_context("tier '" + config.name + "'");
}

Result<std::unique_ptr<Tier>> make_parquet_tier(Env* env, const TierConfig& config) {
  ParquetOptions options;
  options.name = config.name;
  options.directory = config.directory;
  options.memory_bytes = config.work_memory_bytes;
  FIRN_ASSIGN(options.attributes, attribute_columns(config));
  // Each thread holds a row group of its own.
  if (options.memory_bytes < kMemoryForThreads) options.threads = 1;
  if (config.url.empty()) return open_parquet_tier(env, options);
  FIRN_ASSIGN(const S3Options s3, s3_options(config));
  FIRN_ASSIGN(auto store, open_s3_store(env, s3));
  ReadCacheOptions cache;
  cache.path = join_path(config.directory, "read-cache");
  if (config.s3.cache_bytes != 0) cache.budget_bytes = config.s3.cache_bytes;
  FIRN_ASSIGN(auto cached, open_cached_store(env, std::move(store), cache));
  FIRN_ASSIGN(auto objects,
              ObjectEnv::open(env, std::move(cached), join_path(config.directory, "staging"),
                              is_parquet_tier_key));
  return open_parquet_tier(env, options, std::move(objects));
}

Status validate_policy(const TierConfig& config, const std::string& whose, DurationNs keep,
                       DurationNs compress_after) {
  if (keep <= 0) return refuse(config, whose + "keep must be positive");
  if (compress_after <= 0) return refuse(config, whose + "compress_after must be positive");
  if (compress_after == INT64_MAX || compress_after < keep) return Status();
  return refuse(config, whose + "compress_after " + format_duration(compress_after) +
                            " is not before keep " + format_duration(keep) +
                            ", so nothing would ever be compressed");
}

Status validate_policies(const TierConfig& config) {
  bool compresses = config.compress_after_ns != INT64_MAX;
  bool is_bounded = config.max_bytes != 0;
  for (const auto& [dataset, policy] : config.datasets) {
    compresses = compresses || policy.compress_after_ns.has_value();
    is_bounded = is_bounded || policy.max_bytes.has_value();
  }
  const bool in_memory = config.backend == "memory";
  if (in_memory && compresses) {
    return refuse(config, "compress_after does not apply to backend memory");
  }
  if (in_memory && is_bounded) {
    return refuse(config, "backend memory has max_memory, not max_bytes");
  }
  FIRN_TRY(validate_policy(config, "", config.keep_ns, config.compress_after_ns));
  for (const auto& [dataset, policy] : config.datasets) {
    FIRN_TRY(validate_policy(config, std::string(dataset_name(dataset)) + ": ",
                             keep_of(config, dataset), compress_after_of(config, dataset)));
  }
  return Status();
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

DurationNs keep_of(const TierConfig& config, Dataset dataset) {
  const auto found = config.datasets.find(dataset);
  return found == config.datasets.end() ? config.keep_ns
                                        : found->second.keep_ns.value_or(config.keep_ns);
}

DurationNs compress_after_of(const TierConfig& config, Dataset dataset) {
  const auto found = config.datasets.find(dataset);
  if (found == config.datasets.end()) return config.compress_after_ns;
  return found->second.compress_after_ns.value_or(config.compress_after_ns);
}

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
  FIRN_TRY(validate_policies(config));
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
  if (postgres) FIRN_TRY(check_postgres_options(postgres_options(config)));
  FIRN_TRY(validate_columns(config));
  return validate_url(config);
}

Result<std::unique_ptr<Tier>> make_tier(Env* env, const TierConfig& config) {
  FIRN_TRY(validate_tier(config));
  if (config.backend == "memory") {
    return std::unique_ptr<Tier>(std::make_unique<MemoryTier>(env, config.name));
  }
  if (config.backend == "parquet") return make_parquet_tier(env, config);
  if (config.backend == "postgres") return open_postgres_tier(env, postgres_options(config));
  SqliteTierOptions options;
  options.name = config.name;
  options.directory = config.directory;
  options.layout = config.layout == "rows" ? SqliteLayout::kRows : SqliteLayout::kBlocks;
  options.promoted_attributes = config.promoted_attributes;
  return open_sqlite_tier(env, options);
}

}  // namespace firn
