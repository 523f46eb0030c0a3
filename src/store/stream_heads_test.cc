#include "store/stream_heads.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(StreamHeads, KnowsWhatWasInserted) {
  StreamHeads heads;
  EXPECT_EQ(heads.find("a"), nullptr);
  heads.insert("a", 7);
  ASSERT_NE(heads.find("a"), nullptr);
  EXPECT_EQ(*heads.find("a"), 7);
  EXPECT_EQ(heads.find("b"), nullptr);
}

TEST(StreamHeads, KeepsHeadsInPlaceWhileItGrows) {
  StreamHeads heads;
  int64_t* first = heads.insert("first", 1);
  for (int i = 0; i < 100'000; ++i) heads.insert("stream-" + std::to_string(i), i);
  *first = 2;
  EXPECT_EQ(*heads.find("first"), 2);
  for (int i = 0; i < 100'000; ++i) EXPECT_EQ(*heads.find("stream-" + std::to_string(i)), i);
  EXPECT_EQ(heads.find("stream-100000"), nullptr);
  EXPECT_EQ(heads.size(), 100'001u);
}

TEST(StreamHeads, TheEmptyNameIsAName) {
  StreamHeads heads;
  heads.insert("", 3);
  EXPECT_EQ(*heads.find(""), 3);
}

}  // namespace
}  // namespace firn
