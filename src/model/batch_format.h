#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/size.h"
#include "base/status.h"
#include "model/record_batch.h"
#include "model/schema.h"

// The bytes of a record batch (docs/formats/batch.md), shared by its reader and its writers and
// by nobody else.
namespace firn {

inline constexpr uint32_t kBatchMagic = 0x424e5246;  // "FRNB"
inline constexpr uint16_t kBatchVersion = 1;
inline constexpr uint32_t kBatchRowsMax = 1u << 24;
inline constexpr uint64_t kBatchBytesMax = 2 * kGiB;

enum class ColumnEncoding : uint8_t { kPlain = 1, kConstant = 2, kDictionary = 3 };

struct BatchHeader {
  uint32_t magic;
  uint16_t version;
  uint8_t dataset;
  uint8_t column_count;
  uint32_t rows;
  uint32_t total_bytes;
  uint32_t namespace_id;
  uint32_t reserved_1;
  uint64_t first_position;
  int64_t time_min;
  int64_t time_max;
  uint64_t reserved_2[2];
};
static_assert(sizeof(BatchHeader) == 64);

struct BatchColumnEntry {
  uint8_t id;
  uint8_t type;
  uint8_t encoding;
  uint8_t reserved;
  uint32_t entries;
  uint32_t offset;
  uint32_t size;
};
static_assert(sizeof(BatchColumnEntry) == 16);

// Bytes of one value of a fixed type; 0 for strings.
constexpr size_t fixed_size(ColumnType type) {
  switch (type) {
    case ColumnType::kInt64:
    case ColumnType::kId8:
    case ColumnType::kFloat64:
      return 8;
    case ColumnType::kUint8:
      return 1;
    case ColumnType::kId16:
      return 16;
    case ColumnType::kString:
      return 0;
  }
  return 0;
}

// Lays a batch out: name its columns in ascending id order, allocate once, fill the columns,
// finish.
class BatchLayout {
 public:
  BatchLayout(Dataset dataset, uint32_t rows) : dataset_(dataset), rows_(rows) {
    columns_.reserve(dataset_columns(dataset).size());
  }

  // Returns the column's number for data().
  size_t add_column(ColumnId id, ColumnType type, ColumnEncoding encoding, uint32_t entries,
                    uint64_t size_bytes);
  // What the batch would take. May exceed kBatchBytesMax; then allocate() must not be called.
  uint64_t total_bytes() const;
  // Writes header and directory and zeroes the padding. Column bytes are left for the caller. Takes
  // `reused` when it is large enough, and not so large that most of it would lie idle.
  void allocate(BatchBuffer reused = {});
  // Where the column's payload goes. REQUIRES: allocate().
  char* data(size_t column) const;
  // The batch, its columns indexed but not checked. `first_position` 0: not stamped. The times are
  // taken from the time column.
  std::unique_ptr<RecordBatch> finish(NamespaceId namespace_id, Position first_position);

 private:
  BatchHeader* header() const { return reinterpret_cast<BatchHeader*>(buffer_.words.get()); }

  Dataset dataset_;
  uint32_t rows_;
  std::vector<BatchColumnEntry> columns_;
  uint64_t payload_bytes_ = 0;
  BatchBuffer buffer_;
};

// Proves all rules of docs/formats/batch.md over the bytes at `buffer`. kCorruption with the
// reason.
Status validate_batch(const uint64_t* buffer, uint64_t size_bytes);

}  // namespace firn
