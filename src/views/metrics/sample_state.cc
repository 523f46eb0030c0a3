#include "views/metrics/sample_state.h"

#include <algorithm>
#include <cmath>

namespace firn {

namespace {

// Adds to a sum of two parts; what the greater part cannot hold goes to the lower one (Neumaier).
void add_to_sum(double value, SampleState* state) {
  const double sum = state->sum + value;
  if (!std::isfinite(sum)) {
    state->sum = sum;
    state->sum_low = 0;
    return;
  }
  state->sum_low += std::abs(state->sum) >= std::abs(value) ? (state->sum - sum) + value
                                                            : (value - sum) + state->sum;
  // Keeps the first part the nearest double.
  state->sum = sum + state->sum_low;
  state->sum_low = (sum - state->sum) + state->sum_low;
}

}  // namespace

void add_value(TimeNs time, double value, bool with_sketch, SampleState* state) {
  ++state->count;
  add_to_sum(value, state);
  state->min = std::min(state->min, value);
  state->max = std::max(state->max, value);
  if (time < state->first_time) {
    state->first_time = time;
    state->first = value;
  }
  if (time >= state->last_time) {
    state->last_time = time;
    state->last = value;
  }
  if (with_sketch) state->sketch.add(value);
}

void merge_state(const SampleState& from, SampleState* to) {
  if (from.count == 0) return;
  to->count += from.count;
  add_to_sum(from.sum, to);
  if (from.sum_low != 0) add_to_sum(from.sum_low, to);
  to->min = std::min(to->min, from.min);
  to->max = std::max(to->max, from.max);
  if (from.first_time < to->first_time) {
    to->first_time = from.first_time;
    to->first = from.first;
  }
  if (from.last_time >= to->last_time) {
    to->last_time = from.last_time;
    to->last = from.last;
  }
  to->sketch.merge(from.sketch);
}

}  // namespace firn
