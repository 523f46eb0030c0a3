#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "wire/gzip.h"

namespace firn {

// The lines of a text that arrives in pieces, packed or not, of which never more than a line and
// two pieces are held. Thread rule: one thread.
class LineStream {
 public:
  LineStream(bool is_gzip, size_t line_bytes_max);

  // The next bytes. REQUIRES: next() answered false since the last call, or was never called.
  void feed(std::string bytes);
  // There are no more.
  void end() { ended_ = true; }
  // The next line without its line feed, valid until the next call. False: more bytes are needed,
  // or, behind end(), there is no line left; the last one may lack its line feed. kTooLarge for a
  // line longer than the limit, kInvalidArgument for bytes that are not gzip.
  Result<bool> next(std::string_view* line);

 private:
  // Adds unpacked text; false when more bytes are needed for that.
  Result<bool> unpack();

  const size_t line_bytes_max_;
  std::optional<GzipReader> unpacker_;
  std::string packed_;  // what the unpacker reads
  std::string text_;
  size_t at_ = 0;        // where the next line begins
  size_t searched_ = 0;  // no line feed from there to here
  bool ended_ = false;
};

}  // namespace firn
