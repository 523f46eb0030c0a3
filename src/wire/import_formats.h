#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/record_batch.h"
#include "wire/event_reader.h"
#include "wire/import_lines.h"
#include "wire/string_pool.h"

namespace firn {

// One line on its way to a row. Inside wire only.
struct ImportedLine {
  EventRow row;  // time is unset: see has_time
  bool has_time = false;
  bool is_event = false;  // the line is a Firn event...
  bool has_id = false;    // ... with an id
  // Why the line does not have the format; then nothing else counts. A literal or from the pool.
  std::string_view error;
};

// Each reads a line that is not blank. Views in the result point to the line or to the pool.
void read_ndjson_line(std::string_view line, const Limits& limits, EventReader* events,
                      StringPool* pool, ImportedLine* out);
void read_text_line(std::string_view line, StringPool* pool, ImportedLine* out);
void read_apache_line(std::string_view line, StringPool* pool, ImportedLine* out);
void read_syslog_line(std::string_view line, TimeNs reference_time, StringPool* pool,
                      ImportedLine* out);

// A time at the begin of a line: "2026-01-02T03:04:05.6Z", "2026-01-02 03:04:05,678",
// "2026/01/02 03:04:05", each also in brackets. `size`: what it takes, brackets included. Nothing
// when the line begins otherwise.
struct LeadingTime {
  TimeNs time;
  size_t size;
};
std::optional<LeadingTime> leading_time(std::string_view line);

// The month of "Jan".."Dec", 1 to 12; 0 for other text.
int month_of(std::string_view name);

// Cuts the text up to `separator` off the front, the separator too. All of it when there is none.
std::string_view cut_until(char separator, std::string_view* text);

}  // namespace firn
