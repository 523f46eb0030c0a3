#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/env.h"

namespace firn {

class SimMachine;
class SimSnapshot;

// What of the unsynced changes the disk holds after a power cut.
enum class CrashMode : uint8_t {
  kLoseAll,  // nothing that was not synced
  kKeepAll,  // everything, in the order it was done
  kRandom,   // the seed decides: each write is kept, lost or torn; see below
};

// A machine in memory: a disk that forgets what was not synced, a clock that only moves when told
// to, workers that run one step at a time in an order that the seed decides. The whole store runs
// on it, so that a test can cut the power at any call and repeat any run exactly.
//
//   SimEnv env(seed);
//   env.crash_at(17);                          // power goes at the 17th call that changes the disk
//   auto store = Store::open(&env, options);   // from here on the store works as on any Env
//   (*store)->append(..., [&](const auto& result) { answered = true; ... });
//   env.run_until([&] { return answered || env.has_crashed(); });
//   store->reset();                            // still without power: cannot change the disk
//   env.crash(CrashMode::kRandom, seed);       // decides what the disk holds; power is back
//   auto again = Store::open(&env, options);   // the next boot
//
// ## The disk
//
// Reads see every change at once. What a power cut leaves is another matter:
//   - Writes, truncates and allocates of a file are pending until File::sync() of that file.
//   - A created, renamed or removed name is pending until sync_directory() of its directory. So a
//     synced file may be gone because its name was not, a rename may be undone, and a removed file
//     may come back with its old content. A rename happens as a whole or not at all.
//   - create_directories() makes its names durable itself.
// CrashMode::kRandom decides for each file and directory alone, and within a file for each pending
// write alone, so later writes may survive earlier ones. A torn write is kept up to any byte
// (mostly up to a multiple of 512), or in some of its 512-byte sectors only; the rest of its range
// holds what was there before, zeros or garbage. A lost write past the end of the file may leave
// zeros there. Of the pending names of one directory a prefix survives, in the order of the calls.
//
// Paths are absolute or relative to "/", which exists from the start; nothing else does. Errors are
// those of PosixEnv.
//
// ## Power cuts
//
// Every call that changes the disk or syncs has a number, from 1 (io_count() is the last one given
// out): open and lock_file where they create a file, write_at, truncate, allocate, sync, remove,
// rename, sync_directory, remove_directory, and per missing directory in create_directories one for
// creating and one for syncing (one in all when none is missing). With crash_at(n) the power goes
// when call n begins. That call and all later ones, reads too, return kIoError("simulated power
// cut") and change nothing, except that an interrupted write is pending like any other and may
// therefore be found, whole or torn. Workers run no more.
//
// crash() ends the process: files, locks and workers of before stay dead for ever; their calls fail
// and do nothing. Destroy them whenever you like, with one restriction: while a worker or a lock of
// the old process exists, calls on the Env fail, because they may come from its destructors.
// Without a planned cut, call cut_power(), destroy, crash(); or crash(), destroy.
//
// ## Time and workers
//
// now() and monotonic() stand still except for 1 us per numbered call, advance(), and run_until()
// when only timers are left. Nothing runs unless a test drives it with run_one(), run_until(),
// run_until_idle() or run_for(). A step runs to its end on the calling thread; which of the
// runnable workers is next is decided by the seed. So a step must never wait for another worker.
//
// The same seed and the same calls give the same trace_hash(), as long as one thread does
// everything. To that end a new SimEnv also seeds SQLite's random numbers, which the whole process
// shares: with two SimEnv in use at once, their logs of SQLite differ from those of each alone.
// Files, clocks and notify() may be used from any thread (DuckDB has its own); the methods that
// drive and crash are for one.
class SimEnv final : public Env {
 public:
  explicit SimEnv(uint64_t seed);
  ~SimEnv() override;  // files, locks and workers may outlive it; they are dead then
  SimEnv(const SimEnv&) = delete;
  SimEnv& operator=(const SimEnv&) = delete;

  // Env.
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status remove(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list_directory(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock_file(const std::string& path) override;
  Result<uint64_t> free_space(const std::string& path) override;
  bool has_real_paths() const override { return false; }
  TimeNs now() override;
  TimeNs monotonic() override;
  uint64_t random_u64() override;  // from the seed; goes on after a crash
  std::optional<std::string> environment_variable(const std::string& name) override;
  std::unique_ptr<Worker> start_worker(std::string name, std::function<void()> step) override;

  // --- Power ---------------------------------------------------------------------------------

  // Plans a cut at the call with this number; replaces an earlier plan, 0 is none. crash() forgets
  // the plan. A number already given out never comes.
  void crash_at(uint64_t call);
  // The power goes now.
  void cut_power();
  // Whether the power is off: a cut has happened and crash() was not called since.
  bool has_crashed() const;
  // Cuts the power if it is on, decides what the disk holds, and turns it on for the next boot.
  // `seed` counts for kRandom only.
  void crash(CrashMode mode, uint64_t seed);
  // The number of the last call.
  uint64_t io_count() const;
  // Whether reads (read_at, size, list_directory, exists, and open of what exists) have numbers
  // too. Default: no.
  void count_reads(bool count);

  // --- Trace ---------------------------------------------------------------------------------

  // A hash of all numbered calls so far (operation, path, offset, length, checksum of the content)
  // and of the names of the workers whose steps ran.
  uint64_t trace_hash() const;
  // Keeps the trace as text too, from now on: one line per call or step, for comparing two runs.
  void keep_trace();
  std::vector<std::string> trace() const;

  // --- Time and workers ----------------------------------------------------------------------

  // Moves both clocks. Timers that are due thereby become runnable; nothing runs.
  void advance(DurationNs duration);
  // Moves now() only, forwards or backwards.
  void jump_wall_clock(DurationNs delta);
  // Runs one step of one runnable worker. False when there is none, or no power.
  bool run_one();
  // Runs steps until done() is true, which is asked before each step. When no worker is runnable
  // the clocks move to the next timer. False when done() is still false after `max_steps`, or with
  // nothing left that could run.
  bool run_until(const std::function<bool()>& done, uint64_t max_steps = 1'000'000);
  // Runs steps until no worker is runnable. Timers in the future stay there. False when that was
  // not reached in `max_steps`.
  bool run_until_idle(uint64_t max_steps = 1'000'000);
  // Runs steps and timers until the clock has moved by `duration` and nothing is runnable. False as
  // above.
  bool run_for(DurationNs duration, uint64_t max_steps = 1'000'000);

  // --- Surroundings --------------------------------------------------------------------------

  // The size of the disk; files count with their size. Default 1 TiB. A write that does not fit
  // writes what fits and fails with kNoSpace; an allocate that does not fit changes nothing.
  void set_capacity(uint64_t bytes);
  // Null removes it.
  void set_environment_variable(const std::string& name, std::optional<std::string> value);

  // --- Looking at the disk and damaging it (no numbers, no time, no faults) ---------------------

  // Paths of all files, sorted, absolute.
  std::vector<std::string> all_files() const;
  // Those of them with unsynced content, and of all directories with unsynced names.
  std::vector<std::string> unsynced_paths() const;
  // The content that reads see. REQUIRES that the file exists.
  std::string raw_content(const std::string& path) const;
  // Replaces the content, durably; creates the file, durably, when it is missing. REQUIRES that the
  // directory exists.
  void set_raw_content(const std::string& path, ByteView content);
  // Flips one bit of what reads see and of what is durable: bit i is bit i % 8 of byte i / 8.
  // REQUIRES that the file is longer.
  void flip_bit(const std::string& path, uint64_t bit);
  // What the kernel does to a file whose sync failed: the unsynced writes count as clean. Reads go
  // on showing them, later syncs succeed, and no crash mode brings them to the disk. For use with
  // FaultEnv::on_failed_sync(). Nothing happens when there is no such file.
  void forget_unsynced(const std::string& path);

  // The whole disk with all that is pending on it. Costs little: content is shared until it
  // changes. Also while the power is off, so that every crash mode can be tried on one run.
  std::shared_ptr<const SimSnapshot> snapshot() const;
  // Puts that disk back, also of another SimEnv. The running process ends as in crash(), but what
  // is pending on the disk remains so: crash() next, or boot. Clocks and counters go on.
  void restore(const std::shared_ptr<const SimSnapshot>& snapshot);

 private:
  const std::shared_ptr<SimMachine> machine_;
};

}  // namespace firn
