#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"

namespace firn {

// For tests: the operating system, with every change of files written down, as "write", "sync",
// "truncate", "remove", "syncdir" and the name without its directory: "sync a.db-wal". A function
// may make an operation fail before it is done.
class TraceEnv final : public Env {
 public:
  using Fail = std::function<Status(const std::string& operation)>;

  std::vector<std::string> take_trace() {
    MutexLock lock(&mutex_);
    return std::exchange(trace_, {});
  }
  void set_fail(Fail fail) {
    MutexLock lock(&mutex_);
    fail_ = std::move(fail);
  }
  // The operation with this exact text fails with `status`, every time.
  void fail_on(const std::string& operation, const Status& status) {
    set_fail([=](const std::string& done) { return done == operation ? status : Status(); });
  }

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    FIRN_TRY(note("open", path));
    FIRN_ASSIGN(std::unique_ptr<File> file, posix_env()->open(path, mode));
    return Result<std::unique_ptr<File>>(std::make_unique<TraceFile>(this, path, std::move(file)));
  }
  Status remove(const std::string& path) override {
    FIRN_TRY(note("remove", path));
    return posix_env()->remove(path);
  }
  Status rename(const std::string& from, const std::string& to) override {
    return posix_env()->rename(from, to);
  }
  Status sync_directory(const std::string& path) override {
    FIRN_TRY(note("syncdir", ""));
    return posix_env()->sync_directory(path);
  }
  Status create_directories(const std::string& path) override {
    return posix_env()->create_directories(path);
  }
  Status remove_directory(const std::string& path) override {
    return posix_env()->remove_directory(path);
  }
  Result<std::vector<DirectoryEntry>> list_directory(const std::string& path) override {
    return posix_env()->list_directory(path);
  }
  Result<bool> exists(const std::string& path) override { return posix_env()->exists(path); }
  Result<std::unique_ptr<FileLock>> lock_file(const std::string& path) override {
    return posix_env()->lock_file(path);
  }
  Result<uint64_t> free_space(const std::string& path) override {
    return posix_env()->free_space(path);
  }
  bool has_real_paths() const override { return true; }
  TimeNs now() override { return posix_env()->now(); }
  TimeNs monotonic() override { return posix_env()->monotonic(); }
  uint64_t random_u64() override { return posix_env()->random_u64(); }
  std::optional<std::string> environment_variable(const std::string& name) override {
    return posix_env()->environment_variable(name);
  }
  std::unique_ptr<Worker> start_worker(std::string name, std::function<void()> step) override {
    return posix_env()->start_worker(std::move(name), std::move(step));
  }

 private:
  class TraceFile final : public File {
   public:
    TraceFile(TraceEnv* env, std::string path, std::unique_ptr<File> file)
        : env_(env), path_(std::move(path)), file_(std::move(file)) {}
    using File::write_at;
    Result<size_t> read_at(uint64_t offset, void* out, size_t size) const override {
      return file_->read_at(offset, out, size);
    }
    Status write_at(uint64_t offset, std::span<const ByteView> parts) override {
      FIRN_TRY(env_->note("write", path_));
      return file_->write_at(offset, parts);
    }
    Status sync() override {
      FIRN_TRY(env_->note("sync", path_));
      return file_->sync();
    }
    Status truncate(uint64_t size) override {
      FIRN_TRY(env_->note("truncate", path_));
      return file_->truncate(size);
    }
    Status allocate(uint64_t size) override { return file_->allocate(size); }
    Result<uint64_t> size() const override { return file_->size(); }

   private:
    TraceEnv* env_;
    std::string path_;
    std::unique_ptr<File> file_;
  };

  Status note(std::string_view operation, const std::string& path) {
    std::string text(operation);
    if (!path.empty()) text.append(" ").append(path.substr(path.rfind('/') + 1));
    MutexLock lock(&mutex_);
    if (operation != "open") trace_.push_back(text);
    return fail_ ? fail_(text) : Status();
  }

  Mutex mutex_;
  std::vector<std::string> trace_ GUARDED_BY(mutex_);
  Fail fail_ GUARDED_BY(mutex_);
};

}  // namespace firn
