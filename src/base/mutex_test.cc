#include "base/mutex.h"

#include <gtest/gtest.h>

#include <thread>

namespace firn {
namespace {

TEST(CondVar, WaitForReturnsFalseWhenTheTimeRanOut) {
  Mutex mutex;
  CondVar changed;
  MutexLock lock(&mutex);
  EXPECT_FALSE(changed.wait_for(&mutex, std::chrono::milliseconds(1)));
}

TEST(CondVar, WaitForReturnsTrueWhenNotified) {
  Mutex mutex;
  CondVar changed;
  bool done = false;
  std::thread other([&] {
    MutexLock lock(&mutex);
    done = true;
    changed.notify_one();
  });
  bool notified = true;
  {
    MutexLock lock(&mutex);
    while (!done) notified = changed.wait_for(&mutex, std::chrono::minutes(1));
  }
  other.join();
  EXPECT_TRUE(notified);
}

}  // namespace
}  // namespace firn
