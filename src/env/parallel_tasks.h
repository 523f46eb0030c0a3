#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"
#include "env/stoppable_worker.h"

namespace firn {

// Work done by one worker beside the thread that wants it done. In the end that thread takes
// whatever the worker has not begun, so it never waits for one that gets no turn, as in a
// simulation. Thread rule: one thread at a time.
class ParallelTasks {
 public:
  // `env` must outlive it. The worker, called `worker_name`, starts with the first task.
  ParallelTasks(Env* env, std::string worker_name)
      : env_(env), worker_name_(std::move(worker_name)) {}
  // Tasks that the worker is at are waited for; others may not be run at all.
  ~ParallelTasks() { worker_.stop(); }
  ParallelTasks(const ParallelTasks&) = delete;
  ParallelTasks& operator=(const ParallelTasks&) = delete;

  // The tasks run in any order, beside each other and beside the caller. They must not throw; what
  // they refer to must live until finish() has returned. REQUIRES: finish() was called since the
  // last begin().
  void begin(std::vector<std::function<void()>> tasks) EXCLUDES(mutex_);
  // Whether finish() would return at once.
  bool is_done() EXCLUDES(mutex_);
  // Returns when all are done; what they wrote is visible to the caller. Without begin() a no-op.
  void finish() EXCLUDES(mutex_);

 private:
  // Runs one task; false when all are begun.
  bool run_next() EXCLUDES(mutex_);

  Env* const env_;
  const std::string worker_name_;
  bool has_worker_ = false;
  Mutex mutex_;
  CondVar all_done_;
  std::vector<std::function<void()>> tasks_ GUARDED_BY(mutex_);
  size_t begun_ GUARDED_BY(mutex_) = 0;
  size_t done_ GUARDED_BY(mutex_) = 0;
  StoppableWorker worker_;  // last: its step uses the rest
};

}  // namespace firn
