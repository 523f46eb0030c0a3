#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace firn {

// The content of a simulated file: sparse, and cheap to copy, since copies share their pages until
// one is written to. Thread rule: as a plain value, and copies that share pages count as one.
class SimBytes {
 public:
  uint64_t size() const { return size_; }
  // Returns how many bytes were read; fewer only at the end.
  size_t read(uint64_t offset, void* out, size_t size) const;
  // Extends with zeros up to `offset` when that is beyond the end.
  void write(uint64_t offset, ByteView bytes);
  void resize(uint64_t size);
  std::string to_string() const;

 private:
  static constexpr size_t kPageBytes = 4096;
  using Page = std::array<char, kPageBytes>;

  Page* writable_page(size_t index);

  uint64_t size_ = 0;
  // Null or beyond the end of the vector: zeros. Bytes of a page beyond size_ are zero.
  std::vector<std::shared_ptr<Page>> pages_;
};

}  // namespace firn
