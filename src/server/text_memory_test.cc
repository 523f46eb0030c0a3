#include "server/text_memory.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/size.h"

namespace firn {
namespace {

TEST(TextMemory, GivesBackWhatItGot) {
  TextMemory memory(kMiB);
  EXPECT_EQ(memory.take(), "");
  std::string text(1000, 'x');
  const char* const at = text.data();
  memory.give(std::move(text));
  const std::string again = memory.take();
  EXPECT_EQ(again.data(), at);
  EXPECT_EQ(memory.take().data() == at, false);
}

TEST(TextMemory, KeepsNoMoreThanItMay) {
  TextMemory memory(100 * kKiB);
  memory.give(std::string(60 * kKiB, 'a'));
  memory.give(std::string(60 * kKiB, 'b'));
  EXPECT_EQ(memory.take().front(), 'a');
  EXPECT_EQ(memory.take(), "");
  memory.give(std::string(60 * kKiB, 'c'));
  EXPECT_EQ(memory.take().front(), 'c');
}

}  // namespace
}  // namespace firn
