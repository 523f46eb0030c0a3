#include "engine/sql_condition.h"

#include <optional>

#include <fmt/format.h>

#include "engine/columns.h"
#include "engine/engine.h"
#include "model/raw_text.h"

namespace firn {

namespace {

// Conditions on one column are built from values as SQL literals; "" stands for NULL.
using Literal = std::optional<std::string>;

// Nothing when the text cannot stand in a statement.
Literal text_literal(std::string_view text) {
  if (!is_utf8(text) || text.find('\0') != std::string_view::npos) return std::nullopt;
  return text.empty() ? std::string() : sql_quote(text);
}

std::string number_literal(SqlShape shape, int64_t number) {
  if (number == INT64_MIN) return "(-9223372036854775807 - 1)";
  if (shape == SqlShape::kTimestampNs) return fmt::format("make_timestamp_ns({})", number);
  return std::to_string(number);
}

std::string id_literal(const ColumnSchema& column, SqlShape shape, const Id& id) {
  if (column.type == ColumnType::kId8) {
    const std::string hex = id.to_hex().substr(0, 16);
    return hex == "0000000000000000" ? "" : sql_quote(hex);
  }
  if (id.is_zero()) return "";
  return sql_quote(shape == SqlShape::kUuid ? id.to_uuid() : id.to_hex());
}

// One literal per value of the predicate; nothing when some value has none.
std::optional<std::vector<std::string>> literals(const ColumnSchema& column,
                                                 const Predicate& predicate) {
  const SqlShape shape = sql_shape(column);
  std::vector<std::string> out;
  switch (shape) {
    case SqlShape::kText:
      for (const std::string& text : predicate.texts) {
        const Literal literal = text_literal(text);
        if (!literal) return std::nullopt;
        out.push_back(*literal);
      }
      return out;
    case SqlShape::kUuid:
    case SqlShape::kHex:
      for (const Id& id : predicate.ids) out.push_back(id_literal(column, shape, id));
      return out;
    case SqlShape::kKindName:
      for (const int64_t number : predicate.numbers) {
        if (number < 0 || number > UINT8_MAX) continue;  // no kind is that
        out.push_back(sql_quote(kind_text(static_cast<uint8_t>(number))));
      }
      return out;
    case SqlShape::kSmallint:
      for (const int64_t number : predicate.numbers) {
        out.push_back(number == 0 ? "" : std::to_string(number));
      }
      return out;
    case SqlShape::kBigint:
    case SqlShape::kTimestampNs:
      for (const int64_t number : predicate.numbers) {
        // The time itself is never absent in a file, whatever its value.
        const bool absent = number == kAbsentInt64 && column.id != ColumnId::kTime;
        if (!absent && number == INT64_MIN) return std::nullopt;
        out.push_back(absent ? "" : number_literal(shape, number));
      }
      return out;
    case SqlShape::kDouble:
      return out;  // no predicate is about one
  }
  return std::nullopt;
}

// Never IN, out of which DuckDB makes a join, and then rows may leave a parallel scan in any order.
std::string equal_any(const std::string& name, SqlShape shape,
                      const std::vector<std::string>& values) {
  if (values.empty()) return "FALSE";
  std::string list;
  size_t listed = 0;
  for (const std::string& value : values) {
    if (value.empty()) continue;
    list += (listed++ == 0 ? "" : ", ") + value;
  }
  if (listed == 0) return name + " IS NULL";
  const std::string equal =
      listed == 1 ? fmt::format("{} = {}", name, list)
                  : fmt::format("list_contains([{}]::{}[], {})", list, sql_type_name(shape), name);
  return listed < values.size() ? fmt::format("({} OR {} IS NULL)", equal, name) : equal;
}

// number >= value or number < value. An absent number is neither; a small number is never absent.
std::optional<std::string> compare(const ColumnSchema& column, bool at_least, int64_t value) {
  const SqlShape shape = sql_shape(column);
  const std::string name = sql_identifier(column.name);
  const std::string literal = number_literal(shape, value);
  switch (shape) {
    case SqlShape::kBigint:
      return fmt::format("{} {} {}", name, at_least ? ">=" : "<", literal);
    case SqlShape::kSmallint:
      if (value <= 0) return at_least ? "TRUE" : "FALSE";
      if (at_least) return fmt::format("{} >= {}", name, literal);
      return fmt::format("({0} < {1} OR {0} IS NULL)", name, literal);
    case SqlShape::kTimestampNs:
      // The smallest number means "absent" in a batch, but not in SQL.
      if (column.id == ColumnId::kTime || value == INT64_MIN) return std::nullopt;
      return fmt::format("{} {} {}", name, at_least ? ">=" : "<", literal);
    case SqlShape::kKindName:
      return std::nullopt;
    default:
      return "FALSE";  // texts and ids have no order
  }
}

std::optional<std::string> contains_any(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) {
    if (text.empty()) return std::nullopt;
    const Literal literal = text_literal(text);
    if (!literal) return std::nullopt;
    if (!out.empty()) out += " OR ";
    out += fmt::format("contains(\"data\", {0}) OR contains(\"metadata\", {0})", *literal);
  }
  return out.empty() ? "FALSE" : "(" + out + ")";
}

// As ranges, so that statistics of row groups can tell: what begins with "a-" lies from "a-" to
// "a.".
std::optional<std::string> category_any(const ColumnSchema& column,
                                        const std::vector<std::string>& texts) {
  if (column.type != ColumnType::kString) return "FALSE";
  std::string out = "FALSE";
  for (const std::string& text : texts) {
    if (text.empty()) return std::nullopt;
    if (text.find('-') != std::string::npos) continue;
    const auto whole = text_literal(text);
    const auto from = text_literal(text + "-");
    const auto to = text_literal(text + ".");
    if (!whole || !from || !to) return std::nullopt;
    out += fmt::format(" OR {0} = {1} OR ({0} >= {2} AND {0} < {3})", sql_identifier(column.name),
                       *whole, *from, *to);
  }
  return "(" + out + ")";
}

std::optional<std::string> predicate_sql(const Predicate& predicate) {
  if (predicate.kind == PredicateKind::kAttribute) return std::nullopt;
  if (predicate.kind == PredicateKind::kContains) return contains_any(predicate.texts);
  const ColumnSchema* column = &column_schema(predicate.column);
  if (predicate.kind == PredicateKind::kCategory) {
    return category_any(*column, predicate.texts);
  }
  if (predicate.kind == PredicateKind::kEqual) {
    const auto values = literals(*column, predicate);
    if (!values) return std::nullopt;
    return equal_any(sql_identifier(column->name), sql_shape(*column), *values);
  }
  if (predicate.numbers.empty()) return "FALSE";
  return compare(*column, predicate.kind == PredicateKind::kAtLeast, predicate.numbers[0]);
}

}  // namespace

SqlCondition make_sql_condition(const Filter& filter) {
  SqlCondition condition;
  const auto add = [&](const std::string& sql) {
    condition.sql += (condition.sql.empty() ? "" : " AND ") + sql;
  };
  const TimeRange& time = filter.time;
  if (time.from != INT64_MIN) {
    add(fmt::format("\"time\" >= {}", number_literal(SqlShape::kTimestampNs, time.from)));
  }
  if (time.to == INT64_MIN) {
    add("FALSE");
  } else if (time.to != INT64_MAX) {
    add(fmt::format("\"time\" < {}", number_literal(SqlShape::kTimestampNs, time.to)));
  }
  const PositionRange& positions = filter.positions;
  if (positions.from > static_cast<Position>(INT64_MAX)) {
    add("FALSE");
  } else if (positions.from > 0) {
    add(fmt::format("\"position\" >= {}", positions.from));
  }
  if (positions.to <= static_cast<Position>(INT64_MAX)) {
    add(fmt::format("\"position\" < {}", positions.to));
  }
  for (const Predicate& predicate : filter.predicates) {
    if (const auto sql = predicate_sql(predicate)) {
      add(*sql);
    } else {
      condition.exact = false;
    }
  }
  if (condition.sql.empty()) condition.sql = "TRUE";
  return condition;
}

std::optional<std::string> sql_condition(const Filter& filter) {
  SqlCondition condition = make_sql_condition(filter);
  if (!condition.exact) return std::nullopt;
  return condition.sql;
}

}  // namespace firn
