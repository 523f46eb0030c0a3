#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/status.h"

namespace firn {

// The bytes as one gzip member (RFC 1952), without a time stamp. `level` is zlib's, 1 to 9.
std::string gzip(ByteView bytes, int level = 6);

// Unpacks one or more gzip members that follow each other. Stops as soon as the output passes
// `max_bytes` (limit request_bytes), or passes 1 MiB and `max_ratio` times the input (limit
// decompression_ratio): kTooLarge with the limit's name. kInvalidArgument when the bytes are not
// gzip, end too early, fail their checksum, or have anything else behind the last member.
// `may_take` is asked before the output gets memory, with all the bytes it will then have;
// kUnavailable when it refuses.
Result<std::string> gunzip(ByteView compressed, uint64_t max_bytes, uint64_t max_ratio,
                           const std::function<bool(uint64_t)>& may_take);

// The same piece by piece, for files of any size: feed() some input, then produce() until it
// answers 0, and so on; finish() at the end of the input. Thread rule: one thread.
class GzipReader {
 public:
  GzipReader();
  ~GzipReader();
  GzipReader(GzipReader&&) noexcept;
  GzipReader& operator=(GzipReader&&) noexcept;

  // The next bytes of the file; they must stay where they are until produce() answers 0.
  // REQUIRES: the previous input was used up.
  void feed(ByteView input);
  // Writes up to `size` unpacked bytes and answers how many; 0 means more input is needed.
  // kInvalidArgument with the offset in the input when it is not gzip. REQUIRES: size > 0.
  Result<size_t> produce(char* out, size_t size);
  // kInvalidArgument when the input so far does not end with a complete member.
  Status finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace firn
