#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/function/table_function.hpp"
#include "duckdb/parser/parsed_data/create_table_function_info.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "engine/columns.h"
#include "engine/duck.h"
#include "engine/scan_filter.h"
#include "engine/scan_report.h"
#include "engine/vector_writer.h"

namespace firn {

namespace {

using duckdb::ClientContext;
using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::LogicalType;

LogicalType logical_type(SqlShape shape) {
  switch (shape) {
    case SqlShape::kBigint:
      return LogicalType::BIGINT;
    case SqlShape::kTimestampNs:
      return LogicalType::TIMESTAMP_NS;
    case SqlShape::kSmallint:
      return LogicalType::SMALLINT;
    case SqlShape::kDouble:
      return LogicalType::DOUBLE;
    default:
      return LogicalType::VARCHAR;
  }
}

// firn_scan: what one mention of an event table reads.
struct ScanBind : public duckdb::TableFunctionData {
  const EventTable* table = nullptr;
  duckdb::shared_ptr<Session> session;
  bool with_raw = false;
  Filter filter;  // what the statement's conditions say, as far as a tier can use it

  duckdb::unique_ptr<FunctionData> Copy() const override {
    return duckdb::make_uniq<ScanBind>(*this);
  }
  bool Equals(const FunctionData& other) const override { return this == &other; }
};

// Columns in SQL order: the dataset's, the extra ones, `_raw`.
struct ColumnKind {
  const ColumnSchema* schema = nullptr;  // null: not a dataset column
  size_t extra = SIZE_MAX;               // index of an extra column
  bool raw = false;
};

ColumnKind column_kind(const ScanBind& bind, idx_t index) {
  const auto columns = dataset_columns(bind.table->dataset);
  ColumnKind kind;
  if (index < columns.size()) {
    kind.schema = &columns[index];
  } else if (index - columns.size() < bind.table->extra_columns.size()) {
    kind.extra = index - columns.size();
  } else {
    kind.raw = bind.with_raw && index == columns.size() + bind.table->extra_columns.size();
  }
  return kind;
}

duckdb::unique_ptr<duckdb::FunctionData> bind_scan(ClientContext& context,
                                                   duckdb::TableFunctionBindInput& input,
                                                   duckdb::vector<LogicalType>& types,
                                                   duckdb::vector<std::string>& names) {
  auto session = Session::of(context);
  const std::string name = input.inputs[0].GetValue<std::string>();
  const EventTable* table = session ? session->find_event_table(name) : nullptr;
  if (table == nullptr) throw duckdb::BinderException("there is no event table \"%s\"", name);
  auto bind = duckdb::make_uniq<ScanBind>();
  bind->table = table;
  bind->with_raw = session->with_raw_column;
  bind->session = std::move(session);
  for (const ColumnSchema& column : dataset_columns(table->dataset)) {
    names.emplace_back(column.name);
    types.push_back(logical_type(sql_shape(column)));
  }
  for (const std::string& extra : table->extra_columns) {
    names.push_back(extra);
    types.push_back(LogicalType::VARCHAR);
  }
  if (bind->with_raw) {
    names.emplace_back(kRawColumnName);
    types.push_back(LogicalType::BLOB);
  }
  return bind;
}

struct ScanGlobal : public duckdb::GlobalTableFunctionState {
  std::vector<BatchSource::Partition> partitions;
  std::vector<ColumnKind> columns;  // of the output, in its order
  std::atomic<size_t> next{0};
  LastReader readers;
  idx_t MaxThreads() const override { return std::max<size_t>(1, partitions.size()); }
};

struct ScanLocal : public duckdb::LocalTableFunctionState {
  BatchSource::Partition* partition = nullptr;
  size_t partition_index = 0;
  BatchSlice slice;
  uint32_t next_row = 0;  // index into the slice
  std::vector<VectorWriter> writers;
};

duckdb::unique_ptr<duckdb::GlobalTableFunctionState> init_scan(
    ClientContext&, duckdb::TableFunctionInitInput& input) {
  const auto& bind = input.bind_data->Cast<ScanBind>();
  auto state = duckdb::make_uniq<ScanGlobal>();
  Projection projection = Projection::none();
  for (const duckdb::column_t column : input.column_ids) {
    state->columns.push_back(column_kind(bind, column));
    const ColumnKind& kind = state->columns.back();
    if (kind.schema != nullptr) projection.add(kind.schema->id);
    if (kind.raw) projection = Projection::all();
  }
  if (bind.table->batches != nullptr) {
    auto partitions = bind.table->batches->open(projection, bind.filter);
    if (!partitions.ok()) bind.session->fail(partitions.status());
    state->partitions = std::move(*partitions);
  }
  return state;
}

duckdb::unique_ptr<duckdb::LocalTableFunctionState> init_local(
    duckdb::ExecutionContext&, duckdb::TableFunctionInitInput&,
    duckdb::GlobalTableFunctionState* global) {
  auto state = duckdb::make_uniq<ScanLocal>();
  state->writers.resize(global->Cast<ScanGlobal>().columns.size());
  global->Cast<ScanGlobal>().readers.begin();
  return state;
}

// Moves on to the next slice of the thread's partition or, when `may_change_partition`, to the next
// partition. False: there is no such slice.
bool advance(const ScanBind& bind, ScanGlobal& global, ScanLocal& local,
             bool may_change_partition) {
  while (true) {
    if (local.partition != nullptr) {
      local.slice = BatchSlice();
      Result<bool> more = local.partition->reader->next(&local.slice);
      if (!more.ok()) bind.session->fail(more.status());
      local.next_row = 0;
      if (*more && local.slice.rows() > 0) return true;
      if (*more) continue;
      local.partition->reader.reset();
      local.partition = nullptr;
    }
    if (!may_change_partition) return false;
    const size_t index = global.next.fetch_add(1);
    if (index >= global.partitions.size()) return false;
    local.partition = &global.partitions[index];
    local.partition_index = index;
  }
}

void write_rows(const ScanBind& bind, const ScanGlobal& global, ScanLocal& local, uint32_t count,
                idx_t at, DataChunk& output) {
  const RowRange rows{&local.slice, local.next_row, count, at};
  const bool alone = at == 0 && count == STANDARD_VECTOR_SIZE;
  for (idx_t i = 0; i < global.columns.size(); ++i) {
    const ColumnKind& kind = global.columns[i];
    duckdb::Vector& vector = output.data[i];
    VectorWriter& writer = local.writers[i];
    if (kind.schema != nullptr) {
      writer.write_column(*kind.schema, rows, alone, vector);
    } else if (kind.extra != SIZE_MAX) {
      const auto& extras = local.partition->extras;
      FIRN_CHECK(extras.size() == bind.table->extra_columns.size());
      writer.write_text(extras[kind.extra], rows, vector);
    } else if (kind.raw) {
      writer.write_raw(rows, vector);
    } else {
      writer.write_null(rows, vector);
    }
  }
}

void scan(ClientContext& context, duckdb::TableFunctionInput& input, DataChunk& output) {
  const auto& bind = input.bind_data->Cast<ScanBind>();
  auto& global = input.global_state->Cast<ScanGlobal>();
  auto& local = input.local_state->Cast<ScanLocal>();
  idx_t filled = 0;
  while (filled < STANDARD_VECTOR_SIZE) {
    if (context.interrupted) throw duckdb::InterruptException();
    const bool exhausted = local.partition == nullptr || local.next_row >= local.slice.rows();
    // One chunk holds rows of one partition, so that its number orders the chunks.
    if (exhausted && !advance(bind, global, local, filled == 0)) break;
    const uint32_t count = std::min<uint32_t>(local.slice.rows() - local.next_row,
                                              static_cast<uint32_t>(STANDARD_VECTOR_SIZE - filled));
    write_rows(bind, global, local, count, filled, output);
    local.next_row += count;
    filled += count;
  }
  output.SetCardinality(filled);
}

duckdb::OperatorPartitionData partition_data(ClientContext&,
                                             duckdb::TableFunctionGetPartitionInput& input) {
  if (input.partition_info.RequiresPartitionColumns()) {
    throw duckdb::InternalException("firn_scan has no partition columns");
  }
  return duckdb::OperatorPartitionData(input.local_state->Cast<ScanLocal>().partition_index);
}

duckdb::unique_ptr<duckdb::NodeStatistics> scan_cardinality(ClientContext&,
                                                            const duckdb::FunctionData* data) {
  const auto& bind = data->Cast<ScanBind>();
  const uint64_t rows = bind.table->batches ? bind.table->batches->rows_estimated() : 0;
  if (rows == 0) return nullptr;
  return duckdb::make_uniq<duckdb::NodeStatistics>(rows);
}

// Tells the source what the statement wants. The conditions stay in the plan, so a source may
// deliver more than that.
void push_filters(ClientContext&, duckdb::LogicalGet& get, duckdb::FunctionData* data,
                  duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& filters) {
  auto& bind = data->Cast<ScanBind>();
  for (const auto& expression : filters) {
    narrow_filter(*expression, get, bind.table->dataset, &bind.filter);
  }
}

ReportLines describe(duckdb::TableFunctionToStringInput& input) {
  const auto& bind = input.bind_data->Cast<ScanBind>();
  std::vector<TierPlan> plans;
  if (bind.table->batches != nullptr) plans = bind.table->batches->plan(bind.filter);
  return report_plan(input.table_function.name, bind.table->dataset, plans);
}

ReportLines describe_reading(duckdb::TableFunctionDynamicToStringInput& input) {
  auto& global = input.global_state->Cast<ScanGlobal>();
  ReportLines lines;
  if (!global.readers.end()) return lines;
  std::map<std::string, ScanCost> costs;
  for (const BatchSource::Partition& partition : global.partitions) {
    if (partition.cost == nullptr) continue;
    costs[partition.tier].rows_read += partition.cost->rows_read;
    costs[partition.tier].bytes_read += partition.cost->bytes_read;
  }
  for (const auto& [tier, cost] : costs) {
    lines["Read " + tier] = fmt::format("{} row{}, {} bytes", cost.rows_read,
                                        cost.rows_read == 1 ? "" : "s", cost.bytes_read);
  }
  return lines;
}

// firn_values.
struct ValuesBind : public duckdb::TableFunctionData {
  const ValueTable* table = nullptr;
  duckdb::shared_ptr<Session> session;
};

struct ValuesState : public duckdb::GlobalTableFunctionState {
  std::vector<std::vector<SqlScalar>> rows;
  size_t next = 0;
  duckdb::vector<duckdb::column_t> columns;
};

LogicalType logical_type(SqlColumnType type) {
  switch (type) {
    case SqlColumnType::kBoolean:
      return LogicalType::BOOLEAN;
    case SqlColumnType::kInt64:
      return LogicalType::BIGINT;
    case SqlColumnType::kDouble:
      return LogicalType::DOUBLE;
    case SqlColumnType::kTime:
      return LogicalType::TIMESTAMP_NS;
    case SqlColumnType::kText:
      break;
  }
  return LogicalType::VARCHAR;
}

duckdb::unique_ptr<duckdb::FunctionData> bind_values(ClientContext& context,
                                                     duckdb::TableFunctionBindInput& input,
                                                     duckdb::vector<LogicalType>& types,
                                                     duckdb::vector<std::string>& names) {
  auto session = Session::of(context);
  const std::string name = input.inputs[0].GetValue<std::string>();
  const ValueTable* table = session ? session->find_value_table(name) : nullptr;
  if (table == nullptr) throw duckdb::BinderException("there is no value table \"%s\"", name);
  auto bind = duckdb::make_uniq<ValuesBind>();
  bind->table = table;
  bind->session = std::move(session);
  for (const auto& [column, type] : table->columns) {
    names.push_back(column);
    types.push_back(logical_type(type));
  }
  return bind;
}

duckdb::unique_ptr<duckdb::GlobalTableFunctionState> init_values(
    ClientContext&, duckdb::TableFunctionInitInput& input) {
  const auto& bind = input.bind_data->Cast<ValuesBind>();
  auto state = duckdb::make_uniq<ValuesState>();
  auto rows = bind.table->load();
  if (!rows.ok()) bind.session->fail(rows.status());
  state->rows = std::move(*rows);
  state->columns = input.column_ids;
  return state;
}

void values(ClientContext&, duckdb::TableFunctionInput& input, DataChunk& output) {
  const auto& bind = input.bind_data->Cast<ValuesBind>();
  auto& state = input.global_state->Cast<ValuesState>();
  const idx_t count = std::min<idx_t>(STANDARD_VECTOR_SIZE, state.rows.size() - state.next);
  for (idx_t r = 0; r < count; ++r) {
    const auto& row = state.rows[state.next + r];
    FIRN_CHECK(row.size() == bind.table->columns.size());
    for (idx_t i = 0; i < state.columns.size(); ++i) {
      const idx_t column = state.columns[i];
      output.SetValue(i, r, column < row.size() ? to_duck_value(row[column]) : duckdb::Value());
    }
  }
  state.next += count;
  output.SetCardinality(count);
}

}  // namespace

void register_function(duckdb::DatabaseInstance& database, duckdb::TableFunction function) {
  duckdb::CreateTableFunctionInfo info(std::move(function));
  auto& catalog = duckdb::Catalog::GetSystemCatalog(database);
  catalog.CreateFunction(duckdb::CatalogTransaction::GetSystemTransaction(database), info);
}

void register_scan_functions(duckdb::DatabaseInstance& database) {
  duckdb::TableFunction events("firn_scan", {LogicalType::VARCHAR}, scan, bind_scan, init_scan,
                               init_local);
  events.projection_pushdown = true;
  events.pushdown_complex_filter = push_filters;
  events.cardinality = scan_cardinality;
  events.to_string = describe;
  events.dynamic_to_string = describe_reading;
  events.get_partition_data = partition_data;
  register_function(database, std::move(events));

  duckdb::TableFunction plain("firn_values", {LogicalType::VARCHAR}, values, bind_values,
                              init_values);
  plain.projection_pushdown = true;
  register_function(database, std::move(plain));
}

}  // namespace firn
