#include "env/posix_direct_file.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/size.h"
#include "env/posix_error.h"
#include "env/posix_file.h"

namespace firn {
namespace {

// What offsets, sizes and addresses past the page cache must be a multiple of: the largest logical
// block of today's disks.
constexpr uint64_t kBlockBytes = 4 * kKiB;

// Memory whose address is a multiple of kBlockBytes.
class AlignedBuffer {
 public:
  ~AlignedBuffer() { std::free(bytes_); }
  AlignedBuffer() = default;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  char* bytes() const { return bytes_; }
  // Makes room, keeping the first `kept` bytes.
  void reserve(size_t size, size_t kept) {
    if (size <= capacity_) return;
    const size_t capacity = align_up(std::max(size, capacity_ * 2), kBlockBytes);
    auto* bytes = static_cast<char*>(std::aligned_alloc(kBlockBytes, capacity));
    FIRN_CHECK(bytes != nullptr);
    if (kept > 0) std::memcpy(bytes, bytes_, kept);
    std::free(bytes_);
    bytes_ = bytes;
    capacity_ = capacity;
  }

 private:
  char* bytes_ = nullptr;
  size_t capacity_ = 0;
};

class PosixDirectFile final : public File {
 public:
  PosixDirectFile(int descriptor, std::string path)
      : descriptor_(descriptor), path_(std::move(path)) {}
  ~PosixDirectFile() override { ::close(descriptor_); }

  using File::write_at;
  Result<size_t> read_at(uint64_t, void*, size_t) const override { return only_writes("read"); }
  Status write_at(uint64_t offset, std::span<const ByteView> parts) override;
  Status sync() override { return {}; }  // every write is durable when it returns
  Status truncate(uint64_t) override { return only_writes("truncate"); }
  Status allocate(uint64_t) override { return only_writes("allocate"); }
  Result<uint64_t> size() const override;

 private:
  Status only_writes(const char* call) const {
    return unsupported(std::string(call) + " " + path_ + ": the file is open for direct writing");
  }
  // Puts what the file holds between the beginning of the block and `offset` at the front of the
  // buffer.
  Status load_head(uint64_t block, uint64_t offset);
  Status write_blocks(uint64_t block, size_t size);

  const int descriptor_;
  const std::string path_;
  AlignedBuffer buffer_;
  // The block that the last write ended in is at the front of the buffer; UINT64_MAX: none is.
  uint64_t held_block_ = UINT64_MAX;
};

Status PosixDirectFile::load_head(uint64_t block, uint64_t offset) {
  if (offset == block || held_block_ == block) return {};
  buffer_.reserve(kBlockBytes, 0);
  const ssize_t count = retry_interrupted([&] {
    return ::pread(descriptor_, buffer_.bytes(), kBlockBytes, static_cast<off_t>(block));
  });
  if (count < 0) return posix_error("read", path_, errno);
  const auto got = static_cast<size_t>(count);
  if (got < kBlockBytes) std::memset(buffer_.bytes() + got, 0, kBlockBytes - got);
  return {};
}

Status PosixDirectFile::write_blocks(uint64_t block, size_t size) {
  size_t done = 0;
  while (done < size) {
    const iovec vector{buffer_.bytes() + done, size - done};
    const ssize_t written = retry_interrupted([&] {
      return ::pwritev2(descriptor_, &vector, 1, static_cast<off_t>(block + done), RWF_DSYNC);
    });
    if (written < 0 && (errno == EOPNOTSUPP || errno == EINVAL)) {
      return unsupported("write " + path_ + ": the file system cannot write past the page cache");
    }
    if (written < 0) return posix_error("write", path_, errno);
    const auto count = static_cast<size_t>(written);
    if (count == 0 || count % kBlockBytes != 0) {
      return io_error("write " + path_ + ": the system wrote " + std::to_string(count) + " bytes");
    }
    done += count;
  }
  return {};
}

Status PosixDirectFile::write_at(uint64_t offset, std::span<const ByteView> parts) {
  uint64_t end = offset;
  for (const ByteView part : parts) end += part.size();
  if (end == offset) return {};
  const uint64_t block = offset / kBlockBytes * kBlockBytes;
  FIRN_TRY(load_head(block, offset));
  const size_t size = align_up(end, kBlockBytes) - block;
  buffer_.reserve(size, offset - block);
  char* to = buffer_.bytes() + (offset - block);
  for (const ByteView part : parts) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  std::memset(to, 0, buffer_.bytes() + size - to);
  held_block_ = UINT64_MAX;
  FIRN_TRY(write_blocks(block, size));
  const uint64_t last_block = align_up(end, kBlockBytes) - kBlockBytes;
  if (last_block != block) {
    std::memcpy(buffer_.bytes(), buffer_.bytes() + (last_block - block), kBlockBytes);
  }
  held_block_ = last_block;
  return {};
}

Result<uint64_t> PosixDirectFile::size() const {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) return posix_error("stat", path_, errno);
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace

std::unique_ptr<File> make_posix_direct_file(int descriptor, std::string path) {
  return std::make_unique<PosixDirectFile>(descriptor, std::move(path));
}

}  // namespace firn
