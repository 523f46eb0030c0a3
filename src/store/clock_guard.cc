#include "store/clock_guard.h"

namespace firn {

namespace {

constexpr DurationNs kJumpMaxNs = kHourNs;
constexpr DurationNs kStoppedMaxNs = kDayNs;
constexpr DurationNs kRecordEveryNs = kHourNs;

}  // namespace

ClockGuard::ClockGuard(Env* env, Manifest* manifest, StoreCondition* condition)
    : env_(env),
      manifest_(manifest),
      condition_(condition),
      last_wall_(env->now()),
      last_monotonic_(env->monotonic()),
      recorded_(manifest->clock_at_open()),
      recorded_at_(last_monotonic_) {
  const DurationNs moved = last_wall_ - recorded_.wall;
  if (recorded_.is_suspect || moved < -kJumpMaxNs || moved > kStoppedMaxNs) {
    condition_->suspect_clock();
  }
}

Status ClockGuard::check() {
  const TimeNs wall = env_->now(), monotonic = env_->monotonic();
  const DurationNs drift = (wall - last_wall_) - (monotonic - last_monotonic_);
  last_wall_ = wall;
  last_monotonic_ = monotonic;
  if (drift > kJumpMaxNs || drift < -kJumpMaxNs) condition_->suspect_clock();
  const bool is_suspect = condition_->clock_suspect();
  // The time of a suspect clock is not recorded: the next start shall compare with a good one.
  const bool is_due = !is_suspect && monotonic - recorded_at_ >= kRecordEveryNs;
  return is_suspect != recorded_.is_suspect || is_due ? record(is_suspect) : Status();
}

Status ClockGuard::record(bool is_suspect) {
  const ClockRecord clock{is_suspect ? recorded_.wall : last_wall_, is_suspect};
  FIRN_TRY(manifest_->commit_clock(clock));
  recorded_ = clock;
  recorded_at_ = last_monotonic_;
  return {};
}

}  // namespace firn
