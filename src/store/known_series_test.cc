#include "store/known_series.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>
#include <vector>

#include "base/size.h"

namespace firn {
namespace {

bool contains(const KnownSeries& known, NamespaceId id, TimeNs interval, const Id& series) {
  const SeriesDefinition definition{interval, series};
  return known.unknown(id, {&definition, 1}).empty();
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
