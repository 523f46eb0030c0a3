#include "model/step_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "model/packed_format.h"

namespace firn {
namespace {

// Rows of `series` series in turn.
std::vector<uint32_t> in_turn(uint32_t rows, uint32_t series) {
  std::vector<uint32_t> indexes(rows);
  for (uint32_t row = 0; row < rows; ++row) indexes[row] = row % series;
  return indexes;
}

struct Encoded {
  std::string raw;
  uint64_t bytes = 0;
};
Encoded encode(const std::vector<int64_t>& values, const SeriesOrder& order) {
  PodBuffer<char> out;
  Encoded encoded;
  encoded.bytes = encode_steps(values, order, &out);
  encoded.raw = {out.data(), out.size()};
  return encoded;
}

std::vector<int64_t> decode(const std::string& raw, const SeriesOrder& order, size_t rows) {
  std::vector<uint64_t> values(rows);
  EXPECT_EQ(raw.size(), steps_bytes(rows, order.entries()));
  EXPECT_TRUE(decode_steps(raw, order, values));
  return {values.begin(), values.end()};
}

TEST(StepCodec, GivesBackWhatItGot) {
  std::mt19937_64 random(1);
  for (const uint32_t series : {1U, 2U, 7U, 100U}) {
    for (int kind = 0; kind < 4; ++kind) {
      std::vector<uint32_t> indexes(500);
      for (uint32_t& index : indexes) index = static_cast<uint32_t>(random() % series);
      const SeriesOrder order(indexes.data(), 500, series + 3);  // some are empty
      std::vector<int64_t> values(500);
      for (size_t i = 0; i < values.size(); ++i) {
        const auto number = static_cast<int64_t>(random());
        if (kind == 0) values[i] = number;
        if (kind == 1) values[i] = static_cast<int64_t>(i / 5) * 1'000'000'000;
        if (kind == 2) values[i] = number % 3 * 1000;
        if (kind == 3) {
          values[i] = number % 2 == 0 ? std::numeric_limits<int64_t>::min()
                                      : std::numeric_limits<int64_t>::max();
        }
      }
      EXPECT_EQ(decode(encode(values, order).raw, order, 500), values) << series << " " << kind;
      const SeriesOrder alone(500);
      EXPECT_EQ(decode(encode(values, alone).raw, alone, 500), values) << series << " " << kind;
    }
  }
}

TEST(StepCodec, SeriesThatGoAlongCostNothing) {
  constexpr uint32_t kSeries = 50, kRounds = 100;
  const std::vector<uint32_t> indexes = in_turn(kSeries * kRounds, kSeries);
  const SeriesOrder order(indexes.data(), kSeries * kRounds, kSeries);
  std::mt19937_64 random(1);
  std::vector<int64_t> round(kRounds);
  for (uint32_t i = 0; i < kRounds; ++i) {
    round[i] = i * 10'000 + static_cast<int64_t>(random() % 50);
  }
  std::vector<int64_t> values;
  for (uint32_t series = 0; series < kSeries; ++series) {
    // Two scrapes of their own times, whose series are mixed.
    for (const int64_t time : round) values.push_back(series % 2 == 0 ? time : time * 3 + 7);
  }
  const Encoded encoded = encode(values, order);
  EXPECT_LT(encoded.bytes, 8 * kRounds);  // twice, and one for each other series
  EXPECT_EQ(decode(encoded.raw, order, values.size()), values);
}

TEST(StepCodec, ASeriesMayHaveMoreThanTheOneItFollows) {
  const std::vector<uint32_t> indexes = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const SeriesOrder order(indexes.data(), 15, 2);
  const std::vector<int64_t> values = {5,   105, 207, 305, 410, 510, 6,  106,
                                       208, 306, 411, 511, 611, 711, 812};
  EXPECT_EQ(decode(encode(values, order).raw, order, 15), values);
}

TEST(SeriesGaps, GiveBackWhatTheyGot) {
  std::mt19937_64 random(1);
  std::vector<uint32_t> series(5000);
  std::vector<uint64_t> values(5000);
  for (size_t i = 0; i < values.size(); ++i) {
    series[i] = static_cast<uint32_t>(random() % 300);
    values[i] = random();
  }
  const std::vector<uint64_t> expected = values;
  to_series_gaps(series, values);
  from_series_gaps(series, values);
  EXPECT_EQ(values, expected);
}

TEST(SeriesGaps, RequestsThatRepeatCostNothingInWhateverOrder) {
  // Eight clients whose requests have 100 points each, of which this block has two series.
  std::mt19937_64 random(1);
  std::vector<uint32_t> clients = {0, 1, 2, 3, 4, 5, 6, 7};
  std::vector<uint32_t> series;
  std::vector<uint64_t> positions;
  uint64_t next = 1;
  for (int round = 0; round < 500; ++round) {
    std::shuffle(clients.begin(), clients.end(), random);
    for (const uint32_t client : clients) {
      series.insert(series.end(), {client * 2, client * 2 + 1});
      positions.insert(positions.end(), {next + client * 3, next + 50 + client});
      next += 100;
    }
  }
  to_series_gaps(series, positions);
  const auto others = std::count_if(positions.begin(), positions.end(),
                                    [](uint64_t remaining) { return remaining != 0; });
  EXPECT_LE(others, 8 * 8 + 8 + 1);  // each pair of clients once, each client once
}

TEST(StepCodec, ReferencesToNothingAreRefused) {
  const std::vector<uint32_t> indexes = in_turn(20, 2);
  const SeriesOrder order(indexes.data(), 20, 2);
  const std::string raw = encode(std::vector<int64_t>(20, 3), order).raw;
  std::vector<uint64_t> values(20);
  std::string damaged = raw;
  damaged[0] = 4;  // no such unit
  EXPECT_FALSE(decode_steps(damaged, order, values));
  damaged = raw;
  damaged[kStepsHeaderBytes] = 1;  // of the first series to one before it
  EXPECT_FALSE(decode_steps(damaged, order, values));
  damaged = raw;
  damaged[kStepsHeaderBytes + 1] = 2;
  EXPECT_FALSE(decode_steps(damaged, order, values));
}

}  // namespace
}  // namespace firn
