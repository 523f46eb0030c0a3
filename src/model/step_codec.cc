#include "model/step_codec.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "model/packed_format.h"
#include "model/planes.h"

namespace firn {
namespace {

constexpr uint32_t kDifferencesHashed = 4;

// The rows of one series, by place.
struct Run {
  uint32_t begin, end;
  uint32_t rows() const { return end - begin; }
};

std::vector<Run> runs_of(const SeriesOrder& order) {
  std::vector<Run> runs;
  uint32_t begin = 0;
  for (const uint32_t end : order.ends()) {
    runs.push_back({begin, end});
    begin = end;
  }
  return runs;
}

// What a value is written as the difference to, but for the step: the first of a series and the
// others. Encoder and decoder ask with the values before the place in `values`.
class Prediction {
 public:
  Prediction(const uint64_t* values, const std::vector<Run>& runs, uint64_t step)
      : values_(values), runs_(runs), step_(step) {}

  // Of place `at` of the series; `reference` 0 is none.
  uint64_t of(size_t series, uint32_t reference, uint32_t at) const {
    const Run& run = runs_[series];
    const Run* const model = reference == 0 ? nullptr : &runs_[series - reference];
    if (at == run.begin) {
      if (model != nullptr) return values_[model->begin];
      return series == 0 ? 0 : first_before(series);
    }
    const uint32_t row = at - run.begin;
    const bool has_model = model != nullptr && row < model->rows();
    const uint64_t expected =
        has_model ? values_[model->begin + row] - values_[model->begin + row - 1] : step_;
    return values_[at - 1] + expected;
  }

 private:
  // Of the last series before that has rows.
  uint64_t first_before(size_t series) const {
    while (series > 0 && runs_[series - 1].rows() == 0) --series;
    return series == 0 ? 0 : values_[runs_[series - 1].begin];
  }

  const uint64_t* const values_;
  const std::vector<Run>& runs_;
  const uint64_t step_;
};

// The difference within series that half of the others are below.
uint64_t usual_step(const std::vector<uint64_t>& values, const std::vector<Run>& runs) {
  std::vector<int64_t> between;
  between.reserve(values.size());
  for (const Run& run : runs) {
    for (uint32_t at = run.begin + 1; at < run.end; ++at) {
      between.push_back(static_cast<int64_t>(values[at] - values[at - 1]));
    }
  }
  if (between.empty()) return 0;
  const auto middle = between.begin() + static_cast<ptrdiff_t>(between.size() / 2);
  std::nth_element(between.begin(), middle, between.end());
  return static_cast<uint64_t>(*middle);
}

// Finds the series before that a series goes along with: points of one scrape or request have the
// same times, and begin alike.
class References {
 public:
  explicit References(const std::vector<uint64_t>& values) : values_(values) {}

  // 0: none.
  uint32_t find(uint32_t series, const Run& run) {
    if (run.rows() == 0) return 0;
    const uint32_t last = std::min(run.end, run.begin + 1 + kDifferencesHashed);
    std::vector<uint64_t> start = {run.rows() > kDifferencesHashed ? 1U : 0U};
    for (uint32_t at = run.begin + 1; at < last; ++at)
      start.push_back(values_[at] - values_[at - 1]);
    const uint64_t by_steps = hash_of(start);
    start.push_back(values_[run.begin]);
    const uint64_t with_first = hash_of(start);
    const uint32_t same = replace(with_first, series);
    const uint32_t alike = replace(by_steps, series);
    return same != 0 ? same : alike;
  }

 private:
  static uint64_t hash_of(const std::vector<uint64_t>& numbers) {
    return hash_bytes({reinterpret_cast<const char*>(numbers.data()), numbers.size() * 8});
  }
  // The distance to the last series with the hash.
  uint32_t replace(uint64_t hash, uint32_t series) {
    const auto [known, is_new] = last_.emplace(hash, series);
    const uint32_t distance = series - known->second;
    known->second = series;
    return distance;
  }

  const std::vector<uint64_t>& values_;
  std::unordered_map<uint64_t, uint32_t> last_;
};

bool all_multiples(std::span<const int64_t> values, uint64_t unit) {
  const auto divisor = static_cast<int64_t>(unit);
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v % divisor == 0; });
}

// The step that last led from one series to another, as far as it was not overwritten by another
// pair's.
class StepsBetween {
 public:
  uint64_t& of(uint32_t from, uint32_t to) {
    const uint64_t hash = (uint64_t{from} << 32 | to) * kGapMultiplier;
    return steps_[hash >> (64 - kGapSlotBits)];
  }

 private:
  std::vector<uint64_t> steps_ = std::vector<uint64_t>(size_t{1} << kGapSlotBits);
};

}  // namespace

void to_series_gaps(std::span<const uint32_t> series, std::span<uint64_t> values) {
  StepsBetween steps;
  uint64_t before = 0;
  uint32_t from = 0;
  for (size_t row = 0; row < values.size(); ++row) {
    const uint64_t step = values[row] - before;
    before = values[row];
    uint64_t& expected = steps.of(from, series[row]);
    values[row] = zigzag(step - expected);
    // The first one says where the rows begin, not how they go on.
    if (row > 0) expected = step;
    from = series[row];
  }
}

void from_series_gaps(std::span<const uint32_t> series, std::span<uint64_t> values) {
  StepsBetween steps;
  uint64_t before = 0;
  uint32_t from = 0;
  for (size_t row = 0; row < values.size(); ++row) {
    uint64_t& expected = steps.of(from, series[row]);
    const uint64_t step = unzigzag(values[row]) + expected;
    before = values[row] = before + step;
    if (row > 0) expected = step;
    from = series[row];
  }
}

uint64_t steps_bytes(uint64_t rows, uint32_t entries) {
  return kStepsHeaderBytes + uint64_t{entries} * sizeof(uint32_t) + rows * 8;
}

uint64_t encode_steps(std::span<const int64_t> values, const SeriesOrder& order,
                      PodBuffer<char>* out) {
  uint8_t scale = 0;
  while (scale + 1u < std::size(kStepUnits) && all_multiples(values, kStepUnits[scale + 1])) {
    ++scale;
  }
  const auto unit = static_cast<int64_t>(kStepUnits[scale]);
  std::vector<uint64_t> counts(values.size());  // in units
  for (size_t i = 0; i < values.size(); ++i) counts[i] = static_cast<uint64_t>(values[i] / unit);

  const std::vector<Run> runs = runs_of(order);
  const uint64_t step = usual_step(counts, runs);
  const Prediction prediction(counts.data(), runs, step);
  References known(counts);
  std::vector<uint32_t> references(order.entries());
  std::vector<uint64_t> written(values.size()), otherwise;
  const auto write = [&](size_t series, uint32_t reference, uint64_t* to) {
    uint64_t bytes = 0;
    for (uint32_t at = runs[series].begin; at < runs[series].end; ++at, ++to) {
      *to = zigzag(counts[at] - prediction.of(series, reference, at));
      bytes += nonzero_bytes(*to);
    }
    return bytes;
  };
  uint64_t bytes = 0;
  for (uint32_t series = 0; series < runs.size(); ++series) {
    const Run& run = runs[series];
    uint64_t best = write(series, 0, written.data() + run.begin);
    const uint32_t reference = references.empty() ? 0 : known.find(series, run);
    if (reference != 0 && best > 0) {
      otherwise.resize(run.rows());
      const uint64_t with_reference = write(series, reference, otherwise.data()) + 1;
      if (with_reference < best) {
        best = with_reference;
        references[series] = reference;
        std::copy(otherwise.begin(), otherwise.end(), written.begin() + run.begin);
      }
    }
    bytes += best;
  }
  out->push_back(static_cast<char>(scale));
  out->append(reinterpret_cast<const char*>(&step), sizeof(step));
  split_planes(reinterpret_cast<const char*>(references.data()), 4, references.size(), 4,
               out->extend(references.size() * 4));
  split_planes(reinterpret_cast<const char*>(written.data()), 8, written.size(), 8,
               out->extend(written.size() * 8));
  return bytes;
}

bool decode_steps(std::string_view raw, const SeriesOrder& order, std::span<uint64_t> values) {
  const auto scale = static_cast<uint8_t>(raw[0]);
  if (scale >= std::size(kStepUnits)) return false;
  const auto step = load_le<uint64_t>(raw.data() + 1);
  std::vector<uint32_t> references(order.entries());
  const char* const planes = raw.data() + kStepsHeaderBytes;
  join_planes(planes, 4, references.size(), 4, reinterpret_cast<char*>(references.data()));
  join_planes(planes + references.size() * 4, 8, values.size(), 8,
              reinterpret_cast<char*>(values.data()));
  const std::vector<Run> runs = runs_of(order);
  const Prediction prediction(values.data(), runs, step);
  for (uint32_t series = 0; series < runs.size(); ++series) {
    const uint32_t reference = references.empty() ? 0 : references[series];
    if (reference > series || (reference != 0 && runs[series - reference].rows() == 0)) {
      return false;
    }
    for (uint32_t at = runs[series].begin; at < runs[series].end; ++at) {
      values[at] = unzigzag(values[at]) + prediction.of(series, reference, at);
    }
  }
  for (uint64_t& value : values) value *= kStepUnits[scale];
  return true;
}

}  // namespace firn
