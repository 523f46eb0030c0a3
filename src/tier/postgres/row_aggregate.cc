#include <fmt/format.h>

#include <algorithm>

#include "tier/postgres/row_conditions.h"
#include "tier/postgres/row_table.h"

namespace firn {

namespace {

constexpr DurationNs kWindowMax = 1000 * kDayNs;         // wider ones might overflow in SQL
constexpr TimeNs kTimeMin = INT64_MIN + 2 * kWindowMax;  // likewise
constexpr DurationNs kAnswerTimeNs = 2 * kMinuteNs;  // nothing comes before the last row is read

bool can_aggregate(const PostgresChunk& chunk, const AggregateSpec& spec) {
  if (spec.window_ns > kWindowMax) return false;
  if (spec.window_ns > 0 && chunk.counts.stats.time_min < kTimeMin) return false;
  // Texts that look the same once wrong bytes are replaced would fall into one group.
  return chunk.raw_rows == 0 ||
         std::none_of(spec.group_by.begin(), spec.group_by.end(), [](ColumnId id) {
           return find_column(Dataset::kEvents, id)->type == ColumnType::kString;
         });
}

std::string group_text(const PostgresRows& rows, size_t row, size_t cell, ColumnId id) {
  if (rows.is_null(row, cell)) return {};
  switch (find_column(Dataset::kEvents, id)->type) {
    case ColumnType::kUint8:
      if (id == ColumnId::kKind) {
        return std::string(event_kind_name(static_cast<EventKind>(rows.number(row, cell))));
      }
      [[fallthrough]];
    case ColumnType::kInt64:
      return std::to_string(rows.number(row, cell));
    case ColumnType::kId16:
      if (id != ColumnId::kTraceId) return rows.id(row, cell).to_uuid();
      [[fallthrough]];
    case ColumnType::kId8:
    case ColumnType::kString:
    case ColumnType::kFloat64:  // no event has one
      break;
  }
  return std::string(rows.bytes(row, cell));
}

std::string aggregate_sql(const PostgresChunk& chunk, const SessionPool& pool,
                          const AggregateSpec& spec, const RowConditions& conditions) {
  std::string groups, values;
  const auto group = [&](const std::string& sql) { groups += sql + ", "; };
  if (spec.window_ns > 0) {
    const std::string width = std::to_string(spec.window_ns);
    group("time_ns - (time_ns % " + width + " + " + width + ") % " + width);
  }
  for (const ColumnId id : spec.group_by) group(row_column_name(id));
  for (const ColumnId id : spec.measures) {
    const std::string name = row_column_name(id);
    values += fmt::format(", count({0}), coalesce(sum({0}), 0)::float8, min({0}), max({0})", name);
  }
  std::string sql = "SELECT " + groups + "count(*)" + values + " FROM " + pool.schema() + "." +
                    chunk.table() + " WHERE " + conditions.sql;
  const size_t columns = spec.group_by.size() + (spec.window_ns > 0 ? 1 : 0);
  for (size_t i = 1; i <= columns; ++i) sql += (i == 1 ? " GROUP BY " : ", ") + std::to_string(i);
  return sql;
}

}  // namespace

Result<std::optional<AggregateStates>> aggregate_rows(SessionPool::ReadSession* session,
                                                      const PostgresChunk& chunk,
                                                      const AggregateSpec& spec, ScanCost* cost) {
  const RowConditions conditions = row_conditions(chunk, spec.filter);
  if (!conditions.is_exact || !can_aggregate(chunk, spec)) return std::optional<AggregateStates>();
  PostgresConnection* const connection = session->connection();
  const DurationNs usual = session->pool()->options().server.answer_timeout_ns;
  connection->set_answer_timeout(std::max(usual, kAnswerTimeNs));
  const auto rows = connection->query(aggregate_sql(chunk, *session->pool(), spec, conditions),
                                      conditions.parameters);
  connection->set_answer_timeout(usual);
  FIRN_TRY(rows.status());
  AggregateStates states;
  for (size_t row = 0; row < rows->rows(); ++row) {
    size_t cell = 0;
    GroupKey key;
    if (spec.window_ns > 0) key.window_start = rows->number(row, cell++);
    for (const ColumnId id : spec.group_by) {
      key.values.push_back(group_text(*rows, row, cell++, id));
    }
    GroupState state;
    state.count = static_cast<uint64_t>(rows->number(row, cell++));
    if (state.count == 0) continue;  // the one row of a statement without groups
    for (size_t i = 0; i < spec.measures.size(); ++i) {
      MeasureState measure;
      measure.count = static_cast<uint64_t>(rows->number(row, cell++));
      measure.sum = rows->real(row, cell++);
      if (measure.count > 0) {
        measure.min = rows->number(row, cell);
        measure.max = rows->number(row, cell + 1);
      }
      cell += 2;
      state.measures.push_back(measure);
    }
    if (cost != nullptr) cost->rows_read += state.count;
    states.emplace(std::move(key), std::move(state));
  }
  return std::optional<AggregateStates>(std::move(states));
}

}  // namespace firn
