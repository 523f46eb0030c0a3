#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "env/env.h"
#include "wire/gzip.h"

namespace firn {

// The lines of a file or of standard input ("-"), unpacked when they are gzip. Thread rule: one
// thread.
class LineSource {
 public:
  // kNotFound or kIoError naming the file.
  static Result<std::unique_ptr<LineSource>> open(Env* env, const std::string& path);

  // Calls `on_line` for each line, without its line feed; the last one may lack it. Ends early with
  // the first status that is not ok. Bytes that are not valid gzip end it with kInvalidArgument
  // after the lines before them.
  Status for_each_line(const std::function<Status(std::string_view)>& on_line);

  // Bytes of the file read so far, and in all; the total is 0 when it is not known.
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t bytes_total() const { return bytes_total_; }

 private:
  LineSource() = default;
  // The next raw bytes; an empty view at the end.
  Result<std::string_view> read_raw();
  Status split(std::string_view bytes, const std::function<Status(std::string_view)>& on_line);

  std::unique_ptr<File> file_;  // null: standard input
  uint64_t bytes_read_ = 0;
  uint64_t bytes_total_ = 0;
  std::string buffer_;
  std::string line_;  // the begin of a line whose end was not read yet
};

}  // namespace firn
