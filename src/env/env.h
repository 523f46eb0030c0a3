#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "base/time.h"

namespace firn {

// The only door to the operating system: files, clocks, random bits, workers. Three
// implementations: PosixEnv (posix_env.h), FaultEnv (fault_env.h, decorates another) and SimEnv
// (sim_env.h, memory with crashes, a virtual clock and a seeded order of work). The whole store
// runs on any of them.
//
// Errors: kNotFound when a path does not exist, kNoSpace for ENOSPC/EDQUOT, kIoError for the rest;
// messages name the path and the system's reason.

// An open file. Thread rule: any number of threads may read; writes and syncs come from one thread
// at a time, reads may run beside them. Closed by the destructor, which never syncs.
class File {
 public:
  virtual ~File() = default;

  // Reads up to `size` bytes at `offset` into `out`; fewer only at the end of the file. Returns how
  // many were read.
  virtual Result<size_t> read_at(uint64_t offset, void* out, size_t size) const = 0;
  // Writes all parts, one behind the other, at `offset`; retries short writes and EINTR. On failure
  // any prefix may have been written. Extends the file when it ends earlier (zero filled).
  virtual Status write_at(uint64_t offset, std::span<const ByteView> parts) = 0;
  Status write_at(uint64_t offset, ByteView bytes) {
    return write_at(offset, std::span<const ByteView>(&bytes, 1));
  }
  // Makes everything written so far, and the size, durable (fdatasync). After a failure nothing may
  // be assumed of any write since the last successful sync, and a second sync proves nothing.
  virtual Status sync() = 0;
  virtual Status truncate(uint64_t size) = 0;
  // Reserves disk blocks up to `size` and extends the file to it with zeros where it was shorter.
  virtual Status allocate(uint64_t size) = 0;
  virtual Result<uint64_t> size() const = 0;
};

enum class OpenMode : uint8_t {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // read and write; created when missing
  kCreateNew,  // read and write; kConflict when it exists
  // Must exist; write_at() only, past the page cache. A write is durable when it returns, so that
  // sync() has nothing to do, and fills the rest of its last 4 KiB block with zeros: for logs,
  // whose end nothing follows. kUnsupported, at the latest from the first write, where the file
  // system cannot do that. Other implementations than PosixEnv treat it as kReadWrite.
  kReadWriteDirect,
};

// Held while the process may use a directory; released by the destructor.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct DirectoryEntry {
  std::string name;  // without the directory
  bool is_directory = false;
  uint64_t size_bytes = 0;
};

// A serial background worker: its step runs whenever there was a notify() since the step last
// began, never two steps at once. On PosixEnv it is a thread of its own, in SimEnv the scheduler
// runs steps one by one in a seeded order, so a step must never wait for another worker.
class Worker {
 public:
  // Stops: waits for a running step, runs no further one.
  virtual ~Worker() = default;
  // Asks for a step as soon as possible. Any thread, also from inside the step.
  virtual void notify() = 0;
  // Asks for a step at the latest `delay` from now (monotonic). An earlier pending request wins.
  virtual void notify_after(DurationNs delay) = 0;
};

class Env {
 public:
  virtual ~Env() = default;

  // Files. A created, renamed or removed name is durable only after sync_directory(parent).
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Status remove(const std::string& path) = 0;
  // Replaces `to` when it exists.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status sync_directory(const std::string& path) = 0;
  // Creates the directory and its missing parents, and makes their names durable.
  virtual Status create_directories(const std::string& path) = 0;
  // Removes an empty directory.
  virtual Status remove_directory(const std::string& path) = 0;
  // Sorted by name.
  virtual Result<std::vector<DirectoryEntry>> list_directory(const std::string& path) = 0;
  // False also for errors other than "does not exist" only when the path certainly is absent.
  virtual Result<bool> exists(const std::string& path) = 0;
  // Exclusive between processes and within this one: kConflict when somebody holds it.
  virtual Result<std::unique_ptr<FileLock>> lock_file(const std::string& path) = 0;
  // Bytes an unprivileged writer can still add to the file system that holds `path`.
  virtual Result<uint64_t> free_space(const std::string& path) = 0;
  // True when the paths of this Env are paths of the operating system, so that a library that does
  // its own I/O may be handed one.
  virtual bool has_real_paths() const = 0;

  // Clocks. now() is wall time and may jump; monotonic() only serves for differences.
  virtual TimeNs now() = 0;
  virtual TimeNs monotonic() = 0;
  virtual uint64_t random_u64() = 0;
  virtual std::optional<std::string> environment_variable(const std::string& name) = 0;

  // Starts a worker. `name` (at most 15 bytes) shows in thread lists and simulation traces. `step`
  // must not destroy the worker.
  virtual std::unique_ptr<Worker> start_worker(std::string name, std::function<void()> step) = 0;
};

// The operating system. Lives as long as the process.
Env* posix_env();

// Joins with exactly one '/'.
std::string join_path(std::string_view directory, std::string_view name);
// Everything before the last '/', "." when there is none.
std::string parent_path(std::string_view path);

// Reads a whole file; kTooLarge when it is longer than `limit_bytes`.
Result<std::string> read_file(Env* env, const std::string& path, uint64_t limit_bytes);
// The same for a file that the system writes while it is read (/proc, /sys): its size says nothing,
// so it is read until it ends.
Result<std::string> read_generated_file(Env* env, const std::string& path, uint64_t limit_bytes);
// Writes path.tmp, syncs, renames over `path`, syncs the directory: after a crash the old or the
// new content is there, whole.
Status replace_file(Env* env, const std::string& path, ByteView content);
// The same with the content of a file, piece by piece. The two may be of different Envs.
Status replace_file(Env* env, const std::string& path, Env* source_env, const std::string& source);

}  // namespace firn
