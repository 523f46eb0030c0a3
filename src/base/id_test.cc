#include "base/id.h"

#include <gtest/gtest.h>

#include <set>

namespace firn {
namespace {

constexpr const char* kUuid = "0190f3b2-1c2d-7e3f-8a4b-5c6d7e8f9012";
constexpr const char* kHex = "0190f3b21c2d7e3f8a4b5c6d7e8f9012";

TEST(Id, ReadsAndWritesUuidText) {
  const std::optional<Id> id = Id::parse(kUuid);
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->to_uuid(), kUuid);
  EXPECT_EQ(id->to_hex(), kHex);
  EXPECT_EQ(id->bytes[0], 0x01);
  EXPECT_EQ(id->bytes[15], 0x12);
}

TEST(Id, ReadsHexOfEitherCase) {
  EXPECT_EQ(Id::parse(kHex), Id::parse(kUuid));
  EXPECT_EQ(Id::parse("0190F3B21C2D7E3F8A4B5C6D7E8F9012"), Id::parse(kUuid));
}

TEST(Id, RefusesOtherText) {
  for (const char* text :
       {"", "0190f3b2", "0190f3b21c2d7e3f8a4b5c6d7e8f901", "0190f3b21c2d7e3f8a4b5c6d7e8f90123",
        "0190f3b2-1c2d-7e3f-8a4b-5c6d7e8f901g", "0190f3b21-c2d-7e3f-8a4b-5c6d7e8f9012",
        "{190f3b2-1c2d-7e3f-8a4b-5c6d7e8f901}", "0190f3b2-1c2d-7e3f-8a4b-5c6d7e8f901-",
        "0190f3b2-1c2d-7e3f-8a4b-5c6d7e8f90123", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"}) {
    EXPECT_FALSE(Id::parse(text).has_value()) << text;
  }
}

TEST(Id, AllZeroMeansNone) {
  EXPECT_TRUE(Id{}.is_zero());
  EXPECT_FALSE(Id::parse("00000000000000000000000000000001")->is_zero());
}

TEST(Id, MakesUuidVersionSevenWithTheRfcVariant) {
  const Id ones = make_uuid7(0xffffffffffff, UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(ones.to_uuid(), "ffffffff-ffff-7fff-bfff-ffffffffffff");
  const Id zeros = make_uuid7(0x0190f3b21c2d, 0, 0);
  EXPECT_EQ(zeros.to_uuid(), "0190f3b2-1c2d-7000-8000-000000000000");
}

TEST(Id, ASequenceOfUuidsAscendsAndNeverRepeats) {
  Uuid7Sequence sequence(0x0190f3b21c2d, UINT64_MAX, UINT64_MAX);
  Id previous = sequence.next();
  EXPECT_EQ(previous.to_uuid().substr(0, 20), "0190f3b2-1c2d-7fff-b");
  for (int i = 0; i < 100'000; ++i) {
    const Id next = sequence.next();
    ASSERT_LT(previous, next);
    previous = next;
  }
}

TEST(Id, SequencesOfOtherRandomBitsAreOthers) {
  std::set<Id> ids;
  for (uint64_t random = 0; random < 100; ++random) {
    Uuid7Sequence sequence(1, random << 32, 0);
    for (int i = 0; i < 100; ++i) ids.insert(sequence.next());
  }
  EXPECT_EQ(ids.size(), 10'000u);
}

TEST(Id, UuidsSortByTime) {
  EXPECT_LT(make_uuid7(255, UINT64_MAX, UINT64_MAX), make_uuid7(256, 0, 0));
}

TEST(Id, HashesNeighboursFarApart) {
  std::set<uint64_t> low_bits;
  for (uint64_t i = 0; i < 1000; ++i) low_bits.insert(hash_id(make_uuid7(1, 0, i << 8)) & 0xffff);
  for (uint64_t i = 0; i < 1000; ++i) low_bits.insert(hash_id(make_uuid7(i + 2, 0, 0)) & 0xffff);
  // 2000 random draws out of 65,536 leave about 1,970 different ones.
  EXPECT_GT(low_bits.size(), 1900U);
}

}  // namespace
}  // namespace firn
