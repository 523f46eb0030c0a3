#include "cli/line_source.h"

#include <cstdio>

namespace firn {

namespace {

constexpr size_t kReadBytes = size_t{1} << 18;
constexpr std::string_view kGzipMagic = "\x1f\x8b";

}  // namespace

Result<std::unique_ptr<LineSource>> LineSource::open(Env* env, const std::string& path) {
  std::unique_ptr<LineSource> source(new LineSource());
  source->buffer_.resize(kReadBytes);
  if (path == "-") return source;
  FIRN_ASSIGN(source->file_, env->open(path, OpenMode::kRead));
  FIRN_ASSIGN(source->bytes_total_, source->file_->size());
  return source;
}

Result<std::string_view> LineSource::read_raw() {
  size_t size = 0;
  if (file_ != nullptr) {
    FIRN_ASSIGN(size, file_->read_at(bytes_read_, buffer_.data(), buffer_.size()));
  } else {
    size = std::fread(buffer_.data(), 1, buffer_.size(), stdin);
    if (size == 0 && std::ferror(stdin) != 0) return io_error("cannot read standard input");
  }
  bytes_read_ += size;
  return std::string_view(buffer_.data(), size);
}

Status LineSource::split(std::string_view bytes,
                         const std::function<Status(std::string_view)>& on_line) {
  size_t begin = 0;
  for (size_t end = bytes.find('\n'); end != std::string_view::npos;
       end = bytes.find('\n', begin)) {
    const std::string_view part = bytes.substr(begin, end - begin);
    if (line_.empty()) {
      FIRN_TRY(on_line(part));
    } else {
      line_.append(part);
      FIRN_TRY(on_line(line_));
      line_.clear();
    }
    begin = end + 1;
  }
  line_.append(bytes.substr(begin));
  return Status();
}

Status LineSource::for_each_line(const std::function<Status(std::string_view)>& on_line) {
  FIRN_ASSIGN(std::string_view raw, read_raw());
  const bool is_gzip = raw.substr(0, kGzipMagic.size()) == kGzipMagic;
  GzipReader unpacker;
  std::string unpacked(kReadBytes, '\0');
  while (!raw.empty()) {
    if (is_gzip) {
      unpacker.feed(raw);
      while (true) {
        FIRN_ASSIGN(const size_t size, unpacker.produce(unpacked.data(), unpacked.size()));
        if (size == 0) break;
        FIRN_TRY(split({unpacked.data(), size}, on_line));
      }
    } else {
      FIRN_TRY(split(raw, on_line));
    }
    FIRN_ASSIGN(raw, read_raw());
  }
  if (!line_.empty()) FIRN_TRY(on_line(line_));
  return is_gzip ? unpacker.finish() : Status();
}

}  // namespace firn
