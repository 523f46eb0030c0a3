#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/filter.h"
#include "model/record_batch.h"
#include "model/scan_cost.h"
#include "model/schema.h"

namespace firn {

// Which chunks of a tier are looked at, and which are not because no row of theirs can match.
struct TierPlan {
  std::string tier;
  uint64_t chunks = 0, chunks_pruned = 0;
};

// What stands behind an SQL table: rows of one dataset that some tiers hold, read when a statement
// runs. Thread rule: open() may be called from several threads and several times (a table that a
// statement names twice is opened twice); each call stands alone.
class BatchSource {
 public:
  struct Partition {
    // Rows of this partition. Pulled by one thread at a time, different partitions in parallel.
    std::unique_ptr<BatchReader> reader;
    // One value per extra column of the table (EventTable::extra_columns), for all rows.
    std::vector<std::string> extras;
    // For EXPLAIN: the tier the rows are in, and what the reader took so far. `cost` belongs to the
    // source and changes only while the reader is pulled; both may be empty.
    std::string tier{};
    const ScanCost* cost = nullptr;
  };

  virtual ~BatchSource() = default;

  // Starts reading. The partitions together deliver every row that satisfies `filter`, each once;
  // they may deliver others too, because the engine checks each row again. Columns outside
  // `projection` may be left out. A reader's status that is not ok ends the statement and comes
  // back from Engine::run unchanged.
  virtual Result<std::vector<Partition>> open(const Projection& projection,
                                              const Filter& filter) = 0;

  // What open() with this filter would look at; nothing is read for it.
  virtual std::vector<TierPlan> plan(const Filter& /*filter*/) const { return {}; }

  // About how many rows there are, for the planner. 0: unknown.
  virtual uint64_t rows_estimated() const { return 0; }
};

}  // namespace firn
