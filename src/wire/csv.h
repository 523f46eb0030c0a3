#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace firn {

// CSV (RFC 4180) as PostgreSQL's COPY reads and writes it: a field without quotes that is empty is
// absent, "" is the empty text.
using CsvRecord = std::vector<std::optional<std::string>>;

// Reads records from lines; a text in quotes may have line breaks. Thread rule: one thread.
class CsvReader {
 public:
  explicit CsvReader(size_t record_bytes_max) : record_bytes_max_(record_bytes_max) {}

  // Takes the next line, without its line feed. False when the record goes on in the next one.
  // kInvalidArgument for quotes in the wrong place, kTooLarge for a record beyond the limit.
  Result<bool> add_line(std::string_view line);
  // The record that the last line completed.
  const CsvRecord& record() const { return record_; }
  // kInvalidArgument when the last record has no end.
  Status finish() const;

 private:
  Status parse();

  const size_t record_bytes_max_;
  std::string text_;  // of the record so far
  bool open_ = false;
  CsvRecord record_;
};

// A text as one field, in quotes where it needs them.
void append_csv_cell(std::string_view text, std::string* out);
// One record as a line, without a line feed.
void append_csv_record(const CsvRecord& record, std::string* out);

}  // namespace firn
