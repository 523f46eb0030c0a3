#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/schema.h"

namespace firn {

// How a column of a dataset looks in SQL and in Parquet files.
enum class SqlShape : uint8_t {
  kBigint,       // kInt64 and kPosition; absent is NULL
  kTimestampNs,  // kInt64 holding a time
  kSmallint,     // kUint8; 0 is NULL
  kKindName,     // kUint8 holding an EventKind; never NULL
  kUuid,         // kId16 as 36 characters; zero is NULL
  kHex,          // kId16 as 32, kId8 as 16 characters; zero is NULL
  kText,         // kString; empty is NULL
  kDouble,       // kFloat64; absent is NULL
};

SqlShape sql_shape(const ColumnSchema& column);
// DuckDB's name of the type: "BIGINT", "TIMESTAMP_NS", "SMALLINT", "VARCHAR".
std::string_view sql_type_name(SqlShape shape);

// The name of a kind column's value, for the five known kinds and, as a number, for any other.
std::string kind_text(uint8_t kind);
// The reverse; nothing on other text.
std::optional<uint8_t> parse_kind_text(std::string_view text);

// The hidden column of our files that keeps texts which are not UTF-8 (see model/raw_text.h).
inline constexpr std::string_view kRawColumnName = "_raw";

// `"position", "time", ...`: the dataset's columns as SQL identifiers, with `_raw` on request.
std::string column_list(Dataset dataset, bool with_raw);

}  // namespace firn
