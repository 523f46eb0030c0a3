#include "wal/segment_writer.h"

#include <utility>

#include "base/mutant.h"
#include "base/status.h"

namespace firn::wal {
namespace {

// Smaller parts are copied together: cheaper than an entry of their own in the write call.
constexpr size_t kCopiedPartBytesMax = 4096;

}  // namespace

SegmentWriter::SegmentWriter(std::unique_ptr<File> file, const SegmentHeader& header,
                             uint64_t offset, uint32_t last_crc)
    : file_(std::move(file)),
      header_(header),
      seed_(segment_seed(header.log_id, header.segment_id)),
      offset_(offset),
      group_begin_(offset),
      written_(offset),
      last_crc_(last_crc) {}

std::unique_ptr<SegmentWriter> SegmentWriter::begin(std::unique_ptr<File> file,
                                                    SegmentHeader* header) {
  std::string block(kSegmentHeaderBytes, '\0');
  encode_segment_header(header, block.data());
  auto writer =
      std::make_unique<SegmentWriter>(std::move(file), *header, kSegmentHeaderBytes, header->crc);
  writer->written_ = 0;
  writer->stage(block);
  return writer;
}

void SegmentWriter::stage(ByteView bytes) {
  if (pieces_.empty() || pieces_.back().outside != nullptr) {
    pieces_.push_back({nullptr, staging_.size(), 0});
  }
  staging_.append(bytes);
  pieces_.back().bytes += bytes.size();
}

uint64_t SegmentWriter::add(RecordType type, std::span<const ByteView> parts,
                            uint32_t payload_crc) {
  RecordHeader header;
  header.payload_crc = payload_crc;
  uint64_t payload_bytes = 0;
  for (const ByteView part : parts) payload_bytes += part.size();
  FIRN_CHECK(payload_bytes <= kPayloadBytesMax);
  FIRN_CHECK(offset_ + record_bytes(payload_bytes) <= header_.file_bytes);
  header.payload_bytes = static_cast<uint32_t>(payload_bytes);
  header.type = type;
  header.previous_crc = last_crc_;
  header.synced = static_cast<uint32_t>(group_begin_);
  char encoded[kRecordHeaderBytes];
  encode_record_header(seed_, offset_, &header, encoded);

  stage({encoded, sizeof(encoded)});
  for (const ByteView part : parts) {
    if (part.size() <= kCopiedPartBytesMax) {
      stage(part);
    } else {
      pieces_.push_back({part.data(), 0, part.size()});
    }
  }
  constexpr char kPadding[kAlignmentBytes] = {};
  stage({kPadding, record_bytes(payload_bytes) - kRecordHeaderBytes - payload_bytes});
  const uint64_t offset = offset_;
  offset_ += record_bytes(payload_bytes);
  last_crc_ = header.crc;
  return offset;
}

Status SegmentWriter::write() {
  parts_.clear();
  for (const Piece& piece : pieces_) {
    const char* data = piece.outside != nullptr ? piece.outside : staging_.data() + piece.begin;
    parts_.emplace_back(data, piece.bytes);
  }
  Status status = file_->write_at(written_, parts_);
  written_ = offset_;
  staging_.clear();
  pieces_.clear();
  return status;
}

Status SegmentWriter::sync() {
  FIRN_CHECK(written_ == offset_);
  if (!mutant(1)) FIRN_TRY(file_->sync());
  group_begin_ = offset_;
  return {};
}

// They are not part of the chain: what is appended next overwrites them.
void SegmentWriter::stage_witnesses() {
  uint64_t at = offset_;
  for (int i = 0; i < kWitnesses; ++i) {
    const uint64_t place = align_up(at, kBlockBytes);
    if (place + kRecordHeaderBytes > header_.file_bytes) return;
    stage(std::string(place - at, '\0'));
    RecordHeader header;
    header.type = RecordType::kWitness;
    header.previous_crc = last_crc_;
    header.synced = static_cast<uint32_t>(group_begin_);
    char encoded[kRecordHeaderBytes];
    encode_record_header(seed_, place, &header, encoded);
    stage({encoded, sizeof(encoded)});
    at = place + kRecordHeaderBytes;
  }
}

Status SegmentWriter::mark(RecordType type) {
  FIRN_CHECK(group_bytes() == 0);
  add(type, {}, 0);
  if (type != RecordType::kEnd) stage_witnesses();
  FIRN_TRY(write());
  return sync();
}

}  // namespace firn::wal
