#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace firn {

using NamespaceId = uint32_t;  // 1, 2, 3...; 0 is no namespace
using Position = uint64_t;     // from 1, in commit order, no gaps; 0 is "before the first"

struct PositionRange {
  Position from = 0;
  Position to = UINT64_MAX;  // exclusive
  bool contains(Position p) const { return p >= from && p < to; }
  bool overlaps(Position first, Position last) const { return last >= from && first < to; }
};

enum class Dataset : uint8_t {
  kEvents = 1,
  kSamples = 2,  // docs/formats/samples.md
  kSeries = 3,   // what the series of samples are
  // docs/formats/rollups.md: those of the first declared width, of the second and of the third.
  kRollups1 = 4,
  kRollups2 = 5,
  kRollups3 = 6,
};
inline constexpr Dataset kDatasets[] = {Dataset::kEvents,   Dataset::kSamples,  Dataset::kSeries,
                                        Dataset::kRollups1, Dataset::kRollups2, Dataset::kRollups3};
inline constexpr size_t kDatasetCount = 6;
constexpr bool is_rollups(Dataset dataset) { return dataset >= Dataset::kRollups1; }
// 0 for the first of kDatasets, and so on: for arrays.
constexpr size_t dataset_index(Dataset dataset) { return static_cast<size_t>(dataset) - 1; }
std::string_view dataset_name(Dataset dataset);
std::optional<Dataset> parse_dataset(std::string_view name);

enum class ColumnType : uint8_t {
  kInt64 = 1,    // the default value is "absent": INT64_MIN
  kUint8 = 2,    // default 0
  kId16 = 3,     // sixteen bytes, default all zero
  kId8 = 4,      // eight bytes (span id), default all zero
  kString = 5,   // bytes, default empty
  kFloat64 = 6,  // a double bit by bit, default kAbsentFloat64
};

inline constexpr int64_t kAbsentInt64 = INT64_MIN;

// A double that is equal to another only bit by bit: NaNs and both zeros are values to be kept.
struct Float64 {
  uint64_t bits = 0;
  static constexpr Float64 of(double value) { return {std::bit_cast<uint64_t>(value)}; }
  constexpr double value() const { return std::bit_cast<double>(bits); }
  constexpr bool operator==(const Float64&) const = default;
};
// A NaN that no computation gives.
inline constexpr Float64 kAbsentFloat64{0x7ff8f1f1f1f1f1f1};

// Columns of all datasets: a number means the same in each. Numbers are stored in the log and in
// blocks, which have room for 64, of which the first 32 may have key filters: never reuse.
enum class ColumnId : uint8_t {
  kPosition = 0,
  kTime = 1,
  kObservedTime = 2,
  kId = 3,
  kKind = 4,
  kType = 5,
  kSource = 6,
  kSubject = 7,
  kSeverity = 8,
  kStream = 9,
  kStreamPosition = 10,
  kCorrelationId = 11,
  kTraceId = 12,
  kSpanId = 13,
  kParentId = 14,
  kDuration = 15,
  kData = 16,      // JSON text
  kMetadata = 17,  // JSON text
  kContext = 18,   // JSON text, interned: resource and scope
  // Of samples and series.
  kSeries = 19,  // 32 hexadecimal digits
  kValue = 20,
  kInteger = 21,  // 1: the value was sent as an integer
  kStartTime = 22,
  kFlags = 23,
  kName = 24,
  kLabels = 25,  // JSON text, keys sorted
  kUnit = 26,
  kTemporality = 27,
  kMonotonic = 28,
  kDescription = 29,
  // Of rollups.
  kCount = 30,
  kThrough = 31,
  kMin = 32,
  kMax = 33,
  kFirst = 34,
  kFirstTime = 35,
  kLast = 36,
  kLastTime = 37,
  kSumLow = 38,
};
inline constexpr size_t kColumnIdCount = 39;

enum class EventKind : uint8_t { kEvent = 0, kMessage = 1, kLog = 2, kSpan = 3, kCausal = 4 };
std::string_view event_kind_name(EventKind kind);
std::optional<EventKind> parse_event_kind(std::string_view name);

struct ColumnSchema {
  ColumnId id;
  ColumnType type;
  std::string_view name;
  bool dictionary;  // strings that repeat are stored once per batch
};

// The columns of a dataset in ascending id order; position first. Empty for an unknown dataset.
std::span<const ColumnSchema> dataset_columns(Dataset dataset);
// Null when the dataset has no such column.
const ColumnSchema* find_column(Dataset dataset, ColumnId id);
const ColumnSchema* find_column(Dataset dataset, std::string_view name);
// The column of whatever dataset. REQUIRES: a known id.
const ColumnSchema& column_schema(ColumnId id);

}  // namespace firn
