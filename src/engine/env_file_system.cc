#include "duckdb/common/file_opener.hpp"
#include "duckdb/common/local_file_system.hpp"
#include "duckdb/common/virtual_file_system.hpp"
#include "engine/checked_file.h"
#include "engine/duck.h"

namespace firn {

namespace {

[[noreturn]] void refuse(const std::string& path) {
  throw duckdb::PermissionException("statements may not use files (\"%s\")", path);
}

std::string env_path(const std::string& url) { return url.substr(kEnvPathPrefix.size()); }

// A Parquet file of Env as DuckDB sees it: read through its checksums, or written from front to
// back and finished by Close(). Without reader and writer it is the session's answer.
class EnvFileHandle : public duckdb::FileHandle {
 public:
  EnvFileHandle(duckdb::FileSystem& owner, const std::string& url, duckdb::FileOpenFlags open_flags,
                duckdb::shared_ptr<Session> session, std::unique_ptr<CheckedReader> reader,
                std::unique_ptr<CheckedWriter> writer)
      : FileHandle(owner, url, open_flags),
        session_(std::move(session)),
        reader_(std::move(reader)),
        writer_(std::move(writer)) {}

  void Close() override {
    if (writer_ == nullptr || closed_) return;
    closed_ = true;
    FileIdentity identity = session_->write->identity;
    ParquetMetadata metadata = session_->write->metadata;
    if (session_->write->at_end) session_->write->at_end(&metadata, &identity);
    const Status status =
        writer_->finish(identity, changed_values(session_->write->metadata, metadata));
    if (!status.ok()) session_->fail(status);
    session_->synced = true;
  }

  size_t read(void* to, size_t size, uint64_t offset) {
    Result<size_t> count = reader_->read_at(offset, to, size);
    if (!count.ok()) session_->fail(count.status());
    return *count;
  }

  void append(const void* from, size_t size) {
    const std::string_view bytes(static_cast<const char*>(from), size);
    const Status status =
        writer_ != nullptr ? writer_->append(bytes) : session_->answer->write(bytes);
    if (!status.ok()) session_->fail(status);
    position += size;
  }

  uint64_t file_size() const {
    if (reader_ != nullptr) return reader_->file_bytes();
    return writer_ != nullptr ? writer_->size() : position;
  }

  uint64_t position = 0;

 private:
  duckdb::shared_ptr<Session> session_;          // outlives the reader, which counts there
  const std::unique_ptr<CheckedReader> reader_;  // at most one of both
  const std::unique_ptr<CheckedWriter> writer_;
  bool closed_ = false;
};

class EnvFileSystem : public duckdb::FileSystem {
 public:
  explicit EnvFileSystem(Env* env) : env_(env) {}

  std::string GetName() const override { return "firn-env"; }
  bool CanHandleFile(const std::string& url) override { return url.starts_with(kEnvPathPrefix); }
  bool CanSeek() override { return true; }
  bool OnDiskFile(duckdb::FileHandle&) override { return env_->has_real_paths(); }
  std::string PathSeparator(const std::string&) override { return "/"; }

  duckdb::unique_ptr<duckdb::FileHandle> OpenFile(
      const std::string& url, duckdb::FileOpenFlags flags,
      duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    auto session = session_of(opener);
    const std::string path = env_path(url);
    const bool writes = flags.OpenForWriting();
    if (writes && url == kAnswerUrl && session != nullptr && session->answer != nullptr) {
      return duckdb::make_uniq<EnvFileHandle>(*this, url, flags, session, nullptr, nullptr);
    }
    Env* const env = session == nullptr ? nullptr : opener_of(*session, path, writes);
    if (env == nullptr) refuse(url);
    auto file = writes ? env->open(path, OpenMode::kCreateNew) : open_known_file(env, path);
    if (!file.ok()) session->fail(file.status());
    std::unique_ptr<CheckedReader> reader;
    std::unique_ptr<CheckedWriter> writer;
    if (writes) {
      writer = std::make_unique<CheckedWriter>(std::move(*file), path);
    } else {
      auto opened = session->opened(**file, path);
      if (!opened.ok()) session->fail(opened.status());
      reader = std::make_unique<CheckedReader>(std::move(*file), path, std::move(opened->end),
                                               opened->bytes_read);
    }
    return duckdb::make_uniq<EnvFileHandle>(*this, url, flags, session, std::move(reader),
                                            std::move(writer));
  }

  void Read(duckdb::FileHandle& handle, void* buffer, int64_t size, duckdb::idx_t at) override {
    auto& file = handle.Cast<EnvFileHandle>();
    const size_t wanted = static_cast<size_t>(size);
    if (file.read(buffer, wanted, at) != wanted) {
      throw duckdb::IOException("\"%s\" ends before byte %llu", handle.path,
                                static_cast<unsigned long long>(at + wanted));
    }
  }
  int64_t Read(duckdb::FileHandle& handle, void* buffer, int64_t size) override {
    auto& file = handle.Cast<EnvFileHandle>();
    const size_t count = file.read(buffer, static_cast<size_t>(size), file.position);
    file.position += count;
    return static_cast<int64_t>(count);
  }
  void Write(duckdb::FileHandle& handle, void* buffer, int64_t size, duckdb::idx_t at) override {
    auto& file = handle.Cast<EnvFileHandle>();
    if (at != file.position) {
      throw duckdb::NotImplementedException("files of Firn are written from front to back");
    }
    file.append(buffer, static_cast<size_t>(size));
  }
  int64_t Write(duckdb::FileHandle& handle, void* buffer, int64_t size) override {
    handle.Cast<EnvFileHandle>().append(buffer, static_cast<size_t>(size));
    return size;
  }

  int64_t GetFileSize(duckdb::FileHandle& handle) override {
    return static_cast<int64_t>(handle.Cast<EnvFileHandle>().file_size());
  }
  // Only caches ask for it, and none is on.
  duckdb::timestamp_t GetLastModifiedTime(duckdb::FileHandle&) override {
    return duckdb::timestamp_t(0);
  }
  duckdb::FileType GetFileType(duckdb::FileHandle&) override {
    return duckdb::FileType::FILE_TYPE_REGULAR;
  }
  void FileSync(duckdb::FileHandle&) override {
  }  // Close() syncs, and the caller checks that it did
  void Seek(duckdb::FileHandle& handle, duckdb::idx_t at) override {
    handle.Cast<EnvFileHandle>().position = at;
  }
  void Reset(duckdb::FileHandle& handle) override { Seek(handle, 0); }
  duckdb::idx_t SeekPosition(duckdb::FileHandle& handle) override {
    return handle.Cast<EnvFileHandle>().position;
  }

  // A path stands for itself, whatever characters it has.
  duckdb::vector<duckdb::OpenFileInfo> Glob(const std::string& url,
                                            duckdb::FileOpener* opener) override {
    auto session = session_of(opener);
    if (session == nullptr || !session->readable_paths.contains(env_path(url))) refuse(url);
    return {duckdb::OpenFileInfo(url)};
  }
  bool FileExists(const std::string& url,
                  duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    auto session = session_of(opener);
    return session != nullptr && session->readable_paths.contains(env_path(url));
  }
  bool DirectoryExists(const std::string&, duckdb::optional_ptr<duckdb::FileOpener>) override {
    return false;
  }
  bool IsPipe(const std::string&, duckdb::optional_ptr<duckdb::FileOpener>) override {
    return false;
  }

 private:
  // What opens the path; null when the statement may not use it.
  Env* opener_of(const Session& session, const std::string& path, bool writes) const {
    if (writes) return session.write != nullptr && session.write->path == path ? env_ : nullptr;
    const auto found = session.readable_paths.find(path);
    return found == session.readable_paths.end() ? nullptr : found->second;
  }
  static duckdb::shared_ptr<Session> session_of(duckdb::optional_ptr<duckdb::FileOpener> opener) {
    auto context = duckdb::FileOpener::TryGetClientContext(opener);
    return context ? Session::of(*context) : nullptr;
  }

  Env* const env_;
};

// Everything that is not Env's: nothing for statements; for DuckDB itself its directory for what
// does not fit into memory.
class SpillFileSystem : public duckdb::LocalFileSystem {
 public:
  SpillFileSystem(Env* env, const EngineOptions& options)
      : env_(env), directory_(options.temp_directory), reserve_bytes_(options.temp_reserve_bytes) {}

  duckdb::unique_ptr<duckdb::FileHandle> OpenFile(
      const std::string& path, duckdb::FileOpenFlags flags,
      duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    if (!allowed(path, opener)) refuse(path);
    return LocalFileSystem::OpenFile(path, flags, opener);
  }
  bool DirectoryExists(const std::string& path,
                       duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    return allowed(path, opener) && LocalFileSystem::DirectoryExists(path, opener);
  }
  void CreateDirectory(const std::string& path,
                       duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    if (!allowed(path, opener)) refuse(path);
    LocalFileSystem::CreateDirectory(path, opener);
  }
  void RemoveDirectory(const std::string& path,
                       duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    if (!allowed(path, opener)) refuse(path);
    LocalFileSystem::RemoveDirectory(path, opener);
  }
  void MoveFile(const std::string& from, const std::string& to,
                duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    if (!allowed(from, opener) || !allowed(to, opener)) refuse(from);
    LocalFileSystem::MoveFile(from, to, opener);
  }
  bool FileExists(const std::string& path,
                  duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    return allowed(path, opener) && LocalFileSystem::FileExists(path, opener);
  }
  bool IsPipe(const std::string& path, duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    return allowed(path, opener) && LocalFileSystem::IsPipe(path, opener);
  }
  void RemoveFile(const std::string& path,
                  duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    if (!allowed(path, opener)) refuse(path);
    LocalFileSystem::RemoveFile(path, opener);
  }
  duckdb::vector<duckdb::OpenFileInfo> Glob(const std::string& path,
                                            duckdb::FileOpener* opener) override {
    if (!allowed(path, opener)) refuse(path);
    return LocalFileSystem::Glob(path, opener);
  }
  // A statement must not take the room that the log and the tiers need.
  void Write(duckdb::FileHandle& handle, void* buffer, int64_t size, duckdb::idx_t at) override {
    check_room(handle, size);
    LocalFileSystem::Write(handle, buffer, size, at);
  }
  int64_t Write(duckdb::FileHandle& handle, void* buffer, int64_t size) override {
    check_room(handle, size);
    return LocalFileSystem::Write(handle, buffer, size);
  }

 protected:
  bool ListFilesExtended(const std::string& directory,
                         const std::function<void(duckdb::OpenFileInfo& info)>& callback,
                         duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    if (!allowed(directory, opener)) refuse(directory);
    return LocalFileSystem::ListFilesExtended(directory, callback, opener);
  }

 private:
  bool allowed(const std::string& path, duckdb::optional_ptr<duckdb::FileOpener> opener) const {
    if (directory_.empty() || path.find("..") != std::string::npos) return false;
    if (opener && duckdb::FileOpener::TryGetClientContext(opener)) return false;
    return path == directory_ || path.starts_with(directory_ + "/");
  }

  void check_room(const duckdb::FileHandle& handle, int64_t size) const {
    const Result<uint64_t> free = env_->free_space(directory_);
    if (free.ok() && *free >= static_cast<uint64_t>(size) + reserve_bytes_) return;
    throw duckdb::IOException("write \"%s\": %s", handle.path, kSpillWithoutSpace);
  }

  Env* const env_;
  const std::string directory_;
  const uint64_t reserve_bytes_;
};

}  // namespace

duckdb::unique_ptr<duckdb::FileSystem> make_file_system(Env* env, const EngineOptions& options) {
  auto all = duckdb::make_uniq<duckdb::VirtualFileSystem>(
      duckdb::make_uniq<SpillFileSystem>(env, options));
  all->RegisterSubSystem(duckdb::make_uniq<EnvFileSystem>(env));
  return all;
}

}  // namespace firn
