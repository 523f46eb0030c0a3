#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"
#include "wal/format.h"

namespace firn::wal {

// Appends groups of records to one segment: add() any number, write() what was added with one call
// (a group may be written in several), sync().
// After a failed write or sync it must not be used again. One thread.
class SegmentWriter {
 public:
  // Writes from `offset` on, behind a record (or header) with checksum `last_crc`; everything
  // before has been synced, or will be together with the first group.
  SegmentWriter(std::unique_ptr<File> file, const SegmentHeader& header, uint64_t offset,
                uint32_t last_crc);

  // Begins a segment: the header, whose crc is set here, is written with the first records.
  static std::unique_ptr<SegmentWriter> begin(std::unique_ptr<File> file, SegmentHeader* header);

  // Whether a data record with this payload has room, with the reserve behind it.
  bool fits(uint64_t payload_bytes) const {
    return offset_ + record_bytes(payload_bytes) + kReservedBytes <= header_.file_bytes;
  }
  // Whether a record without payload has room, with an end record behind it.
  bool fits_mark() const { return offset_ + 2 * kRecordHeaderBytes <= header_.file_bytes; }

  // Adds a record to the group and returns its offset. The parts' bytes, whose crc32c the caller
  // tells, must stay until write().
  uint64_t add(RecordType type, std::span<const ByteView> parts, uint32_t payload_crc);
  uint64_t group_bytes() const { return offset_ - group_begin_; }
  Status write();
  Status sync();
  // One record without payload as a group of its own, written and synced, with its witnesses
  // behind it as far as there is room.
  Status mark(RecordType type);

  const SegmentHeader& header() const { return header_; }
  uint64_t offset() const { return offset_; }  // where the next record goes
  uint32_t last_crc() const { return last_crc_; }

 private:
  // A stretch of the group: bytes of staging_ when `outside` is null.
  struct Piece {
    const char* outside;
    size_t begin;
    size_t bytes;
  };
  void stage(ByteView bytes);
  void stage_witnesses();

  std::unique_ptr<File> file_;
  const SegmentHeader header_;
  const uint32_t seed_;
  uint64_t offset_;
  uint64_t group_begin_;
  uint64_t written_;  // the group up to here was handed to the file
  uint32_t last_crc_;
  std::string staging_;
  std::vector<Piece> pieces_;
  std::vector<ByteView> parts_;
};

}  // namespace firn::wal
