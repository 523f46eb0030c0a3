#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firn {

enum class OutputFormat : uint8_t {
  kTable,   // aligned columns for people
  kJson,    // one array of objects
  kCsv,     // RFC 4180, with a header line
  kNdjson,  // one object per line
};
// "table", "json", "csv", "ndjson". Nothing on other text.
std::optional<OutputFormat> parse_output_format(std::string_view name);

enum class OutputKind : uint8_t {
  kText,
  kNumber,  // right-aligned in tables; a bare number in JSON when it is one
  kJson,    // a JSON value; embedded in JSON as it is, text elsewhere
};

struct OutputColumn {
  std::string name;
  OutputKind kind = OutputKind::kText;
};

// Writes one result in one of the formats. Tables are kept until finish(), because their width is
// known only then; the other formats can be taken piece by piece. Control characters are escaped in
// tables, so that stored bytes cannot steer a terminal. Thread rule: one thread.
class TableWriter {
 public:
  TableWriter(OutputFormat format, std::vector<OutputColumn> columns);

  // Nothing is a null: empty in tables and CSV, null in JSON. REQUIRES: one cell per column.
  void add_row(const std::vector<std::optional<std::string>>& cells);
  // The text so far that was not taken yet; empty for tables before finish().
  std::string take();
  // Ends the result. REQUIRES: called once; no rows afterwards.
  void finish();
  uint64_t rows() const { return rows_; }

 private:
  void write_object(const std::vector<std::optional<std::string>>& cells);
  void write_csv_line(const std::vector<std::optional<std::string>>& cells);
  void write_table();

  OutputFormat format_;
  std::vector<OutputColumn> columns_;
  std::vector<std::vector<std::string>> table_;  // cells as they will be shown
  std::string out_;
  uint64_t rows_ = 0;
};

}  // namespace firn
