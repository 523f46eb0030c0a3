#include "wire/wanted_definitions.h"

#include <gtest/gtest.h>

#include "base/size.h"

namespace firn {
namespace {

constexpr NamespaceId kNamespace = 7;

Id id_of(uint64_t number) { return make_uuid7(1, 2, number); }

class WantedDefinitionsTest : public testing::Test {
 protected:
  void define(TimeNs interval, uint64_t series) {
    const SeriesDefinition one{interval, id_of(series)};
    known_.add(kNamespace, {&one, 1}, known_.epoch());
  }
  SeriesKnowledge knowledge() const { return {&known_, kNamespace, kDayNs}; }
  static bool wants(WantedDefinitions* wanted, uint64_t series, TimeNs time, bool is_new) {
    uint64_t stamp = 0;
    return wanted->wants(id_of(series), time, is_new, &stamp);
  }

  KnownSeries known_{kMiB};
};

TEST_F(WantedDefinitionsTest, WithoutKnowledgeEachSeriesOnce) {
  WantedDefinitions wanted{SeriesKnowledge()};
  EXPECT_EQ(wanted.epoch(), 0u);
  EXPECT_TRUE(wants(&wanted, 1, 5, true));
  EXPECT_FALSE(wants(&wanted, 1, 5 + kDayNs, false));
}

TEST_F(WantedDefinitionsTest, LeavesOutWhatTheStoreKnows) {
  define(0, 1);
  WantedDefinitions wanted(knowledge());
  EXPECT_EQ(wanted.epoch(), known_.epoch());
  EXPECT_FALSE(wants(&wanted, 1, 5, true));
  EXPECT_TRUE(wants(&wanted, 2, 5, true));
  EXPECT_FALSE(wants(&wanted, 2, 6, false));
}

TEST_F(WantedDefinitionsTest, AsksForEachInterval) {
  define(0, 1);
  define(0, 2);
  define(kDayNs, 2);
  WantedDefinitions wanted(knowledge());
  EXPECT_FALSE(wants(&wanted, 1, 5, true));
  EXPECT_TRUE(wants(&wanted, 1, kDayNs, false));
  EXPECT_FALSE(wants(&wanted, 1, kDayNs, false));
  EXPECT_FALSE(wants(&wanted, 1, 2 * kDayNs, false)) << "it comes along already";
  EXPECT_FALSE(wants(&wanted, 2, kDayNs - 1, true));
  EXPECT_FALSE(wants(&wanted, 2, kDayNs, false));
  EXPECT_TRUE(wants(&wanted, 2, -kDayNs, false));
}

TEST_F(WantedDefinitionsTest, ASeriesThatBeganInAnotherIntervalIsAskedForInTheFirst) {
  define(0, 1);
  define(kDayNs, 2);
  WantedDefinitions wanted(knowledge());
  EXPECT_FALSE(wants(&wanted, 1, 5, true));
  EXPECT_FALSE(wants(&wanted, 2, kDayNs, true));
  EXPECT_TRUE(wants(&wanted, 2, 5, false));
}

TEST_F(WantedDefinitionsTest, TimesBeforeTheEpochHaveIntervalsToo) {
  define(-kDayNs, 1);
  WantedDefinitions wanted(knowledge());
  EXPECT_FALSE(wants(&wanted, 1, -1, true));
  EXPECT_FALSE(wants(&wanted, 1, -kDayNs, false));
  EXPECT_TRUE(wants(&wanted, 1, -kDayNs - 1, false));
}

TEST_F(WantedDefinitionsTest, EveryBatchBringsItsOwn) {
  WantedDefinitions wanted(knowledge());
  BatchBuilder definitions(Dataset::kSeries);
  EXPECT_TRUE(wants(&wanted, 1, 5, true));
  EventRow row;
  row.series = "one";
  definitions.add_definition(row);
  EXPECT_EQ(wanted.finish(&definitions)->rows(), 1u);
  EXPECT_TRUE(wants(&wanted, 1, 5, true));
  EXPECT_EQ(wanted.finish(&definitions), nullptr);
}

TEST_F(WantedDefinitionsTest, AStampSaysTheSameAsTheStore) {
  define(0, 1);
  uint64_t stamp = 0;
  {
    WantedDefinitions wanted(knowledge());
    EXPECT_FALSE(wanted.wants(id_of(1), 5, true, &stamp));
    EXPECT_EQ(stamp, known_.stamp(kNamespace, 0));
    uint64_t of_other = 0;
    EXPECT_TRUE(wanted.wants(id_of(2), 5, true, &of_other));
    EXPECT_EQ(of_other, 0u);
    // Believed, because only a store that knows the series gives it.
    of_other = stamp;
    EXPECT_FALSE(wanted.wants(id_of(3), 5, true, &of_other));
  }
  known_.forget(kNamespace, 0);
  define(0, 4);
  WantedDefinitions wanted(knowledge());
  EXPECT_TRUE(wanted.wants(id_of(1), 5, true, &stamp));
}

TEST_F(WantedDefinitionsTest, AStampIsOfOneInterval) {
  define(0, 1);
  define(kDayNs, 2);
  WantedDefinitions wanted(knowledge());
  EXPECT_FALSE(wants(&wanted, 1, 5, true));
  uint64_t stamp = known_.stamp(kNamespace, 0);
  EXPECT_TRUE(wanted.wants(id_of(1), kDayNs, false, &stamp));
}

}  // namespace
}  // namespace firn
