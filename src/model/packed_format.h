#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/crc32c.h"
#include "base/size.h"
#include "model/schema.h"

// The bytes of a packed column (docs/formats/batch.md), shared by pack and unpack.
namespace firn {

inline constexpr uint8_t kPackedVersion = 1;

enum class PackedTransform : uint8_t {
  kConstant = 1,
  kDelta = 2,
  kSequence = 3,
  kBytes = 4,
  kShuffle = 5,
  kOrdered = 6,
  kDictionary = 7,
  kPlain = 8,
  kSteps = 9,
  kDecimal = 10,
  kFloatShuffle = 11,
  kSeriesBytes = 12,
  kSeriesGaps = 13,
  kNumbers = 14,
};

// Units of the transform kSteps.
inline constexpr uint64_t kStepUnits[] = {1, 1'000, 1'000'000, 1'000'000'000};
inline constexpr size_t kStepsHeaderBytes = 9;
// Of the transform kSeriesGaps: where a pair of series keeps its step.
inline constexpr uint64_t kGapMultiplier = 0x9e3779b97f4a7c15;
inline constexpr unsigned kGapSlotBits = 14;

enum class PackedCompression : uint8_t { kNone = 0, kZstd = 1 };

struct PackedHeader {
  uint8_t version;
  uint8_t transform;
  uint8_t compression;
  uint8_t type;
  uint32_t rows;
  uint32_t entries;
  uint32_t raw_bytes;  // of kNumbers: of the same texts as kPlain
};
static_assert(sizeof(PackedHeader) == 16);
inline constexpr size_t kPackedPayloadOffset = sizeof(PackedHeader) + sizeof(uint32_t);

inline uint32_t packed_checksum(ColumnId id, const PackedHeader& header, std::string_view payload) {
  uint32_t crc = crc32c(0, &id, sizeof(id));
  crc = crc32c(crc, &header, sizeof(header));
  return crc32c(crc, payload.data(), payload.size());
}

// Bytes of one dictionary index.
constexpr uint32_t packed_index_bytes(uint32_t entries) {
  return entries <= 256 ? 1 : (entries <= 65'536 ? 2 : 4);
}

constexpr uint64_t zigzag(uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}
constexpr uint64_t unzigzag(uint64_t value) { return (value >> 1) ^ (0 - (value & 1)); }

// How many of its bytes are not zero.
inline uint64_t nonzero_bytes(uint64_t value) {
  // The highest bit of each byte that has any bit set.
  const uint64_t low = 0x7f7f7f7f7f7f7f7f;
  const uint64_t marks = (((value & low) + low) | value) & ~low;
  return static_cast<uint64_t>(__builtin_popcountll(marks));
}

}  // namespace firn
