#include "env/parallel_tasks.h"

#include <utility>

namespace firn {

void ParallelTasks::begin(std::vector<std::function<void()>> tasks) {
  const bool is_work = !tasks.empty();
  {
    MutexLock lock(&mutex_);
    FIRN_CHECK(done_ == tasks_.size());
    tasks_ = std::move(tasks);
    begun_ = done_ = 0;
  }
  if (!is_work) return;
  if (!has_worker_) {
    has_worker_ = true;
    worker_.start(env_, worker_name_, [this] {
      while (run_next()) {
      }
    });
  }
  worker_.notify();
}

void ParallelTasks::finish() {
  while (run_next()) {
  }
  MutexLock lock(&mutex_);
  while (done_ < tasks_.size()) all_done_.wait(&mutex_);
}

bool ParallelTasks::is_done() {
  MutexLock lock(&mutex_);
  return done_ == tasks_.size();
}

bool ParallelTasks::run_next() {
  std::function<void()> task;
  {
    MutexLock lock(&mutex_);
    if (begun_ == tasks_.size()) return false;
    task = std::move(tasks_[begun_++]);
  }
  task();
  task = nullptr;  // what it holds is gone before anybody hears that it is done
  MutexLock lock(&mutex_);
  if (++done_ == tasks_.size()) all_done_.notify_all();
  return true;
}

}  // namespace firn
