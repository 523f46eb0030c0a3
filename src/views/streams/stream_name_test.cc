#include "views/streams/stream_name.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace firn {
namespace {

TEST(StreamName, CategoryEndsAtTheFirstDash) {
  EXPECT_EQ(category_of("a-b-c+d"), "a");
  EXPECT_EQ(category_of("account"), "account");
  EXPECT_EQ(category_of("-1"), "");
}

TEST(StreamName, CardinalIdLiesBetweenTheFirstDashAndThePlus) {
  EXPECT_EQ(cardinal_id_of("a-b-c+d"), "b-c");
  EXPECT_EQ(cardinal_id_of("account-17"), "17");
  EXPECT_EQ(cardinal_id_of("account"), std::nullopt);
  EXPECT_EQ(cardinal_id_of("account-"), std::nullopt);
  EXPECT_EQ(cardinal_id_of("account-+x"), std::nullopt);
}

// From the contract: cardinal id, and its member of groups of 2, 3, 4 and 8.
TEST(StreamName, MembersAreThoseOfMessageDb) {
  struct Vector {
    const char* id;
    std::array<int64_t, 4> members;
  };
  const Vector vectors[] = {
      {"0", {1, 1, 1, 1}},    {"1", {0, 0, 2, 6}},
      {"2", {1, 1, 1, 5}},    {"3", {0, 2, 2, 2}},
      {"123", {1, 1, 3, 3}},  {"456", {1, 1, 3, 7}},
      {"abc", {0, 2, 0, 0}},  {"550e8400-e29b-41d4-a716-446655440000", {0, 1, 0, 4}},
      {"日本", {0, 2, 0, 4}},
  };
  for (const Vector& vector : vectors) {
    size_t at = 0;
    for (const int64_t size : {2, 3, 4, 8}) {
      const std::string stream = std::string("account-") + vector.id;
      for (int64_t member = 0; member < size; ++member) {
        EXPECT_EQ(is_member({member, size}, stream), member == vector.members[at]) << stream;
        EXPECT_EQ(is_member({member, size}, stream + "+more"), member == vector.members[at]);
      }
      ++at;
    }
  }
}

TEST(StreamName, StreamsWithoutAnIdBelongToNoMember) {
  EXPECT_FALSE(is_member({0, 1}, "account"));
  EXPECT_TRUE(is_member({0, 1}, "account-1"));
}

}  // namespace
}  // namespace firn
