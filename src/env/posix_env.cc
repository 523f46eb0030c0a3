#include "env/posix_env.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "env/posix_error.h"
#include "env/posix_file.h"
#include "env/posix_space.h"
#include "env/posix_worker.h"

namespace firn {
namespace {

constexpr mode_t kDirectoryMode = 0700;

// Asked of the kernel at once, per thread: most of the price of a small request is the call.
constexpr size_t kRandomBytes = 4096;

// Creates the last component. False when it was there.
Result<bool> create_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) == 0) return true;
  const int error = errno;
  struct stat info {};
  if (error == EEXIST || error == EACCES || error == EROFS || error == EPERM) {
    // A directory above the ones we may write to answers with "permission denied" first.
    if (::stat(path.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) return false;
      return posix_error("create directory", path, ENOTDIR);
    }
  }
  return posix_error("create directory", path, error);
}

}  // namespace

Env* posix_env() {
  static auto* env = new PosixEnv;  // never destroyed: workers of other statics may use it
  return env;
}

Result<std::unique_ptr<File>> PosixEnv::open(const std::string& path, OpenMode mode) {
  return open_posix_file(path, mode);
}

Status PosixEnv::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return posix_error("remove", path, errno);
  return {};
}

Status PosixEnv::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return posix_error("rename " + from + " to", to, errno);
  }
  return {};
}

Status PosixEnv::sync_directory(const std::string& path) {
  const int descriptor =
      retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) return posix_error("open directory", path, errno);
  const int result = retry_interrupted([&] { return ::fsync(descriptor); });
  const int error = errno;
  ::close(descriptor);
  if (result != 0) return posix_error("sync directory", path, error);
  return {};
}

Status PosixEnv::create_directories(const std::string& path) {
  if (path.empty()) return posix_error("create directory", path, ENOENT);
  for (size_t end = 0; end < path.size();) {
    end = path.find('/', end + 1);
    if (end == std::string::npos) end = path.size();
    const std::string directory = path.substr(0, end);
    if (directory.back() == '/') continue;  // "/" itself, or the second slash of "a//b"
    FIRN_ASSIGN(const bool created, create_directory(directory));
    const std::string parent = parent_path(directory);
    if (created || ::access(parent.c_str(), W_OK) == 0) FIRN_TRY(sync_directory(parent));
  }
  return {};
}

Status PosixEnv::remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) != 0) return posix_error("remove directory", path, errno);
  return {};
}

Result<std::vector<DirectoryEntry>> PosixEnv::list_directory(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (directory == nullptr) return posix_error("open directory", path, errno);
  std::vector<DirectoryEntry> entries;
  while (true) {
    errno = 0;
    const dirent* found = ::readdir(directory.get());
    if (found == nullptr) {
      if (errno != 0) return posix_error("read directory", path, errno);
      break;
    }
    std::string name = found->d_name;
    if (name == "." || name == "..") continue;
    struct stat info {};
    const int at = ::dirfd(directory.get());
    if (::fstatat(at, name.c_str(), &info, 0) != 0 &&
        ::fstatat(at, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return posix_error("stat", join_path(path, name), errno);
    }
    const bool is_directory = S_ISDIR(info.st_mode);
    const uint64_t size = is_directory ? 0 : static_cast<uint64_t>(info.st_size);
    entries.push_back({std::move(name), is_directory, size});
  }
  std::sort(entries.begin(), entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  return entries;
}

Result<bool> PosixEnv::exists(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return posix_error("stat", path, errno);
}

Result<std::unique_ptr<FileLock>> PosixEnv::lock_file(const std::string& path) {
  return lock_posix_file(path);
}

Result<uint64_t> PosixEnv::free_space(const std::string& path) {
  FIRN_ASSIGN(const FileSystemSpace space, file_system_space(path));
  return space.available_bytes;
}

TimeNs PosixEnv::now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * kSecondNs + now.tv_nsec;
}

TimeNs PosixEnv::monotonic() { return posix_monotonic(); }

uint64_t PosixEnv::random_u64() {
  struct Buffer {
    std::array<uint64_t, kRandomBytes / sizeof(uint64_t)> words{};
    size_t used = kRandomBytes / sizeof(uint64_t);
  };
  thread_local Buffer buffer;
  if (buffer.used == buffer.words.size()) {
    for (size_t done = 0; done < kRandomBytes;) {
      char* out = reinterpret_cast<char*>(buffer.words.data()) + done;
      const ssize_t count =
          retry_interrupted([&] { return ::getrandom(out, kRandomBytes - done, 0); });
      // Without random bits ids could repeat and secrets could be guessed.
      FIRN_CHECK(count > 0);
      done += static_cast<size_t>(count);
    }
    buffer.used = 0;
  }
  return std::exchange(buffer.words[buffer.used++], 0);
}

std::optional<std::string> PosixEnv::environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::unique_ptr<Worker> PosixEnv::start_worker(std::string name, std::function<void()> step) {
  return start_posix_worker(std::move(name), std::move(step));
}

}  // namespace firn
