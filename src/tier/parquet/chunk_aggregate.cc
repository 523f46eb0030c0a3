#include "tier/parquet/chunk_aggregate.h"

#include <fmt/format.h>

#include "base/id.h"
#include "tier/parquet/chunk_reader.h"

namespace firn {

namespace {

// Half the range of times, so that no window start overflows.
constexpr TimeNs kSafeTimeNs = int64_t{1} << 62;

std::string group_expression(const ColumnSchema& column) {
  std::string name = sql_identifier(column.name);
  if (column.id == ColumnId::kTime || column.id == ColumnId::kObservedTime) {
    return fmt::format("epoch_ns({})", name);
  }
  if (column.id == ColumnId::kSeverity) return fmt::format("COALESCE({}, 0)", name);
  return name;
}

std::string measure_expression(const ColumnSchema& column) {
  std::string name = sql_identifier(column.name);
  if (column.id == ColumnId::kTime || column.id == ColumnId::kObservedTime) {
    return fmt::format("epoch_ns({})", name);
  }
  if (column.type == ColumnType::kUint8) return fmt::format("COALESCE({}, 0)::BIGINT", name);
  return name;
}

std::string make_sql(const AggregateSpec& spec, const Filter& filter) {
  std::string select, group;
  const auto add_group = [&](const std::string& expression) {
    select += expression + ", ";
    group += fmt::format("{}{}", group.empty() ? " GROUP BY " : ", ", expression);
  };
  if (spec.window_ns > 0) {
    // Rounds towards minus infinity, as interval_start() does.
    add_group(fmt::format("epoch_ns(\"time\") - ((epoch_ns(\"time\") % {0}) + {0}) % {0}",
                          spec.window_ns));
  }
  for (const ColumnId id : spec.group_by) {
    add_group(group_expression(*find_column(Dataset::kEvents, id)));
  }
  select += "count(*)";
  for (const ColumnId id : spec.measures) {
    const std::string value = measure_expression(*find_column(Dataset::kEvents, id));
    select += fmt::format(", count({0}), sum({0})::DOUBLE, min({0}), max({0})", value);
  }
  return fmt::format("SELECT {} FROM events WHERE {}{}", select, *sql_condition(filter), group);
}

// Turns rows of the statement above into states.
class StateSink : public ResultSink {
 public:
  explicit StateSink(const AggregateSpec& spec) : spec_(spec) {}

  Status columns(std::span<const SqlColumn>) override { return {}; }

  Status row(std::span<const SqlValue> values) override {
    size_t next = 0;
    GroupKey key;
    if (spec_.window_ns > 0) key.window_start = values[next++].integer;
    for (const ColumnId id : spec_.group_by) key.values.push_back(group_text(id, values[next++]));
    GroupState state;
    state.count = static_cast<uint64_t>(values[next++].integer);
    if (state.count == 0) return {};  // without groups there is always one row
    for (size_t i = 0; i < spec_.measures.size(); ++i) {
      MeasureState measure;
      measure.count = static_cast<uint64_t>(values[next].integer);
      if (measure.count > 0) {
        measure.sum = values[next + 1].real;
        measure.min = values[next + 2].integer;
        measure.max = values[next + 3].integer;
      }
      next += 4;
      state.measures.push_back(measure);
    }
    AggregateStates one;
    one.emplace(std::move(key), std::move(state));
    merge_states(one, &states);
    return {};
  }

  AggregateStates states;

 private:
  static std::string group_text(ColumnId id, const SqlValue& value) {
    if (value.kind == SqlKind::kNull) return {};
    if (value.kind == SqlKind::kInt64) return std::to_string(value.integer);
    if (id == ColumnId::kKind && !parse_event_kind(value.text)) return "unknown";
    if (id == ColumnId::kParentId) {
      // Shown as UUID text in groups, stored as plain digits.
      const auto parent = Id::parse(value.text);
      return parent ? parent->to_uuid() : std::string(value.text);
    }
    return std::string(value.text);
  }

  const AggregateSpec& spec_;
};

// Without ranges that leave no row out: what is not compared need not be read.
Filter needed_part(Filter filter, const ParquetFileStats& stats) {
  if (filter.time.contains(stats.time_min) && filter.time.contains(stats.time_max)) {
    filter.time = {};
  }
  if (filter.positions.contains(stats.position_min) &&
      filter.positions.contains(stats.position_max)) {
    filter.positions = {};
  }
  return filter;
}

}  // namespace

bool can_aggregate_in_sql(const AggregateSpec& spec, const ParquetFileStats& stats) {
  // SQL sees texts that are not UTF-8 otherwise than they were written.
  if (stats.raw_rows != 0 || !sql_condition(spec.filter)) return false;
  for (const ColumnId id : spec.measures) {
    if (id == ColumnId::kKind) return false;  // a number here, a name there
  }
  if (spec.window_ns == 0) return true;
  // A window start must not leave the range of times.
  return spec.window_ns < kSafeTimeNs && stats.time_min > -kSafeTimeNs &&
         stats.time_max < kSafeTimeNs;
}

Result<AggregateStates> aggregate_in_sql(Engine* engine, const std::vector<ParquetFilePtr>& files,
                                         const AggregateSpec& spec, ScanCost* cost) {
  EventTable table;
  table.name = "events";
  ParquetPart part;
  ParquetFileStats stats;
  FIRN_TRY(load_footers(engine, files));
  for (const ParquetFilePtr& file : files) {
    const auto footer = file->footer();
    const uint64_t groups = footer->row_groups;
    const bool wanted = may_match(footer->stats, spec.filter);
    if (cost != nullptr) (wanted ? cost->blocks_read : cost->blocks_pruned) += groups;
    if (!wanted) continue;
    part.paths.push_back(file->path());
    stats.add(footer->stats);
  }
  if (part.paths.empty()) return AggregateStates();
  table.parquet.push_back(std::move(part));
  SqlRequest request;
  request.event_tables.push_back(std::move(table));
  request.sql = make_sql(spec, needed_part(spec.filter, stats));
  request.time_limit_ns = INT64_MAX;  // the caller's business
  request.rows_limit = UINT64_MAX;
  StateSink sink(spec);
  FIRN_ASSIGN(const SqlSummary summary, engine->run(request, &sink));
  if (cost != nullptr) {
    for (const auto& [path, bytes] : summary.parquet_bytes) cost->bytes_read += bytes;
    for (const auto& [key, state] : sink.states) cost->rows_read += state.count;
  }
  return std::move(sink.states);
}

}  // namespace firn
