#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <set>
#include <string>

#include "views/metrics/rollup_keeper.h"
#include "views/metrics/test_metrics.h"

namespace firn {

constexpr DurationNs kFiveMinutes = 5 * kMinuteNs;

// A store with samples and a keeper of their rollups.
class RollupTest : public MetricsStoreTest {
 protected:
  void SetUp() override {
    MetricsStoreTest::SetUp();
    keeper_ = std::make_unique<RollupKeeper>(env_, store_.get());
  }
  void restart_all() {
    keeper_.reset();
    restart();
    keeper_ = std::make_unique<RollupKeeper>(env_, store_.get());
  }
  RollupRun run(TimeNs now = at(0)) {
    const auto done = keeper_->run(space_, now, nullptr);
    EXPECT_TRUE(done.ok()) << done.status().to_string();
    return done.ok() ? *done : RollupRun();
  }
  static void expect_ok(const Status& status) { EXPECT_TRUE(status.ok()) << status.to_string(); }
  // Flushes, moves or restarts; false for another number.
  bool disturb(uint64_t number) {
    if (number == 0) expect_ok(flush());
    if (number == 1) expect_ok(move());
    if (number == 2) restart_all();
    return number <= 2;
  }
  WindowAnswer windows(DurationNs width, TimeRange time = {}, bool raw_only = false) {
    WindowQuery query;
    query.window_ns = width;
    query.time = time;
    query.group_by = {"series"};
    query.raw_only = raw_only;
    query.marks = keeper_->marks();
    auto answer = query_windows(*snapshot(), query, QueryGuard());
    EXPECT_TRUE(answer.ok()) << answer.status().to_string();
    return answer.ok() ? std::move(*answer) : WindowAnswer();
  }
  // The widths of rollups that served the answer, narrow to wide; 0 is raw.
  static std::set<DurationNs> resolutions(const WindowAnswer& answer) {
    std::set<DurationNs> found;
    for (const WindowPart& part : answer.parts) found.insert(part.resolution_ns);
    return found;
  }
  void expect_same(const WindowAnswer& a, const WindowAnswer& b, const std::string& when) {
    ASSERT_EQ(a.groups.size(), b.groups.size()) << when;
    for (size_t i = 0; i < a.groups.size(); ++i) {
      ASSERT_EQ(a.groups[i].values, b.groups[i].values) << when;
      ASSERT_EQ(a.groups[i].windows.size(), b.groups[i].windows.size()) << when;
      for (const auto& [start, state] : a.groups[i].windows) {
        const auto found = b.groups[i].windows.find(start);
        ASSERT_NE(found, b.groups[i].windows.end()) << when;
        const SampleState& other = found->second;
        ASSERT_EQ(state.count, other.count) << when;
        ASSERT_NEAR(state.sum, other.sum, 1e-9 * std::abs(other.sum)) << when;
        ASSERT_EQ(state.min, other.min) << when;
        ASSERT_EQ(state.max, other.max) << when;
        ASSERT_EQ(state.first, other.first) << when;
        ASSERT_EQ(state.last, other.last) << when;
        ASSERT_EQ(state.first_time, other.first_time) << when;
        ASSERT_EQ(state.sketch, other.sketch) << when;
      }
    }
  }
  uint64_t rows(Dataset dataset) {
    uint64_t count = 0;
    for (const SnapshotChunk& chunk : snapshot()->chunks(dataset, Filter{})) {
      count += chunk.stats.rows;
    }
    return count;
  }

  std::unique_ptr<RollupKeeper> keeper_;
};

}  // namespace firn
