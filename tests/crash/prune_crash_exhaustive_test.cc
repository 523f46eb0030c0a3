// Power cut at every I/O call while chunks of samples lose one of their series. Slow:
// scripts/test --all.

#include <gtest/gtest.h>

#include "tests/crash/prune_machine.h"

namespace firn {
namespace {

TEST(PruneCrashExhaustive, LoseAll) { EXPECT_EQ(cut_while_pruning(CrashMode::kLoseAll, 0, 1), ""); }
TEST(PruneCrashExhaustive, KeepAll) { EXPECT_EQ(cut_while_pruning(CrashMode::kKeepAll, 0, 1), ""); }
TEST(PruneCrashExhaustive, Random) { EXPECT_EQ(cut_while_pruning(CrashMode::kRandom, 0, 1), ""); }

}  // namespace
}  // namespace firn
