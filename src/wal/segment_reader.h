#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"
#include "wal/format.h"

namespace firn::wal {

struct Record {
  RecordType type = RecordType::kData;
  uint64_t offset = 0;
  uint64_t synced = 0;
  ByteView payload;  // valid until the next call of the reader
};

// Reads the header of the segment file at `path`. kCorruption and kUnsupported name the file; so
// does a header that belongs to another segment than `segment_id`.
Result<SegmentHeader> read_segment_header(Env* env, const std::string& path, uint64_t segment_id);

// Walks over the records of one segment. Holds one chunk in memory, or one record where that is
// larger. Not thread-safe; the Env must outlive it. Never writes.
class SegmentReader {
 public:
  static Result<std::unique_ptr<SegmentReader>> open(Env* env, const std::string& path,
                                                     const SegmentHeader& header);

  // True: the next record, intact and chained to the one before. False: there is none at offset();
  // why_not() says what is there instead. A Status only when the file cannot be read.
  Result<bool> next(Record* record);
  const char* why_not() const { return why_not_; }

  // Finds the first intact record header at or after `offset` whatever chain it belongs to; its
  // payload was not looked at. Nothing when there is none before the end of the file.
  struct Found {
    uint64_t offset = 0;
    RecordHeader header;
  };
  Result<std::optional<Found>> find_header(uint64_t offset);

  // Goes on at a found header, whatever it is chained to.
  void seek(const Found& found);

  const std::string& path() const { return path_; }
  uint64_t offset() const { return offset_; }      // where the next record is expected
  uint32_t last_crc() const { return last_crc_; }  // of the record before offset()
  uint64_t limit() const { return limit_; }        // no byte of the segment lies at or after it
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  SegmentReader(std::string path, std::unique_ptr<File> file, const SegmentHeader& header,
                uint64_t file_bytes);
  // The bytes from `offset` on: at least `size`, fewer only at the limit.
  Result<ByteView> view(uint64_t offset, uint64_t size);
  Result<bool> refuse(const char* why_not);

  std::string path_;
  std::unique_ptr<File> file_;
  uint32_t seed_;
  uint64_t file_bytes_;
  uint64_t limit_;
  uint64_t offset_ = kSegmentHeaderBytes;
  uint32_t last_crc_;
  uint64_t group_begin_ = kSegmentHeaderBytes;
  const char* why_not_ = "";
  std::string buffer_;
  uint64_t buffer_offset_ = 0;
  size_t buffer_bytes_ = 0;
};

}  // namespace firn::wal
