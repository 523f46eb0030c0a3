#include "wal/rocksdb_files.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <utility>
#include <vector>

#include "base/mutex.h"

namespace firn::wal {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

namespace {

// No finer than RocksDB needs: with "no space" or "retryable" it would begin to try again by
// itself.
IOStatus to_io_status(const Status& status) {
  const std::string text(status.message());
  switch (status.code()) {
    case StatusCode::kOk:
      return IOStatus::OK();
    case StatusCode::kNotFound:
      return IOStatus::PathNotFound(text);
    case StatusCode::kConflict:
      return IOStatus::Busy(text);
    default:
      return IOStatus::IOError(text);
  }
}

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::unique_ptr<firn::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  std::unique_ptr<firn::FileLock> lock_;
};

}  // namespace

class RocksdbFiles::Latch {
 public:
  // Remembers the first failure, and passes it on.
  IOStatus seen(const Status& status) {
    if (!status.ok() && status.code() != StatusCode::kNotFound) {
      const MutexLock lock(&mutex_);
      if (failure_.ok()) failure_ = status;
    }
    return to_io_status(status);
  }
  Status failure() const {
    const MutexLock lock(&mutex_);
    return failure_;
  }

 private:
  mutable Mutex mutex_;
  Status failure_ GUARDED_BY(mutex_);
};

class RocksdbFiles::ReadFile final : public rocksdb::FSRandomAccessFile,
                                     public rocksdb::FSSequentialFile {
 public:
  ReadFile(std::shared_ptr<Latch> latch, std::unique_ptr<File> file)
      : latch_(std::move(latch)), file_(std::move(file)) {}

  IOStatus Read(uint64_t offset, size_t size, const IOOptions&, rocksdb::Slice* result,
                char* scratch, IODebugContext*) const override {
    const Result<size_t> count = file_->read_at(offset, scratch, size);
    *result = rocksdb::Slice(scratch, count.ok() ? *count : 0);
    return latch_->seen(count.status());
  }
  IOStatus Read(size_t size, const IOOptions& options, rocksdb::Slice* result, char* scratch,
                IODebugContext* debug) override {
    IOStatus status = Read(position_, size, options, result, scratch, debug);
    position_ += result->size();
    return status;
  }
  IOStatus Skip(uint64_t bytes) override {
    position_ += bytes;
    return IOStatus::OK();
  }
  IOStatus InvalidateCache(size_t, size_t) override { return IOStatus::OK(); }
  bool use_direct_io() const override { return false; }
  size_t GetRequiredBufferAlignment() const override { return rocksdb::kDefaultPageSize; }
  rocksdb::Temperature GetTemperature() const override { return rocksdb::Temperature::kUnknown; }

 private:
  const std::shared_ptr<Latch> latch_;
  const std::unique_ptr<File> file_;
  uint64_t position_ = 0;
};

class RocksdbFiles::WriteFile final : public rocksdb::FSWritableFile {
 public:
  WriteFile(std::shared_ptr<Latch> latch, std::unique_ptr<File> file)
      : latch_(std::move(latch)), file_(std::move(file)) {}

  using FSWritableFile::Append;
  IOStatus Append(const rocksdb::Slice& data, const IOOptions&, IODebugContext*) override {
    if (Status failed = latch_->failure(); !failed.ok()) return to_io_status(failed);
    IOStatus status = latch_->seen(file_->write_at(size_, ByteView(data.data(), data.size())));
    if (status.ok()) size_ += data.size();
    return status;
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    if (Status failed = latch_->failure(); !failed.ok()) return to_io_status(failed);
    IOStatus status = latch_->seen(file_->truncate(size));
    if (status.ok()) size_ = size;
    return status;
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    if (Status failed = latch_->failure(); !failed.ok()) return to_io_status(failed);
    return latch_->seen(file_->sync());
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    file_.reset();
    return IOStatus::OK();
  }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  const std::shared_ptr<Latch> latch_;
  std::unique_ptr<File> file_;
  uint64_t size_ = 0;
};

class RocksdbFiles::Directory final : public rocksdb::FSDirectory {
 public:
  Directory(std::shared_ptr<Latch> latch, Env* env, std::string path)
      : latch_(std::move(latch)), env_(env), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    if (Status failed = latch_->failure(); !failed.ok()) return to_io_status(failed);
    return latch_->seen(env_->sync_directory(path_));
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  const std::shared_ptr<Latch> latch_;
  Env* const env_;
  const std::string path_;
};

class RocksdbFiles::FileSystem final : public rocksdb::FileSystem {
 public:
  FileSystem(Env* env, std::shared_ptr<Latch> latch) : env_(env), latch_(std::move(latch)) {}

  const char* Name() const override { return "FirnEnv"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    return open_for_reading(path, result);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    return open_for_reading(path, result);
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    return change([&]() -> Status {
      Status removed = env_->remove(path);
      if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
      FIRN_ASSIGN(auto file, env_->open(path, OpenMode::kCreateNew));
      *result = std::make_unique<WriteFile>(latch_, std::move(file));
      return {};
    });
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    *result = std::make_unique<Directory>(latch_, env_, path);
    return IOStatus::OK();
  }

  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    const Result<bool> exists = env_->exists(path);
    if (exists.ok() && !*exists) return IOStatus::NotFound(path);
    return latch_->seen(exists.status());
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* names,
                       IODebugContext*) override {
    names->clear();
    const auto entries = env_->list_directory(path);
    if (!entries.ok()) return latch_->seen(entries.status());
    names->reserve(entries->size());
    for (const DirectoryEntry& entry : *entries) names->push_back(entry.name);
    return IOStatus::OK();
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                       IODebugContext*) override {
    const auto read_size = [&]() -> Status {
      FIRN_ASSIGN(const auto file, env_->open(path, OpenMode::kRead));
      FIRN_ASSIGN(*size, file->size());
      return {};
    };
    return latch_->seen(read_size());
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, uint64_t*,
                                   IODebugContext*) override {
    return IOStatus::NotSupported("Env does not know when files were changed");
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory,
                       IODebugContext*) override {
    *is_directory = env_->list_directory(path).ok();
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute,
                           IODebugContext*) override {
    *absolute = path;
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) override {
    return IOStatus::NotSupported("no test directory");
  }

  // A file that could not be removed is only a leftover, which RocksDB removes at the next start.
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    if (Status failed = latch_->failure(); !failed.ok()) return to_io_status(failed);
    return to_io_status(env_->remove(path));
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return change([&] { return env_->remove_directory(path); });
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return change([&] { return env_->create_directories(path); });
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return change([&] { return env_->create_directories(path); });
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return change([&] { return env_->rename(from, to); });
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                    IODebugContext*) override {
    Result<std::unique_ptr<firn::FileLock>> held = env_->lock_file(path);
    *lock = held.ok() ? new Lock(std::move(*held)) : nullptr;
    return to_io_status(held.status());
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }

 private:
  template <typename Operation>
  IOStatus change(const Operation& operation) {
    if (Status failed = latch_->failure(); !failed.ok()) return to_io_status(failed);
    return latch_->seen(operation());
  }
  template <typename Interface>
  IOStatus open_for_reading(const std::string& path, std::unique_ptr<Interface>* result) {
    Result<std::unique_ptr<File>> file = env_->open(path, OpenMode::kRead);
    if (file.ok()) *result = std::make_unique<ReadFile>(latch_, std::move(*file));
    return latch_->seen(file.status());
  }

  Env* const env_;
  const std::shared_ptr<Latch> latch_;
};

RocksdbFiles::RocksdbFiles(Env* env)
    : latch_(std::make_shared<Latch>()),
      rocksdb_env_(rocksdb::NewCompositeEnv(std::make_shared<FileSystem>(env, latch_))) {}

RocksdbFiles::~RocksdbFiles() = default;

rocksdb::Env* RocksdbFiles::rocksdb_env() const { return rocksdb_env_.get(); }

Status RocksdbFiles::failure() const { return latch_->failure(); }

Status RocksdbFiles::to_status(const rocksdb::Status& status) const {
  if (status.ok()) return {};
  if (Status failed = failure(); !failed.ok()) return failed;
  std::string text = "RocksDB says: " + status.ToString();
  if (status.IsBusy()) return conflict(std::move(text));
  if (status.IsIOError() && !status.IsPathNotFound()) return io_error(std::move(text));
  return corruption(std::move(text));
}

}  // namespace firn::wal
