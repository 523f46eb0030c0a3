#include "tier/parquet/parquet_files.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/time.h"
#include "env/env.h"

namespace firn {

namespace {

template <typename T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || stop != end || text.empty()) return std::nullopt;
  return value;
}

// Splits off what stands behind the last occurrence of `mark`; false when there is none.
bool split_last(std::string_view* text, std::string_view mark, std::string_view* behind) {
  const size_t at = text->rfind(mark);
  if (at == std::string_view::npos) return false;
  *behind = text->substr(at + mark.size());
  *text = text->substr(0, at);
  return true;
}

Status missing(std::string_view key) {
  return corruption("metadata " + std::string(key) + " is missing or does not parse");
}

template <typename T>
Status read_number(const ParquetInfo& info, std::string_view key, int base, T* out) {
  const auto text = info.find(key);
  const auto value = text ? parse_number<T>(*text, base) : std::nullopt;
  if (!value) return missing(key);
  *out = *value;
  return {};
}

}  // namespace

std::string ParquetFileName::text() const {
  return fmt::format("{}-p{}-{}-r{}{}", key.name(), first, last, rows, kParquetSuffix);
}

std::optional<ParquetFileName> ParquetFileName::parse(std::string_view text) {
  const std::string_view whole = text;
  if (!text.ends_with(kParquetSuffix)) return std::nullopt;
  text.remove_suffix(kParquetSuffix.size());
  std::string_view rows, last, first;
  if (!split_last(&text, "-r", &rows) || !split_last(&text, "-", &last) ||
      !split_last(&text, "-p", &first)) {
    return std::nullopt;
  }
  const auto key = ChunkKey::parse(text);
  const auto first_number = parse_number<Position>(first);
  const auto last_number = parse_number<Position>(last);
  const auto row_count = parse_number<uint64_t>(rows);
  if (!key || !first_number || !last_number || !row_count) return std::nullopt;
  const ParquetFileName name{*key, *first_number, *last_number, *row_count};
  if (name.first > name.last || name.text() != whole) return std::nullopt;
  return name;
}

std::string parquet_dataset_directory(const std::string& directory, Dataset dataset) {
  return join_path(directory, dataset_name(dataset));
}

std::string parquet_namespace_directory(const std::string& directory, const ChunkKey& key) {
  return join_path(parquet_dataset_directory(directory, key.dataset),
                   fmt::format("namespace={}", key.namespace_id));
}

std::string parquet_chunk_directory(const std::string& directory, const ChunkKey& key) {
  const CivilTime day = civil_from_time(key.start);
  return join_path(parquet_namespace_directory(directory, key),
                   fmt::format("date={:04}-{:02}-{:02}", day.year, day.month, day.day));
}

void ParquetFileStats::add(const ParquetFileStats& other) {
  rows += other.rows;
  raw_bytes += other.raw_bytes;
  raw_rows += other.raw_rows;
  checksum += other.checksum;
  time_min = std::min(time_min, other.time_min);
  time_max = std::max(time_max, other.time_max);
  position_min = std::min(position_min, other.position_min);
  position_max = std::max(position_max, other.position_max);
}

ParquetMetadata parquet_metadata(const ParquetFileName& name, const ParquetFileStats& stats,
                                 const std::vector<AttributeColumn>& attributes) {
  const uint32_t schema = attributes.empty() ? kParquetSchema : kParquetAttributesSchema;
  const auto counted = [](auto value) { return fmt::format("{:020}", value); };
  return {
      {"firn.format", std::to_string(kParquetFormat)},
      {"firn.schema", std::to_string(schema)},
      {"firn.chunk", name.key.name()},
      {"firn.first", std::to_string(name.first)},
      {"firn.watermark", counted(name.last)},
      {"firn.rows", counted(stats.rows)},
      {"firn.checksum", fmt::format("{:016x}", stats.checksum)},
      {"firn.raw_bytes", counted(stats.raw_bytes)},
      {"firn.raw_rows", counted(stats.raw_rows)},
      {"firn.time_min", counted(stats.time_min)},
      {"firn.time_max", counted(stats.time_max)},
      {"firn.position_min", counted(stats.position_min)},
      {"firn.position_max", counted(stats.position_max)},
  };
}

Result<ParquetFileStats> parse_parquet_metadata(const ParquetFileName& name,
                                                const ParquetInfo& info) {
  uint32_t format = 0;
  FIRN_TRY(read_number(info, "firn.format", 10, &format));
  if (format > kParquetFormat) {
    return unsupported(fmt::format("format {} is newer than this Firn", format));
  }
  ParquetFileStats stats;
  Position first = 0, watermark = 0;
  FIRN_TRY(read_number(info, "firn.first", 10, &first));
  FIRN_TRY(read_number(info, "firn.watermark", 10, &watermark));
  FIRN_TRY(read_number(info, "firn.rows", 10, &stats.rows));
  FIRN_TRY(read_number(info, "firn.checksum", 16, &stats.checksum));
  FIRN_TRY(read_number(info, "firn.raw_bytes", 10, &stats.raw_bytes));
  FIRN_TRY(read_number(info, "firn.raw_rows", 10, &stats.raw_rows));
  FIRN_TRY(read_number(info, "firn.time_min", 10, &stats.time_min));
  FIRN_TRY(read_number(info, "firn.time_max", 10, &stats.time_max));
  FIRN_TRY(read_number(info, "firn.position_min", 10, &stats.position_min));
  FIRN_TRY(read_number(info, "firn.position_max", 10, &stats.position_max));
  if (info.find("firn.chunk") != name.key.name() || first != name.first || watermark != name.last ||
      stats.rows != name.rows) {
    return corruption("its metadata contradicts its name");
  }
  if (info.rows != stats.rows) {
    return corruption(fmt::format("it has {} rows, its metadata says {}", info.rows, stats.rows));
  }
  return stats;
}

}  // namespace firn
