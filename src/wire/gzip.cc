#include "wire/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "base/size.h"

namespace firn {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;  // zlib's way to say: gzip, not zlib, not raw
constexpr size_t kPieceBytes = 256 * kKiB;
constexpr size_t kFeedBytesMax = size_t{1} << 30;  // zlib counts in 32 bits

Bytef* zlib_bytes(const char* bytes) {
  // zlib reads its input through a pointer to non-const, but never writes there.
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes));
}

}  // namespace

struct GzipReader::State {
  State() { FIRN_CHECK(inflateInit2(&stream, kGzipOnly) == Z_OK); }
  ~State() { inflateEnd(&stream); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  uint64_t offset() const { return fed_bytes - left.size() - stream.avail_in; }
  // Gives zlib the next part of the input that fits its counters.
  void refill() {
    if (stream.avail_in > 0 || left.empty()) return;
    const size_t size = std::min(left.size(), kFeedBytesMax);
    stream.next_in = zlib_bytes(left.data());
    stream.avail_in = static_cast<uInt>(size);
    left.remove_prefix(size);
  }

  z_stream stream{};
  ByteView left;  // fed, not yet given to zlib
  uint64_t fed_bytes = 0;
  bool in_member = false;  // some bytes of a member were read, its end was not
  uint64_t members = 0;    // read to their end
};

GzipReader::GzipReader() : state_(std::make_unique<State>()) {}
GzipReader::~GzipReader() = default;
GzipReader::GzipReader(GzipReader&&) noexcept = default;
GzipReader& GzipReader::operator=(GzipReader&&) noexcept = default;

void GzipReader::feed(ByteView input) {
  FIRN_CHECK(state_->left.empty() && state_->stream.avail_in == 0);
  state_->left = input;
  state_->fed_bytes += input.size();
}

Result<size_t> GzipReader::produce(char* out, size_t size) {
  State& state = *state_;
  z_stream& stream = state.stream;
  FIRN_CHECK(size > 0);
  stream.next_out = zlib_bytes(out);
  stream.avail_out = static_cast<uInt>(std::min(size, kFeedBytesMax));
  const uInt wanted = stream.avail_out;
  while (stream.avail_out > 0) {
    state.refill();
    // Without input zlib may still hold output back; only in that case it is asked again.
    if (stream.avail_in == 0 && !state.in_member) break;
    const uInt in_before = stream.avail_in;
    const uInt out_before = stream.avail_out;
    state.in_member = true;
    const int outcome = inflate(&stream, Z_NO_FLUSH);
    if (outcome == Z_STREAM_END) {
      ++state.members;
      state.in_member = false;
      FIRN_CHECK(inflateReset(&stream) == Z_OK);
      continue;
    }
    if (outcome != Z_OK && outcome != Z_BUF_ERROR) {
      const char* reason = stream.msg != nullptr ? stream.msg : "damaged data";
      const char* what =
          state.members > 0 ? "what follows the gzip data is not gzip" : "not gzip data";
      return invalid_argument(fmt::format("{}: {}, byte {}", what, reason, state.offset()));
    }
    if (stream.avail_in == in_before && stream.avail_out == out_before) break;
  }
  return static_cast<size_t>(wanted - stream.avail_out);
}

Status GzipReader::finish() const {
  if (!state_->in_member && state_->members > 0) return {};
  return invalid_argument(
      fmt::format("the gzip data ends too early, after {} bytes", state_->fed_bytes));
}

std::string gzip(ByteView bytes, int level) {
  z_stream stream{};
  FIRN_CHECK(deflateInit2(&stream, level, Z_DEFLATED, kGzipOnly, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out;
  int outcome = Z_OK;
  while (outcome != Z_STREAM_END) {
    if (stream.avail_in == 0 && !bytes.empty()) {
      const size_t size = std::min(bytes.size(), kFeedBytesMax);
      stream.next_in = zlib_bytes(bytes.data());
      stream.avail_in = static_cast<uInt>(size);
      bytes.remove_prefix(size);
    }
    const size_t used = out.size();
    out.resize(used + kPieceBytes);
    stream.next_out = zlib_bytes(out.data() + used);
    stream.avail_out = static_cast<uInt>(kPieceBytes);
    outcome = deflate(&stream, bytes.empty() ? Z_FINISH : Z_NO_FLUSH);
    FIRN_CHECK(outcome == Z_OK || outcome == Z_STREAM_END || outcome == Z_BUF_ERROR);
    out.resize(used + kPieceBytes - stream.avail_out);
  }
  deflateEnd(&stream);
  return out;
}

Result<std::string> gunzip(ByteView compressed, uint64_t max_bytes, uint64_t max_ratio,
                           const std::function<bool(uint64_t)>& may_take) {
  const uint64_t ratio_bytes = std::max(kMiB, compressed.size() * max_ratio);
  GzipReader reader;
  reader.feed(compressed);
  std::string out;
  while (true) {
    const size_t used = out.size();
    const size_t wanted = used + std::clamp<size_t>(compressed.size() * 4, kKiB, kPieceBytes);
    if (wanted > out.capacity()) {
      const size_t capacity = std::max(wanted, out.capacity() * 2);
      if (!may_take(capacity)) {
        return unavailable(
            "other requests use the memory for unpacking (request_memory); try again later");
      }
      out.reserve(capacity);
    }
    out.resize(wanted);
    FIRN_ASSIGN(const size_t produced, reader.produce(out.data() + used, out.size() - used));
    out.resize(used + produced);
    if (out.size() > max_bytes) {
      return too_large(
          fmt::format("unpacked, the body exceeds the limit request_bytes of {}", max_bytes));
    }
    if (out.size() > ratio_bytes) {
      return too_large(fmt::format(
          "the body unpacks to more than {} times its size, the limit decompression_ratio",
          max_ratio));
    }
    if (produced == 0) break;
  }
  FIRN_TRY(reader.finish());
  return out;
}

}  // namespace firn
