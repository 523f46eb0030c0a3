#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firn {

// CRC-32C (Castagnoli; RFC 3720 appendix B.4). `crc` is the checksum of what came before, 0 at the
// start, so crc32c(crc32c(0, a), b) is the checksum of a followed by b. Uses SSE4.2 where present.
uint32_t crc32c(uint32_t crc, const void* data, size_t size);
inline uint32_t crc32c(std::string_view bytes) { return crc32c(0, bytes.data(), bytes.size()); }

// The table-driven form, for tests that both agree and for machines without the instruction.
uint32_t crc32c_portable(uint32_t crc, const void* data, size_t size);

}  // namespace firn
