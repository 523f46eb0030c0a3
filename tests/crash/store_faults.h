#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "env/fault_env.h"
#include "tests/crash/sim_store.h"

// I/O calls that fail, and crashes of a recovery: what store_fault_test.cc samples and
// store_fault_exhaustive_test.cc runs in full.

namespace firn {

// How calls fail.
struct Fault {
  std::string name;
  Status status;
  bool for_ever = false;       // every call from the first on, not that one alone
  bool writes_prefix = false;  // a failing write leaves half of its bytes
};

// Which machine the calls fail on.
struct FaultSetup {
  uint64_t seed = 1;
  StoreOptions options = sim_store_options();
  // Whether what a failed sync did not bring to the disk never gets there, while reads go on
  // showing it, as on Linux. The log's files always behave so; this is about all others.
  bool forgets_failed_syncs = true;
};
std::vector<Fault> all_faults();

// Which call sites were ever reached and which of them were made to fail, over many runs.
class SiteCoverage {
 public:
  void add(const std::vector<IoSite>& sites);
  size_t known() const { return failed_.size(); }
  size_t hit() const;
  // Which of these sites never failed, one per line.
  std::string missed(const std::vector<IoSite>& sites) const;

 private:
  std::map<std::pair<IoKind, std::string>, uint64_t> failed_;
};

struct FaultRun {
  std::string problem;  // empty: all is well
  bool came = false;    // whether the workload got as far as the call
  std::string sites;    // what failed
  uint64_t acked = 0;
};
// Runs the workload with the fault at I/O call `call` (reads count), heals the disk, compares with
// the oracle while the process lives and after a restart or power cut, verifies, and works on.
FaultRun fault_and_check(const FaultSetup& setup, const Fault& fault, uint64_t call,
                         SiteCoverage* sites);

// I/O calls of the whole workload, reads included, and where they are made.
std::vector<IoSite> sites_of_a_clean_run(const FaultSetup& setup);
uint64_t count_fault_calls(const FaultSetup& setup);

// A machine whose power went at I/O call `call` of the workload, and what a boot that nothing
// disturbs makes of it.
class CrashedMachine {
 public:
  CrashedMachine(const FaultSetup& setup, uint64_t call, CrashMode mode);

  // Empty when the undisturbed boot agrees with the oracle.
  const std::string& problem() const { return problem_; }
  // I/O calls of a boot that nothing disturbs: those that change the disk, and all of them.
  uint64_t recovery_calls() const { return recovery_calls_; }
  uint64_t recovery_calls_with_reads() const { return recovery_calls_with_reads_; }
  uint64_t acked() const { return machine_.acked_events(); }

  // Boots with the power going at call cuts[0], again with it going at call cuts[1], and so on,
  // then undisturbed. What can be read must be what the first undisturbed boot gave. Empty when so.
  std::string recover_with_cuts(const std::vector<uint64_t>& cuts, CrashMode mode);
  // Boots with one call failing, and again without.
  std::string recover_with_fault(const Fault& fault, uint64_t call);

 private:
  // A recovery is the opening and the first look of the background work.
  bool recover();
  std::string compare(const std::string& when);

  SimStore machine_;
  std::shared_ptr<const SimSnapshot> disk_;
  std::string problem_;
  std::string content_;
  uint64_t recovery_calls_ = 0, recovery_calls_with_reads_ = 0;
};

}  // namespace firn
