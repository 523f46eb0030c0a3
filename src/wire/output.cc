#include "wire/output.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "wire/csv.h"
#include "wire/json_reader.h"
#include "wire/json_text.h"

namespace firn {
namespace {

constexpr std::string_view kGap = "  ";

bool is_control(uint8_t byte) { return byte < 0x20 || byte == 0x7F; }

// Text that shows on one line of a terminal and does nothing else there: no control characters,
// none of the C1 ones (U+0080 to U+009F) either, and only valid UTF-8.
std::string shown(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<uint8_t>(text[at]);
    const size_t size = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    const bool is_whole = utf8_valid_prefix(text.substr(at, size)) == size;
    const bool is_c1 = is_whole && byte == 0xC2 && static_cast<uint8_t>(text[at + 1]) < 0xA0;
    if (byte == '\n' || byte == '\t' || byte == '\r') {
      out += byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : "\\r";
      ++at;
    } else if (is_control(byte) || !is_whole || is_c1) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
      ++at;
    } else {
      out.append(text, at, size);
      at += size;
    }
  }
  return out;
}

// Characters, not bytes. Wide ones count as one; their columns are then a little ragged.
size_t width(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

void append_padded(std::string_view text, size_t to_width, bool right, std::string* out) {
  const size_t blanks = to_width - std::min(to_width, width(text));
  if (right) out->append(blanks, ' ');
  out->append(text);
  if (!right) out->append(blanks, ' ');
}

bool is_json_number(std::string_view text) {
  return !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) &&
         check_json(text, 1).ok();
}

}  // namespace

std::optional<OutputFormat> parse_output_format(std::string_view name) {
  if (name == "table") return OutputFormat::kTable;
  if (name == "json") return OutputFormat::kJson;
  if (name == "csv") return OutputFormat::kCsv;
  if (name == "ndjson") return OutputFormat::kNdjson;
  return std::nullopt;
}

TableWriter::TableWriter(OutputFormat format, std::vector<OutputColumn> columns)
    : format_(format), columns_(std::move(columns)) {
  if (format_ == OutputFormat::kJson) out_ += '[';
  if (format_ == OutputFormat::kCsv) {
    std::vector<std::optional<std::string>> names;
    for (const OutputColumn& column : columns_) names.emplace_back(column.name);
    write_csv_line(names);
  }
}

void TableWriter::add_row(const std::vector<std::optional<std::string>>& cells) {
  FIRN_CHECK(cells.size() == columns_.size());
  switch (format_) {
    case OutputFormat::kTable: {
      std::vector<std::string> row;
      row.reserve(cells.size());
      for (const auto& cell : cells) row.push_back(cell ? shown(*cell) : std::string());
      table_.push_back(std::move(row));
      break;
    }
    case OutputFormat::kJson:
      out_ += rows_ == 0 ? "\n" : ",\n";
      write_object(cells);
      break;
    case OutputFormat::kCsv:
      write_csv_line(cells);
      break;
    case OutputFormat::kNdjson:
      write_object(cells);
      out_ += '\n';
      break;
  }
  ++rows_;
}

void TableWriter::write_object(const std::vector<std::optional<std::string>>& cells) {
  JsonObjectWriter object(&out_);
  for (size_t i = 0; i < cells.size(); ++i) {
    object.member(columns_[i].name);
    const OutputKind kind = columns_[i].kind;
    if (!cells[i]) {
      out_ += "null";
    } else if (kind == OutputKind::kNumber && is_json_number(*cells[i])) {
      out_ += *cells[i];
    } else if (kind == OutputKind::kJson && check_json(*cells[i], JsonReader::kDepthMax).ok()) {
      append_json_one_line(*cells[i], &out_);
    } else {
      append_json_string(*cells[i], &out_);
    }
  }
  object.close();
}

void TableWriter::write_csv_line(const std::vector<std::optional<std::string>>& cells) {
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) out_ += ',';
    if (cells[i]) append_csv_cell(*cells[i], &out_);
  }
  out_ += "\r\n";
}

void TableWriter::write_table() {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t widest = width(columns_[i].name);
    for (const auto& row : table_) widest = std::max(widest, width(row[i]));
    widths.push_back(widest);
  }
  const auto append_line = [&](const auto& cell_of) {
    const size_t begin = out_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) out_ += kGap;
      append_padded(cell_of(i), widths[i], columns_[i].kind == OutputKind::kNumber, &out_);
    }
    while (out_.size() > begin && out_.back() == ' ') out_.pop_back();
    out_ += '\n';
  };
  append_line([&](size_t i) { return columns_[i].name; });
  append_line([&](size_t i) { return std::string(widths[i], '-'); });
  for (const auto& row : table_) append_line([&](size_t i) { return row[i]; });
}

std::string TableWriter::take() { return std::exchange(out_, std::string()); }

void TableWriter::finish() {
  if (format_ == OutputFormat::kTable) write_table();
  if (format_ == OutputFormat::kJson) out_ += rows_ == 0 ? "]\n" : "\n]\n";
}

}  // namespace firn
