#include "cli/line_sink.h"

#include "base/size.h"
#include "cli/command.h"
#include "wire/gzip.h"

namespace firn {

namespace {

// What is packed as one member; gzip files are members one behind the other.
constexpr size_t kPieceBytes = 1 * kMiB;

}  // namespace

Result<std::unique_ptr<LineSink>> LineSink::open(Env* env, const std::string& path, bool packed) {
  std::unique_ptr<LineSink> sink(new LineSink(env, path, packed));
  if (path == "-") return sink;
  FIRN_ASSIGN(sink->file_, env->open(sink->temporary_path(), OpenMode::kCreate));
  FIRN_TRY(sink->file_->truncate(0));
  return sink;
}

LineSink::~LineSink() {
  if (file_ == nullptr) return;
  file_.reset();
  (void)env_->remove(temporary_path());
}

Status LineSink::add(std::string_view line) {
  buffer_.append(line);
  buffer_.push_back('\n');
  return buffer_.size() < kPieceBytes ? Status() : flush();
}

Status LineSink::flush() {
  const std::string bytes = packed_ ? gzip(buffer_) : std::move(buffer_);
  buffer_.clear();
  if (file_ != nullptr) {
    FIRN_TRY(file_->write_at(bytes_written_, bytes));
  } else if (!print(bytes)) {
    return io_error("nobody reads standard output any more");
  }
  bytes_written_ += bytes.size();
  return Status();
}

// An empty file is packed, too.
Status LineSink::finish() {
  FIRN_TRY(flush());
  if (file_ == nullptr) return Status();
  FIRN_TRY(file_->sync());
  file_.reset();
  FIRN_TRY(env_->rename(temporary_path(), path_));
  return env_->sync_directory(parent_path(path_));
}

}  // namespace firn
