#include "engine/columns.h"

#include <array>
#include <charconv>

#include "base/status.h"
#include "engine/engine.h"

namespace firn {

SqlShape sql_shape(const ColumnSchema& column) {
  switch (column.id) {
    case ColumnId::kTime:
    case ColumnId::kObservedTime:
    case ColumnId::kStartTime:
      return SqlShape::kTimestampNs;
    case ColumnId::kId:
      return SqlShape::kUuid;
    case ColumnId::kKind:
      return SqlShape::kKindName;
    default:
      break;
  }
  switch (column.type) {
    case ColumnType::kInt64:
      return SqlShape::kBigint;
    case ColumnType::kUint8:
      return SqlShape::kSmallint;
    case ColumnType::kId16:
    case ColumnType::kId8:
      return SqlShape::kHex;
    case ColumnType::kFloat64:
      return SqlShape::kDouble;
    case ColumnType::kString:
      break;
  }
  return SqlShape::kText;
}

std::string_view sql_type_name(SqlShape shape) {
  switch (shape) {
    case SqlShape::kBigint:
      return "BIGINT";
    case SqlShape::kTimestampNs:
      return "TIMESTAMP_NS";
    case SqlShape::kSmallint:
      return "SMALLINT";
    case SqlShape::kDouble:
      return "DOUBLE";
    default:
      return "VARCHAR";
  }
}

std::string kind_text(uint8_t kind) {
  if (kind <= static_cast<uint8_t>(EventKind::kCausal)) {
    return std::string(event_kind_name(static_cast<EventKind>(kind)));
  }
  return std::to_string(kind);
}

std::optional<uint8_t> parse_kind_text(std::string_view text) {
  if (auto kind = parse_event_kind(text)) return static_cast<uint8_t>(*kind);
  uint8_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::string column_list(Dataset dataset, bool with_raw) {
  std::string list;
  for (const ColumnSchema& column : dataset_columns(dataset)) {
    if (!list.empty()) list += ", ";
    list += sql_identifier(column.name);
  }
  if (with_raw) list += ", " + sql_identifier(kRawColumnName);
  return list;
}

}  // namespace firn
