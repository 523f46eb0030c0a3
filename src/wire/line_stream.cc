#include "wire/line_stream.h"

#include <algorithm>
#include <utility>

#include "base/size.h"

namespace firn {

namespace {

constexpr size_t kUnpackBytes = 256 * kKiB;

}  // namespace

LineStream::LineStream(bool is_gzip, size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {
  if (is_gzip) unpacker_.emplace();
}

void LineStream::feed(std::string bytes) {
  if (unpacker_.has_value()) {
    packed_ = std::move(bytes);
    unpacker_->feed(packed_);
    return;
  }
  text_ += bytes;
}

Result<bool> LineStream::unpack() {
  if (!unpacker_.has_value()) return false;
  const size_t before = text_.size();
  text_.resize(before + kUnpackBytes);
  const Result<size_t> made = unpacker_->produce(text_.data() + before, kUnpackBytes);
  text_.resize(before + (made.ok() ? *made : 0));
  FIRN_TRY(made.status());
  return *made > 0;
}

Result<bool> LineStream::next(std::string_view* line) {
  while (true) {
    const size_t end = text_.find('\n', searched_);
    if (std::min(end, text_.size()) - at_ > line_bytes_max_) {
      return too_large("a line is longer than " + format_size(line_bytes_max_));
    }
    if (end != std::string::npos) {
      *line = std::string_view(text_).substr(at_, end - at_);
      at_ = searched_ = end + 1;
      return true;
    }
    text_.erase(0, at_);
    at_ = 0;
    searched_ = text_.size();
    FIRN_ASSIGN(const bool more, unpack());
    if (more) continue;
    if (!ended_) return false;
    if (unpacker_.has_value()) FIRN_TRY(unpacker_->finish());
    if (text_.empty()) return false;
    at_ = searched_;
    *line = text_;
    return true;
  }
}

}  // namespace firn
