#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/id.h"
#include "base/status.h"

// The bytes of a log segment; docs/formats/wal.md is the description, this file its constants.
namespace firn::wal {

inline constexpr char kMagic[] = {'F', 'I', 'R', 'N', '-', 'W', 'A', 'L'};
inline constexpr uint32_t kVersion = 1;
inline constexpr uint64_t kSegmentHeaderBytes = 4096;  // also the offset of the first record
inline constexpr uint64_t kRecordHeaderBytes = 24;
inline constexpr uint64_t kAlignmentBytes = 8;
inline constexpr uint64_t kPayloadBytesMax = 64ull << 20;
// Room that a data record leaves behind it: two synced records, a closed and an end record fit.
inline constexpr uint64_t kReservedBytes = 4 * kRecordHeaderBytes;
inline constexpr uint64_t kSegmentBytesMin = 2 * kSegmentHeaderBytes;
inline constexpr uint64_t kSegmentBytesMax = 1ull << 30;

// A mark and its witnesses lie in different blocks of this size.
inline constexpr uint64_t kBlockBytes = 4096;
inline constexpr int kWitnesses = 2;

enum class RecordType : uint8_t { kData = 1, kEnd = 2, kSynced = 3, kClosed = 4, kWitness = 5 };

struct SegmentHeader {
  uint64_t segment_id = 0;
  uint64_t file_bytes = 0;
  Id log_id;
  uint64_t previous_segment = 0;
  uint64_t previous_end = 0;
  uint32_t previous_crc = 0;
  uint32_t crc = 0;  // set by encode and decode
};

// Writes kSegmentHeaderBytes to `out` and sets header->crc.
void encode_segment_header(SegmentHeader* header, char* out);
// kCorruption with the reason when the bytes are not an intact header, kUnsupported for a version
// this program does not know. The messages do not name the file.
Result<SegmentHeader> decode_segment_header(ByteView bytes);

struct RecordHeader {
  uint32_t crc = 0;  // set by encode and decode
  uint32_t payload_crc = 0;
  uint32_t payload_bytes = 0;
  RecordType type = RecordType::kData;
  uint32_t previous_crc = 0;
  uint32_t synced = 0;
};

// What a record takes in the file: header, payload, padding.
constexpr uint64_t record_bytes(uint64_t payload_bytes) {
  return align_up(kRecordHeaderBytes + payload_bytes, kAlignmentBytes);
}

// The part of every record's checksum that is the same in a whole segment.
uint32_t segment_seed(const Id& log_id, uint64_t segment_id);
// Writes kRecordHeaderBytes to `out` and sets header->crc. `offset` is where the record begins.
void encode_record_header(uint32_t seed, uint64_t offset, RecordHeader* header, char* out);
// False (header unspecified) when the kRecordHeaderBytes at `in` are not the intact header of a
// record of this segment at this offset. Says nothing about the payload or the chain.
bool decode_record_header(uint32_t seed, uint64_t offset, const char* in, RecordHeader* header);

static_assert(kSegmentHeaderBytes % kAlignmentBytes == 0);
static_assert(kRecordHeaderBytes % kAlignmentBytes == 0);
static_assert(kSegmentHeaderBytes + record_bytes(kPayloadBytesMax) + kReservedBytes +
                      kSegmentBytesMax <=
                  UINT32_MAX,
              "an offset in a segment fits the 32 bits of the synced field");

}  // namespace firn::wal
