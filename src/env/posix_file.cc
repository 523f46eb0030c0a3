#include "env/posix_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <utility>

#include "base/mutant.h"
#include "base/mutex.h"
#include "base/size.h"
#include "env/posix_direct_file.h"
#include "env/posix_error.h"

namespace firn {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr size_t kMaxParts = 64;           // parts of one pwritev; the kernel takes up to 1024
constexpr size_t kZeroBytes = 256 * kKiB;  // written at once where blocks cannot be reserved

class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~PosixFile() override { ::close(descriptor_); }

  using File::write_at;
  Result<size_t> read_at(uint64_t offset, void* out, size_t size) const override;
  Status write_at(uint64_t offset, std::span<const ByteView> parts) override;
  Status sync() override;
  Status truncate(uint64_t size) override;
  Status allocate(uint64_t size) override;
  Result<uint64_t> size() const override;

 private:
  Status write_zeros(uint64_t from, uint64_t to);

  const int descriptor_;
  const std::string path_;
};

Result<size_t> PosixFile::read_at(uint64_t offset, void* out, size_t size) const {
  size_t done = 0;
  while (done < size) {
    const ssize_t count = retry_interrupted([&] {
      return ::pread(descriptor_, static_cast<char*>(out) + done, size - done,
                     static_cast<off_t>(offset + done));
    });
    if (count < 0) return posix_error("read", path_, errno);
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

Status PosixFile::write_at(uint64_t offset, std::span<const ByteView> parts) {
  size_t part = 0;
  size_t part_done = 0;  // bytes of parts[part] already written
  while (true) {
    std::array<iovec, kMaxParts> vectors;
    size_t count = 0;
    for (size_t i = part; i < parts.size() && count < kMaxParts; ++i) {
      const ByteView rest = i == part ? parts[i].substr(part_done) : parts[i];
      if (rest.empty()) continue;
      vectors[count++] = {const_cast<char*>(rest.data()), rest.size()};
    }
    if (count == 0) return {};
    const ssize_t written = retry_interrupted([&] {
      return ::pwritev(descriptor_, vectors.data(), static_cast<int>(count),
                       static_cast<off_t>(offset));
    });
    if (written < 0) return posix_error("write", path_, errno);
    if (written == 0) return io_error("write " + path_ + ": the system wrote nothing");
    if (mutant(4)) return {};
    offset += static_cast<uint64_t>(written);
    auto left = static_cast<size_t>(written);
    // Empty parts are passed over here too, so that part_done never points past the end of one.
    while (part < parts.size() && left >= parts[part].size() - part_done) {
      left -= parts[part].size() - part_done;
      ++part;
      part_done = 0;
    }
    part_done += left;
  }
}

Status PosixFile::sync() {
  if (retry_interrupted([&] { return ::fdatasync(descriptor_); }) != 0) {
    return posix_error("sync", path_, errno);
  }
  return {};
}

Status PosixFile::truncate(uint64_t size) {
  if (retry_interrupted([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) != 0) {
    return posix_error("truncate", path_, errno);
  }
  return {};
}

Status PosixFile::allocate(uint64_t size) {
  if (size == 0) return {};
  FIRN_ASSIGN(const uint64_t old_size, this->size());
  Status status;
  if (retry_interrupted([&] { return ::fallocate(descriptor_, 0, 0, static_cast<off_t>(size)); }) !=
      0) {
    status =
        errno == EOPNOTSUPP ? write_zeros(old_size, size) : posix_error("allocate", path_, errno);
  }
  // Give back what a half-done reservation took: the disk is full then.
  if (!status.ok()) (void)truncate(old_size);
  return status;
}

// Some file systems cannot reserve blocks; there the zeros are really written.
Status PosixFile::write_zeros(uint64_t from, uint64_t to) {
  const std::string zeros(kZeroBytes, '\0');
  while (from < to) {
    const size_t count = std::min<uint64_t>(kZeroBytes, to - from);
    FIRN_TRY(write_at(from, ByteView(zeros).substr(0, count)));
    from += count;
  }
  return {};
}

Result<uint64_t> PosixFile::size() const {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) return posix_error("stat", path_, errno);
  return static_cast<uint64_t>(info.st_size);
}

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kReadWriteDirect:
      return O_RDWR | O_DIRECT;
  }
  return O_RDONLY;
}

// flock() belongs to the open file, so that a second holder in this process would be refused by the
// system too; but file systems that only pretend to know it (NFS) tell processes apart, not
// holders. The table does not depend on them. It is never destroyed: locks may outlive statics.
using FileIdentity = std::pair<dev_t, ino_t>;
struct HeldLocks {
  Mutex mutex;
  std::set<FileIdentity> files GUARDED_BY(mutex);
};
HeldLocks& held_locks() {
  static auto* locks = new HeldLocks;
  return *locks;
}

class PosixFileLock final : public FileLock {
 public:
  PosixFileLock(int descriptor, FileIdentity identity)
      : descriptor_(descriptor), identity_(identity) {}
  ~PosixFileLock() override {
    HeldLocks& held = held_locks();
    MutexLock lock(&held.mutex);
    ::close(descriptor_);
    held.files.erase(identity_);
  }

 private:
  const int descriptor_;
  const FileIdentity identity_;
};

}  // namespace

Result<std::unique_ptr<File>> open_posix_file(const std::string& path, OpenMode mode) {
  const int descriptor = retry_interrupted(
      [&] { return ::open(path.c_str(), open_flags(mode) | O_CLOEXEC | O_NOCTTY, kFileMode); });
  if (descriptor < 0) {
    if (errno == EEXIST) return conflict("create " + path + ": it exists already");
    if (errno == EINVAL && mode == OpenMode::kReadWriteDirect) {
      return unsupported("open " + path + ": the file system cannot write past the page cache");
    }
    return posix_error("open", path, errno);
  }
  if (mode == OpenMode::kReadWriteDirect) return make_posix_direct_file(descriptor, path);
  auto file = std::make_unique<PosixFile>(descriptor, path);
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return posix_error("stat", path, errno);
  // A directory can be opened for reading, and every use of it would then fail less clearly.
  if (S_ISDIR(info.st_mode)) return posix_error("open", path, EISDIR);
  return Result<std::unique_ptr<File>>(std::move(file));
}

Result<std::unique_ptr<FileLock>> lock_posix_file(const std::string& path) {
  const int descriptor = retry_interrupted(
      [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, kFileMode); });
  if (descriptor < 0) return posix_error("open", path, errno);
  HeldLocks& held = held_locks();
  MutexLock lock(&held.mutex);
  const auto give_up = [descriptor](Status status) {
    ::close(descriptor);
    return status;
  };
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return give_up(posix_error("stat", path, errno));
  const FileIdentity identity{info.st_dev, info.st_ino};
  if (held.files.contains(identity)) {
    return give_up(conflict("lock " + path + ": this process holds it already"));
  }
  if (retry_interrupted([&] { return ::flock(descriptor, LOCK_EX | LOCK_NB); }) != 0) {
    if (errno == EWOULDBLOCK) {
      return give_up(conflict("lock " + path + ": another process holds it"));
    }
    return give_up(posix_error("lock", path, errno));
  }
  held.files.insert(identity);
  return Result<std::unique_ptr<FileLock>>(std::make_unique<PosixFileLock>(descriptor, identity));
}

}  // namespace firn
