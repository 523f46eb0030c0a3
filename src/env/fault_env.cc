#include "env/fault_env.h"

#include <utility>

#include "env/fault_plan.h"

namespace firn {
namespace {

// The first half of the bytes, rounded up.
std::string first_half(std::span<const ByteView> parts) {
  std::string bytes;
  for (const ByteView part : parts) bytes.append(part);
  bytes.resize((bytes.size() + 1) / 2);
  return bytes;
}

class FaultFile final : public File {
 public:
  FaultFile(std::shared_ptr<FaultPlan> plan, std::string path, std::unique_ptr<File> base)
      : plan_(std::move(plan)), path_(std::move(path)), base_(std::move(base)) {}

  using File::write_at;
  Result<size_t> read_at(uint64_t offset, void* out, size_t size) const override {
    FIRN_TRY(plan_->call(IoKind::kRead, path_));
    return base_->read_at(offset, out, size);
  }
  Status write_at(uint64_t offset, std::span<const ByteView> parts) override {
    Status fault = plan_->call(IoKind::kWrite, path_);
    if (fault.ok()) return base_->write_at(offset, parts);
    // The fault is what the caller hears of, whatever becomes of the prefix.
    if (plan_->writes_prefix()) (void)base_->write_at(offset, first_half(parts));
    return fault;
  }
  Status sync() override {
    plan_->run_before_sync(path_);
    Status fault = plan_->call(IoKind::kSync, path_);
    if (fault.ok()) return base_->sync();
    plan_->run_on_failed_sync(path_);
    return fault;
  }
  Status truncate(uint64_t size) override {
    FIRN_TRY(plan_->call(IoKind::kTruncate, path_));
    return base_->truncate(size);
  }
  Status allocate(uint64_t size) override {
    FIRN_TRY(plan_->call(IoKind::kAllocate, path_));
    return base_->allocate(size);
  }
  Result<uint64_t> size() const override {
    FIRN_TRY(plan_->call(IoKind::kSize, path_));
    return base_->size();
  }

 private:
  const std::shared_ptr<FaultPlan> plan_;
  const std::string path_;
  const std::unique_ptr<File> base_;
};

}  // namespace

FaultEnv::FaultEnv(Env* base) : base_(base), plan_(std::make_shared<FaultPlan>()) {}
FaultEnv::~FaultEnv() { plan_->detach(); }

Result<std::unique_ptr<File>> FaultEnv::open(const std::string& path, OpenMode mode) {
  FIRN_TRY(plan_->call(IoKind::kOpen, path));
  FIRN_ASSIGN(std::unique_ptr<File> file, base_->open(path, mode));
  return Result<std::unique_ptr<File>>(std::make_unique<FaultFile>(plan_, path, std::move(file)));
}

Status FaultEnv::remove(const std::string& path) {
  FIRN_TRY(plan_->call(IoKind::kRemove, path));
  return base_->remove(path);
}

Status FaultEnv::rename(const std::string& from, const std::string& to) {
  FIRN_TRY(plan_->call(IoKind::kRename, from, to));
  return base_->rename(from, to);
}

Status FaultEnv::sync_directory(const std::string& path) {
  plan_->run_before_sync(path);
  FIRN_TRY(plan_->call(IoKind::kSyncDirectory, path));
  return base_->sync_directory(path);
}

Status FaultEnv::create_directories(const std::string& path) {
  FIRN_TRY(plan_->call(IoKind::kCreateDirectories, path));
  return base_->create_directories(path);
}

Status FaultEnv::remove_directory(const std::string& path) {
  FIRN_TRY(plan_->call(IoKind::kRemoveDirectory, path));
  return base_->remove_directory(path);
}

Result<std::vector<DirectoryEntry>> FaultEnv::list_directory(const std::string& path) {
  FIRN_TRY(plan_->call(IoKind::kListDirectory, path));
  return base_->list_directory(path);
}

Result<bool> FaultEnv::exists(const std::string& path) {
  FIRN_TRY(plan_->call(IoKind::kExists, path));
  return base_->exists(path);
}

Result<std::unique_ptr<FileLock>> FaultEnv::lock_file(const std::string& path) {
  FIRN_TRY(plan_->call(IoKind::kLock, path));
  return base_->lock_file(path);
}

Result<uint64_t> FaultEnv::free_space(const std::string& path) {
  FIRN_TRY(plan_->call(IoKind::kFreeSpace, path));
  return base_->free_space(path);
}

void FaultEnv::fail_once(uint64_t call, Status status) {
  plan_->fail_once(call, std::move(status));
}
void FaultEnv::fail_from(uint64_t call, Status status) {
  plan_->fail_from(call, std::move(status));
}
void FaultEnv::fail_matching(IoKind kind, std::string path_part, uint64_t count, Status status) {
  plan_->fail_matching(kind, std::move(path_part), count, std::move(status));
}
void FaultEnv::heal() { plan_->heal(); }
uint64_t FaultEnv::faults_injected() const { return plan_->faults_injected(); }
void FaultEnv::count_only(std::initializer_list<IoKind> kinds) { plan_->count_only(kinds); }
void FaultEnv::write_prefix(bool write) { plan_->write_prefix(write); }
void FaultEnv::before_sync(std::function<void(const std::string& path)> hook) {
  plan_->before_sync(std::move(hook));
}
void FaultEnv::on_failed_sync(std::function<void(const std::string& path)> hook) {
  plan_->on_failed_sync(std::move(hook));
}
uint64_t FaultEnv::io_count() const { return plan_->io_count(); }
uint64_t FaultEnv::io_count(IoKind kind) const { return plan_->io_count(kind); }
std::vector<IoSite> FaultEnv::sites() const { return plan_->sites(); }

}  // namespace firn
