#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "env/sim_env.h"
#include "query/query.h"
#include "store/store.h"

// The whole store inside the simulation, with an oracle beside it: what was sent, what was
// answered, and whether what is read back agrees. The language of the tests in this folder.

namespace firn {

// A batch as the client sent it and what it knows about it.
struct SentBatch {
  std::vector<std::string> tokens;  // one per event, unique in the whole run
  std::vector<Id> ids;
  std::vector<std::string> streams;  // empty: none
  std::vector<TimeNs> times;
  bool answered = false;
  bool acked = false;    // answered, and stored
  bool refused = false;  // answered, and certainly not stored
  Position first = 0, last = 0;
};

class SimStore {
 public:
  // A machine with an empty disk.
  explicit SimStore(uint64_t seed);

  // Boots: opens the store on what the disk holds. False when a crash interrupted it.
  [[nodiscard]] bool boot();
  // Sends a batch of events and runs the workers until it is answered or the power is gone.
  void append(uint32_t events, int day, bool with_stream);
  // Sends several batches before any worker runs, so that they share a group.
  void append_together(const std::vector<uint32_t>& sizes, int day);
  // Sends an earlier batch again, as a client does that got no answer.
  void retry(size_t index);
  void command(ChunkAction action);
  void command_on(ChunkAction action, const std::string& chunk);
  // Lets background work go on until there is nothing to do.
  void settle();
  // Ends the process cleanly.
  void shut_down();
  // The power is gone; the next boot finds what the crash mode left.
  void power_cut(CrashMode mode, uint64_t seed);

  // Reads everything back and compares with the oracle. Empty when all is well, else what is wrong.
  std::string check();
  bool has_crashed() { return env.has_crashed(); }
  size_t rows_readable();
  std::vector<std::string> chunk_names();

  SimEnv env;
  std::vector<SentBatch> sent;
  uint64_t acked_events() const;

 private:
  StoreOptions options() const;
  SentBatch make_batch(uint32_t events, int day, bool with_stream);
  void send(size_t index, bool* done);
  void run_until(const bool* done);
  std::string check_batch(const SentBatch& batch, const std::map<std::string, EventRef>& by_token);

  std::unique_ptr<Store> store_;
  uint64_t next_token_ = 0;
  std::set<Position> dropped_;  // positions that a drop command may have removed
};

}  // namespace firn
