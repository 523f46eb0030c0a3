#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// Clang's thread-safety analysis (-Wthread-safety), silent under other compilers. What a mutex
// guards is part of the declaration; see https://clang.llvm.org/docs/ThreadSafetyAnalysis.html.
#if defined(__clang__)
#define FIRN_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define FIRN_THREAD_ATTRIBUTE(x)
#endif
#define CAPABILITY(x) FIRN_THREAD_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY FIRN_THREAD_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) FIRN_THREAD_ATTRIBUTE(guarded_by(x))
#define REQUIRES(...) FIRN_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) FIRN_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) FIRN_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) FIRN_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) FIRN_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS FIRN_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace firn {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  bool try_lock() TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_->lock(); }
  ~MutexLock() RELEASE() { mutex_->unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* mutex_;
};

class CondVar {
 public:
  void wait(Mutex* mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False when the time ran out first.
  template <typename Duration>
  bool wait_for(Mutex* mutex, Duration duration) REQUIRES(mutex) {
    return wait_for_ns(mutex, std::chrono::duration_cast<std::chrono::nanoseconds>(duration));
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  // Out of line: the clock behind the deadline is named in one object file only.
  bool wait_for_ns(Mutex* mutex, std::chrono::nanoseconds duration) REQUIRES(mutex);

  std::condition_variable condition_;
};

}  // namespace firn
