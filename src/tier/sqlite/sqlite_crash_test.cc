// Power cuts and failing calls at every I/O of the SQLite tier, on a simulated disk.

#include <gtest/gtest.h>

#include "env/fault_env.h"
#include "env/sim_env.h"
#include "tier/sqlite/sqlite_tier.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

constexpr Position kDropped = UINT64_MAX;

struct Content {
  const char* name;
  SqliteLayout layout;
  Dataset dataset;
};

class SqliteCrash : public testing::TestWithParam<Content> {
 protected:
  // One step of the script: a write up to `through`, or a seal, or the drop at the end.
  struct Step {
    std::vector<BatchSlice> slices;
    Position through = 0;
    bool seal = false;
    bool drop = false;
  };

  SqliteCrash() {
    key_.dataset = GetParam().dataset;
    // A new file, rows that join an earlier block, more of them, only a watermark, a sealed
    // file, and a sealed file that is opened again.
    Position position = 1;
    const auto write = [&](uint32_t rows, Position gap) {
      const bool are_events = key_.dataset == Dataset::kEvents;
      const BatchPtr batch = are_events ? keyed_batch(position, rows, position)
                                        : random_batch(position, rows, position, 1, key_.dataset);
      steps_.push_back({.slices = {slice_of(batch)}, .through = position + rows - 1 + gap});
      all_.push_back(steps_.back().slices[0]);
      position += rows + gap;
    };
    write(30, 0);
    write(20, 5);
    write(300, 0);
    steps_.push_back({.slices = {}, .through = position + 9});
    position += 10;
    steps_.push_back({.slices = {}, .seal = true});
    write(40, 0);
    steps_.push_back({.slices = {}, .seal = true});
    steps_.push_back({.slices = {}, .drop = true});
  }

  Status open(Env* env) {
    tier_.reset();
    SqliteTierOptions options;
    options.directory = "/data/warm";
    options.layout = GetParam().layout;
    options.promoted_attributes = {"n"};
    FIRN_ASSIGN(tier_, open_sqlite_tier(env, options));
    return Status();
  }
  Status run(const Step& step) {
    if (step.drop) return tier_->drop(key_);
    if (step.seal) return tier_->seal(key_).status();
    return tier_->write(key_, step.slices, step.through).status();
  }
  // Runs steps from the start; how many came back with success.
  size_t run_all(Env* env) {
    if (!open(env).ok()) return 0;
    size_t done = 0;
    while (done < steps_.size() && run(steps_[done]).ok()) ++done;
    return done;
  }
  // The watermark once `done` steps are done; kDropped after the drop.
  Position watermark_after(size_t done) const {
    Position watermark = 0;
    for (size_t i = 0; i < done; ++i) {
      if (steps_[i].drop) return kDropped;
      watermark = std::max(watermark, steps_[i].through);
    }
    return watermark;
  }
  RowSums rows_through(Position watermark) const {
    Filter filter;
    filter.positions.to = watermark + 1;
    return sums_of(all_, filter);
  }

  // What is stored is the state after `done` steps or after one more, whole.
  void expect_old_or_new(size_t done) {
    const Position old_mark = watermark_after(done);
    const Position new_mark = watermark_after(std::min(done + 1, steps_.size()));
    const auto stats = tier_->verify(key_);
    if (stats.status().code() == StatusCode::kNotFound) {
      EXPECT_TRUE(old_mark == 0 || new_mark == kDropped) << stats.status().to_string();
      return;
    }
    ASSERT_TRUE(stats.ok()) << stats.status().to_string();
    EXPECT_NE(old_mark, kDropped);
    EXPECT_TRUE(stats->watermark == old_mark || stats->watermark == new_mark)
        << stats->watermark << " is neither " << old_mark << " nor " << new_mark;
    EXPECT_EQ(read_sums(tier_.get(), key_, {}), rows_through(stats->watermark));
  }

  // Repeating the script from its start ends in the same rows.
  void expect_script_can_be_repeated() {
    for (size_t i = 0; i + 1 < steps_.size(); ++i) {
      const Status status = run(steps_[i]);
      ASSERT_TRUE(status.ok()) << "step " << i << ": " << status.to_string();
    }
    EXPECT_EQ(read_sums(tier_.get(), key_, {}), sums_of(all_, {}));
    EXPECT_TRUE(tier_->verify(key_).ok());
    EXPECT_TRUE(tier_->drop(key_).ok());
    EXPECT_TRUE(tier_->list()->empty());
  }

  ChunkKey key_ = test_chunk();
  std::vector<Step> steps_;
  std::vector<BatchSlice> all_;
  std::unique_ptr<Tier> tier_;
};

TEST_P(SqliteCrash, PowerCutAtEveryCall) {
  for (uint64_t call = 1;; ++call) {
    SimEnv env(call);
    env.crash_at(call);
    const size_t done = run_all(&env);
    tier_.reset();
    if (!env.has_crashed()) {
      EXPECT_EQ(done, steps_.size());
      EXPECT_GT(call, 50u);
      return;
    }
    const auto disk = env.snapshot();
    for (uint64_t damage = 0; damage < 5; ++damage) {
      SCOPED_TRACE("call " + std::to_string(call) + ", damage " + std::to_string(damage));
      env.restore(disk);
      env.crash(damage == 0   ? CrashMode::kLoseAll
                : damage == 1 ? CrashMode::kKeepAll
                              : CrashMode::kRandom,
                damage);
      ASSERT_TRUE(open(&env).ok());
      if (done + 1 < steps_.size()) {
        expect_old_or_new(done);
      }
      // Once a drop was begun, nobody counts on the chunk: what is left must only not get in the
      // way of dropping it again.
      if (done + 1 >= steps_.size()) {
        ASSERT_TRUE(tier_->drop(key_).ok());
        ASSERT_TRUE(tier_->list()->empty());
      }
      if (damage == 2) expect_script_can_be_repeated();
      tier_.reset();
      if (HasFailure()) return;
    }
  }
}

TEST_P(SqliteCrash, EveryCallFailsOnce) {
  for (uint64_t call = 1;; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    SimEnv disk(call);
    FaultEnv env(&disk);
    env.on_failed_sync([&](const std::string& path) { disk.forget_unsynced(path); });
    env.fail_once(call, io_error("injected"));
    size_t failures = 0;
    Status opened = open(&env);
    if (!opened.ok()) {
      ++failures;
      ASSERT_TRUE(open(&env).ok());
    }
    for (size_t i = 0; i + 1 < steps_.size(); ++i) {
      Status status = run(steps_[i]);
      if (!status.ok()) {
        ++failures;
        // The step had no effect, or its whole effect; and it can be repeated at once.
        expect_old_or_new(i);
        status = run(steps_[i]);
      }
      ASSERT_TRUE(status.ok()) << "step " << i << ": " << status.to_string();
    }
    EXPECT_LE(failures, 1u);
    const bool ended = env.faults_injected() == 0;
    // What was answered with success is on the disk.
    tier_.reset();
    disk.crash(CrashMode::kLoseAll, 0);
    ASSERT_TRUE(open(&disk).ok());
    EXPECT_EQ(read_sums(tier_.get(), key_, {}), sums_of(all_, {}));
    tier_.reset();
    if (HasFailure() || ended) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, SqliteCrash,
                         testing::Values(Content{"blocks", SqliteLayout::kBlocks, Dataset::kEvents},
                                         Content{"rows", SqliteLayout::kRows, Dataset::kEvents},
                                         Content{"samples", SqliteLayout::kBlocks,
                                                 Dataset::kSamples}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace firn
