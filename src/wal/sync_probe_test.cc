#include "wal/sync_probe.h"

#include <gtest/gtest.h>

#include <future>

#include "base/size.h"
#include "env/sim_env.h"
#include "env/test_directory.h"
#include "wal/segment_wal.h"

namespace firn {
namespace {

TEST(WalSyncName, IsReadBack) {
  for (const WalSync sync : {WalSync::kAuto, WalSync::kBuffered, WalSync::kDirect}) {
    EXPECT_EQ(parse_wal_sync(wal_sync_name(sync)), sync);
  }
  EXPECT_EQ(parse_wal_sync("fast"), std::nullopt);
}

TEST(SyncProbe, DirectWritesAreTakenUnlessTheyAreClearlySlower) {
  EXPECT_EQ((SyncProbe{100, 90}.faster()), WalSync::kDirect);
  EXPECT_EQ((SyncProbe{100, 109}.faster()), WalSync::kDirect);
  EXPECT_EQ((SyncProbe{100, 200}.faster()), WalSync::kBuffered);
  EXPECT_EQ((SyncProbe{100, 0}.faster()), WalSync::kBuffered);
}

TEST(SyncProbe, SaysWhatItFound) {
  EXPECT_EQ((SyncProbe{200'000, 100'000}.to_string()), "direct: 0.10 ms a sync, buffered 0.20 ms");
  EXPECT_EQ((SyncProbe{100'000, 200'000}.to_string()), "buffered: 0.10 ms a sync, direct 0.20 ms");
  EXPECT_EQ((SyncProbe{100'000, 0}.to_string()),
            "buffered: 0.10 ms a sync, the file system cannot write directly");
}

TEST(SyncProbe, MeasuresARealDirectoryAndLeavesNothingBehind) {
  const TestDirectory directory;
  const Result<SyncProbe> probe = probe_sync(posix_env(), directory.path());
  ASSERT_TRUE(probe.ok()) << probe.status().to_string();
  EXPECT_GT(probe->buffered_ns, 0);
  EXPECT_TRUE(posix_env()->list_directory(directory.path())->empty());
}

TEST(ChooseSync, IsRepeatableInASimulation) {
  SimEnv env(1);
  ASSERT_TRUE(env.create_directories("/log").ok());
  EXPECT_EQ(*choose_sync(&env, "/log", WalSync::kAuto), WalSync::kBuffered);
  EXPECT_EQ(env.list_directory("/log")->size(), 0u);
}

// A log on the real file system, written in either way.
class RealLog : public testing::TestWithParam<WalSync> {
 protected:
  void open() {
    WalOptions options;
    options.directory = directory_.path();
    options.segment_bytes = 1 * kMiB;
    options.disk_reserve_bytes = 0;
    options.sync = GetParam();
    auto opened = open_segment_wal(posix_env(), options);
    if (opened.status().code() == StatusCode::kUnsupported) {
      GTEST_SKIP() << opened.status().message();
    }
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    log_ = std::move(*opened);
    seen_.clear();
    const Status status = log_->replay(
        {},
        [this](Lsn, ByteView payload) {
          seen_.emplace_back(payload);
          return Status();
        },
        nullptr);
    ASSERT_TRUE(status.ok()) << status.to_string();
    EXPECT_EQ(log_->stats().sync, GetParam());
  }
  void put(size_t bytes) {
    std::string payload(bytes, static_cast<char>('a' + put_.size() % 26));
    std::promise<Status> durable;
    WalAppend append;
    append.parts = {payload};
    append.on_durable = [&](const Status& status, Lsn) { durable.set_value(status); };
    log_->append(std::move(append));
    const Status status = durable.get_future().get();
    ASSERT_TRUE(status.ok()) << status.to_string();
    put_.push_back(std::move(payload));
  }

  TestDirectory directory_;
  std::unique_ptr<Wal> log_;
  std::vector<std::string> put_, seen_;
};

TEST_P(RealLog, IsReadBackAfterEveryRestart) {
  open();
  if (IsSkipped()) return;
  for (const size_t bytes : {1u, 100u, 4096u, 5000u, 70'000u, 300'000u, 7u, 600'000u, 3u}) {
    put(bytes);
    put(bytes / 2 + 1);
    log_.reset();
    open();
    EXPECT_EQ(seen_, put_);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, RealLog, testing::Values(WalSync::kBuffered, WalSync::kDirect),
                         [](const testing::TestParamInfo<WalSync>& way) {
                           return std::string(wal_sync_name(way.param));
                         });

}  // namespace
}  // namespace firn
