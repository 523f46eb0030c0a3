#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/env.h"

// Marks in RocksDB's own log: proof of what had been synced, found without RocksDB's help
// (docs/formats/wal-rocksdb.md).
namespace firn::wal {

// Bytes that say: every record with a smaller number had been synced when this was written.
// `log_id` is the identity of the database.
std::string encode_mark(std::string_view log_id, uint64_t next_number);

struct Mark {
  uint64_t next_number = 0;
  std::string file;
  uint64_t offset = 0;  // in the file
};

// The intact marks in all of RocksDB's log files in the directory, in the order of their numbers.
// A Status only when files cannot be read.
Result<std::vector<Mark>> find_marks(Env* env, const std::string& directory,
                                     std::string_view log_id);

}  // namespace firn::wal
