#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "env/fault_env.h"

namespace firn {

// What FaultEnv and its files share: which calls are to fail, and which were made. Thread rule:
// any.
class FaultPlan {
 public:
  using PathHook = std::function<void(const std::string&)>;

  FaultPlan();

  // Counts a call and says whether it is to fail. `other_path` only for renames.
  Status call(IoKind kind, const std::string& path, const std::string& other_path = "")
      EXCLUDES(mutex_);
  void run_before_sync(const std::string& path) EXCLUDES(mutex_);
  void run_on_failed_sync(const std::string& path) EXCLUDES(mutex_);
  bool writes_prefix() const EXCLUDES(mutex_);
  // From now on nothing is counted and nothing fails.
  void detach() EXCLUDES(mutex_);

  // See FaultEnv.
  void fail_once(uint64_t call, Status status) EXCLUDES(mutex_);
  void fail_from(uint64_t call, Status status) EXCLUDES(mutex_);
  void fail_matching(IoKind kind, std::string path_part, uint64_t count, Status status)
      EXCLUDES(mutex_);
  void heal() EXCLUDES(mutex_);
  uint64_t faults_injected() const EXCLUDES(mutex_);
  void count_only(std::initializer_list<IoKind> kinds) EXCLUDES(mutex_);
  void write_prefix(bool write) EXCLUDES(mutex_);
  void before_sync(PathHook hook) EXCLUDES(mutex_);
  void on_failed_sync(PathHook hook) EXCLUDES(mutex_);
  uint64_t io_count() const EXCLUDES(mutex_);
  uint64_t io_count(IoKind kind) const EXCLUDES(mutex_);
  std::vector<IoSite> sites() const EXCLUDES(mutex_);

 private:
  struct Matching {
    IoKind kind;
    std::string path_part;
    uint64_t left;
    Status status;
  };
  // The status of the call that has just been counted.
  Status fate(IoKind kind, const std::string& path, const std::string& other_path) REQUIRES(mutex_);

  mutable Mutex mutex_;
  bool detached_ GUARDED_BY(mutex_) = false;
  std::map<uint64_t, Status> once_ GUARDED_BY(mutex_);
  std::optional<std::pair<uint64_t, Status>> from_ GUARDED_BY(mutex_);
  std::vector<Matching> matching_ GUARDED_BY(mutex_);
  uint64_t injected_ GUARDED_BY(mutex_) = 0;
  std::array<bool, kIoKinds> counted_ GUARDED_BY(mutex_);
  bool write_prefix_ GUARDED_BY(mutex_) = false;
  PathHook before_sync_ GUARDED_BY(mutex_);
  PathHook on_failed_sync_ GUARDED_BY(mutex_);
  uint64_t count_ GUARDED_BY(mutex_) = 0;
  std::array<uint64_t, kIoKinds> counts_ GUARDED_BY(mutex_){};
  std::map<std::pair<IoKind, std::string>, IoSite> sites_ GUARDED_BY(mutex_);
};

}  // namespace firn
