#pragma once

#include <cstdint>
#include <limits>

#include "base/time.h"
#include "views/metrics/quantile_sketch.h"

namespace firn {

// What is kept of the values of a window (docs/metrics.md, "States"). States of parts merge to the
// state of the whole.
struct SampleState {
  uint64_t count = 0;
  double sum = 0, sum_low = 0;  // together the sum; `sum` alone is the nearest double
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
  TimeNs first_time = INT64_MAX, last_time = INT64_MIN;
  double first = 0, last = 0;
  QuantileSketch sketch;  // empty unless asked for

  double average() const { return sum / static_cast<double>(count); }
};

// What of states is wanted beside count and sum; what is not, they may lack.
struct StateParts {
  bool extremes = true;  // min, max
  bool ends = true;      // first, last and their times
  bool sketch = true;
};

// Adds a value that is not NaN. Of values at the same time the one added first is the first one,
// and the one added last is the last.
void add_value(TimeNs time, double value, bool with_sketch, SampleState* state);
// Adds what `from` counts, as if its values were added behind those of `to`.
void merge_state(const SampleState& from, SampleState* to);

}  // namespace firn
