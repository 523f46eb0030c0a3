#pragma once

#include <cstdint>

namespace firn {

// What reading cost, for answers and EXPLAIN. Added to, never reset, by readers.
struct ScanCost {
  uint64_t rows_read = 0, bytes_read = 0, blocks_read = 0, blocks_pruned = 0;
};

}  // namespace firn
