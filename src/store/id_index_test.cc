#include "store/id_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

Id id_of(uint64_t number) {
  Id id;
  store_le<uint64_t>(id.bytes.data(), 0x9e3779b97f4a7c15ull * number);
  store_le<uint64_t>(id.bytes.data() + 8, number);
  return id;
}

RecentIds filled(uint64_t count) {
  RecentIds ids;
  for (uint64_t i = 1; i <= count; ++i) ids.insert(id_of(i), 10 * i);
  return ids;
}

TEST(RecentIds, FindsWhatWasInserted) {
  const RecentIds ids = filled(1'000'000);
  for (uint64_t i = 1; i <= 1'000'000; i += 997) EXPECT_THAT(ids.find(id_of(i)), Contains(10 * i));
}

TEST(RecentIds, RarelyPointsToRowsOfOtherIds) {
  const RecentIds ids = filled(1'000'000);
  size_t hits = 0;
  for (uint64_t i = 0; i < 10'000; ++i) hits += ids.find(id_of(2'000'000 + i)).size();
  EXPECT_LT(hits, 50u);
}

TEST(RecentIds, TakesElevenBytesAnId) { EXPECT_LT(filled(3'500'000).bytes(), 3'500'000 * 11u); }

TEST(RecentIds, ExpiresTheOldestAndGivesTheirMemoryBack) {
  RecentIds ids = filled(1'000'000);
  const size_t before = ids.bytes();
  ids.expire(5'000'000);
  EXPECT_LT(ids.bytes(), before);
  EXPECT_THAT(ids.find(id_of(1)), IsEmpty());
  EXPECT_THAT(ids.find(id_of(999'999)), Contains(9'999'990u));
  ids.expire(10'000'000);
  EXPECT_EQ(ids.bytes(), 0u);
}

TEST(RecentIds, ForgetsPositionsThatWereTakenBack) {
  RecentIds ids = filled(500'000);
  ids.forget_after(2'000'000);
  EXPECT_THAT(ids.find(id_of(200'000)), Contains(2'000'000u));
  EXPECT_THAT(ids.find(id_of(200'001)), Not(Contains(2'000'010u)));
  EXPECT_THAT(ids.find(id_of(500'000)), Not(Contains(5'000'000u)));
  ids.insert(id_of(7'000'000), 2'000'001);
  EXPECT_THAT(ids.find(id_of(7'000'000)), Contains(2'000'001u));
}

TEST(RecentIds, StartsAnewWhenPositionsAreFarApart) {
  RecentIds ids;
  ids.insert(id_of(1), 1);
  ids.insert(id_of(2), 1ull << 40);
  EXPECT_THAT(ids.find(id_of(1)), ElementsAre(1u));
  EXPECT_THAT(ids.find(id_of(2)), ElementsAre(1ull << 40));
}

TEST(IdTagger, RecognisesItsOwnTagOnly) {
  const IdTagger tagger(1), other(2);
  size_t own = 0, foreign = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const Id id = tagger.tag(id_of(i));
    own += tagger.has_tag(id) ? 1 : 0;
    foreign += other.has_tag(id) ? 1 : 0;
  }
  EXPECT_EQ(own, 1000u);
  EXPECT_LT(foreign, 5u);
}

TEST(ListIds, HoldsClientIdsInSixBytesEach) {
  const IdTagger tagger(3);
  BatchBuilder builder(Dataset::kEvents);
  for (uint64_t i = 1; i <= 1000; ++i) {
    EventRow row;
    row.id = i % 2 == 0 ? tagger.tag(id_of(i)) : id_of(i);
    builder.add(row);
  }
  const auto list = list_ids({{BatchPtr(builder.finish()), nullptr}}, tagger);
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(list->size(), 500u);
  EXPECT_EQ(list->bytes(), 3000u);
  const auto again = HashList::parse(list->encoded());
  ASSERT_TRUE(again.ok());
  for (uint64_t i = 1; i <= 1000; i += 2) {
    EXPECT_TRUE(again->may_contain(listed_id(id_of(i))));
  }
  EXPECT_FALSE(again->may_contain(listed_id(id_of(5000))));
}

TEST(HashList, RefusesATornEncoding) {
  EXPECT_EQ(HashList::parse("12345").status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace firn
