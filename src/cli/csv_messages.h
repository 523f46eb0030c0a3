#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/line_sink.h"
#include "cli/line_source.h"

namespace firn {

// Messages as CSV with a heading, as PostgreSQL's COPY ... CSV HEADER writes them. Columns are
// found by their names, in any order: id, stream_name, type, position, global_position, data,
// metadata, time; the last three and global_position may be missing.

// Calls `on_line` with each message as EventoDB's line, in the order of the file. kInvalidArgument
// names the record that is wrong, from 1 behind the heading.
Status read_csv_messages(LineSource* source,
                         const std::function<Status(std::string_view)>& on_line);

// Writes the columns of Message DB. Thread rule: one thread.
class CsvMessages {
 public:
  explicit CsvMessages(LineSink* sink) : sink_(sink) {}
  // The heading, before anything else.
  Status begin();
  // An EventoDB's line.
  Status add(std::string_view line);

 private:
  LineSink* const sink_;
};

}  // namespace firn
