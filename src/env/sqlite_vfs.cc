#include "env/sqlite_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/mutex.h"
#include "env/sqlite_checked_file.h"
#include "env/sqlite_locks.h"

namespace firn {
namespace {

constexpr int kSectorBytes = 4096;
constexpr int kMaxPathBytes = 4096;
// SQLite counts milliseconds from noon of 24 November 4714 BC; this is 1970 on that scale.
constexpr sqlite3_int64 kUnixEpochMs = 210'866'760'000'000;

// The VFS of one Env. Never unregistered: SQLite offers no way to know that nobody uses it.
class EnvVfs {
 public:
  EnvVfs(Env* environment, std::string vfs_name);
  EnvVfs(const EnvVfs&) = delete;

  // What the connections to the database at `path` share; creates it when there are none.
  std::shared_ptr<SqliteShared> acquire(const std::string& path) EXCLUDES(mutex_);
  // Null when nobody has it open.
  std::shared_ptr<SqliteShared> find(const std::string& path) EXCLUDES(mutex_);
  // Forgets databases that nobody has open any more.
  void release(std::shared_ptr<SqliteShared> shared) EXCLUDES(mutex_);

  Env* const env;
  const std::string name;
  sqlite3_vfs methods{};

 private:
  Mutex mutex_;
  std::map<std::string, std::weak_ptr<SqliteShared>> databases_ GUARDED_BY(mutex_);
  // Databases that nobody has open, whose logs hold only durable commits. To write a log again
  // takes as much room as it has, and on a full disk it stays behind when its database is closed.
  // Empty in simulations, whose machines start again within this process.
  std::set<std::string> settled_ GUARDED_BY(mutex_);
};

// What SQLite allocates for an open file.
struct OpenFile {
  sqlite3_file base;
  EnvVfs* vfs;
  SqliteFile* file;         // owned
  SqliteEnvFile* env_file;  // the same object, or null for a temporary file
};

EnvVfs& vfs_of(sqlite3_vfs* vfs) { return *static_cast<EnvVfs*>(vfs->pAppData); }
OpenFile& open_file(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }

// --- Methods of files -----------------------------------------------------------------------

int file_close(sqlite3_file* file) {
  OpenFile& open = open_file(file);
  std::shared_ptr<SqliteShared> shared;
  if (open.env_file != nullptr) shared = open.env_file->shared();
  delete open.file;
  if (shared != nullptr) open.vfs->release(std::move(shared));
  open.base.pMethods = nullptr;
  return SQLITE_OK;
}

int file_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  return open_file(file).file->read(out, static_cast<size_t>(size), static_cast<uint64_t>(offset));
}

int file_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  const ByteView bytes(static_cast<const char*>(data), static_cast<size_t>(size));
  return open_file(file).file->write(bytes, static_cast<uint64_t>(offset));
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return open_file(file).file->truncate(static_cast<uint64_t>(size));
}

// The flags tell weaker kinds of sync apart that other systems have; here there is one.
int file_sync(sqlite3_file* file, int /*flags*/) { return open_file(file).file->sync(); }

int file_size(sqlite3_file* file, sqlite3_int64* size) { return open_file(file).file->size(size); }

SqliteLockLevel lock_level(int level) {
  switch (level) {
    case SQLITE_LOCK_NONE:
      return SqliteLockLevel::kNone;
    case SQLITE_LOCK_SHARED:
      return SqliteLockLevel::kShared;
    case SQLITE_LOCK_RESERVED:
      return SqliteLockLevel::kReserved;
    case SQLITE_LOCK_PENDING:
      return SqliteLockLevel::kPending;
    default:
      return SqliteLockLevel::kExclusive;
  }
}

int file_lock(sqlite3_file* file, int level) {
  SqliteEnvFile* env_file = open_file(file).env_file;
  if (env_file == nullptr) return SQLITE_OK;  // nobody else knows a temporary file
  return env_file->shared()->lock(env_file->holder(), lock_level(level)) ? SQLITE_OK : SQLITE_BUSY;
}

int file_unlock(sqlite3_file* file, int level) {
  SqliteEnvFile* env_file = open_file(file).env_file;
  if (env_file != nullptr) env_file->shared()->unlock(env_file->holder(), lock_level(level));
  return SQLITE_OK;
}

int file_check_reserved_lock(sqlite3_file* file, int* reserved) {
  SqliteEnvFile* env_file = open_file(file).env_file;
  *reserved = env_file != nullptr && env_file->shared()->reserved() ? 1 : 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file* file, int operation, void* argument) {
  if (operation != SQLITE_FCNTL_VFSNAME) return SQLITE_NOTFOUND;
  *static_cast<char**>(argument) = sqlite3_mprintf("%s", open_file(file).vfs->name.c_str());
  return SQLITE_OK;
}

int file_sector_size(sqlite3_file* /*file*/) { return kSectorBytes; }

// Nothing is promised: a torn write may damage its whole sector, and order needs a sync.
int file_device_characteristics(sqlite3_file* /*file*/) { return 0; }

int file_shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  SqliteEnvFile* env_file = open_file(file).env_file;
  *out = env_file->shared()->index_region(env_file->holder(), static_cast<size_t>(region),
                                          static_cast<size_t>(size), extend != 0);
  return SQLITE_OK;
}

int file_shm_lock(sqlite3_file* file, int first, int count, int flags) {
  SqliteEnvFile* env_file = open_file(file).env_file;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    env_file->shared()->unlock_slots(env_file->holder(), first, count);
    return SQLITE_OK;
  }
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  const bool locked = env_file->shared()->lock_slots(env_file->holder(), first, count, exclusive);
  return locked ? SQLITE_OK : SQLITE_BUSY;
}

void file_shm_barrier(sqlite3_file* file) { open_file(file).env_file->shared()->index_barrier(); }

// There is no file to delete; the memory goes with its last user in either case.
int file_shm_unmap(sqlite3_file* file, int /*delete_flag*/) {
  SqliteEnvFile* env_file = open_file(file).env_file;
  env_file->shared()->leave_index(env_file->holder());
  return SQLITE_OK;
}

constexpr sqlite3_io_methods make_methods(bool with_log_index) {
  sqlite3_io_methods methods{};
  methods.iVersion = with_log_index ? 2 : 1;
  methods.xClose = file_close;
  methods.xRead = file_read;
  methods.xWrite = file_write;
  methods.xTruncate = file_truncate;
  methods.xSync = file_sync;
  methods.xFileSize = file_size;
  methods.xLock = file_lock;
  methods.xUnlock = file_unlock;
  methods.xCheckReservedLock = file_check_reserved_lock;
  methods.xFileControl = file_control;
  methods.xSectorSize = file_sector_size;
  methods.xDeviceCharacteristics = file_device_characteristics;
  if (with_log_index) {
    methods.xShmMap = file_shm_map;
    methods.xShmLock = file_shm_lock;
    methods.xShmBarrier = file_shm_barrier;
    methods.xShmUnmap = file_shm_unmap;
  }
  return methods;
}

constexpr sqlite3_io_methods kEnvFileMethods = make_methods(true);
constexpr sqlite3_io_methods kMemoryFileMethods = make_methods(false);

// --- Methods of the file system -------------------------------------------------------------

constexpr int kTemporary = SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TRANSIENT_DB |
                           SQLITE_OPEN_TEMP_JOURNAL | SQLITE_OPEN_SUBJOURNAL |
                           SQLITE_OPEN_DELETEONCLOSE;

constexpr uint64_t kLogBytesMax = uint64_t{4} << 30;
constexpr std::string_view kLogCopySuffix = ".copy";

OpenMode open_mode(int flags) {
  if ((flags & SQLITE_OPEN_CREATE) != 0) {
    return (flags & SQLITE_OPEN_EXCLUSIVE) != 0 ? OpenMode::kCreateNew : OpenMode::kCreate;
  }
  return (flags & SQLITE_OPEN_READWRITE) != 0 ? OpenMode::kReadWrite : OpenMode::kRead;
}

// The database that a file beside it belongs to; the path itself for all others.
std::string database_path(std::string_view path) {
  for (const std::string_view suffix : {"-wal", "-journal"}) {
    if (path.ends_with(suffix)) path.remove_suffix(suffix.size());
  }
  return std::string(path);
}

// Before SQLite takes for committed what it finds in a log: an earlier process may have written
// that and failed to sync it. It can then be read, from the page cache, without being on the disk,
// and another sync alone would change nothing. So the log is written again. It is written in its
// place, because readers may have it open; a power cut may tear what is being written, so there is
// a copy meanwhile, from which restore_log() starts over.
Status settle_log(Env* env, const std::string& path) {
  const Result<std::string> content = read_file(env, path, kLogBytesMax);
  if (content.status().code() == StatusCode::kNotFound) return Status();
  FIRN_TRY(content.status());
  if (content->empty()) return Status();
  const std::string copy = path + std::string(kLogCopySuffix);
  FIRN_TRY(replace_file(env, copy, *content));
  FIRN_ASSIGN(const std::unique_ptr<File> file, env->open(path, OpenMode::kReadWrite));
  FIRN_TRY(file->write_at(0, *content));
  FIRN_TRY(file->sync());
  FIRN_TRY(env->remove(copy));
  // From here on the log may grow, so the copy must not come back.
  return env->sync_directory(parent_path(path));
}

Status restore_log(Env* env, const std::string& path) {
  const std::string copy = path + std::string(kLogCopySuffix);
  FIRN_ASSIGN(const bool exists, env->exists(copy));
  if (!exists) return Status();
  FIRN_TRY(env->rename(copy, path));
  return env->sync_directory(parent_path(path));
}

Status prepare_log(EnvVfs* vfs, const std::string& path) {
  const std::shared_ptr<SqliteShared> shared = vfs->find(database_path(path));
  if (shared == nullptr) return Status();
  return shared->prepare_log([&] { return restore_log(vfs->env, path); },
                             [&] { return settle_log(vfs->env, path); });
}

std::unique_ptr<SqliteEnvFile> make_file(EnvVfs* vfs, int flags, const std::string& path,
                                         std::unique_ptr<File> file,
                                         std::shared_ptr<SqliteShared> shared) {
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
    return std::make_unique<SqliteDatabaseFile>(vfs->env, path, std::move(file), std::move(shared));
  }
  if ((flags & SQLITE_OPEN_WAL) != 0) {
    return std::make_unique<SqliteLogFile>(vfs->env, path, std::move(file), std::move(shared));
  }
  return std::make_unique<SqliteJournalFile>(vfs->env, path, std::move(file), std::move(shared));
}

int vfs_open(sqlite3_vfs* base, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  EnvVfs& vfs = vfs_of(base);
  OpenFile& open = open_file(file);
  open = OpenFile{{nullptr}, &vfs, nullptr, nullptr};
  if (out_flags != nullptr) *out_flags = flags;
  if (name == nullptr || (flags & kTemporary) != 0) {
    open.file = new SqliteMemoryFile;
    open.base.pMethods = &kMemoryFileMethods;
    return SQLITE_OK;
  }
  const std::string path = name;
  if ((flags & SQLITE_OPEN_WAL) != 0) {
    const Status prepared = prepare_log(&vfs, path);
    if (!prepared.ok()) return sqlite_vfs_failure(prepared, SQLITE_CANTOPEN);
  }
  Result<std::unique_ptr<File>> opened = vfs.env->open(path, open_mode(flags));
  if (!opened.ok()) return sqlite_vfs_failure(opened.status(), SQLITE_CANTOPEN);
  const bool is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
  std::shared_ptr<SqliteShared> shared = vfs.acquire(is_database ? path : database_path(path));
  if (is_database && vfs.env->has_real_paths() &&
      !shared->lock_outside((flags & SQLITE_OPEN_READWRITE) == 0)) {
    vfs.release(std::move(shared));
    return sqlite_vfs_failure(unavailable("open " + path + ": another program has it open"),
                              SQLITE_BUSY);
  }
  if (is_database && (flags & SQLITE_OPEN_READWRITE) != 0) shared->allow_writes();
  open.env_file =
      make_file(&vfs, flags, path, std::move(opened).value(), std::move(shared)).release();
  open.file = open.env_file;
  open.base.pMethods = &kEnvFileMethods;
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* base, const char* name, int sync_directory) {
  EnvVfs& vfs = vfs_of(base);
  const std::string path = name;
  const std::shared_ptr<SqliteShared> shared = vfs.find(database_path(path));
  if (shared != nullptr && shared->fenced()) {
    // The journal or log is what the next opening recovers from.
    const Status refused = io_error("remove " + path + ": refused, an earlier sync failed");
    return sqlite_vfs_failure(refused, SQLITE_IOERR_DELETE);
  }
  const Status status = vfs.env->remove(path);
  if (status.code() == StatusCode::kNotFound) return SQLITE_IOERR_DELETE_NOENT;
  if (!status.ok()) return sqlite_vfs_failure(status, SQLITE_IOERR_DELETE);
  if (sync_directory == 0) return SQLITE_OK;
  const Status synced = vfs.env->sync_directory(parent_path(path));
  if (synced.ok()) return SQLITE_OK;
  if (shared != nullptr) shared->fence();
  (void)sqlite_vfs_failure(synced, SQLITE_IOERR_DIR_FSYNC);
  return SQLITE_IOERR_DIR_FSYNC;
}

int vfs_access(sqlite3_vfs* base, const char* name, int /*flags*/, int* out) {
  const Result<bool> exists = vfs_of(base).env->exists(name);
  if (!exists.ok()) return sqlite_vfs_failure(exists.status(), SQLITE_IOERR_ACCESS);
  *out = *exists ? 1 : 0;
  return SQLITE_OK;
}

// The path is the key of what connections share, so harmless differences in spelling go away here.
int vfs_full_pathname(sqlite3_vfs* /*base*/, const char* name, int out_size, char* out) {
  std::string_view rest = name;
  std::string path;
  if (rest.starts_with('/')) path = "/";
  while (!rest.empty()) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    if (!path.empty() && path.back() != '/') path += '/';
    path += part;
  }
  if (path.size() >= static_cast<size_t>(out_size)) return SQLITE_CANTOPEN;
  std::memcpy(out, path.c_str(), path.size() + 1);
  return SQLITE_OK;
}

int vfs_randomness(sqlite3_vfs* base, int size, char* out) {
  for (int done = 0; done < size; done += 8) {
    const uint64_t word = vfs_of(base).env->random_u64();
    std::memcpy(out + done, &word, static_cast<size_t>(std::min(size - done, 8)));
  }
  return size;
}

// Only called while waiting for the lock of another connection. A simulation runs one step at a
// time, so there the other connection cannot move on meanwhile, and the wait is over at once.
int vfs_sleep(sqlite3_vfs* base, int microseconds) {
  if (vfs_of(base).env->has_real_paths()) {
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  }
  return microseconds;
}

int vfs_current_time_ms(sqlite3_vfs* base, sqlite3_int64* out) {
  *out = kUnixEpochMs + vfs_of(base).env->now() / kMillisecondNs;
  return SQLITE_OK;
}

int vfs_current_time(sqlite3_vfs* base, double* out) {
  sqlite3_int64 milliseconds = 0;
  const int code = vfs_current_time_ms(base, &milliseconds);
  *out = static_cast<double>(milliseconds) / 86'400'000.0;
  return code;
}

int vfs_last_error(sqlite3_vfs* /*base*/, int /*size*/, char* /*out*/) { return 0; }

// Extensions cannot be loaded.
void* vfs_dl_open(sqlite3_vfs* /*base*/, const char* /*path*/) { return nullptr; }
void vfs_dl_error(sqlite3_vfs* /*base*/, int size, char* out) {
  sqlite3_snprintf(size, out, "loading extensions is not supported");
}
void (*vfs_dl_sym(sqlite3_vfs* /*base*/, void* /*library*/, const char* /*symbol*/))(void) {
  return nullptr;
}
void vfs_dl_close(sqlite3_vfs* /*base*/, void* /*library*/) {}

EnvVfs::EnvVfs(Env* environment, std::string vfs_name)
    : env(environment), name(std::move(vfs_name)) {
  methods.iVersion = 2;
  methods.szOsFile = sizeof(OpenFile);
  methods.mxPathname = kMaxPathBytes;
  methods.zName = name.c_str();
  methods.pAppData = this;
  methods.xOpen = vfs_open;
  methods.xDelete = vfs_delete;
  methods.xAccess = vfs_access;
  methods.xFullPathname = vfs_full_pathname;
  methods.xDlOpen = vfs_dl_open;
  methods.xDlError = vfs_dl_error;
  methods.xDlSym = vfs_dl_sym;
  methods.xDlClose = vfs_dl_close;
  methods.xRandomness = vfs_randomness;
  methods.xSleep = vfs_sleep;
  methods.xCurrentTime = vfs_current_time;
  methods.xGetLastError = vfs_last_error;
  methods.xCurrentTimeInt64 = vfs_current_time_ms;
}

std::shared_ptr<SqliteShared> EnvVfs::acquire(const std::string& path) {
  MutexLock lock(&mutex_);
  std::weak_ptr<SqliteShared>& known = databases_[path];
  std::shared_ptr<SqliteShared> shared = known.lock();
  if (shared == nullptr) {
    shared = std::make_shared<SqliteShared>(path, settled_.erase(path) > 0);
    known = shared;
  }
  return shared;
}

std::shared_ptr<SqliteShared> EnvVfs::find(const std::string& path) {
  MutexLock lock(&mutex_);
  const auto known = databases_.find(path);
  return known == databases_.end() ? nullptr : known->second.lock();
}

void EnvVfs::release(std::shared_ptr<SqliteShared> shared) {
  MutexLock lock(&mutex_);
  const auto known = databases_.find(shared->path());
  const bool log_is_settled = shared->log_is_settled();
  const std::string path = shared->path();
  // Destroyed under the mutex, so that its lock against other programs is gone before anybody
  // opens the database anew.
  shared.reset();
  if (known == databases_.end() || !known->second.expired()) return;
  databases_.erase(known);
  if (log_is_settled && env->has_real_paths()) settled_.insert(path);
}

}  // namespace

Result<std::string> register_sqlite_vfs(Env* env) {
  static Mutex mutex;
  static auto* registered = new std::map<Env*, std::unique_ptr<EnvVfs>>;
  MutexLock lock(&mutex);
  std::unique_ptr<EnvVfs>& vfs = (*registered)[env];
  if (vfs == nullptr) {
    auto made = std::make_unique<EnvVfs>(env, fmt::format("firn-{}", registered->size()));
    const int code = sqlite3_vfs_register(&made->methods, 0);
    if (code != SQLITE_OK) {
      return internal_error(
          fmt::format("SQLite refused our file system: {}", sqlite3_errstr(code)));
    }
    vfs = std::move(made);
  }
  return vfs->name;
}

}  // namespace firn
