#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "query/query.h"
#include "views/metrics/rollup_marks.h"
#include "views/metrics/sample_state.h"

namespace firn {

// Rows of rollups: docs/formats/rollups.md.

inline constexpr Dataset kRollupDatasets[] = {Dataset::kRollups1, Dataset::kRollups2,
                                              Dataset::kRollups3};

struct RollupState {
  SampleState state;
  Position through = 0;  // of samples: what was written up to there is counted
};

// Adds the row of a window to the batch.
void add_rollup_row(std::string_view series, TimeNs start, DurationNs width,
                    const RollupState& rollup, BatchBuilder* rows);
// Adds the mark of an interval.
void add_rollup_mark(TimeNs interval, DurationNs width, Position through, BatchBuilder* rows);

// A window of one series: the place of the series among those asked for, and where it begins.
using WindowKey = std::pair<size_t, TimeNs>;

// The rollups of some series and one width in one chunk interval, with those of the range.
struct IntervalRollups {
  DurationNs width = 0;
  Position through = 0;             // of the mark
  std::vector<WindowKey> windows;   // ascending, each once
  std::vector<RollupState> states;  // of the windows, in their order

  // Null: there is none.
  const RollupState* find(const WindowKey& key) const;
};

struct RollupScan {
  Dataset dataset = Dataset::kRollups1;
  TimeRange interval{};             // the chunk interval
  TimeRange time;                   // of starts of windows
  DurationNs divides = 0;           // only widths that divide this one; 0: any
  std::vector<std::string> series;  // identities, ascending, each once
  StateParts wanted{};              // what states are to have
};

// Those of the widest width that has a mark; nothing when none has. What speaks of samples that the
// snapshot does not show is not there. kCorruption for a row that cannot be; else as a tier or the
// guard.
Result<std::optional<IntervalRollups>> read_rollups(const Snapshot& snapshot,
                                                    const RollupScan& scan, RollupMarks* marks,
                                                    const QueryGuard& guard, QueryCost* cost);

}  // namespace firn
