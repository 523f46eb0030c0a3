#include <utility>

#include <fmt/format.h>

#include "env/sim_env.h"
#include "env/sim_machine.h"

// The side of SimMachine that tests use.

namespace firn {

// --- Power ---------------------------------------------------------------------------------------

void SimMachine::crash_at(uint64_t call) {
  const MutexLock lock(&mutex_);
  crash_at_ = call;
}

void SimMachine::cut_power() {
  const MutexLock lock(&mutex_);
  power_ = false;
}

bool SimMachine::has_power() const {
  const MutexLock lock(&mutex_);
  return power_;
}

void SimMachine::end_process() {
  ++process_;
  for (const auto& [path, process] : locks_) ++dead_locks_[path];
  locks_.clear();
  scheduler_->end_process();
}

void SimMachine::crash(CrashMode mode, uint64_t seed) {
  const MutexLock lock(&mutex_);
  end_process();
  disk_.crash(mode, SimRandom(seed));
  record(fmt::format("crash {} {}", static_cast<int>(mode), seed));
  crash_at_ = 0;
  power_ = true;
}

void SimMachine::shut_down() {
  const MutexLock lock(&mutex_);
  end_process();
  power_ = false;
}

uint64_t SimMachine::io_count() const {
  const MutexLock lock(&mutex_);
  return io_count_;
}

void SimMachine::count_reads(bool count) {
  const MutexLock lock(&mutex_);
  count_reads_ = count;
}

// --- Trace ---------------------------------------------------------------------------------------

uint64_t SimMachine::trace_hash() const {
  const MutexLock lock(&mutex_);
  return trace_hash_;
}

void SimMachine::keep_trace() {
  const MutexLock lock(&mutex_);
  keep_trace_ = true;
}

std::vector<std::string> SimMachine::trace() const {
  const MutexLock lock(&mutex_);
  return trace_;
}

bool SimMachine::run_one() {
  SimWorker* worker = nullptr;
  {
    const MutexLock lock(&mutex_);
    if (!power_) return false;
    worker = scheduler_->begin_step();
    if (worker == nullptr) return false;
    record("step " + worker->name());
  }
  scheduler_->run(worker);
  return true;
}

// --- Surroundings --------------------------------------------------------------------------------

uint64_t SimMachine::random_u64() {
  const MutexLock lock(&mutex_);
  return random_.next();
}

std::optional<std::string> SimMachine::environment_variable(const std::string& name) {
  const MutexLock lock(&mutex_);
  const auto found = variables_.find(name);
  if (found == variables_.end()) return std::nullopt;
  return found->second;
}

void SimMachine::set_environment_variable(const std::string& name,
                                          std::optional<std::string> value) {
  const MutexLock lock(&mutex_);
  if (value.has_value()) {
    variables_[name] = std::move(*value);
  } else {
    variables_.erase(name);
  }
}

void SimMachine::set_capacity(uint64_t bytes) {
  const MutexLock lock(&mutex_);
  capacity_ = bytes;
  has_capacity_ = true;
}

// --- Looking at the disk and damaging it ---------------------------------------------------------

std::vector<std::string> SimMachine::all_files() const {
  const MutexLock lock(&mutex_);
  std::vector<std::string> paths;
  for (const SimDisk::Entry& entry : disk_.entries()) {
    if (!entry.inode->is_directory) paths.push_back(entry.path);
  }
  return paths;
}

std::vector<std::string> SimMachine::unsynced_paths() const {
  const MutexLock lock(&mutex_);
  std::vector<std::string> paths;
  for (const SimDisk::Entry& entry : disk_.entries()) {
    if (!entry.inode->pending.empty() || !entry.inode->pending_names.empty()) {
      paths.push_back(entry.path);
    }
  }
  return paths;
}

SimInode* SimMachine::existing_file(const std::string& path) const {
  const Result<SimDisk::Place> place = disk_.find(path);
  FIRN_CHECK(place.ok() && place->inode != nullptr && !place->inode->is_directory);
  return place->inode.get();
}

std::string SimMachine::raw_content(const std::string& path) const {
  const MutexLock lock(&mutex_);
  return existing_file(path)->content.to_string();
}

void SimMachine::set_raw_content(const std::string& path, ByteView content) {
  const MutexLock lock(&mutex_);
  const Result<SimDisk::Place> place = disk_.find(path);
  FIRN_CHECK(place.ok());
  SimInodePtr file = place->inode;
  if (file == nullptr) file = disk_.create(*place, false);
  FIRN_CHECK(!file->is_directory);
  SimDisk::sync_name(place->directory.get(), place->name);
  file->pending.clear();
  file->content.resize(0);
  file->content.write(0, content);
  file->durable = file->content;
}

void SimMachine::flip_bit(const std::string& path, uint64_t bit) {
  const MutexLock lock(&mutex_);
  SimInode* file = existing_file(path);
  FIRN_CHECK(bit / 8 < file->content.size());
  const auto mask = static_cast<unsigned char>(1U << bit % 8);
  for (SimBytes* bytes : {&file->content, &file->durable}) {
    unsigned char byte = 0;
    if (bytes->read(bit / 8, &byte, 1) == 0) continue;
    byte ^= mask;
    bytes->write(bit / 8, ByteView(reinterpret_cast<const char*>(&byte), 1));
  }
}

void SimMachine::forget_unsynced(const std::string& path) {
  const MutexLock lock(&mutex_);
  const Result<SimDisk::Place> place = disk_.find(path);
  if (place.ok() && place->inode != nullptr) place->inode->pending.clear();
}

std::shared_ptr<const SimSnapshot> SimMachine::snapshot() const {
  const MutexLock lock(&mutex_);
  return std::make_shared<const SimSnapshot>(disk_.clone());
}

void SimMachine::restore(const SimSnapshot& snapshot) {
  const MutexLock lock(&mutex_);
  end_process();
  disk_ = snapshot.disk().clone();
  record("restore");
  crash_at_ = 0;
  power_ = true;
}

}  // namespace firn
