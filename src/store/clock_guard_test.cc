#include "store/clock_guard.h"

#include <gtest/gtest.h>

#include <optional>

#include "env/sim_env.h"
#include "store/store.h"

namespace firn {
namespace {

// Two tiers, and a namespace that keeps events for three days.
class ClockGuardTest : public testing::Test {
 protected:
  void SetUp() override {
    open();
    space_ = store_->put_namespace("short", 3 * kDayNs)->id;
    append();
  }

  void open() {
    store_.reset();
    StoreOptions options = default_store_options("/data");
    options.tiers.resize(2);
    options.tiers[1].keep_ns = INT64_MAX;
    options.wal_segment_bytes = 1 * kMiB;
    options.disk_reserve_bytes = 0;
    options.mover_interval_ns = 10 * kMinuteNs;
    auto opened = Store::open(&env_, options);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(*opened);
    EXPECT_TRUE(env_.run_for(kSecondNs));
  }
  // One event of now, brought to the second tier.
  void append() {
    BatchBuilder builder(Dataset::kEvents);
    EventRow row;
    row.time = env_.now();
    row.id = store_->id_source()();
    row.type = "test";
    builder.add(row);
    AppendRequest request;
    request.batch = builder.finish();
    bool done = false;
    store_->append(space_, std::move(request), [&](const Result<AppendResult>& result) {
      EXPECT_TRUE(result.ok()) << result.status().to_string();
      done = true;
    });
    env_.run_until([&] { return done; });
    EXPECT_TRUE(command(ChunkAction::kFlush, std::nullopt).ok());
  }
  Status command(ChunkAction action, std::optional<DurationNs> older_than) {
    ChunkCommand command;
    command.action = action;
    command.namespace_id = space_;
    command.older_than_ns = older_than;
    std::optional<Status> status;
    store_->command(std::move(command),
                    [&](const ChunkCommandResult& result) { status = result.status; });
    env_.run_until([&] { return status.has_value(); });
    return *status;
  }
  size_t chunks() { return (*store_->snapshot(space_))->chunks(Dataset::kEvents, Filter{}).size(); }
  bool is_suspect() { return store_->health().clock_suspect; }

  SimEnv env_{11};
  std::unique_ptr<Store> store_;
  NamespaceId space_ = 0;
};

TEST_F(ClockGuardTest, RetentionRunsOnAClockThatGoesOn) {
  EXPECT_TRUE(env_.run_for(3 * kDayNs));
  EXPECT_EQ(chunks(), 1u);
  EXPECT_TRUE(env_.run_for(2 * kDayNs));
  EXPECT_EQ(chunks(), 0u);
  EXPECT_FALSE(is_suspect());
}

TEST_F(ClockGuardTest, NothingIsDroppedAfterAJumpUntilItIsConfirmed) {
  env_.jump_wall_clock(3'650 * kDayNs);
  EXPECT_TRUE(env_.run_for(kDayNs));
  EXPECT_TRUE(is_suspect());
  EXPECT_EQ(chunks(), 1u);
  store_->confirm_clock();
  EXPECT_TRUE(env_.run_for(kDayNs));
  EXPECT_FALSE(is_suspect());
  EXPECT_EQ(chunks(), 0u);
}

TEST_F(ClockGuardTest, AJumpWithinAnHourIsNoJump) {
  env_.jump_wall_clock(50 * kMinuteNs);
  EXPECT_TRUE(env_.run_for(kHourNs));
  env_.jump_wall_clock(-50 * kMinuteNs);
  EXPECT_TRUE(env_.run_for(kHourNs));
  EXPECT_FALSE(is_suspect());
}

TEST_F(ClockGuardTest, SuspicionOutlivesARestartEvenWhenTheClockIsBack) {
  env_.jump_wall_clock(5 * kDayNs);
  EXPECT_TRUE(env_.run_for(kHourNs));
  env_.jump_wall_clock(-5 * kDayNs);
  open();
  EXPECT_TRUE(is_suspect());
  store_->confirm_clock();
  EXPECT_TRUE(env_.run_for(kHourNs));
  open();
  EXPECT_FALSE(is_suspect());
}

TEST_F(ClockGuardTest, AClockThatWasSetWhileTheStoreWasClosedIsSuspect) {
  store_.reset();
  env_.jump_wall_clock(3'650 * kDayNs);
  open();
  EXPECT_TRUE(env_.run_for(kDayNs));
  EXPECT_TRUE(is_suspect());
  EXPECT_EQ(chunks(), 1u);
  env_.jump_wall_clock(-3'651 * kDayNs - 2 * kHourNs);
  open();
  EXPECT_TRUE(is_suspect());
}

TEST_F(ClockGuardTest, AStopOfSomeHoursIsNothingUnusual) {
  EXPECT_TRUE(env_.run_for(30 * kDayNs));
  store_.reset();
  env_.advance(20 * kHourNs);
  open();
  EXPECT_FALSE(is_suspect());
}

TEST_F(ClockGuardTest, OlderThanIsRefusedWhileTheClockIsSuspect) {
  env_.jump_wall_clock(3'650 * kDayNs);
  EXPECT_TRUE(env_.run_for(kHourNs));
  EXPECT_EQ(command(ChunkAction::kDrop, 30 * kDayNs).code(), StatusCode::kConflict);
  EXPECT_EQ(chunks(), 1u);
}

}  // namespace
}  // namespace firn
