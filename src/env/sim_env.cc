#include "env/sim_env.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "env/sim_machine.h"

namespace firn {
namespace {

class SimFile final : public File {
 public:
  SimFile(std::shared_ptr<SimMachine> machine, SimMachine::Handle handle, bool writable)
      : machine_(std::move(machine)), handle_(std::move(handle)), writable_(writable) {}

  using File::write_at;
  Result<size_t> read_at(uint64_t offset, void* out, size_t size) const override {
    return machine_->read(handle_, offset, out, size);
  }
  Status write_at(uint64_t offset, std::span<const ByteView> parts) override {
    FIRN_TRY(check_writable("write"));
    return machine_->write(handle_, offset, parts);
  }
  Status sync() override { return machine_->sync(handle_); }
  Status truncate(uint64_t size) override {
    FIRN_TRY(check_writable("truncate"));
    return machine_->truncate(handle_, size);
  }
  Status allocate(uint64_t size) override {
    FIRN_TRY(check_writable("allocate"));
    return machine_->allocate(handle_, size);
  }
  Result<uint64_t> size() const override { return machine_->size(handle_); }

 private:
  Status check_writable(const std::string& operation) const {
    if (writable_) return {};
    return io_error(operation + " " + handle_.path + ": Bad file descriptor");
  }

  const std::shared_ptr<SimMachine> machine_;
  const SimMachine::Handle handle_;
  const bool writable_;
};

class SimFileLock final : public FileLock {
 public:
  SimFileLock(std::shared_ptr<SimMachine> machine, uint64_t process, std::string path)
      : machine_(std::move(machine)), process_(process), path_(std::move(path)) {}
  ~SimFileLock() override { machine_->unlock_file(process_, path_); }

 private:
  const std::shared_ptr<SimMachine> machine_;
  const uint64_t process_;
  const std::string path_;
};

}  // namespace

SimEnv::SimEnv(uint64_t seed) : machine_(std::make_shared<SimMachine>(seed)) {
  // SQLite writes random numbers of its own into its log; 0 would mean true random.
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed % 1'000'000'000) + 1,
                       nullptr);
}
SimEnv::~SimEnv() { machine_->shut_down(); }

Result<std::unique_ptr<File>> SimEnv::open(const std::string& path, OpenMode mode) {
  FIRN_ASSIGN(SimMachine::Opened opened, machine_->open(path, mode));
  SimMachine::Handle handle{opened.process, std::move(opened.inode), path};
  return Result<std::unique_ptr<File>>(
      std::make_unique<SimFile>(machine_, std::move(handle), mode != OpenMode::kRead));
}

Result<std::unique_ptr<FileLock>> SimEnv::lock_file(const std::string& path) {
  FIRN_ASSIGN(const uint64_t process, machine_->lock_file(path));
  return Result<std::unique_ptr<FileLock>>(std::make_unique<SimFileLock>(machine_, process, path));
}

Status SimEnv::remove(const std::string& path) { return machine_->remove(path); }
Status SimEnv::rename(const std::string& from, const std::string& to) {
  return machine_->rename(from, to);
}
Status SimEnv::sync_directory(const std::string& path) { return machine_->sync_directory(path); }
Status SimEnv::create_directories(const std::string& path) {
  return machine_->create_directories(path);
}
Status SimEnv::remove_directory(const std::string& path) {
  return machine_->remove_directory(path);
}
Result<std::vector<DirectoryEntry>> SimEnv::list_directory(const std::string& path) {
  return machine_->list_directory(path);
}
Result<bool> SimEnv::exists(const std::string& path) { return machine_->exists(path); }
Result<uint64_t> SimEnv::free_space(const std::string& path) { return machine_->free_space(path); }

TimeNs SimEnv::now() { return machine_->scheduler()->now(); }
TimeNs SimEnv::monotonic() { return machine_->scheduler()->monotonic(); }
uint64_t SimEnv::random_u64() { return machine_->random_u64(); }
std::optional<std::string> SimEnv::environment_variable(const std::string& name) {
  return machine_->environment_variable(name);
}
std::unique_ptr<Worker> SimEnv::start_worker(std::string name, std::function<void()> step) {
  return SimScheduler::start_worker(machine_->scheduler(), std::move(name), std::move(step));
}

// --- Power ---------------------------------------------------------------------------------------

void SimEnv::crash_at(uint64_t call) { machine_->crash_at(call); }
void SimEnv::cut_power() { machine_->cut_power(); }
bool SimEnv::has_crashed() const { return !machine_->has_power(); }
void SimEnv::crash(CrashMode mode, uint64_t seed) { machine_->crash(mode, seed); }
uint64_t SimEnv::io_count() const { return machine_->io_count(); }
void SimEnv::count_reads(bool count) { machine_->count_reads(count); }

// --- Trace ---------------------------------------------------------------------------------------

uint64_t SimEnv::trace_hash() const { return machine_->trace_hash(); }
void SimEnv::keep_trace() { machine_->keep_trace(); }
std::vector<std::string> SimEnv::trace() const { return machine_->trace(); }

// --- Time and workers ----------------------------------------------------------------------------

void SimEnv::advance(DurationNs duration) { machine_->scheduler()->advance(duration); }
void SimEnv::jump_wall_clock(DurationNs delta) { machine_->scheduler()->jump_wall_clock(delta); }
bool SimEnv::run_one() { return machine_->run_one(); }

bool SimEnv::run_until(const std::function<bool()>& done, uint64_t max_steps) {
  SimScheduler& scheduler = *machine_->scheduler();
  for (uint64_t steps = 0; !done();) {
    if (steps == max_steps || !machine_->has_power()) return false;
    if (run_one()) {
      ++steps;
      continue;
    }
    const TimeNs next = scheduler.next_timer();
    if (next == INT64_MAX) return false;
    scheduler.advance_to(next);
  }
  return true;
}

bool SimEnv::run_until_idle(uint64_t max_steps) {
  for (uint64_t steps = 0; steps < max_steps; ++steps) {
    if (!run_one()) return machine_->has_power();
  }
  return machine_->scheduler()->next_timer() > monotonic();
}

bool SimEnv::run_for(DurationNs duration, uint64_t max_steps) {
  SimScheduler& scheduler = *machine_->scheduler();
  const TimeNs end = scheduler.monotonic() + duration;
  for (uint64_t steps = 0; steps < max_steps;) {
    if (run_one()) {
      ++steps;
      continue;
    }
    if (!machine_->has_power()) return false;
    if (scheduler.monotonic() >= end) return true;
    scheduler.advance_to(std::min(scheduler.next_timer(), end));
  }
  return false;
}

// --- Surroundings --------------------------------------------------------------------------------

void SimEnv::set_capacity(uint64_t bytes) { machine_->set_capacity(bytes); }
void SimEnv::set_environment_variable(const std::string& name, std::optional<std::string> value) {
  machine_->set_environment_variable(name, std::move(value));
}

// --- The disk ------------------------------------------------------------------------------------

std::vector<std::string> SimEnv::all_files() const { return machine_->all_files(); }
std::vector<std::string> SimEnv::unsynced_paths() const { return machine_->unsynced_paths(); }
std::string SimEnv::raw_content(const std::string& path) const {
  return machine_->raw_content(path);
}
void SimEnv::set_raw_content(const std::string& path, ByteView content) {
  machine_->set_raw_content(path, content);
}
void SimEnv::flip_bit(const std::string& path, uint64_t bit) { machine_->flip_bit(path, bit); }
void SimEnv::forget_unsynced(const std::string& path) { machine_->forget_unsynced(path); }
std::shared_ptr<const SimSnapshot> SimEnv::snapshot() const { return machine_->snapshot(); }
void SimEnv::restore(const std::shared_ptr<const SimSnapshot>& snapshot) {
  machine_->restore(*snapshot);
}

}  // namespace firn
