#include "base/mutex.h"

namespace firn {

bool CondVar::wait_for_ns(Mutex* mutex, std::chrono::nanoseconds duration) {
  std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
  const bool notified = condition_.wait_for(lock, duration) == std::cv_status::no_timeout;
  lock.release();
  return notified;
}

}  // namespace firn
