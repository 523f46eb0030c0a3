#include "wal/open_wal.h"

#include <fmt/format.h>

#include <algorithm>

#include "wal/rocksdb_wal.h"
#include "wal/segment_files.h"
#include "wal/segment_wal.h"

namespace firn {

std::string_view wal_type_name(WalType type) {
  switch (type) {
    case WalType::kSegment:
      return "segment";
    case WalType::kRocksdb:
      return "rocksdb";
  }
  return "?";
}

std::optional<WalType> parse_wal_type(std::string_view name) {
  for (const WalType type : {WalType::kSegment, WalType::kRocksdb}) {
    if (name == wal_type_name(type)) return type;
  }
  return std::nullopt;
}

Result<std::optional<WalType>> find_wal_type(Env* env, const std::string& directory) {
  FIRN_ASSIGN(const bool exists, env->exists(directory));
  if (!exists) return std::optional<WalType>();
  FIRN_ASSIGN(const std::vector<DirectoryEntry> entries, env->list_directory(directory));
  FIRN_ASSIGN(const wal::SegmentListing listing, wal::list_segments(env, directory));
  const bool has_segments =
      !listing.segments.empty() || !listing.spares.empty() || !listing.unfinished.empty();
  const bool has_rocksdb =
      std::any_of(entries.begin(), entries.end(), [](const DirectoryEntry& entry) {
        return entry.name == "CURRENT" || entry.name.starts_with("MANIFEST-") ||
               entry.name.ends_with(".log") || entry.name.ends_with(".sst");
      });
  if (has_segments && has_rocksdb) {
    return corruption(directory +
                      " holds log segments and a RocksDB database; one of them was put there by "
                      "somebody else and must go");
  }
  if (has_segments) return std::optional(WalType::kSegment);
  if (has_rocksdb) return std::optional(WalType::kRocksdb);
  return std::optional<WalType>();
}

Result<std::unique_ptr<Wal>> open_wal(Env* env, const WalOptions& options) {
  FIRN_ASSIGN(const std::optional<WalType> found, find_wal_type(env, options.directory));
  if (found.has_value() && *found != options.type) {
    return invalid_argument(
        fmt::format("wal.type is {0}, but {1} holds a log of type {2}, which would be ignored; set "
                    "wal.type to {2}, or choose another data directory",
                    wal_type_name(options.type), options.directory, wal_type_name(*found)));
  }
  return options.type == WalType::kRocksdb ? open_rocksdb_wal(env, options)
                                           : open_segment_wal(env, options);
}

Result<std::vector<WalDamage>> verify_wal(Env* env, const std::string& directory) {
  FIRN_ASSIGN(const std::optional<WalType> found, find_wal_type(env, directory));
  return found == WalType::kRocksdb ? verify_rocksdb_wal(env, directory)
                                    : verify_segment_wal(env, directory);
}

}  // namespace firn
