#include "engine/scan_filter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/time.h"
#include "duckdb/common/types/timestamp.hpp"
#include "duckdb/common/types/value.hpp"
#include "duckdb/planner/expression/bound_between_expression.hpp"
#include "duckdb/planner/expression/bound_cast_expression.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/expression/bound_comparison_expression.hpp"
#include "duckdb/planner/expression/bound_conjunction_expression.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/expression/bound_operator_expression.hpp"
#include "engine/columns.h"

namespace firn {

namespace {

using duckdb::Expression;
using duckdb::ExpressionClass;
using duckdb::ExpressionType;
using duckdb::LogicalTypeId;
using duckdb::Value;

// A column of the scan, perhaps seen through a cast.
struct Operand {
  const ColumnSchema* column = nullptr;
  bool is_cast = false;
};

Operand operand(const Expression& expression, const duckdb::LogicalGet& get, Dataset dataset) {
  if (expression.GetExpressionClass() == ExpressionClass::BOUND_CAST) {
    Operand inner = operand(*expression.Cast<duckdb::BoundCastExpression>().child, get, dataset);
    inner.is_cast = true;
    return inner;
  }
  if (expression.GetExpressionClass() != ExpressionClass::BOUND_COLUMN_REF) return {};
  const auto& binding = expression.Cast<duckdb::BoundColumnRefExpression>().binding;
  const auto& ids = get.GetColumnIds();
  if (binding.table_index != get.table_index || binding.column_index >= ids.size()) return {};
  const auto index = ids[binding.column_index].GetPrimaryIndex();
  if (index >= get.names.size()) return {};
  for (const ColumnSchema& column : dataset_columns(dataset)) {
    if (column.name == get.names[index]) return {&column, false};
  }
  return {};
}

const Value* constant(const Expression& expression) {
  if (expression.GetExpressionClass() != ExpressionClass::BOUND_CONSTANT) return nullptr;
  const Value& value = expression.Cast<duckdb::BoundConstantExpression>().value;
  return value.IsNull() ? nullptr : &value;
}

std::optional<int64_t> whole_number(const Value& value) {
  switch (value.type().id()) {
    case LogicalTypeId::TINYINT:
    case LogicalTypeId::SMALLINT:
    case LogicalTypeId::INTEGER:
    case LogicalTypeId::BIGINT:
    case LogicalTypeId::UTINYINT:
    case LogicalTypeId::USMALLINT:
    case LogicalTypeId::UINTEGER:
      return value.GetValue<int64_t>();
    default:
      return std::nullopt;
  }
}

// The instant of a timestamp constant, when it is one and fits.
std::optional<TimeNs> instant(const Value& value) {
  __int128 ns = 0;
  switch (value.type().id()) {
    case LogicalTypeId::TIMESTAMP_NS:
      return value.GetValueUnsafe<duckdb::timestamp_ns_t>().value;
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_TZ:
      ns =
          static_cast<__int128>(value.GetValueUnsafe<duckdb::timestamp_t>().value) * kMicrosecondNs;
      break;
    case LogicalTypeId::TIMESTAMP_MS:
      ns = static_cast<__int128>(value.GetValueUnsafe<duckdb::timestamp_ms_t>().value) *
           kMillisecondNs;
      break;
    case LogicalTypeId::TIMESTAMP_SEC:
      ns = static_cast<__int128>(value.GetValueUnsafe<duckdb::timestamp_sec_t>().value) * kSecondNs;
      break;
    default:
      return std::nullopt;
  }
  if (ns > INT64_MAX || ns < INT64_MIN) return std::nullopt;
  return static_cast<TimeNs>(ns);
}

// column `comparison` value, for columns with an order.
void narrow_time(ExpressionType comparison, const Value& value, bool is_cast, Filter* filter) {
  const std::optional<TimeNs> at = instant(value);
  // A cast to a coarser type rounds by less than a second; near the ends nothing can be said.
  const DurationNs slack = is_cast ? kSecondNs : 0;
  if (!at || *at < INT64_MIN + 2 * kSecondNs || *at > INT64_MAX - 2 * kSecondNs) return;
  const bool equal = comparison == ExpressionType::COMPARE_EQUAL;
  if (equal || comparison == ExpressionType::COMPARE_GREATERTHAN ||
      comparison == ExpressionType::COMPARE_GREATERTHANOREQUALTO) {
    filter->time.from = std::max(filter->time.from, *at - slack);
  }
  if (equal || comparison == ExpressionType::COMPARE_LESSTHAN ||
      comparison == ExpressionType::COMPARE_LESSTHANOREQUALTO) {
    filter->time.to = std::min(filter->time.to, *at + slack + 1);
  }
}

void narrow_position(ExpressionType comparison, int64_t value, Filter* filter) {
  PositionRange& range = filter->positions;
  const Position at = value < 0 ? 0 : static_cast<Position>(value);
  const bool equal = comparison == ExpressionType::COMPARE_EQUAL;
  if (equal || comparison == ExpressionType::COMPARE_GREATERTHAN ||
      comparison == ExpressionType::COMPARE_GREATERTHANOREQUALTO) {
    range.from = std::max(range.from, at);
  }
  if (equal || comparison == ExpressionType::COMPARE_LESSTHAN ||
      comparison == ExpressionType::COMPARE_LESSTHANOREQUALTO) {
    range.to = std::min(range.to, at + 1);
  }
}

void narrow_number(const ColumnSchema& column, ExpressionType comparison, int64_t value,
                   Filter* filter) {
  Predicate predicate;
  predicate.column = column.id;
  switch (comparison) {
    case ExpressionType::COMPARE_EQUAL:
      predicate.kind = PredicateKind::kEqual;
      break;
    case ExpressionType::COMPARE_GREATERTHAN:
    case ExpressionType::COMPARE_GREATERTHANOREQUALTO:
      predicate.kind = PredicateKind::kAtLeast;
      break;
    case ExpressionType::COMPARE_LESSTHAN:
      predicate.kind = PredicateKind::kLess;
      break;
    case ExpressionType::COMPARE_LESSTHANOREQUALTO:
      if (value == INT64_MAX) return;
      predicate.kind = PredicateKind::kLess;
      ++value;
      break;
    default:
      return;
  }
  // The number that stands for "absent" in a batch is NULL in SQL, where it equals nothing.
  if (value == kAbsentInt64 || (column.type == ColumnType::kUint8 && value == 0)) return;
  predicate.numbers.push_back(value);
  filter->predicates.push_back(std::move(predicate));
}

// Adds one of the wanted values to the predicate; false when the value says nothing usable.
bool add_wanted(const ColumnSchema& column, const Value& value, Predicate* predicate) {
  const SqlShape shape = sql_shape(column);
  if (shape == SqlShape::kBigint || shape == SqlShape::kSmallint) {
    const auto number = whole_number(value);
    if (!number || *number == kAbsentInt64) return false;
    if (shape == SqlShape::kSmallint && *number == 0) return false;
    predicate->numbers.push_back(*number);
    return true;
  }
  if (value.type().id() != LogicalTypeId::VARCHAR || shape == SqlShape::kTimestampNs ||
      shape == SqlShape::kDouble) {
    return false;
  }
  const std::string& text = duckdb::StringValue::Get(value);
  if (text.empty()) return false;
  if (shape == SqlShape::kText) {
    // U+FFFD may stand for bytes that are not UTF-8, which the tier would compare.
    if (text.find("\xEF\xBF\xBD") != std::string::npos) return false;
    predicate->texts.push_back(text);
    return true;
  }
  if (shape == SqlShape::kKindName) {
    const auto kind = parse_kind_text(text);
    if (kind) predicate->numbers.push_back(*kind);
    return kind.has_value();
  }
  Id id;
  if (column.type == ColumnType::kId8) {
    if (!hex_decode(text, id.bytes.data(), 8)) return false;
  } else {
    const auto parsed = Id::parse(text);
    if (!parsed) return false;
    id = *parsed;
  }
  predicate->ids.push_back(id);
  return true;
}

void narrow_comparison(const Operand& left, ExpressionType comparison, const Value& value,
                       Filter* filter) {
  const ColumnSchema& column = *left.column;
  if (column.id == ColumnId::kTime) {
    return narrow_time(comparison, value, left.is_cast, filter);
  }
  if (left.is_cast) return;
  const SqlShape shape = sql_shape(column);
  if (shape == SqlShape::kBigint || shape == SqlShape::kSmallint) {
    const auto number = whole_number(value);
    if (!number) return;
    if (column.id == ColumnId::kPosition) return narrow_position(comparison, *number, filter);
    return narrow_number(column, comparison, *number, filter);
  }
  if (comparison != ExpressionType::COMPARE_EQUAL) return;
  Predicate predicate;
  predicate.column = column.id;
  if (add_wanted(column, value, &predicate)) filter->predicates.push_back(std::move(predicate));
}

void narrow_in(const duckdb::BoundOperatorExpression& in, const duckdb::LogicalGet& get,
               Dataset dataset, Filter* filter) {
  const Operand left = operand(*in.children[0], get, dataset);
  if (left.column == nullptr || left.is_cast || left.column->id == ColumnId::kPosition) return;
  Predicate predicate;
  predicate.column = left.column->id;
  for (size_t i = 1; i < in.children.size(); ++i) {
    const Value* value = constant(*in.children[i]);
    if (value == nullptr || !add_wanted(*left.column, *value, &predicate)) return;
  }
  filter->predicates.push_back(std::move(predicate));
}

}  // namespace

void narrow_filter(const Expression& condition, const duckdb::LogicalGet& get, Dataset dataset,
                   Filter* filter) {
  switch (condition.GetExpressionClass()) {
    case ExpressionClass::BOUND_CONJUNCTION: {
      if (condition.GetExpressionType() != ExpressionType::CONJUNCTION_AND) return;
      for (const auto& child : condition.Cast<duckdb::BoundConjunctionExpression>().children) {
        narrow_filter(*child, get, dataset, filter);
      }
      return;
    }
    case ExpressionClass::BOUND_COMPARISON: {
      const auto& comparison = condition.Cast<duckdb::BoundComparisonExpression>();
      ExpressionType type = comparison.GetExpressionType();
      Operand left = operand(*comparison.left, get, dataset);
      const Value* value = constant(*comparison.right);
      if (left.column == nullptr || value == nullptr) {
        left = operand(*comparison.right, get, dataset);
        value = constant(*comparison.left);
        type = duckdb::FlipComparisonExpression(type);
      }
      if (left.column != nullptr && value != nullptr) narrow_comparison(left, type, *value, filter);
      return;
    }
    case ExpressionClass::BOUND_BETWEEN: {
      const auto& between = condition.Cast<duckdb::BoundBetweenExpression>();
      const Operand left = operand(*between.input, get, dataset);
      if (left.column == nullptr) return;
      if (const Value* low = constant(*between.lower)) {
        narrow_comparison(left, between.LowerComparisonType(), *low, filter);
      }
      if (const Value* high = constant(*between.upper)) {
        narrow_comparison(left, between.UpperComparisonType(), *high, filter);
      }
      return;
    }
    case ExpressionClass::BOUND_OPERATOR:
      if (condition.GetExpressionType() == ExpressionType::COMPARE_IN) {
        narrow_in(condition.Cast<duckdb::BoundOperatorExpression>(), get, dataset, filter);
      }
      return;
    default:
      return;
  }
}

}  // namespace firn
