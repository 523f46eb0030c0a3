#include "views/metrics/quantile_sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace firn {
namespace {

TEST(QuantileSketch, TellsEveryQuantileWithinItsErrorOfTheValueWithThatRank) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> spread(0, 4);
  QuantileSketch sketch;
  std::vector<double> values;
  for (int i = 0; i < 5000; ++i) {
    values.push_back(spread(random) * (i % 3 == 0 ? -1 : 1));
    if (i % 100 == 0) values.back() = 0;
    sketch.add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double quantile : {0.0, 0.01, 0.25, 0.5, 0.95, 0.99, 1.0}) {
    const double exact = values[static_cast<size_t>(quantile * 4999)];
    EXPECT_NEAR(*sketch.quantile(quantile), exact,
                QuantileSketch::kRelativeError * std::abs(exact) * (1 + 1e-9))
        << quantile;
  }
  EXPECT_FALSE(QuantileSketch().quantile(0.5).has_value());
}

TEST(QuantileSketch, MergedPartsAreTheSketchOfTheWhole) {
  QuantileSketch whole, odd, even;
  for (int i = -500; i < 1000; ++i) {
    whole.add(i * 0.7);
    (i % 2 == 0 ? even : odd).add(i * 0.7);
  }
  odd.merge(even);
  EXPECT_EQ(odd, whole);
}

TEST(QuantileSketch, KeepsTheGreatestAndSmallestNumbersApart) {
  const double most = std::numeric_limits<double>::max();
  const double least = std::numeric_limits<double>::denorm_min();
  QuantileSketch sketch;
  for (const double value : {-HUGE_VAL, -most, least, most, HUGE_VAL}) sketch.add(value);
  EXPECT_EQ(*sketch.quantile(0), -HUGE_VAL);
  EXPECT_NEAR(*sketch.quantile(0.25) / most, -1, 0.01);
  EXPECT_LT(*sketch.quantile(0.5), 1e-300);
  EXPECT_NEAR(*sketch.quantile(0.75) / most, 1, 0.01);
  EXPECT_EQ(*sketch.quantile(1), HUGE_VAL);
}

TEST(QuantileSketch, IsWrittenAsJsonAndReadBack) {
  QuantileSketch sketch;
  EXPECT_EQ(QuantileSketch::parse_json("{}"), sketch);
  for (const double value : {0.0, 1.0, 1.0, 2.0, -1e9, 1e-9}) sketch.add(value);
  std::string json;
  sketch.append_json(&json);
  EXPECT_EQ(QuantileSketch::parse_json(json), sketch) << json;
  EXPECT_EQ(sketch.count_of(1), 2u);
  EXPECT_EQ(sketch.count_of(0), 1u);
  EXPECT_EQ(sketch.count_of(3), 0u);
  for (const std::string_view bad : {"", "{", "[]", R"({"positive":[]})", R"({"positive":[1]})",
                                     R"({"positive":[1,0]})", R"({"positive":[1,2,0,1]})", "{} "}) {
    EXPECT_FALSE(QuantileSketch::parse_json(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace firn
