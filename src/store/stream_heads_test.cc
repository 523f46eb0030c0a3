#include "store/stream_heads.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firn {
namespace {

TEST(StreamHeads, KnowsWhatWasInserted) {
  StreamHeads heads;
  EXPECT_EQ(heads.find("a", 1), nullptr);
  heads.insert("a", 7, 1);
  ASSERT_NE(heads.find("a", 1), nullptr);
  EXPECT_EQ(*heads.find("a", 1), 7);
  EXPECT_EQ(heads.find("b", 1), nullptr);
}

TEST(StreamHeads, KeepsHeadsInPlaceWhileItGrows) {
  StreamHeads heads;
  int64_t* first = heads.insert("first", 1, 1);
  for (int i = 0; i < 100'000; ++i) heads.insert("stream-" + std::to_string(i), i, 1);
  *first = 2;
  EXPECT_EQ(*heads.find("first", 1), 2);
  for (int i = 0; i < 100'000; ++i) EXPECT_EQ(*heads.find("stream-" + std::to_string(i), 1), i);
  EXPECT_EQ(heads.find("stream-100000", 1), nullptr);
}

TEST(StreamHeads, ManyNamesAtOnceAreFoundAsOneByOne) {
  StreamHeads heads;
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("stream-" + std::to_string(i));
  for (int i = 0; i < 1000; i += 3) heads.insert(names[i], i, 100);
  heads.forget_stored(50);  // these are old ones now
  for (int i = 1; i < 1000; i += 3) heads.insert(names[i], i, 200);
  std::vector<std::string_view> asked(names.begin(), names.end());
  for (int i = 0; i < 100; ++i) asked.push_back(names[i]);
  std::vector<int64_t*> found(asked.size());
  heads.find_all(asked, 300, found);
  for (int i = 0; i < 1100; ++i) {
    const int number = i % 1000;
    if (number % 3 == 2) {
      EXPECT_EQ(found[i], nullptr) << number;
    } else {
      ASSERT_NE(found[i], nullptr) << number;
      EXPECT_EQ(*found[i], number);
      EXPECT_EQ(found[i], heads.find(asked[i], 300));
    }
  }
}

TEST(StreamHeads, TheEmptyNameIsAName) {
  StreamHeads heads;
  heads.insert("", 3, 1);
  EXPECT_EQ(*heads.find("", 1), 3);
}

TEST(StreamHeads, ForgetsOnlyWhatWasStored) {
  StreamHeads heads;
  heads.insert("early", 1, 100);
  heads.forget_stored(50);  // from now on it is an old one
  heads.insert("late", 2, 200);
  heads.forget_stored(99);
  EXPECT_EQ(*heads.find("early", 100), 1);
  EXPECT_EQ(*heads.find("late", 200), 2);
  heads.forget_stored(200);
  EXPECT_EQ(heads.find("early", 201), nullptr);
  EXPECT_EQ(heads.find("late", 201), nullptr);
  EXPECT_EQ(heads.bytes(), 0u);
}

TEST(StreamHeads, AHeadThatIsAskedForAgainStays) {
  StreamHeads heads;
  heads.insert("busy", 1, 100);
  heads.insert("quiet", 1, 100);
  heads.forget_stored(50);
  *heads.find("busy", 300) = 5;
  heads.forget_stored(100);
  EXPECT_EQ(heads.find("quiet", 300), nullptr);
  ASSERT_NE(heads.find("busy", 300), nullptr);
  EXPECT_EQ(*heads.find("busy", 300), 5);
}

TEST(StreamHeads, CountsNamesThatHaveABlockOfTheirOwn) {
  StreamHeads heads;
  heads.insert("short", 1, 1);
  const size_t one = heads.bytes();
  heads.insert(std::string(1000, 'x'), 1, 1);
  EXPECT_GE(heads.bytes(), one + 1000);
}

}  // namespace
}  // namespace firn
