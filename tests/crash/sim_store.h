#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "env/fault_env.h"
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
  std::optional<int64_t> expected_version;  // of its stream, which is all its events'
  uint32_t attempts = 0;                    // how often it was sent
  uint32_t refusals = 0;                    // answers that say: certainly not stored
  bool acked = false;                       // answered, and stored
  Position first = 0, last = 0;

  // Whether nobody may ever read it.
  bool refused() const { return !acked && attempts == refusals; }
};

// Options for a small store: little memory, small log segments, no reserve on the disk.
StoreOptions sim_store_options();
// The same with SQLite in the last tier too, in the other layout: everything but Parquet's own
// calls, in an eighth of the time.
StoreOptions sim_sqlite_options();

// Everything about an event, its position first, as one line of text.
std::string event_line(const RecordBatch& batch, uint32_t row);

class SimStore {
 public:
  // A machine with an empty disk.
  explicit SimStore(uint64_t seed);

  // Boots: opens the store on what the disk holds. False when a crash or a fault interrupted it.
  [[nodiscard]] bool boot();
  // The same, with what the opening said.
  Status try_boot();
  // Sends a batch of events and runs the workers until it is answered or the power is gone.
  void append(uint32_t events, int day, bool with_stream);
  // Sends several batches before any worker runs, so that they share a group.
  void append_together(const std::vector<uint32_t>& sizes, int day);
  // Sends two batches for one stream that expect the same version; at most one may be stored.
  void append_rivals(int day);
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
  // What Store::verify finds; empty when everything is sound.
  std::string verify();
  // Everything that can be read, as text: equal for equal content.
  std::string content();
  bool has_crashed() { return env.has_crashed(); }
  size_t rows_readable();
  std::vector<std::string> chunk_names();

  Store* store() { return store_.get(); }
  uint64_t acked_events() const;

  SimEnv env;
  FaultEnv faults{&env};  // what the store gets; passes everything on unless told otherwise
  StoreOptions options = sim_store_options();
  uint32_t filler_bytes = 0;  // incompressible bytes that each event carries besides
  std::vector<SentBatch> sent;

 private:
  void answer(size_t index, const Result<AppendResult>& result);
  SentBatch make_batch(uint32_t events, int day, bool with_stream);
  void send(size_t index, bool* done);
  void run_until(const bool* done);
  std::string check_rivals(const std::map<std::string, EventRef>& by_token);
  std::string check_batch(const SentBatch& batch, const std::map<std::string, EventRef>& by_token);

  std::unique_ptr<Store> store_;
  uint64_t next_token_ = 0;
  bool hung_ = false;           // a machine with power left an append or a command unanswered
  std::set<Position> dropped_;  // positions that a drop command may have removed
};

}  // namespace firn
