#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace firn {

// CRC-32C (Castagnoli; RFC 3720 appendix B.4). `crc` is the checksum of what came before, 0 at the
// start, so crc32c(crc32c(0, a), b) is the checksum of a followed by b. Uses what the processor has
// for it: SSE4.2, and AVX-512 with VPCLMULQDQ.
uint32_t crc32c(uint32_t crc, const void* data, size_t size);
inline uint32_t crc32c(std::string_view bytes) { return crc32c(0, bytes.data(), bytes.size()); }

// All forms of it that this machine can run, for tests that they agree. The first needs nothing of
// the processor, the last is the one that crc32c() is.
using Crc32cFunction = uint32_t (*)(uint32_t crc, const void* data, size_t size);
std::vector<Crc32cFunction> crc32c_forms();

}  // namespace firn
