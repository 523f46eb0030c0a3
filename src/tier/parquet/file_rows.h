#pragma once

#include "base/size.h"
#include "tier/parquet/parquet_files.h"
#include "tier/tier.h"

namespace firn {

// Packed about a GiB, at most what merges make.
inline constexpr uint64_t kFileRawBytes = 4 * kGiB;

// Rows that become a chunk's files, one file after the other, and what these have to say of them.
// Thread rule: one thread at a time.
class FileRows : public BatchReader {
 public:
  // Leaves out rows at or below `watermark`. A file ends behind so many raw bytes.
  FileRows(const ChunkKey& key, const RowStream& stream, Position watermark,
           uint64_t file_bytes = kFileRawBytes)
      : key_(key), stream_(stream), file_bytes_(file_bytes), last_(watermark) {}

  // The rows of the next file from here on.
  void begin_file();
  // Rows until the file is as large as one should be, or all. kInternal for what Tier::write() may
  // not be given; errors of the stream's reader.
  Result<bool> next(BatchSlice* out) override;

  // Whether a file took the last row.
  bool has_ended() const { return has_ended_; }
  // What is expected of a file that takes all that the stream announced.
  ParquetFileStats about() const;
  // Of the rows that the file took.
  const ParquetFileStats& stats() const { return stats_; }
  // The last position that the files up to here account for.
  Position last() const { return last_; }

 private:
  // The next slice with fresh rows into `ahead_`; none at the end.
  Status look_ahead();

  const ChunkKey key_;
  const RowStream stream_;
  const uint64_t file_bytes_;
  BatchSlice ahead_;  // without a batch: none
  bool has_begun_ = false, has_ended_ = false;
  Position seen_ = 0;  // the last position of the stream
  Position last_;
  ParquetFileStats stats_;
};

}  // namespace firn
