#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "env/env.h"

namespace firn {

// A worker of an object that ends while its own step, or another thread, may still want to wake it:
// with a bare std::unique_ptr<Worker>, reset() clears the pointer before it waits for the step.
// Thread rule: start() once, stop() at most once, the rest from any thread at any time between.
class StoppableWorker {
 public:
  StoppableWorker() = default;
  ~StoppableWorker() { stop(); }
  StoppableWorker(const StoppableWorker&) = delete;
  StoppableWorker& operator=(const StoppableWorker&) = delete;

  void start(Env* env, std::string name, std::function<void()> step);
  // Waits for a running step; later wake-ups do nothing.
  void stop();
  // As Worker's; nothing happens before start() and after stop().
  void notify();
  void notify_after(DurationNs delay);

 private:
  Mutex mutex_;
  std::unique_ptr<Worker> worker_ GUARDED_BY(mutex_);
};

}  // namespace firn
