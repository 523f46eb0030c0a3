#include "env/fault_plan.h"

#include <fmt/format.h>

namespace firn {
namespace {

constexpr std::array<std::string_view, kIoKinds> kKindNames = {"open",
                                                               "read",
                                                               "write",
                                                               "sync",
                                                               "truncate",
                                                               "allocate",
                                                               "size",
                                                               "remove",
                                                               "rename",
                                                               "sync_directory",
                                                               "create_directories",
                                                               "remove_directory",
                                                               "list_directory",
                                                               "exists",
                                                               "lock",
                                                               "free_space"};

size_t index_of(IoKind kind) { return static_cast<size_t>(kind); }

std::string pattern_of(const std::string& path) {
  std::string pattern;
  for (const char c : path) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) {
      pattern += c;
    } else if (!pattern.ends_with('#')) {
      pattern += '#';
    }
  }
  return pattern;
}

}  // namespace

std::string_view io_kind_name(IoKind kind) { return kKindNames[index_of(kind)]; }

std::string IoSite::to_string() const {
  return fmt::format("{} {}: {} calls, {} failed", io_kind_name(kind), pattern, calls, failed);
}

FaultPlan::FaultPlan() { counted_.fill(true); }

Status FaultPlan::call(IoKind kind, const std::string& path, const std::string& other_path) {
  const MutexLock lock(&mutex_);
  if (detached_) return {};
  ++counts_[index_of(kind)];
  if (counted_[index_of(kind)]) ++count_;
  const std::string pattern =
      other_path.empty() ? pattern_of(path) : pattern_of(path) + " -> " + pattern_of(other_path);
  IoSite& site = sites_.try_emplace({kind, pattern}, IoSite{kind, pattern}).first->second;
  ++site.calls;
  Status status = fate(kind, path, other_path);
  if (status.ok()) return status;
  ++site.failed;
  ++injected_;
  return status.with_context(fmt::format("{} {}", io_kind_name(kind), path));
}

Status FaultPlan::fate(IoKind kind, const std::string& path, const std::string& other_path) {
  if (counted_[index_of(kind)]) {
    if (const auto planned = once_.find(count_); planned != once_.end()) return planned->second;
    if (from_.has_value() && count_ >= from_->first) return from_->second;
  }
  for (Matching& plan : matching_) {
    if (plan.kind != kind || plan.left == 0) continue;
    if (path.find(plan.path_part) == std::string::npos &&
        other_path.find(plan.path_part) == std::string::npos) {
      continue;
    }
    if (plan.left != UINT64_MAX) --plan.left;
    return plan.status;
  }
  return {};
}

void FaultPlan::run_before_sync(const std::string& path) {
  PathHook hook;
  {
    const MutexLock lock(&mutex_);
    if (!detached_) hook = before_sync_;
  }
  if (hook) hook(path);
}

void FaultPlan::run_on_failed_sync(const std::string& path) {
  PathHook hook;
  {
    const MutexLock lock(&mutex_);
    if (!detached_) hook = on_failed_sync_;
  }
  if (hook) hook(path);
}

bool FaultPlan::writes_prefix() const {
  const MutexLock lock(&mutex_);
  return write_prefix_;
}

void FaultPlan::detach() {
  const MutexLock lock(&mutex_);
  detached_ = true;
}

void FaultPlan::fail_once(uint64_t call, Status status) {
  FIRN_CHECK(!status.ok());
  const MutexLock lock(&mutex_);
  once_[call] = std::move(status);
}

void FaultPlan::fail_from(uint64_t call, Status status) {
  FIRN_CHECK(!status.ok());
  const MutexLock lock(&mutex_);
  from_.emplace(call, std::move(status));
}

void FaultPlan::fail_matching(IoKind kind, std::string path_part, uint64_t count, Status status) {
  FIRN_CHECK(!status.ok());
  const MutexLock lock(&mutex_);
  matching_.push_back({kind, std::move(path_part), count, std::move(status)});
}

void FaultPlan::heal() {
  const MutexLock lock(&mutex_);
  once_.clear();
  from_.reset();
  matching_.clear();
  injected_ = 0;
}

uint64_t FaultPlan::faults_injected() const {
  const MutexLock lock(&mutex_);
  return injected_;
}

void FaultPlan::count_only(std::initializer_list<IoKind> kinds) {
  const MutexLock lock(&mutex_);
  counted_.fill(false);
  for (const IoKind kind : kinds) counted_[index_of(kind)] = true;
}

void FaultPlan::write_prefix(bool write) {
  const MutexLock lock(&mutex_);
  write_prefix_ = write;
}

void FaultPlan::before_sync(PathHook hook) {
  const MutexLock lock(&mutex_);
  before_sync_ = std::move(hook);
}

void FaultPlan::on_failed_sync(PathHook hook) {
  const MutexLock lock(&mutex_);
  on_failed_sync_ = std::move(hook);
}

uint64_t FaultPlan::io_count() const {
  const MutexLock lock(&mutex_);
  return count_;
}

uint64_t FaultPlan::io_count(IoKind kind) const {
  const MutexLock lock(&mutex_);
  return counts_[index_of(kind)];
}

std::vector<IoSite> FaultPlan::sites() const {
  const MutexLock lock(&mutex_);
  std::vector<IoSite> all;
  for (const auto& [key, site] : sites_) all.push_back(site);
  return all;
}

}  // namespace firn
