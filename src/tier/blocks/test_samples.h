#pragma once

// Regular samples, for tests of blocks and tiers. Header-only; never part of the product.

#include <random>
#include <string>
#include <vector>

#include "model/test_rows.h"

namespace firn {

// Identities of series as they are: 32 hexadecimal digits without an order.
inline std::vector<std::string> sample_series(uint32_t count) {
  std::mt19937_64 random(count);
  std::vector<std::string> series;
  for (uint32_t i = 0; i < count; ++i) {
    series.push_back(make_uuid7(random(), random(), random()).to_hex());
  }
  return series;
}

// Gauges with one decimal, 10 s apart: a batch is a point of each series.
class RegularSamples {
 public:
  explicit RegularSamples(uint32_t series)
      : series_(sample_series(series)), levels_(series, 5'000), random_(series) {}

  const std::vector<std::string>& series() const { return series_; }
  Position next_position() const { return position_; }

  BatchSlice next() {
    BatchBuilder builder(Dataset::kSamples);
    for (size_t i = 0; i < series_.size(); ++i) {
      levels_[i] += static_cast<int64_t>(random_() % 41) - 20;
      EventRow row;
      row.time = time_;
      row.series = series_[i];
      row.value = Float64::of(static_cast<double>(levels_[i]) / 10);
      builder.add(row);
    }
    time_ += 10 * kSecondNs;
    auto batch = builder.finish();
    batch->stamp(1, position_, {});
    position_ += series_.size();
    return slice_of(std::move(batch));
  }
  std::vector<BatchSlice> next(uint32_t batches) {
    std::vector<BatchSlice> slices;
    for (uint32_t i = 0; i < batches; ++i) slices.push_back(next());
    return slices;
  }

 private:
  const std::vector<std::string> series_;
  std::vector<int64_t> levels_;
  std::mt19937_64 random_;
  Position position_ = 1;
  TimeNs time_ = kTestTime;
};

}  // namespace firn
