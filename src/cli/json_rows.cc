#include "cli/json_rows.h"

#include <simdjson.h>

#include <optional>

#include "cli/command.h"

namespace firn {

namespace {

namespace dom = simdjson::dom;

std::optional<std::string> cell_text(const dom::element& value) {
  if (value.is_null()) return std::nullopt;
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  return simdjson::minify(value);
}

Status unexpected(std::string_view what) {
  return internal_error("the server's answer has no " + std::string(what) +
                        "; is the server of the same version?");
}

Status print_raw(const dom::array& objects, OutputFormat format) {
  std::string text = format == OutputFormat::kJson ? "[" : "";
  bool first = true;
  for (const dom::element object : objects) {
    if (format == OutputFormat::kJson) text += first ? "\n" : ",\n";
    first = false;
    text += simdjson::minify(object);
    if (format == OutputFormat::kNdjson) text += '\n';
  }
  if (format == OutputFormat::kJson) text += first ? "]\n" : "\n]\n";
  return print(text) ? Status() : cancelled("standard output was closed");
}

Status finish(TableWriter* writer) {
  writer->finish();
  return print(writer->take()) ? Status() : cancelled("standard output was closed");
}

// EXPLAIN's answer, whose second column is a drawing of several lines.
bool is_plan(const std::vector<OutputColumn>& columns) {
  return columns.size() == 2 && columns[0].name == "explain_key" &&
         columns[1].name == "explain_value";
}

Status print_plan(dom::array rows) {
  for (const dom::element row : rows) {
    std::string_view drawing;
    if (row.at(1).get(drawing) != simdjson::SUCCESS) return unexpected("plan");
    if (!print(drawing)) return cancelled("standard output was closed");
  }
  return Status();
}

}  // namespace

Status print_objects(std::string_view json, const char* member,
                     const std::vector<OutputColumn>& columns, OutputFormat format) {
  dom::parser parser;
  dom::array objects;
  if (parser.parse(json.data(), json.size())[member].get(objects) != simdjson::SUCCESS) {
    return unexpected(member);
  }
  if (format == OutputFormat::kJson || format == OutputFormat::kNdjson) {
    return print_raw(objects, format);
  }
  TableWriter writer(format, columns);
  for (const dom::element object : objects) {
    std::vector<std::optional<std::string>> cells;
    for (const OutputColumn& column : columns) {
      dom::element value;
      const bool present = object[column.name].get(value) == simdjson::SUCCESS;
      cells.push_back(present ? cell_text(value) : std::nullopt);
    }
    writer.add_row(cells);
  }
  return finish(&writer);
}

Status print_sql_answer(std::string_view json, OutputFormat format) {
  dom::parser parser;
  dom::element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) {
    return unexpected("JSON");
  }
  dom::array names, rows;
  if (document["columns"].get(names) != simdjson::SUCCESS) return unexpected("columns");
  if (document["rows"].get(rows) != simdjson::SUCCESS) return unexpected("rows");
  std::vector<OutputColumn> columns;
  for (const dom::element name : names) {
    std::string_view text, type;
    if (name["name"].get(text) != simdjson::SUCCESS) return unexpected("column name");
    if (name["type"].get(type) != simdjson::SUCCESS) return unexpected("column type");
    const bool is_number = type.find("INT") != std::string_view::npos || type == "DOUBLE" ||
                           type == "FLOAT" || type.starts_with("DECIMAL");
    columns.push_back({std::string(text), is_number ? OutputKind::kNumber : OutputKind::kText});
  }
  if (format == OutputFormat::kTable && is_plan(columns)) return print_plan(rows);
  TableWriter writer(format, columns);
  for (const dom::element row : rows) {
    std::vector<std::optional<std::string>> cells;
    dom::array values;
    if (row.get(values) != simdjson::SUCCESS) return unexpected("row");
    for (const dom::element value : values) cells.push_back(cell_text(value));
    if (cells.size() != columns.size()) return unexpected("complete row");
    writer.add_row(cells);
  }
  return finish(&writer);
}

Result<std::string> json_member(std::string_view json, const char* member) {
  dom::parser parser;
  dom::element document, value;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) {
    return unexpected("JSON");
  }
  if (document[member].get(value) != simdjson::SUCCESS) return std::string();
  return cell_text(value).value_or("");
}

}  // namespace firn
