#pragma once

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

enum class Dataset : uint8_t { kEvents = 1 };
std::string_view dataset_name(Dataset dataset);
std::optional<Dataset> parse_dataset(std::string_view name);

enum class ColumnType : uint8_t {
  kInt64 = 1,   // the default value is "absent": INT64_MIN
  kUint8 = 2,   // default 0
  kId16 = 3,    // sixteen bytes, default all zero
  kId8 = 4,     // eight bytes (span id), default all zero
  kString = 5,  // bytes, default empty
};

inline constexpr int64_t kAbsentInt64 = INT64_MIN;

// Columns of `events` (DESIGN section 4). Numbers are stored in the log and in blocks: never reuse.
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
};
inline constexpr size_t kColumnIdCount = 19;

enum class EventKind : uint8_t { kEvent = 0, kMessage = 1, kLog = 2, kSpan = 3, kCausal = 4 };
std::string_view event_kind_name(EventKind kind);
std::optional<EventKind> parse_event_kind(std::string_view name);

struct ColumnSchema {
  ColumnId id;
  ColumnType type;
  std::string_view name;
  bool dictionary;  // strings that repeat are stored once per batch
};

// The columns of a dataset in ascending id order; position first.
std::span<const ColumnSchema> dataset_columns(Dataset dataset);
// Null when the dataset has no such column.
const ColumnSchema* find_column(Dataset dataset, ColumnId id);
const ColumnSchema* find_column(Dataset dataset, std::string_view name);

}  // namespace firn
