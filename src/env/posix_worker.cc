#include "env/posix_worker.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "base/mutex.h"

namespace firn {
namespace {

constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();
constexpr size_t kThreadNameBytes = 15;  // the system's limit, without the final zero

class PosixWorker final : public Worker {
 public:
  PosixWorker(std::string name, std::function<void()> step)
      : name_(std::move(name)), step_(std::move(step)) {
    name_.resize(std::min(name_.size(), kThreadNameBytes));
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~PosixWorker() override {
    FIRN_CHECK(thread_.get_id() != std::this_thread::get_id());
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
      changed_.notify_one();
    }
    thread_.join();
  }

  // Called millions of times a second, nearly always while a request is pending already; then it
  // must neither take a lock nor write to memory that the threads share. The fence stands between
  // what the caller has published before and the look at pending_; its twin is in begin_step().
  // Without the pair, the caller could miss that the request was just taken, while the step misses
  // what the caller published.
  void notify() override {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (pending_.load(std::memory_order_relaxed)) return;
    if (pending_.exchange(true, std::memory_order_seq_cst)) return;
    // The worker looks at pending_ and falls asleep under the mutex, so it is either asleep by now
    // or will see the request.
    MutexLock lock(&mutex_);
    changed_.notify_one();
  }

  void notify_after(DurationNs delay) override {
    if (delay <= 0) return notify();
    TimeNs deadline = 0;
    if (__builtin_add_overflow(posix_monotonic(), delay, &deadline)) deadline = kNever;
    MutexLock lock(&mutex_);
    if (deadline >= deadline_) return;
    deadline_ = deadline;
    changed_.notify_one();
  }

 private:
  void run() {
    pthread_setname_np(pthread_self(), name_.c_str());
    while (begin_step()) step_();
  }

  // Waits for a request and takes it, together with a later one: the step that begins now is what
  // both asked for. False when it is time to stop.
  bool begin_step() {
    MutexLock lock(&mutex_);
    while (!stopping_ && !pending_.load(std::memory_order_seq_cst)) {
      if (deadline_ == kNever) {
        changed_.wait(&mutex_);
        continue;
      }
      const DurationNs left = deadline_ - posix_monotonic();
      if (left <= 0) break;
      changed_.wait_for(&mutex_, std::chrono::nanoseconds(left));
    }
    if (stopping_) return false;
    deadline_ = kNever;
    pending_.exchange(false, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return true;
  }

  std::string name_;
  const std::function<void()> step_;
  std::atomic<bool> pending_{false};
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  TimeNs deadline_ GUARDED_BY(mutex_) = kNever;
  std::thread thread_;  // last: the thread uses all of the above
};

}  // namespace

TimeNs posix_monotonic() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * kSecondNs + now.tv_nsec;
}

std::unique_ptr<Worker> start_posix_worker(std::string name, std::function<void()> step) {
  return std::make_unique<PosixWorker>(std::move(name), std::move(step));
}

}  // namespace firn
