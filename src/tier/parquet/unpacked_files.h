#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/recent_cache.h"
#include "engine/engine.h"
#include "tier/parquet/file_set.h"
#include "tier/tier.h"

namespace firn {

// The rows of small files that look-ups read last, as they were unpacked and compared with their
// checksums. A statement over a file takes milliseconds before it sees a row, so reading some
// events of each of many chunks, as a stream is read, would be nothing else. `bytes_max`: of all
// rows together. Thread rule: any thread.
class UnpackedFiles {
 public:
  explicit UnpackedFiles(uint64_t bytes_max) : files_(bytes_max) {}

  // Whether the filter asks for few rows of a file that is small enough to be kept.
  static bool is_meant(const ParquetFileStats& stats, const Filter& filter);

  // Reads the file in the order of `spec`, from memory once it was read. Errors of
  // Engine::read_parquet and of reading. `bytes_read` (may be null) is added to.
  // REQUIRES: the file has its footer, and is_meant().
  Result<std::unique_ptr<BatchReader>> read(Engine* engine, const ParquetFile& file,
                                            const ScanSpec& spec, uint64_t* bytes_read);
  // The file belongs to no chunk any more.
  void forget(const ParquetFile& file) { files_.erase(file.number()); }

 private:
  using Rows = std::shared_ptr<const std::vector<BatchSlice>>;

  Result<Rows> rows_of(Engine* engine, const ParquetFile& file, uint64_t* bytes_read);

  RecentCache<uint64_t, Rows> files_;
};

}  // namespace firn
