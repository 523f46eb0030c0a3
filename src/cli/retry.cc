#include "cli/retry.h"

#include <algorithm>
#include <chrono>

#include "base/mutex.h"

namespace firn {

bool may_work_later(const Status& status) {
  return status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kNoSpace ||
         status.code() == StatusCode::kOutcomeUnknown;
}

void pause_for(DurationNs duration) {
  Mutex mutex;
  CondVar never;
  MutexLock lock(&mutex);
  (void)never.wait_for(&mutex, std::chrono::nanoseconds(std::max<DurationNs>(duration, 0)));
}

}  // namespace firn
