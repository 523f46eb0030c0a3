#include "env/posix_env.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/stat.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/mutex.h"
#include "base/size.h"
#include "env/posix_space.h"
#include "env/test_directory.h"

namespace firn {
namespace {

class PosixEnvTest : public ::testing::Test {
 protected:
  std::unique_ptr<File> open(const std::string& name, OpenMode mode = OpenMode::kCreate) {
    auto file = env_->open(directory_.file(name), mode);
    EXPECT_TRUE(file.ok()) << file.status().to_string();
    return std::move(file).value();
  }
  StatusCode open_code(const std::string& name, OpenMode mode) {
    return env_->open(directory_.file(name), mode).status().code();
  }
  void write(const std::string& name, ByteView content) {
    ASSERT_TRUE(open(name)->write_at(0, content).ok());
  }
  std::string read(const File& file, uint64_t offset, size_t size) {
    std::string out(size, '?');
    out.resize(*file.read_at(offset, out.data(), size));
    return out;
  }
  mode_t mode_of(const std::string& name) {
    struct stat info {};
    EXPECT_EQ(::stat(directory_.file(name).c_str(), &info), 0);
    return info.st_mode & 0777;
  }

  Env* env_ = posix_env();
  TestDirectory directory_;
};

TEST_F(PosixEnvTest, ReadsWhatWasWritten) {
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(0, "hello").ok());
  ASSERT_TRUE(file->write_at(5, " world").ok());
  EXPECT_EQ(read(*file, 0, 100), "hello world");
  EXPECT_EQ(read(*file, 6, 3), "wor");
  EXPECT_EQ(read(*file, 100, 3), "");
  EXPECT_EQ(*file->size(), 11U);
}

TEST_F(PosixEnvTest, WritesPartsOneBehindTheOther) {
  // More parts than one system call takes here, with empty ones at every kind of place.
  std::vector<std::string> texts;
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    texts.push_back(i % 3 == 0 ? "" : std::to_string(i) + ";");
    expected += texts.back();
  }
  const std::vector<ByteView> parts(texts.begin(), texts.end());
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(7, parts).ok());
  EXPECT_EQ(read(*file, 0, 7), std::string(7, '\0'));
  EXPECT_EQ(read(*file, 7, 10'000), expected);
}

TEST_F(PosixEnvTest, WritingNothingIsFine) {
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(5, "").ok());
  EXPECT_EQ(*file->size(), 0U);
}

TEST_F(PosixEnvTest, TruncatesBothWays) {
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(0, "hello").ok());
  ASSERT_TRUE(file->truncate(2).ok());
  ASSERT_TRUE(file->truncate(4).ok());
  EXPECT_EQ(read(*file, 0, 10), std::string("he\0\0", 4));
}

TEST_F(PosixEnvTest, AllocationExtendsWithZerosAndNeverShrinks) {
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(0, "hello").ok());
  ASSERT_TRUE(file->allocate(10'000).ok());
  ASSERT_TRUE(file->allocate(100).ok());
  ASSERT_TRUE(file->allocate(0).ok());
  EXPECT_EQ(*file->size(), 10'000U);
  EXPECT_EQ(read(*file, 0, 7), std::string("hello\0\0", 7));
}

TEST_F(PosixEnvTest, SyncsFilesAndDirectories) {
  const auto file = open("a");
  ASSERT_TRUE(file->write_at(0, "hello").ok());
  EXPECT_TRUE(file->sync().ok());
  EXPECT_TRUE(env_->sync_directory(directory_.path()).ok());
  EXPECT_EQ(env_->sync_directory(directory_.file("none")).code(), StatusCode::kNotFound);
}

TEST_F(PosixEnvTest, OpenModesTellMissingFromPresent) {
  EXPECT_EQ(open_code("a", OpenMode::kRead), StatusCode::kNotFound);
  EXPECT_EQ(open_code("a", OpenMode::kReadWrite), StatusCode::kNotFound);
  EXPECT_EQ(open_code("a", OpenMode::kCreateNew), StatusCode::kOk);
  EXPECT_EQ(open_code("a", OpenMode::kCreateNew), StatusCode::kConflict);
  EXPECT_EQ(open_code("a", OpenMode::kCreate), StatusCode::kOk);
  EXPECT_EQ(open_code("a", OpenMode::kReadWrite), StatusCode::kOk);
}

TEST_F(PosixEnvTest, AFileOpenedForReadingRefusesWrites) {
  write("a", "x");
  EXPECT_EQ(open("a", OpenMode::kRead)->write_at(0, "y").code(), StatusCode::kIoError);
}

TEST_F(PosixEnvTest, ADirectoryIsNotAFile) {
  EXPECT_EQ(env_->open(directory_.path(), OpenMode::kRead).status().code(), StatusCode::kIoError);
}

TEST_F(PosixEnvTest, ErrorsNameThePathAndTheReason) {
  const Status status = env_->open(directory_.file("a"), OpenMode::kRead).status();
  EXPECT_NE(status.message().find(directory_.file("a")), std::string_view::npos);
  EXPECT_NE(status.message().find("No such file"), std::string_view::npos);
}

TEST_F(PosixEnvTest, AFullDeviceIsNoSpace) {
  auto full = env_->open("/dev/full", OpenMode::kReadWrite);
  if (!full.ok()) GTEST_SKIP() << "no /dev/full here";
  EXPECT_EQ((*full)->write_at(0, "x").code(), StatusCode::kNoSpace);
}

TEST_F(PosixEnvTest, NothingIsReadableByOthers) {
  write("a", "x");
  ASSERT_TRUE(env_->create_directories(directory_.file("b/c")).ok());
  EXPECT_EQ(mode_of("a"), 0600U);
  EXPECT_EQ(mode_of("b"), 0700U);
  EXPECT_EQ(mode_of("b/c"), 0700U);
}

TEST_F(PosixEnvTest, CreatesDirectoriesOnceAndAgain) {
  EXPECT_TRUE(env_->create_directories(directory_.file("b/c//d/")).ok());
  EXPECT_TRUE(env_->create_directories(directory_.file("b/c/d")).ok());
  EXPECT_TRUE(*env_->exists(directory_.file("b/c/d")));
}

TEST_F(PosixEnvTest, AFileInTheWayOfADirectoryIsAnError) {
  write("a", "x");
  EXPECT_FALSE(env_->create_directories(directory_.file("a")).ok());
  EXPECT_FALSE(env_->create_directories(directory_.file("a/b")).ok());
}

TEST_F(PosixEnvTest, ListsSortedWithSizes) {
  write("b", "12345");
  write("a", "");
  ASSERT_TRUE(env_->create_directories(directory_.file("c")).ok());
  const auto entries = env_->list_directory(directory_.path());
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 3U);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[1].name, "b");
  EXPECT_EQ((*entries)[1].size_bytes, 5U);
  EXPECT_FALSE((*entries)[1].is_directory);
  EXPECT_TRUE((*entries)[2].is_directory);
}

TEST_F(PosixEnvTest, RenameReplaces) {
  write("a", "new");
  write("b", "old");
  ASSERT_TRUE(env_->rename(directory_.file("a"), directory_.file("b")).ok());
  EXPECT_FALSE(*env_->exists(directory_.file("a")));
  EXPECT_EQ(*read_file(env_, directory_.file("b"), 10), "new");
}

TEST_F(PosixEnvTest, RemovingWhatIsMissingSaysSo) {
  write("a", "x");
  EXPECT_TRUE(env_->remove(directory_.file("a")).ok());
  EXPECT_EQ(env_->remove(directory_.file("a")).code(), StatusCode::kNotFound);
  EXPECT_EQ(env_->remove_directory(directory_.file("a")).code(), StatusCode::kNotFound);
}

TEST_F(PosixEnvTest, AFullDirectoryIsNotRemoved) {
  ASSERT_TRUE(env_->create_directories(directory_.file("b")).ok());
  write("b/a", "x");
  EXPECT_FALSE(env_->remove_directory(directory_.file("b")).ok());
}

TEST_F(PosixEnvTest, BelowAFileNothingExists) {
  write("a", "x");
  EXPECT_FALSE(*env_->exists(directory_.file("a/b")));
}

TEST_F(PosixEnvTest, ALockExcludesASecondOneUntilReleased) {
  auto lock = env_->lock_file(directory_.file("LOCK"));
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(env_->lock_file(directory_.file("LOCK")).status().code(), StatusCode::kConflict);
  // Also by another name for the same file.
  EXPECT_EQ(env_->lock_file(directory_.file("./LOCK")).status().code(), StatusCode::kConflict);
  lock->reset();
  EXPECT_TRUE(env_->lock_file(directory_.file("LOCK")).ok());
}

TEST_F(PosixEnvTest, FreeSpaceIsSomeNumber) {
  EXPECT_GT(*env_->free_space(directory_.path()), 0U);
  EXPECT_EQ(env_->free_space(directory_.file("none")).status().code(), StatusCode::kNotFound);
}

TEST_F(PosixEnvTest, FileSystemsHaveASizeAndNoMoreThanThatFree) {
  const auto space = file_system_space(directory_.path());
  ASSERT_TRUE(space.ok()) << space.status().to_string();
  EXPECT_GT(space->size_bytes, 0U);
  EXPECT_LE(space->free_bytes, space->size_bytes);
  EXPECT_LE(space->available_bytes, space->free_bytes);
  EXPECT_EQ(file_system_space(directory_.file("none")).status().code(), StatusCode::kNotFound);
}

TEST_F(PosixEnvTest, ReadsGeneratedFilesWhoseSizeIsNone) {
  EXPECT_EQ(*read_file(env_, "/proc/meminfo", kMiB), "");
  const auto content = read_generated_file(env_, "/proc/meminfo", kMiB);
  ASSERT_TRUE(content.ok()) << content.status().to_string();
  EXPECT_EQ(content->substr(0, 9), "MemTotal:");
  EXPECT_EQ(content->back(), '\n');
}

TEST_F(PosixEnvTest, RandomNumbersDifferBetweenCallsAndThreads) {
  std::set<uint64_t> seen;
  Mutex mutex;
  const auto draw = [&] {
    for (int i = 0; i < 1000; ++i) {
      const uint64_t value = env_->random_u64();
      MutexLock lock(&mutex);
      seen.insert(value);
    }
  };
  std::thread first(draw);
  std::thread second(draw);
  first.join();
  second.join();
  EXPECT_EQ(seen.size(), 2000U);
}

TEST_F(PosixEnvTest, MonotonicNeverGoesBack) {
  TimeNs last = env_->monotonic();
  for (int i = 0; i < 1000; ++i) {
    const TimeNs next = env_->monotonic();
    ASSERT_GE(next, last);
    last = next;
  }
}

TEST_F(PosixEnvTest, WallClockIsInThisCentury) {
  EXPECT_GT(env_->now(), *parse_time("2024-01-01"));
  EXPECT_LT(env_->now(), *parse_time("2100-01-01"));
}

TEST_F(PosixEnvTest, ReadsEnvironmentVariables) {
  EXPECT_TRUE(env_->environment_variable("PATH").has_value());
  EXPECT_FALSE(env_->environment_variable("FIRN_NO_SUCH_VARIABLE").has_value());
}

// Counts steps and lets a test wait for them.
class StepCounter {
 public:
  void step() {
    MutexLock lock(&mutex_);
    ++steps_;
    changed_.notify_all();
  }
  // False when there were fewer after ten seconds.
  bool wait_for(int steps) {
    MutexLock lock(&mutex_);
    while (steps_ < steps) {
      if (!changed_.wait_for(&mutex_, std::chrono::seconds(10))) return steps_ >= steps;
    }
    return true;
  }
  int steps() {
    MutexLock lock(&mutex_);
    return steps_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int steps_ GUARDED_BY(mutex_) = 0;
};

TEST_F(PosixEnvTest, AWorkerStepsOncePerNotification) {
  StepCounter counter;
  const auto worker = env_->start_worker("test", [&] { counter.step(); });
  EXPECT_EQ(counter.steps(), 0);
  for (int i = 1; i <= 10; ++i) {
    worker->notify();
    ASSERT_TRUE(counter.wait_for(i));
  }
  EXPECT_EQ(counter.steps(), 10);
}

TEST_F(PosixEnvTest, AWorkerMayNotifyItself) {
  StepCounter counter;
  std::unique_ptr<Worker> worker;
  std::atomic<Worker*> self{nullptr};
  worker = env_->start_worker("test", [&] {
    counter.step();
    if (counter.steps() < 5) self.load()->notify();
  });
  self.store(worker.get());
  worker->notify();
  EXPECT_TRUE(counter.wait_for(5));
}

TEST_F(PosixEnvTest, ADelayedRequestRunsAfterItsDelay) {
  StepCounter counter;
  const auto worker = env_->start_worker("test", [&] { counter.step(); });
  const TimeNs start = env_->monotonic();
  worker->notify_after(20 * kMillisecondNs);
  ASSERT_TRUE(counter.wait_for(1));
  EXPECT_GE(env_->monotonic() - start, 20 * kMillisecondNs);
}

TEST_F(PosixEnvTest, ADelayedRequestIsServedOnce) {
  StepCounter counter;
  const auto worker = env_->start_worker("test", [&] { counter.step(); });
  worker->notify_after(kMillisecondNs);
  ASSERT_TRUE(counter.wait_for(1));
  const TimeNs until = env_->monotonic() + 20 * kMillisecondNs;
  while (env_->monotonic() < until) std::this_thread::yield();
  EXPECT_EQ(counter.steps(), 1);
}

TEST_F(PosixEnvTest, TheEarlierRequestWins) {
  StepCounter counter;
  const auto worker = env_->start_worker("test", [&] { counter.step(); });
  worker->notify_after(kHourNs);
  worker->notify_after(kMillisecondNs);
  worker->notify_after(INT64_MAX);
  EXPECT_TRUE(counter.wait_for(1));
  worker->notify_after(0);
  EXPECT_TRUE(counter.wait_for(2));
}

TEST_F(PosixEnvTest, StoppingWaitsForTheStepAndRunsNoFurtherOne) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  StepCounter started;
  auto worker = env_->start_worker("test", [&] {
    ++begun;
    started.step();
    const TimeNs until = posix_env()->monotonic() + 20 * kMillisecondNs;
    while (posix_env()->monotonic() < until) std::this_thread::yield();
    ++ended;
  });
  worker->notify();
  ASSERT_TRUE(started.wait_for(1));
  worker->notify();
  worker.reset();
  EXPECT_EQ(begun.load(), ended.load());
  EXPECT_EQ(ended.load(), 1);
}

TEST_F(PosixEnvTest, AWorkerStopsWithoutEverHavingWorked) {
  auto worker = env_->start_worker("test", [] { FAIL(); });
  worker->notify_after(kHourNs);
}

TEST_F(PosixEnvTest, AWorkersThreadCarriesItsName) {
  StepCounter counter;
  char name[32] = "";
  const auto worker = env_->start_worker("a-name-far-too-long-for-it", [&] {
    pthread_getname_np(pthread_self(), name, sizeof(name));
    counter.step();
  });
  worker->notify();
  ASSERT_TRUE(counter.wait_for(1));
  EXPECT_STREQ(name, "a-name-far-too-");
}

// Every number published before a notify() must be seen by a step that begins after it. The
// publishers use relaxed stores and wait for the step to catch up, so a single lost request hangs.
TEST_F(PosixEnvTest, NoRequestIsLost) {
  constexpr int kRounds = 20'000;
  std::array<std::atomic<int>, 2> published{};
  std::array<std::atomic<int>, 2> seen{};
  const auto worker = env_->start_worker("test", [&] {
    for (size_t i = 0; i < 2; ++i) seen[i].store(published[i].load(std::memory_order_relaxed));
  });
  std::atomic<bool> lost{false};
  const auto publish = [&](size_t i) {
    for (int round = 1; round <= kRounds && !lost; ++round) {
      published[i].store(round, std::memory_order_relaxed);
      worker->notify();
      const TimeNs deadline = env_->monotonic() + 10 * kSecondNs;
      while (seen[i].load() < round && !lost) {
        std::this_thread::yield();
        if (env_->monotonic() > deadline) lost = true;
      }
    }
  };
  std::thread first(publish, 0);
  std::thread second(publish, 1);
  first.join();
  second.join();
  EXPECT_FALSE(lost.load());
}

}  // namespace
}  // namespace firn
