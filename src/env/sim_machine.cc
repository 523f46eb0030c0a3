#include "env/sim_machine.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "base/hash.h"
#include "env/sim_env.h"

namespace firn {
namespace {

constexpr DurationNs kCallNs = kMicrosecondNs;

Status power_cut_error(std::string_view operation, const std::string& path) {
  return io_error(fmt::format("{} {}: simulated power cut", operation, path));
}

Status wrong_kind(std::string_view operation, const std::string& path, bool is_directory) {
  return io_error(fmt::format("{} {}: {}", operation, path,
                              is_directory ? "Is a directory" : "Not a directory"));
}

Status absent(std::string_view operation, const std::string& path) {
  return not_found(fmt::format("{} {}: No such file or directory", operation, path));
}

}  // namespace

SimMachine::SimMachine(uint64_t seed)
    : scheduler_(std::make_shared<SimScheduler>(SimRandom(seed).next())), random_(seed) {}

// --- The door: power, processes, numbers ---------------------------------------------------------

Status SimMachine::check_process(std::string_view operation, const std::string& path) const {
  if (!power_) return power_cut_error(operation, path);
  std::string left = scheduler_->dead_worker();
  if (!left.empty()) left = "worker " + left;
  if (left.empty() && !dead_locks_.empty()) left = "lock " + dead_locks_.begin()->first;
  if (left.empty()) return {};
  return io_error(fmt::format(
      "{} {}: simulated power cut: {} of the process before it still exists, and while it does "
      "this call is taken for one of that process",
      operation, path, left));
}

Status SimMachine::check_handle(std::string_view operation, const Handle& file) const {
  if (!power_ || file.process != process_) return power_cut_error(operation, file.path);
  return {};
}

void SimMachine::record(const std::string& line) {
  trace_hash_ = hash_bytes(line, trace_hash_);
  if (keep_trace_) trace_.push_back(line);
}

Status SimMachine::begin(const Call& call) {
  ++io_count_;
  scheduler_->advance(kCallNs);
  record(fmt::format("{} {} {} {}+{} {:08x}", io_count_, call.operation, call.path, call.offset,
                     call.size, call.checksum));
  if (io_count_ != crash_at_) return {};
  power_ = false;
  return power_cut_error(call.operation, call.path);
}

Status SimMachine::begin_read(const Call& call) { return count_reads_ ? begin(call) : Status(); }

// --- Names ---------------------------------------------------------------------------------------

Result<SimInodePtr> SimMachine::open_inode(const std::string& path, OpenMode mode) {
  FIRN_TRY(check_process("open", path));
  FIRN_ASSIGN(const SimDisk::Place place, disk_.find(path));
  if (place.inode == nullptr) {
    const bool creates = mode == OpenMode::kCreate || mode == OpenMode::kCreateNew;
    if (!creates) return absent("open", path);
    FIRN_TRY(begin({"create", path}));
    return disk_.create(place, false);
  }
  if (mode == OpenMode::kCreateNew) return conflict("create " + path + ": it exists already");
  if (place.inode->is_directory) return wrong_kind("open", path, true);
  FIRN_TRY(begin_read({"open", path}));
  return place.inode;
}

Result<SimMachine::Opened> SimMachine::open(const std::string& path, OpenMode mode) {
  const MutexLock lock(&mutex_);
  FIRN_ASSIGN(SimInodePtr inode, open_inode(path, mode));
  return Opened{std::move(inode), process_};
}

Status SimMachine::remove(const std::string& path) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_process("remove", path));
  FIRN_TRY(begin({"remove", path}));
  return disk_.remove(path);
}

Status SimMachine::rename(const std::string& from, const std::string& to) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_process("rename", from));
  FIRN_TRY(begin({"rename", from + " " + to}));
  return disk_.rename(from, to);
}

Status SimMachine::sync_directory(const std::string& path) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_process("sync directory", path));
  FIRN_ASSIGN(const SimDisk::Place place, disk_.find(path));
  if (place.inode == nullptr) return absent("sync directory", path);
  if (!place.inode->is_directory) return wrong_kind("sync directory", path, false);
  FIRN_TRY(begin({"sync_directory", path}));
  SimDisk::sync_directory(place.inode.get());
  return {};
}

// One component of a path. Ok when it is there and durable.
Status SimMachine::create_directory(const std::string& path, bool* missing) {
  FIRN_ASSIGN(const SimDisk::Place place, disk_.find(path));
  if (place.inode == nullptr) {
    *missing = true;
    FIRN_TRY(begin({"create_directory", path}));
    (void)disk_.create(place, true);
    FIRN_TRY(begin({"sync_directory", parent_path(path)}));
  } else if (!place.inode->is_directory) {
    return wrong_kind("create directory", path, false);
  }
  // Also for what was there: it may have come with a rename.
  SimDisk::sync_name(place.directory.get(), place.name);
  return {};
}

Status SimMachine::create_directories(const std::string& path) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_process("create directory", path));
  if (path.empty()) return absent("create directory", path);
  const std::string canonical = SimDisk::canonical_path(path);
  bool missing = false;
  for (size_t end = 0; end < canonical.size();) {
    end = std::min(canonical.find('/', end + 1), canonical.size());
    FIRN_TRY(create_directory(canonical.substr(0, end), &missing));
  }
  return missing ? Status() : begin({"sync_directory", parent_path(canonical)});
}

Status SimMachine::remove_directory(const std::string& path) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_process("remove directory", path));
  FIRN_TRY(begin({"remove_directory", path}));
  return disk_.remove_directory(path);
}

Result<std::vector<DirectoryEntry>> SimMachine::list_directory(const std::string& path) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_process("list", path));
  FIRN_ASSIGN(const SimDisk::Place place, disk_.find(path));
  if (place.inode == nullptr) return absent("open directory", path);
  if (!place.inode->is_directory) return wrong_kind("open directory", path, false);
  FIRN_TRY(begin_read({"list", path}));
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, inode] : place.inode->names) {
    entries.push_back({name, inode->is_directory, inode->content.size()});
  }
  return entries;
}

Result<bool> SimMachine::exists(const std::string& path) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_process("stat", path));
  FIRN_TRY(begin_read({"exists", path}));
  const Result<SimDisk::Place> place = disk_.find(path);
  return place.ok() && place->inode != nullptr;
}

Result<uint64_t> SimMachine::lock_file(const std::string& path) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(open_inode(path, OpenMode::kCreate).status());
  if (!locks_.emplace(SimDisk::canonical_path(path), process_).second) {
    return conflict("lock " + path + ": this process holds it already");
  }
  return process_;
}

void SimMachine::unlock_file(uint64_t process, const std::string& path) {
  const MutexLock lock(&mutex_);
  const std::string canonical = SimDisk::canonical_path(path);
  if (process == process_) {
    locks_.erase(canonical);
  } else if (const auto dead = dead_locks_.find(canonical);
             dead != dead_locks_.end() && --dead->second == 0) {
    dead_locks_.erase(dead);
  }
}

Result<uint64_t> SimMachine::free_space(const std::string& path) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_process("ask for the free space of", path));
  FIRN_ASSIGN(const SimDisk::Place place, disk_.find(path));
  if (place.inode == nullptr) return absent("ask for the free space of", path);
  const uint64_t used = disk_.used_bytes();
  return capacity_ - std::min(capacity_, used);
}

// --- Files ---------------------------------------------------------------------------------------

Result<size_t> SimMachine::read(const Handle& file, uint64_t offset, void* out, size_t size) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_handle("read", file));
  FIRN_TRY(begin_read({"read", file.path, offset, size}));
  return file.inode->content.read(offset, out, size);
}

uint64_t SimMachine::fitting_end(const SimInode& file, uint64_t end) const {
  const uint64_t size = file.content.size();
  if (!has_capacity_ || end <= size) return end;
  const uint64_t used = disk_.used_bytes();
  return std::min(end, size + (capacity_ - std::min(capacity_, used)));
}

Status SimMachine::write(const Handle& file, uint64_t offset, std::span<const ByteView> parts) {
  std::string bytes;
  for (const ByteView part : parts) bytes.append(part);
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_handle("write", file));
  if (bytes.empty()) return {};
  Status status = begin({"write", file.path, offset, bytes.size(), crc32c(bytes)});
  // The interrupted write is on its way to the disk.
  const bool interrupted = !status.ok();
  const uint64_t end = fitting_end(*file.inode, offset + bytes.size());
  if (!interrupted && end < offset + bytes.size()) {
    status = no_space(fmt::format("write {}: No space left on device", file.path));
    bytes.resize(end > offset ? end - offset : 0);
  }
  if (!bytes.empty()) {
    SimDisk::change(file.inode.get(), {SimFileChange::Kind::kWrite, offset, std::move(bytes)});
  }
  return status;
}

Status SimMachine::sync(const Handle& file) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_handle("sync", file));
  FIRN_TRY(begin({"sync", file.path}));
  SimDisk::sync(file.inode.get());
  return {};
}

Status SimMachine::truncate(const Handle& file, uint64_t size) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_handle("truncate", file));
  FIRN_TRY(begin({"truncate", file.path, size}));
  SimDisk::change(file.inode.get(), {SimFileChange::Kind::kTruncate, size, ""});
  return {};
}

Status SimMachine::allocate(const Handle& file, uint64_t size) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_handle("allocate", file));
  FIRN_TRY(begin({"allocate", file.path, size}));
  if (fitting_end(*file.inode, size) < size) {
    return no_space(fmt::format("allocate {}: No space left on device", file.path));
  }
  SimDisk::change(file.inode.get(), {SimFileChange::Kind::kAllocate, size, ""});
  return {};
}

Result<uint64_t> SimMachine::size(const Handle& file) {
  const MutexLock lock(&mutex_);
  FIRN_TRY(check_handle("stat", file));
  FIRN_TRY(begin_read({"size", file.path}));
  return file.inode->content.size();
}

}  // namespace firn
