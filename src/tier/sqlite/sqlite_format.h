#pragma once

#include <cstdint>

// Constants of docs/formats/sqlite_chunk.md, shared by reader and writer.

namespace firn {

enum class SqliteLayout : uint8_t {
  kBlocks = 1,  // compressed column blocks
  kRows = 2,    // a plain table with a row per event
};

inline constexpr uint64_t kSqliteChunkVersion = 3;

inline constexpr int64_t kColumnSlots = 64;      // columns.id = block * kColumnSlots + column
inline constexpr int64_t kFilterKindShift = 40;  // filters.id = (kind << shift) + block

inline constexpr const char* kMetaSchema =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";

inline constexpr const char* kBlocksSchema = R"(
CREATE TABLE blocks (
  id INTEGER PRIMARY KEY, first_block INTEGER NOT NULL, rows INTEGER NOT NULL,
  position_min INTEGER NOT NULL, position_max INTEGER NOT NULL,
  time_min INTEGER NOT NULL, time_max INTEGER NOT NULL,
  severity_max INTEGER NOT NULL, kinds INTEGER NOT NULL,
  columns INTEGER NOT NULL, filters INTEGER NOT NULL,
  raw_bytes INTEGER NOT NULL, packed_bytes INTEGER NOT NULL,
  checksum INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE columns (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE filters (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
)";

}  // namespace firn
