#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/crash/sim_store.h"

// A store in the simulation whose chunks of samples lose one of their series, and what is known of
// it: no other series may lose a sample, the rows that go are there or gone by whole chunks, what
// was answered stays so, and what is gone is known to be.

namespace firn {

class PruneMachine {
 public:
  explicit PruneMachine(uint64_t seed) : machine(seed) { machine.options = sim_sqlite_options(); }

  // The workload, until it is over or the power is gone.
  void run();
  // A sample of each series on each of two days.
  void write();
  // Removes the series that goes, of all chunks.
  void prune();
  // Reads everything back. Empty when all is well, else what is wrong.
  std::string check();

  SimStore machine;
  uint64_t first_prune_call = 0;  // I/O calls before the first removal

 private:
  using Sample = std::pair<int, TimeNs>;  // series and time, each once
  using Rows = std::map<Sample, Position>;
  struct State {
    bool is_acked = false, may_be_gone = false;
  };
  // A chunk that was to lose its rows of the series.
  struct Pruned {
    TimeNs interval = 0;
    Rows rows;  // of all series
    bool is_done = false;
  };

  NamespaceId space() { return machine.store()->find_namespace("default")->id; }
  static std::string name_of(const Sample& sample);
  static std::string read(const Snapshot& snapshot, const SnapshotChunk& chunk, Rows* rows);
  static std::string check_pruned(const Snapshot& snapshot, const Pruned& pruned, const Rows& rows);

  TimeNs next_ = 1;
  std::map<Sample, State> samples_;
  std::vector<Pruned> pruned_;
};

// Runs it with a power cut at each call number `first`, `first + step`, ... from the first removal
// on, and checks what the next start finds. Empty when all is well.
std::string cut_while_pruning(CrashMode mode, uint64_t first, uint64_t step);

}  // namespace firn
