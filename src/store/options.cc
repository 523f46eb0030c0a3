#include "store/options.h"

#include <algorithm>
#include <set>

#include "base/limits.h"

namespace firn {

StoreOptions default_store_options(std::string data_dir) {
  StoreOptions options;
  options.data_dir = std::move(data_dir);
  TierConfig hot, warm, cold;
  hot.name = "hot";
  hot.backend = "memory";
  hot.keep_ns = kHourNs;
  warm.name = "warm";
  warm.backend = "sqlite";
  warm.directory = "warm";
  warm.keep_ns = 30 * kDayNs;
  cold.name = "cold";
  cold.backend = "parquet";
  cold.directory = "cold";
  cold.keep_ns = kForever;
  options.tiers = {hot, warm, cold};
  return options;
}

TierConfig StoreOptions::resolved(TierConfig tier) const {
  if (!tier.directory.empty() && tier.directory[0] != '/') {
    tier.directory = join_path(data_dir, tier.directory);
  }
  if (tier.backend != "memory") tier.work_memory_bytes = tier_work_bytes();
  return tier;
}

Status StoreOptions::check_series_limit(uint64_t limit) const {
  if (limit <= series_limit_max()) return Status();
  return invalid_argument("series_limit is " + std::to_string(limit) + "; with max_memory " +
                          format_size(memory_bytes_max) + " it can be at most " +
                          std::to_string(series_limit_max()) +
                          ", one for each 100 bytes. Give it more memory, or take a smaller one");
}

bool is_in_data_dir(const TierConfig& tier) {
  return tier.url.empty() && !tier.directory.empty() && tier.directory[0] != '/';
}

namespace {

Status validate_drop_oldest(const StoreOptions& options) {
  if (options.drop_oldest_below_free_bytes == 0) return Status();
  if (options.drop_oldest_below_free_bytes <= options.disk_reserve_bytes) {
    return invalid_argument("drop_oldest_below_free must be above disk_reserve " +
                            format_size(options.disk_reserve_bytes) +
                            ": appends would be refused before anything was dropped");
  }
  if (std::any_of(options.tiers.begin(), options.tiers.end(), is_in_data_dir)) return Status();
  return invalid_argument(
      "drop_oldest_below_free needs a tier with a directory inside data_dir; dropping chunks that "
      "are elsewhere frees nothing on its disk");
}

Status validate_exports(const StoreOptions& options) {
  std::set<std::string> names;
  for (const TierConfig& target : options.exports) {
    FIRN_TRY(validate_tier(target).with_context("exports"));
    if (target.backend != "parquet") {
      return invalid_argument("exports: '" + target.name + "' must have backend parquet");
    }
    if (!names.insert(target.name).second) {
      return invalid_argument("exports: two are named '" + target.name + "'");
    }
    for (const TierConfig& tier : options.tiers) {
      const bool same = target.url.empty() ? tier.url.empty() && tier.directory == target.directory
                                           : tier.url == target.url;
      if (!same) continue;
      return invalid_argument("exports: '" + target.name + "' is where tier '" + tier.name +
                              "' keeps its chunks; choose another place");
    }
  }
  return Status();
}

}  // namespace

Status validate_options(const StoreOptions& options) {
  if (options.data_dir.empty()) {
    return invalid_argument("data_dir is empty; name the directory that holds the store");
  }
  if (options.tiers.empty() || options.tiers[0].backend != "memory") {
    return invalid_argument(
        "the first tier must have backend memory: rows are served from there until they are "
        "flushed; give it a short keep when you want them elsewhere at once");
  }
  std::set<std::string> names, directories;
  for (size_t i = 0; i < options.tiers.size(); ++i) {
    const TierConfig& tier = options.tiers[i];
    FIRN_TRY(validate_tier(tier));
    if (!names.insert(tier.name).second) {
      return invalid_argument("two tiers are named '" + tier.name + "'");
    }
    if (i > 0 && tier.backend == "memory") {
      return invalid_argument("tier '" + tier.name +
                              "' has backend memory but is not the first; only the first may");
    }
    if (!tier.directory.empty() && !directories.insert(tier.directory).second) {
      return invalid_argument("two tiers have the directory '" + tier.directory + "'");
    }
    if (tier.keep_ns <= 0) {
      return invalid_argument("tier '" + tier.name + "': keep must be positive, or 'forever'");
    }
    if (tier.keep_ns == kForever && i + 1 < options.tiers.size()) {
      return invalid_argument("tier '" + tier.name + "' keeps data forever, so tier '" +
                              options.tiers[i + 1].name + "' below it would never get any");
    }
  }
  if (options.chunk_interval_ns < kMinuteNs) {
    return invalid_argument("chunk_interval must be at least 1m");
  }
  if (options.memory_bytes_max < 4 * kLimits.batch_bytes) {
    return invalid_argument("max_memory must be at least " + format_size(4 * kLimits.batch_bytes));
  }
  FIRN_TRY(options.check_series_limit(options.series_limit));
  if (options.flush_bytes() >= options.memory_bytes_max) {
    return invalid_argument(
        "tier '" + options.tiers[0].name + "': max_memory " + format_size(options.flush_bytes()) +
        " must be below the store's memory budget of " + format_size(options.memory_bytes_max));
  }
  if (options.wal_segment_bytes < 1 * kMiB) {
    return invalid_argument("wal.segment_size must be at least 1MiB");
  }
  FIRN_TRY(validate_drop_oldest(options));
  return validate_exports(options);
}

}  // namespace firn
