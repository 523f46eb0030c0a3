#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "env/env.h"

namespace firn {

class FaultPlan;

// The calls that can fail.
enum class IoKind : uint8_t {
  kOpen,
  kRead,
  kWrite,
  kSync,
  kTruncate,
  kAllocate,
  kSize,
  kRemove,
  kRename,
  kSyncDirectory,
  kCreateDirectories,
  kRemoveDirectory,
  kListDirectory,
  kExists,
  kLock,
  kFreeSpace,
};
inline constexpr size_t kIoKinds = 16;

// "sync_directory".
std::string_view io_kind_name(IoKind kind);

// Calls of one kind on paths that differ only in their numbers.
struct IoSite {
  IoKind kind;
  std::string pattern;  // the path, with '#' for every run of digits
  uint64_t calls = 0;
  uint64_t failed = 0;  // of them, by our doing

  std::string to_string() const;  // "sync /data/wal/#.log: 12 calls, 1 failed"
};

// Decorates another Env and makes chosen calls fail.
//
//   FaultEnv env(posix_env());       // or a SimEnv
//   for (uint64_t n = 1; ; ++n) {    // every call fails, once
//     env.heal();
//     env.fail_once(env.io_count() + n, io_error("injected"));
//     run the workload, see that nothing acknowledged is lost;
//     if (env.faults_injected() == 0) break;  // the workload ended before the call came
//   }
//
// Calls are numbered from 1 in the order they arrive; io_count() is the last number. A call that
// fails is not passed on, so nothing happens to the disk, except as said at write_prefix(). Real
// errors of the decorated Env pass through.
//
// Threads: any. Hooks run on the thread of the call, without locks held.
class FaultEnv final : public Env {
 public:
  // `base` must outlive this. Files may outlive this; their calls then always pass through.
  explicit FaultEnv(Env* base);
  ~FaultEnv() override;
  FaultEnv(const FaultEnv&) = delete;
  FaultEnv& operator=(const FaultEnv&) = delete;

  // Env.
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status remove(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list_directory(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock_file(const std::string& path) override;
  Result<uint64_t> free_space(const std::string& path) override;
  bool has_real_paths() const override { return base_->has_real_paths(); }
  TimeNs now() override { return base_->now() + jumped_.load(); }
  TimeNs monotonic() override { return base_->monotonic(); }
  uint64_t random_u64() override { return base_->random_u64(); }
  std::optional<std::string> environment_variable(const std::string& name) override {
    return base_->environment_variable(name);
  }
  std::unique_ptr<Worker> start_worker(std::string name, std::function<void()> step) override {
    return base_->start_worker(std::move(name), std::move(step));
  }

  // --- Faults. All stay until they are used up or heal() is called. ----------------------------

  // The call with this number fails; several may be planned.
  void fail_once(uint64_t call, Status status);
  // This call and every later one fails; replaces an earlier plan of this sort.
  void fail_from(uint64_t call, Status status);
  // The next `count` calls of this kind whose path contains `path_part` fail (UINT64_MAX: all). For
  // renames both paths count. The first plan that matches is taken.
  void fail_matching(IoKind kind, std::string path_part, uint64_t count, Status status);
  // From now on the wall clock shows so much more, or less.
  void jump_wall_clock(DurationNs by) { jumped_.fetch_add(by); }
  // Plans nothing any more, and sets faults_injected() to 0.
  void heal();
  // How many calls were made to fail since the last heal().
  uint64_t faults_injected() const;

  // Which kinds get numbers; the default is all. Others can still fail by fail_matching().
  void count_only(std::initializer_list<IoKind> kinds);
  // Whether a failing write first writes a part of its bytes (half, rounded up), as a full disk or
  // a broken one does. Default: no.
  void write_prefix(bool write);

  // Called before every sync and sync_directory, failing or not: the place to be slow.
  void before_sync(std::function<void(const std::string& path)> hook);
  // Called after every sync (not of directories) that we made fail; see
  // SimEnv::forget_unsynced().
  void on_failed_sync(std::function<void(const std::string& path)> hook);

  // --- Counts ----------------------------------------------------------------------------------

  // The number of the last call.
  uint64_t io_count() const;
  // Calls of one kind, whether they have numbers or not.
  uint64_t io_count(IoKind kind) const;
  // All sites that were called, in order of kind and pattern. A test that makes every call fail
  // prints those with failed == 0: nobody knows what happens there.
  std::vector<IoSite> sites() const;

 private:
  Env* const base_;
  const std::shared_ptr<FaultPlan> plan_;
  std::atomic<DurationNs> jumped_{0};
};

}  // namespace firn
