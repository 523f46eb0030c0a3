#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/engine.h"
#include "model/schema.h"
#include "tier/tier.h"

// Names and key-value metadata of the tier's files (docs/formats/parquet.md). No I/O.

namespace firn {

inline constexpr std::string_view kParquetSuffix = ".parquet";
inline constexpr std::string_view kTemporarySuffix = ".tmp";
inline constexpr uint32_t kParquetFormat = 1;            // meaning of names and metadata
inline constexpr uint32_t kParquetSchema = 1;            // the dataset's columns
inline constexpr uint32_t kParquetAttributesSchema = 2;  // and columns of attributes

// What a file's name says: `<chunk name>-p<first>-<last>-r<rows>.parquet`.
struct ParquetFileName {
  ChunkKey key;
  Position first = 0, last = 0;  // inclusive; the positions the file accounts for
  uint64_t rows = 0;

  std::string text() const;
  // Nothing for names that text() would not make.
  static std::optional<ParquetFileName> parse(std::string_view text);
};

// "<directory>/events/namespace=<id>/date=<date>", where a chunk's files are.
std::string parquet_dataset_directory(const std::string& directory, Dataset dataset);
std::string parquet_namespace_directory(const std::string& directory, const ChunkKey& key);
std::string parquet_chunk_directory(const std::string& directory, const ChunkKey& key);

// What a file's metadata says beyond its name.
struct ParquetFileStats {
  uint64_t rows = 0;
  uint64_t raw_bytes = 0;
  uint64_t raw_rows = 0;  // rows whose `_raw` is not NULL
  uint64_t checksum = 0;
  TimeNs time_min = INT64_MAX, time_max = INT64_MIN;
  Position position_min = UINT64_MAX, position_max = 0;

  void add(const ParquetFileStats& other);
};

// As long for all names of a chunk that begin with the same position, and for all stats.
ParquetMetadata parquet_metadata(const ParquetFileName& name, const ParquetFileStats& stats,
                                 const std::vector<AttributeColumn>& attributes);
// kCorruption when metadata is missing, does not parse, or contradicts the name or the row groups;
// kUnsupported when the format is newer than ours.
Result<ParquetFileStats> parse_parquet_metadata(const ParquetFileName& name,
                                                const ParquetInfo& info);

}  // namespace firn
