#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/size.h"
#include "env/env.h"
#include "env/sim_disk.h"
#include "env/sim_random.h"
#include "env/sim_scheduler.h"

namespace firn {

enum class CrashMode : uint8_t;

class SimSnapshot {
 public:
  explicit SimSnapshot(SimDisk disk) : disk_(std::move(disk)) {}
  const SimDisk& disk() const { return disk_; }

 private:
  const SimDisk disk_;
};

// What SimEnv, its files and its locks share: the disk with power, numbers and trace around it. The
// disk's calls come with the process that makes them; those of a process that has ended fail.
// Thread rule: any thread.
class SimMachine {
 public:
  explicit SimMachine(uint64_t seed);

  // --- Calls of the Env, always of the running process.
  struct Opened {
    SimInodePtr inode;
    uint64_t process;
  };
  Result<Opened> open(const std::string& path, OpenMode mode) EXCLUDES(mutex_);
  Status remove(const std::string& path) EXCLUDES(mutex_);
  Status rename(const std::string& from, const std::string& to) EXCLUDES(mutex_);
  Status sync_directory(const std::string& path) EXCLUDES(mutex_);
  Status create_directories(const std::string& path) EXCLUDES(mutex_);
  Status remove_directory(const std::string& path) EXCLUDES(mutex_);
  Result<std::vector<DirectoryEntry>> list_directory(const std::string& path) EXCLUDES(mutex_);
  Result<bool> exists(const std::string& path) EXCLUDES(mutex_);
  // The process that holds the lock now.
  Result<uint64_t> lock_file(const std::string& path) EXCLUDES(mutex_);
  void unlock_file(uint64_t process, const std::string& path) EXCLUDES(mutex_);
  Result<uint64_t> free_space(const std::string& path) EXCLUDES(mutex_);
  uint64_t random_u64() EXCLUDES(mutex_);
  std::optional<std::string> environment_variable(const std::string& name) EXCLUDES(mutex_);

  // --- Calls of files.
  struct Handle {
    uint64_t process;
    SimInodePtr inode;
    std::string path;
  };
  Result<size_t> read(const Handle& file, uint64_t offset, void* out, size_t size) EXCLUDES(mutex_);
  Status write(const Handle& file, uint64_t offset, std::span<const ByteView> parts)
      EXCLUDES(mutex_);
  Status sync(const Handle& file) EXCLUDES(mutex_);
  Status truncate(const Handle& file, uint64_t size) EXCLUDES(mutex_);
  Status allocate(const Handle& file, uint64_t size) EXCLUDES(mutex_);
  Result<uint64_t> size(const Handle& file) EXCLUDES(mutex_);

  // --- For tests; see sim_env.h.
  void crash_at(uint64_t call) EXCLUDES(mutex_);
  void cut_power() EXCLUDES(mutex_);
  bool has_power() const EXCLUDES(mutex_);
  void crash(CrashMode mode, uint64_t seed) EXCLUDES(mutex_);
  uint64_t io_count() const EXCLUDES(mutex_);
  void count_reads(bool count) EXCLUDES(mutex_);
  uint64_t trace_hash() const EXCLUDES(mutex_);
  void keep_trace() EXCLUDES(mutex_);
  std::vector<std::string> trace() const EXCLUDES(mutex_);
  void set_capacity(uint64_t bytes) EXCLUDES(mutex_);
  void set_environment_variable(const std::string& name, std::optional<std::string> value)
      EXCLUDES(mutex_);
  std::vector<std::string> all_files() const EXCLUDES(mutex_);
  std::vector<std::string> unsynced_paths() const EXCLUDES(mutex_);
  std::string raw_content(const std::string& path) const EXCLUDES(mutex_);
  void set_raw_content(const std::string& path, ByteView content) EXCLUDES(mutex_);
  void flip_bit(const std::string& path, uint64_t bit) EXCLUDES(mutex_);
  void forget_unsynced(const std::string& path) EXCLUDES(mutex_);
  std::shared_ptr<const SimSnapshot> snapshot() const EXCLUDES(mutex_);
  void restore(const SimSnapshot& snapshot) EXCLUDES(mutex_);
  // Ends the process: files and locks are dead, and the power stays off.
  void shut_down() EXCLUDES(mutex_);

  const std::shared_ptr<SimScheduler>& scheduler() const { return scheduler_; }
  bool run_one() EXCLUDES(mutex_);

 private:
  struct Call {
    std::string_view operation;
    const std::string& path;
    uint64_t offset = 0;
    uint64_t size = 0;
    uint32_t checksum = 0;
  };
  // Whether the running process may call at all.
  Status check_process(std::string_view operation, const std::string& path) const REQUIRES(mutex_);
  Status check_handle(std::string_view operation, const Handle& file) const REQUIRES(mutex_);
  // Gives the call its number. Fails when the power goes at this number.
  Status begin(const Call& call) REQUIRES(mutex_);
  // As begin(), where reads have numbers.
  Status begin_read(const Call& call) REQUIRES(mutex_);
  void record(const std::string& line) REQUIRES(mutex_);
  // How much of a write up to `end` fits on the disk.
  uint64_t fitting_end(const SimInode& file, uint64_t end) const REQUIRES(mutex_);
  Result<SimInodePtr> open_inode(const std::string& path, OpenMode mode) REQUIRES(mutex_);
  Status create_directory(const std::string& path, bool* missing) REQUIRES(mutex_);
  void end_process() REQUIRES(mutex_);
  // REQUIRES that the file exists.
  SimInode* existing_file(const std::string& path) const REQUIRES(mutex_);

  const std::shared_ptr<SimScheduler> scheduler_;
  mutable Mutex mutex_;
  SimDisk disk_ GUARDED_BY(mutex_);
  SimRandom random_ GUARDED_BY(mutex_);
  bool power_ GUARDED_BY(mutex_) = true;
  uint64_t process_ GUARDED_BY(mutex_) = 1;
  uint64_t io_count_ GUARDED_BY(mutex_) = 0;
  uint64_t crash_at_ GUARDED_BY(mutex_) = 0;
  bool count_reads_ GUARDED_BY(mutex_) = false;
  uint64_t capacity_ GUARDED_BY(mutex_) = 1024 * kGiB;
  bool has_capacity_ GUARDED_BY(mutex_) = false;  // set by a test: writes must fit
  uint64_t trace_hash_ GUARDED_BY(mutex_) = 0;
  bool keep_trace_ GUARDED_BY(mutex_) = false;
  std::vector<std::string> trace_ GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> locks_ GUARDED_BY(mutex_);     // path -> process
  std::map<std::string, size_t> dead_locks_ GUARDED_BY(mutex_);  // path -> how many exist
  std::map<std::string, std::string> variables_ GUARDED_BY(mutex_);
};

}  // namespace firn
