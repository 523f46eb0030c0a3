#include "env/sim_scheduler.h"

#include <algorithm>
#include <utility>

namespace firn {

TimeNs SimScheduler::monotonic() const {
  const MutexLock lock(&mutex_);
  return monotonic_;
}

TimeNs SimScheduler::now() const {
  const MutexLock lock(&mutex_);
  return monotonic_ + wall_offset_;
}

void SimScheduler::advance(DurationNs duration) {
  FIRN_CHECK(duration >= 0);
  const MutexLock lock(&mutex_);
  monotonic_ += duration;
}

void SimScheduler::advance_to(TimeNs monotonic) {
  const MutexLock lock(&mutex_);
  monotonic_ = std::max(monotonic_, monotonic);
}

void SimScheduler::jump_wall_clock(DurationNs delta) {
  const MutexLock lock(&mutex_);
  wall_offset_ += delta;
}

std::unique_ptr<Worker> SimScheduler::start_worker(const std::shared_ptr<SimScheduler>& self,
                                                   std::string name, std::function<void()> step) {
  auto worker = std::make_unique<SimWorker>(self, std::move(name), std::move(step));
  const MutexLock lock(&self->mutex_);
  self->workers_.push_back(worker.get());
  return worker;
}

SimWorker* SimScheduler::begin_step() {
  const MutexLock lock(&mutex_);
  FIRN_CHECK(running_ == nullptr);  // a step drives the simulation that it is a part of
  std::vector<SimWorker*> runnable;
  for (SimWorker* worker : workers_) {
    if (worker->due_ <= monotonic_) runnable.push_back(worker);
  }
  if (runnable.empty()) return nullptr;
  running_ = runnable[random_.below(runnable.size())];
  running_thread_ = std::this_thread::get_id();
  running_->due_ = INT64_MAX;
  return running_;
}

void SimScheduler::run(SimWorker* worker) {
  worker->step_();
  const MutexLock lock(&mutex_);
  running_ = nullptr;
  step_ended_.notify_all();
}

TimeNs SimScheduler::next_timer() const {
  const MutexLock lock(&mutex_);
  TimeNs next = INT64_MAX;
  for (const SimWorker* worker : workers_) next = std::min(next, worker->due_);
  return next;
}

void SimScheduler::end_process() {
  const MutexLock lock(&mutex_);
  dead_.insert(dead_.end(), workers_.begin(), workers_.end());
  workers_.clear();
}

std::string SimScheduler::dead_worker() const {
  const MutexLock lock(&mutex_);
  return dead_.empty() ? "" : dead_.front()->name();
}

void SimScheduler::remove(SimWorker* worker) {
  const MutexLock lock(&mutex_);
  // A worker that is destroyed by its own step would wait for ever on a real machine.
  FIRN_CHECK(running_ != worker || running_thread_ != std::this_thread::get_id());
  while (running_ == worker) step_ended_.wait(&mutex_);
  std::erase(workers_, worker);
  std::erase(dead_, worker);
}

void SimScheduler::request(SimWorker* worker, DurationNs delay) {
  const MutexLock lock(&mutex_);
  TimeNs due = 0;
  if (__builtin_add_overflow(monotonic_, std::max<DurationNs>(delay, 0), &due)) return;
  worker->due_ = std::min(worker->due_, due);
}

}  // namespace firn
