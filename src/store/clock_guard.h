#pragma once

#include "base/status.h"
#include "env/env.h"
#include "store/core.h"
#include "store/manifest.h"

namespace firn {

// Whether wall time may be trusted to delete by. It is suspect when it moved by more than an hour
// against the monotonic clock, or when at a start it is more than an hour behind, or more than a
// day ahead, of what the manifest last recorded: a store that was stopped for a day cannot tell
// that from a clock that was set wrong. Suspicion stays, across restarts, until the operator says
// that the clock is right (StoreCondition::confirm_clock()). Rows are ordered by position, so
// nothing else depends on it.
//
// Thread rule: one thread, the mover's.
class ClockGuard {
 public:
  // Compares with the manifest's record. All must outlive it.
  ClockGuard(Env* env, Manifest* manifest, StoreCondition* condition);
  // Compares both clocks with the last call; brings the manifest's record up to date, hourly or
  // when something changed. Not ok: the record could not be written; the suspicion holds anyway.
  Status check();

 private:
  Status record(bool is_suspect);

  Env* const env_;
  Manifest* const manifest_;
  StoreCondition* const condition_;
  TimeNs last_wall_, last_monotonic_;
  ClockRecord recorded_;  // in the manifest
  TimeNs recorded_at_;    // monotonic
};

}  // namespace firn
