#include "wire/snappy_block.h"

#include <fmt/format.h>
#include <snappy.h>

#include <algorithm>

#include "base/size.h"

namespace firn {

std::string pack_snappy(ByteView bytes) {
  std::string packed;
  snappy::Compress(bytes.data(), bytes.size(), &packed);
  return packed;
}

Result<std::string> unpack_snappy(ByteView packed, uint64_t max_bytes, uint64_t max_ratio,
                                  const std::function<bool(uint64_t)>& may_take,
                                  std::string memory) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(packed.data(), packed.size(), &size)) {
    return invalid_argument("not a snappy block: it does not begin with its length");
  }
  if (size > max_bytes) {
    return too_large(
        fmt::format("the snappy block says it unpacks to {} bytes, the limit "
                    "request_bytes is {}",
                    size, max_bytes));
  }
  if (size > std::max<uint64_t>(kMiB, packed.size() * max_ratio)) {
    return too_large(
        fmt::format("the snappy block says it unpacks to more than {} times its size, "
                    "the limit decompression_ratio",
                    max_ratio));
  }
  if (!may_take(size)) {
    return unavailable("other requests use the memory for unpacked bodies; try again later");
  }
  memory.resize(size);
  if (!snappy::RawUncompress(packed.data(), packed.size(), memory.data())) {
    return invalid_argument("the snappy block is damaged or ends too early");
  }
  return memory;
}

}  // namespace firn
