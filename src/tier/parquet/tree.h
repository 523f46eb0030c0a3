#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "tier/parquet/parquet_files.h"

namespace firn {

struct FoundFile {
  ParquetFileName name;
  std::string path;
  uint64_t size_bytes = 0;
};

// Every file of the tier below `directory`, by chunk and then ascending by position. Removes what
// an interrupted write or merge left behind: temporary files, and files whose positions another
// file of their chunk accounts for. Files that are not ours stay and are not returned. kCorruption
// when two files of a chunk overlap otherwise. REQUIRES: nobody else uses the tree.
Result<std::vector<FoundFile>> load_parquet_tree(Env* env, const std::string& directory);

}  // namespace firn
