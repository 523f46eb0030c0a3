#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/limits.h"
#include "base/time.h"
#include "model/record_batch.h"
#include "wire/json_events.h"

namespace firn {

enum class ImportFormat : uint8_t {
  kNdjson,  // a JSON object per line: events as Firn writes them, or anybody's
  kLines,   // plain text; a time and a level at the begin of a line are recognised
  kApache,  // access logs, common and combined (nginx writes the same)
  kSyslog,  // RFC 5424, RFC 3164, and the latter with ISO times
};
// "ndjson", "lines", "apache", "syslog". Nothing on other text.
std::optional<ImportFormat> parse_import_format(std::string_view name);

struct ImportOptions {
  TimeNs now = 0;             // of Firn events that say no time
  TimeNs reference_time = 0;  // about when the file ends, 0: now. Syslog years are the latest that
                              // put no line after it; lines before the first time get it
  std::string source;         // of lines that name none; empty: "import"
  std::function<Id()> make_id;  // a new UUIDv7
  Limits limits = kLimits;
  uint32_t batch_rows = 10'000;     // a batch is ready when it has this many rows...
  uint64_t batch_bytes = 4 * kMiB;  // ... or this many bytes
};

struct ImportCounts {
  uint64_t lines = 0;  // not counting blank ones
  uint64_t parsed = 0;
  uint64_t unparsed = 0;      // stored as text, with metadata "parse_error"
  uint64_t without_time = 0;  // these got the time of the line before
};

// Makes events of the lines of a file, without ever dropping one: a line that does not have the
// format is stored as its text (docs/formats/import.md is what each format becomes). Thread rule:
// one thread.
class LineImporter {
 public:
  LineImporter(ImportFormat format, ImportOptions options);
  ~LineImporter();
  LineImporter(LineImporter&&) noexcept;
  LineImporter& operator=(LineImporter&&) noexcept;

  // One line, without its line feed; a carriage return at its end is dropped, a blank line skipped.
  void add_line(std::string_view line);
  // Whether it is time to take the batch.
  bool batch_ready() const;
  // The rows since the last call, ids generated except where a Firn event had one. The batch is
  // null when there are none.
  DecodedEvents take_batch();
  const ImportCounts& counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace firn
