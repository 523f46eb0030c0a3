#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "env/env.h"

namespace firn {

// Lines into a file or to standard output ("-"), packed if wanted. A file gets its name when
// everything is in it and synced; before, and for good when it is not finished, it does not exist.
// Thread rule: one thread.
class LineSink {
 public:
  static Result<std::unique_ptr<LineSink>> open(Env* env, const std::string& path, bool packed);
  ~LineSink();
  LineSink(const LineSink&) = delete;
  LineSink& operator=(const LineSink&) = delete;

  // Adds the line and a line feed. kIoError, also when nobody reads the output any more.
  Status add(std::string_view line);
  Status finish();

  uint64_t bytes_written() const { return bytes_written_; }

 private:
  LineSink(Env* env, std::string path, bool packed)
      : env_(env), path_(std::move(path)), packed_(packed) {}
  std::string temporary_path() const { return path_ + ".tmp"; }
  Status flush();

  Env* const env_;
  const std::string path_;
  const bool packed_;
  std::unique_ptr<File> file_;  // null: standard output, or finished
  std::string buffer_;
  uint64_t bytes_written_ = 0;
};

}  // namespace firn
