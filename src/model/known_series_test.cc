#include "model/known_series.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>
#include <vector>

#include "base/size.h"

namespace firn {
namespace {

bool contains(const KnownSeries& known, NamespaceId id, TimeNs interval, const Id& series) {
  return known.contains(id, {interval, series});
}
Id random_id(std::mt19937_64* random) { return make_uuid7((*random)(), (*random)(), (*random)()); }

TEST(KnownSeries, KnowsWhatWasAddedToItsIntervalAndNamespace) {
  KnownSeries known(kMiB);
  std::mt19937_64 random(1);
  std::vector<SeriesDefinition> defined;
  for (int i = 0; i < 5000; ++i) defined.emplace_back(i % 2, random_id(&random));
  known.add(7, defined, known.epoch());
  for (const auto& [interval, series] : defined) {
    EXPECT_TRUE(contains(known, 7, interval, series));
    EXPECT_FALSE(contains(known, 7, 1 - interval, series));
    EXPECT_FALSE(contains(known, 8, interval, series));
  }
  EXPECT_FALSE(contains(known, 7, 0, random_id(&random)));
}

TEST(KnownSeries, NamesThoseThatAreUnknownInTheirOrder) {
  KnownSeries known(kMiB);
  std::mt19937_64 random(1);
  std::vector<SeriesDefinition> all;
  for (int i = 0; i < 4; ++i) all.emplace_back(i / 2, random_id(&random));
  known.add(7, {{all[0], all[3]}}, known.epoch());
  EXPECT_EQ(known.unknown(7, all), (std::vector{all[1], all[2]}));
}

TEST(KnownSeries, ForgetsAnIntervalAndRefusesWhatWasDefinedBefore) {
  KnownSeries known(kMiB);
  std::mt19937_64 random(1);
  const SeriesDefinition one{0, random_id(&random)}, other{1, random_id(&random)};
  const uint64_t before = known.epoch();
  known.add(7, {{one, other}}, before);
  known.forget(7, 0);
  EXPECT_NE(known.epoch(), before);
  EXPECT_FALSE(contains(known, 7, 0, one.second));
  EXPECT_TRUE(contains(known, 7, 1, other.second));
  known.add(7, {&one, 1}, before);
  EXPECT_FALSE(contains(known, 7, 0, one.second));
  known.add(7, {&one, 1}, known.epoch());
  EXPECT_TRUE(contains(known, 7, 0, one.second));
}

TEST(KnownSeries, TellsWhichIntervalsWereForgottenSinceAnEpoch) {
  KnownSeries known(kMiB);
  const uint64_t before = known.epoch();
  EXPECT_FALSE(known.was_forgotten(7, 0, 100, before));
  known.forget(7, 20);
  known.forget(8, 50);
  EXPECT_TRUE(known.was_forgotten(7, 20, 20, before));
  EXPECT_TRUE(known.was_forgotten(7, 0, 100, before));
  EXPECT_FALSE(known.was_forgotten(7, 21, 100, before));
  EXPECT_FALSE(known.was_forgotten(7, 0, 19, before));
  EXPECT_FALSE(known.was_forgotten(8, 0, 49, before));
  EXPECT_FALSE(known.was_forgotten(7, 0, 100, known.epoch()));
}

TEST(KnownSeries, HasAnotherStampForWhatWasForgottenAndDefinedAgain) {
  KnownSeries known(kMiB);
  std::mt19937_64 random(1);
  const SeriesDefinition one{0, random_id(&random)}, two{0, random_id(&random)};
  const SeriesDefinition other{1, random_id(&random)};
  EXPECT_EQ(known.stamp(7, 0), 0u);
  known.add(7, {{one, other}}, known.epoch());
  const uint64_t before = known.stamp(7, 0);
  EXPECT_NE(before, 0u);
  EXPECT_NE(known.stamp(7, 1), before);
  known.add(7, {&two, 1}, known.epoch());
  EXPECT_EQ(known.stamp(7, 0), before);
  const uint64_t of_other = known.stamp(7, 1);
  known.forget(7, 0);
  EXPECT_EQ(known.stamp(7, 0), 0u);
  known.add(7, {&one, 1}, known.epoch());
  EXPECT_NE(known.stamp(7, 0), before);
  EXPECT_EQ(known.stamp(7, 1), of_other);
}

TEST(KnownSeries, TellsTooMuchOfAnEpochThatIsLongPast) {
  KnownSeries known(kMiB);
  const uint64_t before = known.epoch();
  for (int i = 0; i < 10'000; ++i) known.forget(7, 20);
  EXPECT_TRUE(known.was_forgotten(8, 0, 0, before));
  EXPECT_FALSE(known.was_forgotten(8, 0, 0, known.epoch() - 1));
}

TEST(KnownSeries, StaysWithinItsBytes) {
  KnownSeries known(64 * kKiB);
  std::mt19937_64 random(1);
  for (int i = 0; i < 5000; ++i) {
    const SeriesDefinition one{0, random_id(&random)};
    known.add(7, {&one, 1}, known.epoch());
  }
  const SeriesDefinition last{0, random_id(&random)};
  known.add(7, {&last, 1}, known.epoch());
  EXPECT_TRUE(contains(known, 7, 0, last.second));
}

}  // namespace
}  // namespace firn
