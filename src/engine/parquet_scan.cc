#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/table_function_catalog_entry.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/execution/operator/scan/physical_table_scan.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "engine/duck.h"
#include "engine/scan_filter.h"
#include "engine/scan_report.h"

namespace firn {

namespace {

using duckdb::ClientContext;
using duckdb::FunctionData;

// What hangs on the function: DuckDB's own, and of one scan what the planner found out.
struct ParquetScan : public duckdb::TableFunctionInfo {
  explicit ParquetScan(duckdb::TableFunction function) : original(std::move(function)) {}

  const duckdb::TableFunction original;
  duckdb::shared_ptr<Session> session;  // null until the scan's conditions are known
  Dataset dataset = Dataset::kEvents;
  std::map<std::string, TierPlan> plans;
  std::set<const ParquetPart*> parts;  // that are looked at
  LastReader readers;
};

ParquetScan& scan_of(const duckdb::TableFunction& function) {
  return dynamic_cast<ParquetScan&>(*function.function_info);
}

Session::Part part_of(const Session& session, const duckdb::OpenFileInfo& file) {
  return session.part_of(file.path.substr(kEnvPathPrefix.size()));
}

bool may_match(const ParquetPart& part, const Filter& filter) {
  return filter.time.overlaps(part.time_min, part.time_max) &&
         filter.positions.overlaps(part.position_min, part.position_max);
}

// The files of the list that the filter leaves, counted in `scan`.
duckdb::vector<duckdb::OpenFileInfo> leave_matching(const duckdb::vector<duckdb::OpenFileInfo>& all,
                                                    const Filter& filter, ParquetScan* scan) {
  duckdb::vector<duckdb::OpenFileInfo> left;
  std::set<const ParquetPart*> pruned;
  scan->parts.clear();
  for (const duckdb::OpenFileInfo& file : all) {
    const ParquetPart* part = part_of(*scan->session, file).part;
    FIRN_CHECK(part != nullptr);
    if (may_match(*part, filter)) {
      left.push_back(file);
      scan->parts.insert(part);
    } else {
      pruned.insert(part);
    }
  }
  for (auto& [tier, plan] : scan->plans) plan.chunks = 0;
  for (const ParquetPart* part : scan->parts) ++scan->plans[part->tier].chunks;
  for (const ParquetPart* part : pruned) ++scan->plans[part->tier].chunks_pruned;
  for (auto& [tier, plan] : scan->plans) plan.tier = tier;
  return left;
}

// Called for each scan of a statement at least once, also when it has no conditions.
void push_filters(ClientContext& context, duckdb::LogicalGet& get, FunctionData* data,
                  duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& filters) {
  auto& bind = data->Cast<duckdb::MultiFileBindData>();
  const ParquetScan& before = scan_of(get.function);
  auto scan = duckdb::make_shared_ptr<ParquetScan>(before.original);
  scan->plans = before.plans;
  scan->session = Session::of(context);
  const auto files = bind.file_list->GetAllFiles();
  scan->dataset = files.empty() ? before.dataset : part_of(*scan->session, files[0]).dataset;
  Filter filter;
  for (const auto& expression : filters) {
    narrow_filter(*expression, get, scan->dataset, &filter);
  }
  auto left = leave_matching(files, filter, scan.get());
  if (left.size() < files.size()) {
    bind.file_list = duckdb::make_shared_ptr<duckdb::SimpleMultiFileList>(std::move(left));
    duckdb::MultiFileReader::PruneReaders(bind, *bind.file_list);
  }
  get.function.function_info = scan;
  scan->original.pushdown_complex_filter(context, get, data, filters);
}

duckdb::unique_ptr<duckdb::LocalTableFunctionState> init_local(
    duckdb::ExecutionContext& context, duckdb::TableFunctionInitInput& input,
    duckdb::GlobalTableFunctionState* global) {
  ParquetScan& scan = scan_of(input.op->Cast<duckdb::PhysicalTableScan>().function);
  scan.readers.begin();
  return scan.original.init_local(context, input, global);
}

ReportLines describe(duckdb::TableFunctionToStringInput& input) {
  const ParquetScan& scan = scan_of(input.table_function);
  std::vector<TierPlan> plans;
  for (const auto& [tier, plan] : scan.plans) plans.push_back(plan);
  return report_plan(input.table_function.name, scan.dataset, plans);
}

ReportLines describe_reading(duckdb::TableFunctionDynamicToStringInput& input) {
  ParquetScan& scan = scan_of(input.table_function);
  ReportLines lines = scan.original.dynamic_to_string(input);
  if (!scan.readers.end()) return lines;
  std::map<std::string, uint64_t> by_tier;
  auto by_path = scan.session->bytes_read();
  for (const ParquetPart* part : scan.parts) {
    for (const std::string& path : part->paths) by_tier[part->tier] += by_path[path];
  }
  for (const auto& [tier, bytes] : by_tier) {
    lines["Read " + tier] = fmt::format("{} bytes", bytes);
  }
  return lines;
}

}  // namespace

void register_parquet_scan(duckdb::DatabaseInstance& database) {
  auto& catalog = duckdb::Catalog::GetSystemCatalog(database);
  const auto transaction = duckdb::CatalogTransaction::GetSystemTransaction(database);
  auto& schema = catalog.GetSchema(transaction, DEFAULT_SCHEMA);
  auto entry =
      schema.GetEntry(transaction, duckdb::CatalogType::TABLE_FUNCTION_ENTRY, "read_parquet");
  FIRN_CHECK(entry);
  for (duckdb::TableFunction function :
       entry->Cast<duckdb::TableFunctionCatalogEntry>().functions.functions) {
    if (function.arguments[0].id() != duckdb::LogicalTypeId::LIST) continue;
    FIRN_CHECK(function.function_info == nullptr);
    duckdb::TableFunction in_order = function;
    in_order.name = "firn_parquet_in_order";
    in_order.get_partition_data = nullptr;
    register_function(database, std::move(in_order));
    function.function_info = duckdb::make_shared_ptr<ParquetScan>(function);
    function.name = "firn_parquet";
    function.pushdown_complex_filter = push_filters;
    function.init_local = init_local;
    function.to_string = describe;
    function.dynamic_to_string = describe_reading;
    register_function(database, std::move(function));
  }
}

}  // namespace firn
