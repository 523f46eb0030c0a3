#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "engine/file_end.h"
#include "env/env.h"

namespace firn {

// Reads a Parquet file so that no byte comes out that was not compared with its checksum. Thread
// rule: any number of threads.
class CheckedReader {
 public:
  // `end` is the file's own; readers of one file share it. `bytes_read` (may be null) is added to
  // and must outlive the reader.
  CheckedReader(std::unique_ptr<File> file, std::string path, std::shared_ptr<const FileEnd> end,
                std::atomic<uint64_t>* bytes_read);

  // Reads up to `size` bytes at `offset`; fewer only at the end of the file. Whole blocks are read
  // from the file, and the last one that was needed in part is kept for the next call. kCorruption
  // names the file, the block's range of bytes and the file's positions; otherwise what Env
  // returns. After a failure `out` is unspecified.
  Result<size_t> read_at(uint64_t offset, void* out, size_t size) EXCLUDES(mutex_);
  uint64_t file_bytes() const { return end_->file_bytes(); }

 private:
  // Where the last whole block ends that a read up to `end` covers.
  uint64_t whole_blocks_end(uint64_t end) const;
  uint64_t block_end(uint64_t begin) const;
  // Reads [begin, end) of whole blocks and compares each.
  Status read_blocks(uint64_t begin, uint64_t end, char* out) const;
  Status load_block(uint64_t begin) REQUIRES(mutex_);

  const std::unique_ptr<File> file_;
  const std::string path_;
  const std::shared_ptr<const FileEnd> end_;
  std::atomic<uint64_t>* const bytes_read_;
  Mutex mutex_;
  std::string block_ GUARDED_BY(mutex_);  // empty: none
  uint64_t block_begin_ GUARDED_BY(mutex_) = 0;
};

// Writes a Parquet file from front to back and puts its checksums before the footer. Thread rule:
// one thread.
class CheckedWriter {
 public:
  // `file` is new, and open for reading too.
  CheckedWriter(std::unique_ptr<File> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  Status append(ByteView bytes);
  // Changes metadata as told, writes the rest and syncs. An identity without a name takes that of
  // the path. kInternal when what was appended does not end as Parquet does.
  Status finish(FileIdentity identity, std::span<const ChangedValue> changes = {});
  // What was appended; finish() adds to it.
  uint64_t size() const { return written_ + buffer_.size(); }

 private:
  Status flush();
  void add_checksums(ByteView bytes);
  // What was appended from `begin` on, from the file where it is written already.
  Result<std::string> appended_from(uint64_t begin) const;
  // Whether those bytes, which begin with a block, are what was appended.
  bool is_as_appended(uint64_t begin, ByteView bytes) const;

  const std::unique_ptr<File> file_;
  const std::string path_;
  std::string buffer_;               // not yet written
  uint64_t written_ = 0;             // where it belongs
  std::vector<uint32_t> checksums_;  // of whole blocks
  uint32_t block_checksum_ = 0;      // of the block that is not whole yet
  uint64_t block_filled_ = 0;
};

// Opens a file that somebody counts on: that it is missing is damage. kCorruption names it.
Result<std::unique_ptr<File>> open_known_file(Env* env, const std::string& path);

// Reads the whole file and compares every checksum. Errors of open_known_file(), CheckedReader and
// load_file_end().
Status verify_checked_file(Env* env, const std::string& path);

}  // namespace firn
