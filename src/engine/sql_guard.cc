#include <algorithm>
#include <array>
#include <cctype>
#include <tuple>

#include <fmt/format.h>

#include "duckdb/parser/expression/cast_expression.hpp"
#include "duckdb/parser/expression/columnref_expression.hpp"
#include "duckdb/parser/expression/constant_expression.hpp"
#include "duckdb/parser/expression/function_expression.hpp"
#include "duckdb/parser/expression/parameter_expression.hpp"
#include "duckdb/parser/expression/subquery_expression.hpp"
#include "duckdb/parser/parsed_expression_iterator.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/query_node/list.hpp"
#include "duckdb/parser/statement/explain_statement.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "duckdb/parser/tableref/list.hpp"
#include "engine/columns.h"
#include "engine/duck.h"
#include "model/raw_text.h"

namespace firn {

namespace {

using duckdb::ParsedExpression;
using duckdb::ParsedExpressionIterator;
using duckdb::QueryNode;
using duckdb::TableRef;
using duckdb::TableReferenceType;

// The only table functions a user may call: none of them reads anything but its arguments.
constexpr std::array<std::string_view, 7> kTableFunctions = {
    "range",     "generate_series",    "unnest", "repeat", "json_each",
    "json_tree", "generate_subscripts"};

// Scalar functions that act on or tell about the process rather than compute.
constexpr std::array<std::string_view, 6> kForbiddenFunctions = {
    "write_log", "current_setting", "getenv", "getvariable", "nextval", "currval"};

// They return TIMESTAMP WITH TIME ZONE, which does not compare with the times of events.
constexpr std::array<std::string_view, 3> kNowFunctions = {"now", "get_current_timestamp",
                                                           "transaction_timestamp"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

template <size_t size>
bool contains(const std::array<std::string_view, size>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void refuse(const std::string& why) { throw duckdb::PermissionException("%s", why); }

// Walks a parsed statement: refuses what is not on the lists above or among the session's tables,
// and replaces parameters by their values, so that the planner sees constants.
class Guard {
 public:
  Guard(const std::vector<SqlScalar>& parameters, const Session& session)
      : parameters_(parameters), session_(session) {}

  void check(QueryNode& node) {
    find_common_tables(node);
    visit(node);
  }
  bool used_all_parameters() const { return used_ == parameters_.size(); }

 private:
  void visit_table(TableRef& table);
  void visit_base_table(const duckdb::BaseTableRef& table) const;
  void visit_table_function(duckdb::TableFunctionRef& table) const;
  void visit_show(duckdb::ShowRef& show);
  void visit_pivot(duckdb::PivotRef& pivot);
  void visit(QueryNode& node);
  void visit(duckdb::unique_ptr<ParsedExpression>& expression);
  void find_common_tables(QueryNode& node);
  void find_common_tables(ParsedExpression& expression);
  void add_common_tables(QueryNode& node);
  void check_name(const std::string& name) const;

  const std::vector<SqlScalar>& parameters_;
  const Session& session_;
  std::set<std::string> common_tables_;  // names of WITH, anywhere in the statement
  size_t used_ = 0;                      // the highest parameter number seen
};

// The first walk: names that WITH gives anywhere, because they are used before they are met.
void Guard::find_common_tables(QueryNode& node) {
  add_common_tables(node);
  ParsedExpressionIterator::EnumerateQueryNodeChildren(
      node, [this](duckdb::unique_ptr<ParsedExpression>& child) { find_common_tables(*child); },
      [this](TableRef& table) {
        if (table.type == TableReferenceType::SUBQUERY) {
          add_common_tables(*table.Cast<duckdb::SubqueryRef>().subquery->node);
        } else if (table.type == TableReferenceType::SHOW_REF) {
          auto& show = table.Cast<duckdb::ShowRef>();
          if (show.query) find_common_tables(*show.query);
        }
      });
}

void Guard::find_common_tables(ParsedExpression& expression) {
  if (expression.GetExpressionClass() == duckdb::ExpressionClass::SUBQUERY) {
    find_common_tables(*expression.Cast<duckdb::SubqueryExpression>().subquery->node);
  }
  ParsedExpressionIterator::EnumerateChildren(
      expression, [this](ParsedExpression& child) { find_common_tables(child); });
}

void Guard::add_common_tables(QueryNode& node) {
  for (const auto& entry : node.cte_map.map) {
    common_tables_.insert(lower(entry.first));
    add_common_tables(*entry.second->query->node);
  }
  switch (node.type) {
    case duckdb::QueryNodeType::CTE_NODE: {
      auto& cte = node.Cast<duckdb::CTENode>();
      common_tables_.insert(lower(cte.ctename));
      add_common_tables(*cte.query);
      add_common_tables(*cte.child);
      break;
    }
    case duckdb::QueryNodeType::RECURSIVE_CTE_NODE: {
      auto& cte = node.Cast<duckdb::RecursiveCTENode>();
      common_tables_.insert(lower(cte.ctename));
      add_common_tables(*cte.left);
      add_common_tables(*cte.right);
      break;
    }
    case duckdb::QueryNodeType::SET_OPERATION_NODE: {
      auto& set = node.Cast<duckdb::SetOperationNode>();
      add_common_tables(*set.left);
      add_common_tables(*set.right);
      break;
    }
    default:
      break;
  }
}

// The second walk.
void Guard::visit(QueryNode& node) {
  ParsedExpressionIterator::EnumerateQueryNodeChildren(
      node, [this](duckdb::unique_ptr<ParsedExpression>& child) { visit(child); },
      [this](TableRef& table) { visit_table(table); });
}

// EnumerateQueryNodeChildren descends into joins and subqueries itself; only what it leaves out is
// visited from here.
void Guard::visit_table(TableRef& table) {
  switch (table.type) {
    case TableReferenceType::BASE_TABLE:
      return visit_base_table(table.Cast<duckdb::BaseTableRef>());
    case TableReferenceType::TABLE_FUNCTION:
      return visit_table_function(table.Cast<duckdb::TableFunctionRef>());
    case TableReferenceType::SHOW_REF:
      return visit_show(table.Cast<duckdb::ShowRef>());
    case TableReferenceType::PIVOT:
      return visit_pivot(table.Cast<duckdb::PivotRef>());
    case TableReferenceType::SUBQUERY:
    case TableReferenceType::JOIN:
    case TableReferenceType::EXPRESSION_LIST:
    case TableReferenceType::EMPTY_FROM:
    case TableReferenceType::COLUMN_DATA:
      return;
    default:
      refuse("this form of FROM is not available");
  }
}

void Guard::check_name(const std::string& name) const {
  if (session_.find_event_table(name) != nullptr || session_.find_value_table(name) != nullptr) {
    return;
  }
  if (common_tables_.contains(lower(name))) {
    // A common table out of its scope would fall through to the catalog's own tables.
    for (const std::string_view system : {"duckdb_", "pragma_", "sqlite_", "pg_"}) {
      if (lower(name).starts_with(system)) refuse("the table name \"" + name + "\" is reserved");
    }
    return;
  }
  std::string known;
  for (const EventTable* table : session_.event_tables) known += " " + table->name;
  for (const ValueTable* table : session_.value_tables) known += " " + table->name;
  throw duckdb::CatalogException("there is no table \"%s\"; the tables are:%s", name, known);
}

void Guard::visit_base_table(const duckdb::BaseTableRef& table) const {
  if (!table.catalog_name.empty() || !table.schema_name.empty()) {
    refuse("tables are named without a schema (\"" + table.table_name + "\")");
  }
  if (table.at_clause) refuse("AT is not available");
  check_name(table.table_name);
}

void Guard::visit_table_function(duckdb::TableFunctionRef& table) const {
  if (table.function->GetExpressionClass() != duckdb::ExpressionClass::FUNCTION) {
    refuse("this form of table function is not available");
  }
  const auto& function = table.function->Cast<duckdb::FunctionExpression>();
  if (!contains(kTableFunctions, lower(function.function_name))) {
    refuse("the table function \"" + function.function_name + "\" is not available");
  }
}

void Guard::visit_show(duckdb::ShowRef& show) {
  if (show.query) return visit(*show.query);
  if (!show.catalog_name.empty() || !show.schema_name.empty()) {
    refuse("tables are named without a schema");
  }
  if (!show.table_name.empty()) check_name(show.table_name);
}

void Guard::visit_pivot(duckdb::PivotRef& pivot) {
  for (auto& column : pivot.pivots) {
    for (auto& expression : column.pivot_expressions) visit(expression);
    for (auto& entry : column.entries) {
      if (entry.expr) visit(entry.expr);
    }
    if (column.subquery) visit(*column.subquery);
  }
}

void Guard::visit(duckdb::unique_ptr<ParsedExpression>& expression) {
  switch (expression->GetExpressionClass()) {
    case duckdb::ExpressionClass::PARAMETER: {
      const std::string name = expression->Cast<duckdb::ParameterExpression>().identifier;
      const bool is_number = !name.empty() && name.size() < 6 &&
                             std::all_of(name.begin(), name.end(),
                                         [](unsigned char c) { return std::isdigit(c) != 0; });
      const size_t number = is_number ? static_cast<size_t>(std::stoul(name)) : 0;
      if (number == 0 || number > parameters_.size()) {
        throw duckdb::InvalidInputException("no value was given for parameter $%s", name);
      }
      used_ = std::max(used_, number);
      auto value =
          duckdb::make_uniq<duckdb::ConstantExpression>(to_duck_value(parameters_[number - 1]));
      value->alias = expression->alias;
      expression = std::move(value);
      return;
    }
    case duckdb::ExpressionClass::SUBQUERY:
      visit(*expression->Cast<duckdb::SubqueryExpression>().subquery->node);
      break;
    case duckdb::ExpressionClass::COLUMN_REF: {
      // SQL's spelling without parentheses arrives as the name of a column.
      const auto& column = expression->Cast<duckdb::ColumnRefExpression>();
      if (!column.IsQualified() && lower(column.GetColumnName()) == "current_timestamp") {
        const std::string alias =
            expression->alias.empty() ? "current_timestamp" : expression->alias;
        expression = duckdb::make_uniq<duckdb::FunctionExpression>(
            "now", duckdb::vector<duckdb::unique_ptr<ParsedExpression>>());
        expression->alias = alias;
        return visit(expression);
      }
      break;
    }
    case duckdb::ExpressionClass::FUNCTION: {
      const auto& function = expression->Cast<duckdb::FunctionExpression>();
      if (contains(kForbiddenFunctions, lower(function.function_name))) {
        refuse("the function \"" + function.function_name + "\" is not available");
      }
      if (contains(kNowFunctions, lower(function.function_name))) {
        const std::string alias =
            expression->alias.empty() ? function.function_name + "()" : expression->alias;
        expression = duckdb::make_uniq<duckdb::CastExpression>(duckdb::LogicalType::TIMESTAMP,
                                                               std::move(expression));
        expression->alias = alias;
        return;
      }
      break;
    }
    default:
      break;
  }
  ParsedExpressionIterator::EnumerateChildren(
      *expression, [this](duckdb::unique_ptr<ParsedExpression>& child) { visit(child); });
}

// The SELECT inside the statement; throws when the statement is of another kind.
duckdb::SelectStatement& selecting_part(duckdb::SQLStatement& statement) {
  duckdb::SQLStatement* inner = &statement;
  if (inner->type == duckdb::StatementType::EXPLAIN_STATEMENT) {
    inner = inner->Cast<duckdb::ExplainStatement>().stmt.get();
  }
  if (inner->type != duckdb::StatementType::SELECT_STATEMENT) {
    refuse("only statements that read are available, such as SELECT, DESCRIBE or EXPLAIN; not " +
           duckdb::StatementTypeToString(inner->type));
  }
  return inner->Cast<duckdb::SelectStatement>();
}

// SHOW TABLES asks the catalog, which knows nothing of our tables.
void answer_show_tables(duckdb::SelectStatement& select, const Session& session) {
  if (select.node->type != duckdb::QueryNodeType::SELECT_NODE) return;
  auto& node = select.node->Cast<duckdb::SelectNode>();
  if (node.from_table->type != TableReferenceType::SHOW_REF) return;
  const std::string& name = node.from_table->Cast<duckdb::ShowRef>().table_name;
  if (name != "\"tables\"" && name != "__show_tables_expanded") return;
  std::vector<std::string> names;
  for (const EventTable* table : session.event_tables) names.push_back(sql_quote(table->name));
  for (const ValueTable* table : session.value_tables) names.push_back(sql_quote(table->name));
  std::sort(names.begin(), names.end());
  duckdb::Parser parser;
  parser.ParseQuery(fmt::format("SELECT unnest([{}]::VARCHAR[]) AS name", fmt::join(names, ", ")));
  node.from_table = duckdb::make_uniq<duckdb::SubqueryRef>(
      duckdb::unique_ptr_cast<duckdb::SQLStatement, duckdb::SelectStatement>(
          std::move(parser.statements[0])));
}

// "SELECT ... UNION ALL ..." of all parts, as a balanced tree so that thousands do not nest deep.
std::string union_all(const std::vector<std::string>& parts, size_t begin, size_t end) {
  if (end - begin == 1) return parts[begin];
  const size_t middle = begin + (end - begin) / 2;
  return "(" + union_all(parts, begin, middle) + ") UNION ALL (" + union_all(parts, middle, end) +
         ")";
}

// How Parquet files are read: of their rows those in `positions`, with these extra columns. Files
// that agree in it become one list.
struct ParquetGroup {
  PositionRange positions;
  std::vector<std::string> extras;
  auto key() const { return std::tie(positions.from, positions.to, extras); }
  bool operator<(const ParquetGroup& other) const { return key() < other.key(); }
};

std::string parquet_select(const EventTable& table, const ParquetGroup& group,
                           const std::vector<std::string>& paths) {
  FIRN_CHECK(group.extras.size() == table.extra_columns.size());
  std::string sql = "SELECT " + column_list(table.dataset, false);
  for (size_t i = 0; i < group.extras.size(); ++i) {
    const std::string& value = group.extras[i];
    sql += fmt::format(", CAST({} AS VARCHAR) AS {}", value.empty() ? "NULL" : sql_quote(value),
                       sql_identifier(table.extra_columns[i]));
  }
  sql += " FROM firn_parquet([";
  for (size_t i = 0; i < paths.size(); ++i) {
    if (i > 0) sql += ", ";
    sql += sql_quote(env_url(paths[i]));
  }
  sql += "], hive_partitioning = false)";
  const PositionRange& positions = group.positions;
  std::string where;
  if (positions.from > 0) where += fmt::format("position >= {}", positions.from);
  if (positions.to <= static_cast<Position>(INT64_MAX)) {
    where += fmt::format("{}position < {}", where.empty() ? "" : " AND ", positions.to);
  }
  return where.empty() ? sql : sql + " WHERE " + where;
}

std::string event_table_query(const EventTable& table) {
  std::vector<std::string> parts;
  if (table.batches != nullptr || table.parquet.empty()) {
    std::string columns = column_list(table.dataset, false);
    for (const std::string& extra : table.extra_columns) columns += ", " + sql_identifier(extra);
    parts.push_back(fmt::format("SELECT {} FROM firn_scan({})", columns, sql_quote(table.name)));
  }
  std::map<ParquetGroup, std::vector<std::string>> groups;
  for (const ParquetPart& part : table.parquet) {
    // No condition where none is needed: to count rows, not even their positions are read.
    for (size_t i = 0; i < part.paths.size(); ++i) {
      const PositionRange positions = i < part.whole_paths ? PositionRange{} : part.positions;
      groups[{positions, part.extras}].push_back(part.paths[i]);
    }
  }
  for (const auto& [group, paths] : groups) parts.push_back(parquet_select(table, group, paths));
  if (parts.empty()) {
    return fmt::format("SELECT * FROM firn_scan({})", sql_quote(table.name));
  }
  return union_all(parts, 0, parts.size());
}

}  // namespace

Result<duckdb::unique_ptr<duckdb::SQLStatement>> prepare_user_statement(
    const std::string& sql, const std::vector<SqlScalar>& parameters, const Session& session) {
  if (sql.size() > kLimits.sql_bytes) {
    return too_large(fmt::format("the statement is longer than sql_bytes ({})", kLimits.sql_bytes));
  }
  if (!is_utf8(sql)) return invalid_argument("the statement is not UTF-8");
  for (const SqlScalar& parameter : parameters) {
    const std::string* text = std::get_if<std::string>(&parameter);
    if (text != nullptr && !is_utf8(*text)) return invalid_argument("a parameter is not UTF-8");
  }
  duckdb::Parser parser;
  parser.ParseQuery(sql);
  if (parser.statements.size() != 1) {
    return invalid_argument(
        fmt::format("expected one statement, found {}", parser.statements.size()));
  }
  auto statement = std::move(parser.statements[0]);
  Guard guard(parameters, session);
  duckdb::SelectStatement& select = selecting_part(*statement);
  answer_show_tables(select, session);
  guard.check(*select.node);
  if (!guard.used_all_parameters()) {
    return invalid_argument("more parameters were given than the statement has");
  }
  statement->named_param_map.clear();
  if (statement->type == duckdb::StatementType::EXPLAIN_STATEMENT) {
    statement->Cast<duckdb::ExplainStatement>().stmt->named_param_map.clear();
  }
  return statement;
}

duckdb::unique_ptr<TableRef> replace_table(duckdb::ClientContext& context,
                                           duckdb::ReplacementScanInput& input,
                                           duckdb::optional_ptr<duckdb::ReplacementScanData>) {
  auto session = Session::of(context);
  if (session == nullptr || !input.catalog_name.empty() || !input.schema_name.empty()) {
    return nullptr;
  }
  std::string query;
  if (const EventTable* events = session->find_event_table(input.table_name)) {
    query = event_table_query(*events);
    if (!events->shows.empty()) {
      query = fmt::format("WITH written AS NOT MATERIALIZED ({}) {}", query, events->shows);
    }
  } else if (const ValueTable* values = session->find_value_table(input.table_name)) {
    query = fmt::format("SELECT * FROM firn_values({})", sql_quote(values->name));
  } else {
    return nullptr;
  }
  duckdb::Parser parser;
  parser.ParseQuery(query);
  return duckdb::make_uniq<duckdb::SubqueryRef>(
      duckdb::unique_ptr_cast<duckdb::SQLStatement, duckdb::SelectStatement>(
          std::move(parser.statements[0])),
      input.table_name);
}

}  // namespace firn
