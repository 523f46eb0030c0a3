#include "wal/segment_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/mutant.h"

namespace firn::wal {
namespace {

constexpr uint64_t kChunkBytes = 1 << 20;

}  // namespace

Result<SegmentHeader> read_segment_header(Env* env, const std::string& path, uint64_t segment_id) {
  FIRN_ASSIGN(const std::unique_ptr<File> file, env->open(path, OpenMode::kRead));
  char block[kSegmentHeaderBytes];
  FIRN_ASSIGN(const size_t size, file->read_at(0, block, sizeof(block)));
  Result<SegmentHeader> header = decode_segment_header({block, size});
  if (!header.ok()) return header.status().with_context(path + ": offset 0");
  if (header->segment_id != segment_id) {
    return corruption(
        fmt::format("{}: offset 16: the file holds segment {}, not the one it is named for", path,
                    header->segment_id));
  }
  return header;
}

Result<std::unique_ptr<SegmentReader>> SegmentReader::open(Env* env, const std::string& path,
                                                           const SegmentHeader& header) {
  FIRN_ASSIGN(std::unique_ptr<File> file, env->open(path, OpenMode::kRead));
  FIRN_ASSIGN(const uint64_t file_bytes, file->size());
  return std::unique_ptr<SegmentReader>(
      new SegmentReader(path, std::move(file), header, file_bytes));
}

SegmentReader::SegmentReader(std::string path, std::unique_ptr<File> file,
                             const SegmentHeader& header, uint64_t file_bytes)
    : path_(std::move(path)),
      file_(std::move(file)),
      seed_(segment_seed(header.log_id, header.segment_id)),
      file_bytes_(file_bytes),
      limit_(std::min(file_bytes, header.file_bytes)),
      last_crc_(header.crc) {}

void SegmentReader::seek(const Found& found) {
  offset_ = found.offset;
  last_crc_ = found.header.previous_crc;
  group_begin_ = found.header.synced;
}

Result<ByteView> SegmentReader::view(uint64_t offset, uint64_t size) {
  if (offset >= limit_) return ByteView();
  const uint64_t wanted = std::min(size, limit_ - offset);
  const bool held = offset >= buffer_offset_ && offset - buffer_offset_ <= buffer_bytes_ &&
                    buffer_bytes_ - (offset - buffer_offset_) >= wanted;
  if (!held) {
    const uint64_t chunk = std::min(std::max(wanted, kChunkBytes), limit_ - offset);
    if (buffer_.size() < chunk) buffer_.resize(chunk);
    buffer_offset_ = offset;
    buffer_bytes_ = 0;
    FIRN_ASSIGN(buffer_bytes_, file_->read_at(offset, buffer_.data(), chunk));
  }
  const size_t begin = offset - buffer_offset_;
  return ByteView(buffer_.data() + begin, buffer_bytes_ - begin);
}

Result<bool> SegmentReader::refuse(const char* why_not) {
  why_not_ = why_not;
  return false;
}

Result<bool> SegmentReader::next(Record* record) {
  FIRN_ASSIGN(ByteView bytes, view(offset_, kRecordHeaderBytes));
  if (bytes.size() < kRecordHeaderBytes) return refuse("the file ends here");
  RecordHeader header;
  if (!decode_record_header(seed_, offset_, bytes.data(), &header)) {
    return refuse("no record of this segment begins here (header checksum)");
  }
  if (header.type == RecordType::kWitness) return refuse("a witness, not a record");
  if (header.previous_crc != last_crc_) return refuse("the record does not follow the one before");
  // A record begins a group or belongs to the one before it.
  if ((header.synced != offset_ && header.synced != group_begin_) ||
      header.payload_bytes > kPayloadBytesMax) {
    return refuse("the record header contradicts itself");
  }
  const uint64_t size = kRecordHeaderBytes + header.payload_bytes;
  if (size + (mutant(7) ? 1 : 0) > limit_ - offset_)
    return refuse("the record runs past the end of the file");
  FIRN_ASSIGN(bytes, view(offset_, size));
  if (bytes.size() < size) return refuse("the file ends within the record");
  const ByteView payload = bytes.substr(kRecordHeaderBytes, header.payload_bytes);
  if (crc32c(payload) != header.payload_crc && !mutant(6))
    return refuse("the payload fails its checksum");

  record->type = header.type;
  record->offset = offset_;
  record->synced = header.synced;
  record->payload = payload;
  offset_ += record_bytes(header.payload_bytes);
  last_crc_ = header.crc;
  group_begin_ = header.synced;
  return true;
}

Result<std::optional<SegmentReader::Found>> SegmentReader::find_header(uint64_t offset) {
  offset = align_up(offset, kAlignmentBytes);
  while (true) {
    FIRN_ASSIGN(const ByteView bytes, view(offset, kRecordHeaderBytes));
    if (bytes.size() < kRecordHeaderBytes) return std::optional<Found>();
    size_t at = 0;
    for (; at + kRecordHeaderBytes <= bytes.size(); at += kAlignmentBytes) {
      Found found;
      if (!decode_record_header(seed_, offset + at, bytes.data() + at, &found.header)) continue;
      found.offset = offset + at;
      if (found.header.synced > found.offset) continue;
      return std::optional<Found>(found);
    }
    offset += at;
  }
}

}  // namespace firn::wal
