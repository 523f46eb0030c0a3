#include "model/float_step.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace firn {
namespace {

constexpr size_t kProbes = 64;
constexpr size_t kProbesMin = 8;
constexpr double kIntegerMax = 9007199254740992.0;  // 2^53: up to here every integer is a double
constexpr int kUnitsMin = -4, kUnitsMax = 3;
// Of the greatest value. Remainders below the first are what rounding left; a step below the second
// would be found in any numbers.
constexpr double kNoise = 0x1p-30;
constexpr double kStepMin = 0x1p-27;

// Some of the values that are neither zero nor without a number.
std::vector<double> probes_of(std::span<const Float64> values) {
  std::vector<double> probes;
  const size_t stride = std::max<size_t>(1, values.size() / kProbes);
  for (size_t i = 0; i < values.size(); i += stride) {
    const double value = values[i].value();
    if (std::isfinite(value) && value != 0) probes.push_back(value);
  }
  return probes;
}

// The greatest that both are multiples of, as far as `noise` lets it be told.
double common_step(double a, double b, double noise) {
  const double greater = std::max(a, b);
  double step = greater, rest = std::min(a, b);
  while (rest > noise) {
    double next = std::fmod(step, rest);
    if (rest - next < noise) next = 0;
    step = rest;
    rest = next;
  }
  // Errors of a remainder grow with each division; the greater number has none of them.
  return greater / std::round(greater / step);
}

bool fits(const std::vector<double>& probes, double step) {
  size_t fitting = 0;
  for (const double probe : probes) {
    int64_t number = 0;
    int units = 0;
    fitting += as_multiple(Float64::of(probe), step, &number, &units) ? 1 : 0;
  }
  return fitting * 8 >= probes.size() * 7;
}

}  // namespace

std::optional<double> find_float_step(std::span<const Float64> values) {
  const std::vector<double> probes = probes_of(values);
  if (probes.size() < kProbesMin) return std::nullopt;
  const double greatest = *std::max_element(
      probes.begin(), probes.end(), [](double a, double b) { return std::fabs(a) < std::fabs(b); });
  const double noise = std::fabs(greatest) * kNoise;
  double step = 0;
  for (size_t i = 1; i < probes.size(); ++i) {
    const double difference = std::fabs(probes[i] - probes[i - 1]);
    if (difference <= noise) continue;
    step = step == 0 ? difference : common_step(step, difference, noise);
    if (step < std::fabs(greatest) * kStepMin) return std::nullopt;
  }
  if (step == 0) return std::nullopt;
  // Probes may be some steps apart, always the same, and not be multiples of so many.
  const double rest = std::fabs(std::remainder(probes.front(), step));
  if (rest > noise) step = common_step(step, rest, noise);
  if (step < std::fabs(greatest) * kStepMin) return std::nullopt;
  step = std::fabs(greatest) / std::round(std::fabs(greatest) / step);
  if (!std::isfinite(step) || !fits(probes, step)) return std::nullopt;
  return step;
}

bool as_multiple(Float64 value, double step, int64_t* number, int* units) {
  const double count = std::round(value.value() / step);
  if (!(std::fabs(count) <= kIntegerMax)) return false;  // also NaN
  *number = static_cast<int64_t>(count);
  const auto apart = static_cast<int64_t>(value.bits - from_multiple(*number, step, 0).bits);
  if (apart < kUnitsMin || apart > kUnitsMax) return false;
  *units = static_cast<int>(apart);
  return true;
}

Float64 from_multiple(int64_t number, double step, int units) {
  Float64 value = Float64::of(static_cast<double>(number) * step);
  value.bits += static_cast<uint64_t>(static_cast<int64_t>(units));
  return value;
}

}  // namespace firn
