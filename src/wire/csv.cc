#include "wire/csv.h"

#include <algorithm>

namespace firn {

Result<bool> CsvReader::add_line(std::string_view line) {
  if (open_) text_.push_back('\n');
  text_.append(line);
  if (text_.size() > record_bytes_max_) {
    return too_large("a record has more than " + std::to_string(record_bytes_max_) + " bytes");
  }
  open_ = std::count(text_.begin(), text_.end(), '"') % 2 != 0;
  if (open_) return false;
  if (text_.ends_with('\r')) text_.pop_back();  // of the line's end, since it is not in quotes
  const Status parsed = parse();
  text_.clear();
  FIRN_TRY(parsed);
  return true;
}

Status CsvReader::finish() const {
  return open_ ? invalid_argument("the last record ends inside of quotes") : Status();
}

Status CsvReader::parse() {
  Status misplaced = invalid_argument("a quote stands in the middle of a field");
  record_.clear();
  size_t at = 0;
  while (true) {
    if (at == text_.size() || text_[at] != '"') {
      const size_t end = std::min(text_.find(',', at), text_.size());
      const std::string_view field = std::string_view(text_).substr(at, end - at);
      if (field.find('"') != std::string_view::npos) return misplaced;
      record_.push_back(field.empty() ? std::nullopt : std::optional<std::string>(field));
      at = end;
    } else {
      std::string field;
      for (++at; at < text_.size(); ++at) {
        if (text_[at] == '"' && (++at == text_.size() || text_[at] != '"')) break;
        field.push_back(text_[at]);
      }
      record_.push_back(std::move(field));
    }
    if (at >= text_.size()) return Status();
    if (text_[at] != ',') return misplaced;
    ++at;
  }
}

void append_csv_cell(std::string_view text, std::string* out) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out->append(text);
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

void append_csv_record(const CsvRecord& record, std::string* out) {
  for (size_t i = 0; i < record.size(); ++i) {
    if (i > 0) out->push_back(',');
    if (!record[i].has_value()) continue;
    if (record[i]->empty()) {
      *out += "\"\"";
    } else {
      append_csv_cell(*record[i], out);
    }
  }
}

}  // namespace firn
