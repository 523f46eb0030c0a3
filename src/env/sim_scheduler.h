#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "env/env.h"
#include "env/sim_random.h"

namespace firn {

class SimWorker;

// The clock and the workers of SimEnv. Thread rule: any thread, except that begin_step(), run() and
// end_process() are for the one that drives the simulation. Workers may outlive it.
class SimScheduler {
 public:
  explicit SimScheduler(uint64_t seed) : random_(seed) {}

  TimeNs monotonic() const EXCLUDES(mutex_);
  TimeNs now() const EXCLUDES(mutex_);
  void advance(DurationNs duration) EXCLUDES(mutex_);
  // Does nothing when it is later already.
  void advance_to(TimeNs monotonic) EXCLUDES(mutex_);
  void jump_wall_clock(DurationNs delta) EXCLUDES(mutex_);

  // `self` is this object, kept alive by the worker.
  static std::unique_ptr<Worker> start_worker(const std::shared_ptr<SimScheduler>& self,
                                              std::string name, std::function<void()> step);
  // Picks a worker with something to do and takes its request; null when there is none. run() must
  // follow. Until it has returned, other threads wait with destroying that worker.
  SimWorker* begin_step() EXCLUDES(mutex_);
  void run(SimWorker* worker) EXCLUDES(mutex_);
  // When the next timer is due; INT64_MAX when none is set.
  TimeNs next_timer() const EXCLUDES(mutex_);

  // All workers so far are dead: they run no more.
  void end_process() EXCLUDES(mutex_);
  // The name of a dead worker that still exists; empty when there is none.
  std::string dead_worker() const EXCLUDES(mutex_);

 private:
  friend class SimWorker;
  void remove(SimWorker* worker) EXCLUDES(mutex_);
  void request(SimWorker* worker, DurationNs delay) EXCLUDES(mutex_);

  mutable Mutex mutex_;
  CondVar step_ended_;
  SimRandom random_ GUARDED_BY(mutex_);
  TimeNs monotonic_ GUARDED_BY(mutex_) = kHourNs;
  // Between the clocks: the simulation begins on 1 January 2026, 00:00.
  DurationNs wall_offset_ GUARDED_BY(mutex_) = 1'767'225'600 * kSecondNs - kHourNs;
  std::vector<SimWorker*> workers_ GUARDED_BY(mutex_);  // in order of their start
  std::vector<SimWorker*> dead_ GUARDED_BY(mutex_);
  SimWorker* running_ GUARDED_BY(mutex_) = nullptr;
  std::thread::id running_thread_ GUARDED_BY(mutex_);
};

class SimWorker final : public Worker {
 public:
  SimWorker(std::shared_ptr<SimScheduler> scheduler, std::string name, std::function<void()> step)
      : name_(std::move(name)), scheduler_(std::move(scheduler)), step_(std::move(step)) {}
  ~SimWorker() override { scheduler_->remove(this); }
  void notify() override { scheduler_->request(this, 0); }
  void notify_after(DurationNs delay) override { scheduler_->request(this, delay); }
  const std::string& name() const { return name_; }

 private:
  friend class SimScheduler;
  const std::string name_;
  const std::shared_ptr<SimScheduler> scheduler_;
  const std::function<void()> step_;
  TimeNs due_ = INT64_MAX;  // guarded by the scheduler's mutex; INT64_MAX: no request
};

}  // namespace firn
