#include "model/float_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "model/test_rows.h"

namespace firn {
namespace {

// What a program tells that knows how many of `total` blocks are used.
std::vector<double> percentages(uint64_t total, uint64_t block_bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> values;
  uint64_t used = total / 3;
  for (int i = 0; i < 500; ++i) {
    used += random() % 2001 - 1000;
    values.push_back(static_cast<double>(used * block_bytes) /
                     static_cast<double>(total * block_bytes) * 100);
  }
  return values;
}

// How many of the values come back from the step, and all that do come back bit by bit.
size_t count_multiples(const std::vector<Float64>& values, double step) {
  size_t count = 0;
  for (const Float64 value : values) {
    int64_t number = 0;
    int units = 0;
    if (!as_multiple(value, step, &number, &units)) continue;
    EXPECT_EQ(from_multiple(number, step, units), value);
    ++count;
  }
  return count;
}

TEST(FloatStep, IsFoundInPercentagesOfACapacity) {
  for (const uint64_t total : {4'193'812ull, 16'370'003ull, 1'000'003ull}) {
    const auto values = floats(percentages(total, 4096, total));
    const auto step = find_float_step(values);
    ASSERT_TRUE(step.has_value()) << total;
    EXPECT_NEAR(*step, 100.0 / static_cast<double>(total), 1e-12);
    EXPECT_GT(count_multiples(values, *step), values.size() * 7 / 8);
  }
}

TEST(FloatStep, IsFoundInCountsPerSecondAndNegativeNumbers) {
  std::vector<double> values;
  for (int i = -100; i < 100; ++i) values.push_back(i * 7 / 60.0);
  const auto all = floats(values);
  const auto step = find_float_step(all);
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(count_multiples(all, *step), all.size());
}

TEST(FloatStep, IsNotFoundInNumbersOfFullPrecision) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> values;
    for (int i = 0; i < 100; ++i) values.push_back(std::sin(static_cast<double>(random())) * 90);
    EXPECT_FALSE(find_float_step(floats(values)).has_value()) << round;
  }
}

TEST(FloatStep, IsNotFoundInFewOrEqualOrNoNumbers) {
  EXPECT_FALSE(find_float_step(floats({M_PI, 2 * M_PI, 3 * M_PI})).has_value());
  EXPECT_FALSE(find_float_step(floats(std::vector<double>(50, M_PI))).has_value());
  EXPECT_FALSE(find_float_step(std::vector<Float64>(50, kAbsentFloat64)).has_value());
  EXPECT_FALSE(find_float_step({}).has_value());
}

TEST(FloatStep, WhatIsNoMultipleIsTold) {
  int64_t number = 0;
  int units = 0;
  EXPECT_FALSE(as_multiple(Float64::of(1.05), 0.1, &number, &units));
  EXPECT_FALSE(as_multiple(Float64::of(-0.0), 0.1, &number, &units));
  EXPECT_FALSE(as_multiple(kAbsentFloat64, 0.1, &number, &units));
  EXPECT_FALSE(
      as_multiple(Float64::of(std::numeric_limits<double>::infinity()), 0.1, &number, &units));
  EXPECT_FALSE(as_multiple(Float64::of(1e300), 1e-300, &number, &units));
  ASSERT_TRUE(as_multiple(Float64::of(0.3), 0.1, &number, &units));  // 3 * 0.1 is more than 0.3
  EXPECT_EQ(number, 3);
  EXPECT_EQ(units, -1);
}

}  // namespace
}  // namespace firn
