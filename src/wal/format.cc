#include "wal/format.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/crc32c.h"

namespace firn::wal {
namespace {

constexpr size_t kCheckedHeaderBytes = 68;

// Type, flags and reserved bytes are one little-endian word: in an intact header it is the type.
bool is_known_type(uint32_t word) {
  return word >= static_cast<uint32_t>(RecordType::kData) &&
         word <= static_cast<uint32_t>(RecordType::kWitness);
}

uint32_t record_crc(uint32_t seed, uint64_t offset, const char* header) {
  char covered[8 + 20];
  store_le<uint64_t>(covered, offset);
  std::memcpy(covered + 8, header + 4, 20);
  return crc32c(seed, covered, sizeof(covered));
}

}  // namespace

void encode_segment_header(SegmentHeader* header, char* out) {
  std::memset(out, 0, kSegmentHeaderBytes);
  std::memcpy(out, kMagic, sizeof(kMagic));
  store_le<uint32_t>(out + 8, kVersion);
  store_le<uint32_t>(out + 12, static_cast<uint32_t>(kSegmentHeaderBytes));
  store_le<uint64_t>(out + 16, header->segment_id);
  store_le<uint64_t>(out + 24, header->file_bytes);
  std::memcpy(out + 32, header->log_id.bytes.data(), header->log_id.bytes.size());
  store_le<uint64_t>(out + 48, header->previous_segment);
  store_le<uint64_t>(out + 56, header->previous_end);
  store_le<uint32_t>(out + 64, header->previous_crc);
  header->crc = crc32c(0, out, kCheckedHeaderBytes);
  store_le<uint32_t>(out + 68, header->crc);
}

Result<SegmentHeader> decode_segment_header(ByteView bytes) {
  if (bytes.size() < kSegmentHeaderBytes) {
    return corruption(fmt::format("the segment header is cut after {} bytes", bytes.size()));
  }
  const char* in = bytes.data();
  if (std::memcmp(in, kMagic, sizeof(kMagic)) != 0) {
    return corruption("this is not a log segment (wrong magic bytes)");
  }
  const auto version = load_le<uint32_t>(in + 8);
  SegmentHeader header;
  header.crc = crc32c(0, in, kCheckedHeaderBytes);
  if (header.crc != load_le<uint32_t>(in + 68)) {
    return corruption("the segment header fails its checksum");
  }
  if (version != kVersion) {
    return unsupported(fmt::format(
        "the log has format version {}, this program reads version {}: use the program that "
        "wrote it or a newer one",
        version, kVersion));
  }
  header.segment_id = load_le<uint64_t>(in + 16);
  header.file_bytes = load_le<uint64_t>(in + 24);
  std::memcpy(header.log_id.bytes.data(), in + 32, header.log_id.bytes.size());
  header.previous_segment = load_le<uint64_t>(in + 48);
  header.previous_end = load_le<uint64_t>(in + 56);
  header.previous_crc = load_le<uint32_t>(in + 64);
  if (load_le<uint32_t>(in + 12) != kSegmentHeaderBytes || header.segment_id == 0 ||
      header.file_bytes < kSegmentHeaderBytes || header.file_bytes > UINT32_MAX) {
    return corruption("the segment header contradicts itself");
  }
  return header;
}

uint32_t segment_seed(const Id& log_id, uint64_t segment_id) {
  char covered[24];
  std::memcpy(covered, log_id.bytes.data(), log_id.bytes.size());
  store_le<uint64_t>(covered + 16, segment_id);
  return crc32c(0, covered, sizeof(covered));
}

void encode_record_header(uint32_t seed, uint64_t offset, RecordHeader* header, char* out) {
  store_le<uint32_t>(out + 4, header->payload_crc);
  store_le<uint32_t>(out + 8, header->payload_bytes);
  store_le<uint32_t>(out + 12, static_cast<uint32_t>(header->type));
  store_le<uint32_t>(out + 16, header->previous_crc);
  store_le<uint32_t>(out + 20, header->synced);
  header->crc = record_crc(seed, offset, out);
  store_le<uint32_t>(out, header->crc);
}

bool decode_record_header(uint32_t seed, uint64_t offset, const char* in, RecordHeader* header) {
  const auto word = load_le<uint32_t>(in + 12);
  if (!is_known_type(word)) return false;
  header->crc = load_le<uint32_t>(in);
  if (header->crc != record_crc(seed, offset, in)) return false;
  header->payload_crc = load_le<uint32_t>(in + 4);
  header->payload_bytes = load_le<uint32_t>(in + 8);
  header->type = static_cast<RecordType>(word);
  header->previous_crc = load_le<uint32_t>(in + 16);
  header->synced = load_le<uint32_t>(in + 20);
  return true;
}

}  // namespace firn::wal
