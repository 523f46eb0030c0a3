// Power cuts while chunks of samples lose one of their series.

#include <gtest/gtest.h>

#include "tests/crash/prune_machine.h"

namespace firn {
namespace {

TEST(PruneCrash, APowerCutAnywhereTakesNoOtherSeriesAndNoPartOfAChunk) {
  for (const CrashMode mode : {CrashMode::kLoseAll, CrashMode::kKeepAll, CrashMode::kRandom}) {
    EXPECT_EQ(cut_while_pruning(mode, static_cast<uint64_t>(mode), 11), "");
  }
}

}  // namespace
}  // namespace firn
