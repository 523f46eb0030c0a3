#include "model/float_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "model/test_rows.h"

namespace firn {
namespace {

// Whether the values were taken as decimals; they come back the same then.
bool round_trips(const std::vector<Float64>& values, const SeriesOrder& order) {
  PodBuffer<char> raw;
  if (!encode_decimals(values, order, &raw)) return false;
  std::vector<Float64> decoded(values.size());
  EXPECT_TRUE(decode_decimals({raw.data(), raw.size()}, order, decoded));
  EXPECT_TRUE(decoded == values);
  return true;
}

bool round_trips(const std::vector<double>& values) {
  return round_trips(floats(values), SeriesOrder(static_cast<uint32_t>(values.size())));
}

TEST(FloatCodec, KeepsDecimalsIntegersAndFloat32) {
  EXPECT_TRUE(round_trips({0.1, 12.5, 99.99, -3.25, 1e9, 0}));
  EXPECT_TRUE(round_trips({1, 2, 3, 9007199254740992.0, -9007199254740992.0}));
  EXPECT_TRUE(round_trips({static_cast<double>(0.1F), static_cast<double>(7.7F), 1, 2.5}));
}

TEST(FloatCodec, KeepsWhatIsNoDecimalAmongDecimals) {
  std::vector<double> values(100, 1.5);
  values[3] = -0.0;
  values[20] = std::numeric_limits<double>::infinity();
  values[40] = M_PI;
  values[60] = 1e300;
  values[61] = std::numeric_limits<double>::denorm_min();
  auto all = floats(values);
  all[80] = kAbsentFloat64;
  all[81].bits = 0x7ff0000000000002;  // the staleness marker of Prometheus, a signalling NaN
  all[82].bits = 0xfff8000000000001;
  EXPECT_TRUE(round_trips(all, SeriesOrder(100)));
}

TEST(FloatCodec, LeavesNumbersOfFullPrecisionAlone) {
  std::mt19937_64 random(1);
  std::vector<double> values;
  for (int i = 0; i < 200; ++i) values.push_back(std::sin(static_cast<double>(random())));
  EXPECT_FALSE(round_trips(values));
}

TEST(FloatCodec, KeepsPercentagesOfACapacityInFewBytes) {
  std::mt19937_64 random(1);
  std::vector<double> values;
  uint64_t used = 3'000'000;
  for (int i = 0; i < 1000; ++i) {
    used += random() % 201 - 100;
    values.push_back(static_cast<double>(used) / 8'123'457.0 * 100);
  }
  values[17] = M_PI;
  values[18] = -0.0;
  values[19] = std::numeric_limits<double>::quiet_NaN();
  const auto all = floats(values);
  PodBuffer<char> raw;
  ASSERT_TRUE(encode_decimals(all, SeriesOrder(1000), &raw));
  std::vector<Float64> decoded(1000);
  ASSERT_TRUE(decode_decimals({raw.data(), raw.size()}, SeriesOrder(1000), decoded));
  EXPECT_TRUE(decoded == all);
  // From the third on, planes of codes say nothing but for the values that are no multiples.
  const std::string_view third(raw.data() + 1 + 2 * 1000, 1000);
  EXPECT_LT(std::count_if(third.begin(), third.end(), [](char byte) { return byte != 0; }), 20);
}

TEST(FloatCodec, EachSeriesHasItsOwnForm) {
  std::vector<uint32_t> indexes;
  for (uint32_t i = 0; i < 300; ++i) indexes.push_back(i % 3);
  const SeriesOrder order(indexes.data(), 300, 5);  // two entries without rows
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) values.push_back(i * 1e6);
  for (int i = 0; i < 100; ++i) values.push_back(20 + i * 0.001);
  for (int i = 0; i < 100; ++i) values.push_back(std::sqrt(i + 2));
  EXPECT_TRUE(round_trips(floats(values), order));
  for (int i = 0; i < 100; ++i) values[static_cast<size_t>(i)] = i / 7.0;
  EXPECT_TRUE(round_trips(floats(values), order));
}

TEST(FloatCodec, RefusesWhatItDidNotWrite) {
  const SeriesOrder order(4);
  PodBuffer<char> raw;
  ASSERT_TRUE(encode_decimals(floats({1.5, 2.5, 3.5, 4.5}), order, &raw));
  const std::string good(raw.data(), raw.size());
  std::vector<Float64> out(4);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_decimals(std::string_view(good).substr(0, size), order, out)) << size;
  }
  EXPECT_FALSE(decode_decimals(good + std::string(8, '\0'), order, out));
  std::string bad = good;
  bad[0] = 31;  // an exponent beyond the greatest
  EXPECT_FALSE(decode_decimals(bad, order, out));
  bad[0] = static_cast<char>(0x80);  // multiples of a step that is not there
  EXPECT_FALSE(decode_decimals(bad, order, out));
  bad = good + std::string(8, '\1');
  bad[0] = static_cast<char>(0xc1);  // multiples with what only decimals have
  EXPECT_FALSE(decode_decimals(bad, order, out));
}

}  // namespace
}  // namespace firn
