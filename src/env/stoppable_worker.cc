#include "env/stoppable_worker.h"

namespace firn {

void StoppableWorker::start(Env* env, std::string name, std::function<void()> step) {
  std::unique_ptr<Worker> worker = env->start_worker(std::move(name), std::move(step));
  MutexLock lock(&mutex_);
  worker_ = std::move(worker);
}

void StoppableWorker::stop() {
  std::unique_ptr<Worker> stopped;  // destroyed outside the lock, which its step may want
  MutexLock lock(&mutex_);
  stopped.swap(worker_);
}

void StoppableWorker::notify() {
  MutexLock lock(&mutex_);
  if (worker_ != nullptr) worker_->notify();
}

void StoppableWorker::notify_after(DurationNs delay) {
  MutexLock lock(&mutex_);
  if (worker_ != nullptr) worker_->notify_after(delay);
}

}  // namespace firn
