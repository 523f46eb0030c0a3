#include <gtest/gtest.h>

#include <functional>

#include "env/fault_env.h"
#include "env/sim_env.h"
#include "tier/parquet/parquet_tier.h"
#include "tier/tier_test_util.h"

namespace firn {
namespace {

// Every boot starts a DuckDB instance, which is slow in a sanitized build: that one tries a part of
// the calls.
#ifdef FIRN_SANITIZED
constexpr uint64_t kCallStep = 7;
#else
constexpr uint64_t kCallStep = 1;
#endif

// The tier under power cuts and failing calls, at every call that changes the disk.
class ParquetCrashTest : public testing::Test {
 protected:
  ParquetCrashTest() {
    for (Position first = 1; first <= 201; first += 100) {
      batches_.push_back(slice_of(keyed_batch(first, 100, first)));
    }
  }

  static std::unique_ptr<Tier> open(Env* env) {
    ParquetOptions options;
    options.directory = "/cold";
    options.threads = 1;  // the simulation wants all calls from one thread
    auto tier = open_parquet_tier(env, options);
    return tier.ok() ? std::move(*tier) : nullptr;
  }

  Status write(Tier* tier, size_t batch, Position through) {
    return tier->write(test_chunk(), {&batches_[batch], 1}, through).status();
  }

  // What happens to the chunk, step by step, and how many batches it holds after each.
  struct Step {
    std::function<Status(Tier*)> run;
    size_t batches_after;
  };
  std::vector<Step> steps() {
    return {{[this](Tier* tier) { return write(tier, 0, 100); }, 1},
            {[this](Tier* tier) { return write(tier, 1, 200); }, 2},
            {[](Tier* tier) { return tier->seal(test_chunk()).status(); }, 2},
            {[this](Tier* tier) { return write(tier, 2, 350); }, 3},
            {[](Tier* tier) { return tier->drop(test_chunk()); }, 0}};
  }
  RowSums rows_of(size_t batches) const {
    return sums_of({batches_.begin(), batches_.begin() + static_cast<std::ptrdiff_t>(batches)}, {});
  }
  static RowSums read(Tier* tier) {
    const auto keys = tier->list();
    if (!keys.ok() || keys->empty()) return {};
    const auto verified = tier->verify(test_chunk());
    EXPECT_TRUE(verified.ok()) << verified.status().to_string();
    return read_sums(tier, test_chunk(), {});
  }

  std::vector<BatchSlice> batches_;
};

TEST_F(ParquetCrashTest, APowerCutLeavesEveryStepDoneOrUndone) {
  uint64_t last_call = UINT64_MAX;
  for (uint64_t call = 1; call <= last_call; call += kCallStep) {
    SimEnv env(call);
    env.crash_at(call);
    size_t done = 0;
    auto all = steps();
    if (auto tier = open(&env)) {
      while (done < all.size() && all[done].run(tier.get()).ok()) ++done;
    }
    if (!env.has_crashed()) {
      ASSERT_EQ(done, all.size());
      last_call = env.io_count();
      break;
    }
    const auto disk = env.snapshot();
    const RowSums before = rows_of(done == 0 ? 0 : all[done - 1].batches_after);
    const RowSums after = done < all.size() ? rows_of(all[done].batches_after) : before;
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const CrashMode mode = seed == 0   ? CrashMode::kLoseAll
                             : seed == 1 ? CrashMode::kKeepAll
                                         : CrashMode::kRandom;
      env.restore(disk);
      env.crash(mode, call);
      auto tier = open(&env);
      ASSERT_NE(tier, nullptr) << "call " << call << " seed " << seed;
      const RowSums found = read(tier.get());
      // Several files of a drop may go one by one; the chunk then holds a part, which nobody owns.
      const bool dropping = done + 1 == all.size();
      EXPECT_TRUE(found == before || found == after || dropping)
          << "call " << call << " seed " << seed << ": " << found.size() << " rows";
      for (const std::string& path : env.all_files()) EXPECT_FALSE(path.ends_with(".tmp")) << path;
    }
  }
  EXPECT_LT(last_call, 500u);
}

TEST_F(ParquetCrashTest, AFailedStepCanBeRepeated) {
  for (uint64_t call = 1;; call += kCallStep) {
    SimEnv sim(1);
    FaultEnv env(&sim);
    env.count_only({IoKind::kOpen, IoKind::kWrite, IoKind::kSync, IoKind::kRemove, IoKind::kRename,
                    IoKind::kSyncDirectory, IoKind::kCreateDirectories, IoKind::kRemoveDirectory,
                    IoKind::kListDirectory, IoKind::kExists});
    env.fail_once(call, io_error("injected"));
    auto tier = open(&env);
    if (tier == nullptr) tier = open(&env);
    ASSERT_NE(tier, nullptr) << "call " << call;
    size_t number = 0;
    for (const Step& step : steps()) {
      Status status = step.run(tier.get());
      if (!status.ok()) status = step.run(tier.get());
      ASSERT_TRUE(status.ok()) << "call " << call << " step " << number << " "
                               << status.to_string();
      env.heal();  // looking is not under test
      EXPECT_TRUE(read(tier.get()) == rows_of(step.batches_after))
          << "call " << call << " step " << number;
      if (call > env.io_count()) env.fail_once(call, io_error("injected"));
      ++number;
    }
    if (call > env.io_count()) break;
    tier = open(&sim);
    ASSERT_NE(tier, nullptr) << "call " << call;
    EXPECT_TRUE(read(tier.get()).empty()) << "call " << call;
    ASSERT_LT(call, 2000u);
  }
}

TEST_F(ParquetCrashTest, AFailedReadIsToldAndLeavesTheTierUsable) {
  SimEnv sim(1);
  FaultEnv env(&sim);
  auto tier = open(&env);
  ASSERT_TRUE(write(tier.get(), 0, 100).ok());
  ASSERT_TRUE(write(tier.get(), 1, 200).ok());
  tier = open(&env);
  env.fail_matching(IoKind::kRead, "parquet", 1, io_error("injected"));
  EXPECT_EQ(tier->verify(test_chunk()).status().code(), StatusCode::kIoError);
  env.fail_matching(IoKind::kRead, "parquet", 1, io_error("injected"));
  EXPECT_EQ(tier->seal(test_chunk()).status().code(), StatusCode::kIoError);
  EXPECT_TRUE(read(tier.get()) == rows_of(2));
}

TEST_F(ParquetCrashTest, AFullDiskIsNamedAndForgiven) {
  SimEnv env(1);
  auto tier = open(&env);
  ASSERT_NE(tier, nullptr);
  ASSERT_TRUE(write(tier.get(), 0, 100).ok());
  uint64_t used = 0;
  for (const std::string& path : env.all_files()) used += env.raw_content(path).size();
  env.set_capacity(used + 100);
  EXPECT_EQ(write(tier.get(), 1, 200).code(), StatusCode::kNoSpace);
  EXPECT_EQ(env.all_files().size(), 1u);
  env.set_capacity(1 * kGiB);
  ASSERT_TRUE(write(tier.get(), 1, 200).ok());
  EXPECT_TRUE(read(tier.get()) == rows_of(2));
}

}  // namespace
}  // namespace firn
