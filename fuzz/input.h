#pragma once

// What targets share that build something from the fuzzer's bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace firn {

// The input, read from the front; zeros when it is used up.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : bytes_(reinterpret_cast<const char*>(data), size) {}
  bool empty() const { return bytes_.empty(); }
  uint64_t number(size_t bytes) {
    char value[8] = {};
    const size_t size = std::min(bytes, bytes_.size());
    if (size > 0) std::memcpy(value, bytes_.data(), size);
    bytes_.remove_prefix(size);
    return load_le<uint64_t>(value);
  }
  uint64_t below(uint64_t limit) { return number(1) % limit; }
  ByteView take(size_t bytes) {
    const ByteView taken = bytes_.substr(0, bytes);
    bytes_.remove_prefix(taken.size());
    return taken;
  }

 private:
  ByteView bytes_;
};

}  // namespace firn
