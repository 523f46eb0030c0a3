#include "model/float_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>
#include <vector>

#include "model/float_step.h"
#include "model/packed_format.h"
#include "model/planes.h"

namespace firn {
namespace {

constexpr unsigned kExponents = 19;
constexpr uint8_t kExponentBits = 0x1f;
constexpr uint8_t kDelta = 0x20;
constexpr uint8_t kFloat32 = 0x40;
constexpr uint8_t kMultiples = 0x80;
constexpr uint8_t kLeftOver = 0xff;
constexpr uint64_t kLeftOverCode = UINT64_MAX;
// Below the code of a multiple, for units in the last place.
constexpr unsigned kUnitBits = 3;
constexpr int kUnitBias = 4;
constexpr double kIntegerMax = 9007199254740992.0;  // 2^53: up to here every integer is a double
constexpr uint32_t kProbes = 32;
constexpr uint8_t kFloat32DigitsMax = 7;

constexpr std::array<double, kExponents> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                    1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                    1e14, 1e15, 1e16, 1e17, 1e18};

double from_decimal(int64_t number, unsigned exponent, bool is_float32) {
  const double value = static_cast<double>(number) / kPowers[exponent];
  return is_float32 ? static_cast<double>(static_cast<float>(value)) : value;
}

// Whether the value is `number` / 10^exponent, bit by bit.
bool as_decimal(Float64 value, unsigned exponent, bool is_float32, int64_t* number) {
  const double scaled = value.value() * kPowers[exponent];
  if (!(std::fabs(scaled) <= kIntegerMax)) return false;  // also NaN
  *number = std::llrint(scaled);
  return Float64::of(from_decimal(*number, exponent, is_float32)) == value;
}

// The least exponent that fits the value; kExponents: none.
unsigned exponent_of(Float64 value, bool is_float32) {
  int64_t number = 0;
  for (unsigned exponent = 0; exponent < kExponents; ++exponent) {
    if (as_decimal(value, exponent, is_float32, &number)) return exponent;
  }
  return kExponents;
}

bool is_float32(Float64 value) {
  const double wide = value.value();
  return !(std::fabs(wide) > 3.4e38) && Float64::of(static_cast<float>(wide)) == value;
}

// Most of the values fit, as a few of them tell.
bool mostly_fit(std::span<const Float64> values, bool as_float32) {
  const size_t step = std::max<size_t>(1, values.size() / kProbes);
  size_t probes = 0, fitting = 0;
  for (size_t i = 0; i < values.size(); i += step, ++probes) {
    if (as_float32 && !is_float32(values[i])) continue;
    fitting += exponent_of(values[i], as_float32) < kExponents ? 1 : 0;
  }
  return fitting * 4 >= probes * 3;
}

// The least exponent that leaves few values over; kLeftOver when there is none.
uint8_t exponent_of(std::span<const Float64> values, bool as_float32) {
  std::array<size_t, kExponents + 1> counts{};
  for (const Float64 value : values) ++counts[exponent_of(value, as_float32)];
  size_t left = values.size();
  for (unsigned exponent = 0; exponent < kExponents; ++exponent) {
    left -= counts[exponent];
    if (left <= values.size() / 8) return static_cast<uint8_t>(exponent);
  }
  return kLeftOver;
}

// How the values of one series are written as whole numbers.
class Form {
 public:
  // The one that suits the values.
  static Form of(std::span<const Float64> values) {
    Form form;
    form.exponent_ = mostly_fit(values, false) ? exponent_of(values, false) : kLeftOver;
    // Decimals of 32 bits look like decimals of sixteen digits.
    if (form.exponent_ > kFloat32DigitsMax && mostly_fit(values, true)) {
      const uint8_t shorter = exponent_of(values, true);
      form.is_float32_ = shorter < form.exponent_;
      form.exponent_ = std::min(form.exponent_, shorter);
    }
    if (form.exponent_ == kLeftOver) form.step_ = find_float_step(values);
    return form;
  }

  bool is_none() const { return exponent_ == kLeftOver && !step_; }
  std::optional<double> step() const { return step_; }
  uint8_t mode() const {
    if (step_) return kMultiples;
    return is_float32_ ? exponent_ | kFloat32 : exponent_;
  }
  // The value's number, and what its code has beside that.
  bool take(Float64 value, int64_t* number, int* units) const {
    *units = 0;
    return step_ ? as_multiple(value, *step_, number, units)
                 : as_decimal(value, exponent_, is_float32_, number);
  }
  uint64_t code(uint64_t number, int units) const {
    const uint64_t code = zigzag(number);
    return step_ ? code << kUnitBits | static_cast<uint64_t>(units + kUnitBias) : code;
  }

 private:
  uint8_t exponent_ = kLeftOver;
  bool is_float32_ = false;
  std::optional<double> step_;
};

class Encoder {
 public:
  // Codes of one series, and what is left over.
  uint8_t add_series(std::span<const Float64> values) {
    const Form form = Form::of(values);
    if (form.is_none()) {
      for (const Float64 value : values) left_over_.push_back(value.bits);
      return kLeftOver;
    }
    if (form.step()) left_over_.push_back(Float64::of(*form.step()).bits);
    const size_t begin = codes_.size();
    uint64_t plain_bits = 0, delta_bits = 0;
    int64_t number = 0, before = 0;
    int units = 0;
    deltas_.clear();
    for (const Float64 value : values) {
      if (!form.take(value, &number, &units)) {
        codes_.push_back(kLeftOverCode);
        deltas_.push_back(kLeftOverCode);
        left_over_.push_back(value.bits);
        continue;
      }
      codes_.push_back(form.code(static_cast<uint64_t>(number), units));
      deltas_.push_back(form.code(static_cast<uint64_t>(number - before), units));
      plain_bits += static_cast<uint64_t>(std::bit_width(codes_.back()));
      delta_bits += static_cast<uint64_t>(std::bit_width(deltas_.back()));
      before = number;
    }
    if (delta_bits >= plain_bits) return form.mode();
    std::copy(deltas_.begin(), deltas_.end(), codes_.begin() + static_cast<ptrdiff_t>(begin));
    return form.mode() | kDelta;
  }

  size_t left_over() const { return left_over_.size(); }
  void write(PodBuffer<char>* out) const {
    append_planes(codes_, out);
    append_planes(left_over_, out);
  }

 private:
  static void append_planes(const std::vector<uint64_t>& values, PodBuffer<char>* out) {
    if (values.empty()) return;
    split_planes(reinterpret_cast<const char*>(values.data()), 8, values.size(), 8,
                 out->extend(values.size() * 8));
  }

  std::vector<uint64_t> codes_, deltas_, left_over_;
};

}  // namespace

bool encode_decimals(std::span<const Float64> values, const SeriesOrder& order,
                     PodBuffer<char>* out) {
  Encoder encoder;
  std::vector<char> modes;
  uint32_t begin = 0;
  for (const uint32_t end : order.ends()) {
    modes.push_back(static_cast<char>(encoder.add_series(values.subspan(begin, end - begin))));
    begin = end;
  }
  if (encoder.left_over() > values.size() / 2) return false;
  out->append(modes.data(), modes.size());
  encoder.write(out);
  return true;
}

namespace {

// Takes numbers apart again.
class Decoder {
 public:
  // False when the payload is not that of so many values.
  bool open(std::string_view raw, const SeriesOrder& order) {
    const std::vector<uint32_t>& ends = order.ends();
    if (raw.size() < ends.size() || (raw.size() - ends.size()) % 8 != 0) return false;
    size_t coded = 0;
    uint32_t begin = 0;
    for (size_t i = 0; i < ends.size(); begin = ends[i++]) {
      const auto mode = static_cast<uint8_t>(raw[i]);
      if (mode == kLeftOver) continue;
      if (!is_mode(mode)) return false;
      coded += ends[i] - begin;
    }
    const size_t numbers = (raw.size() - ends.size()) / 8;
    if (coded > numbers) return false;
    codes_.resize(coded);
    left_over_.resize(numbers - coded);
    const char* const planes = raw.data() + ends.size();
    join_planes(planes, 8, coded, 8, reinterpret_cast<char*>(codes_.data()));
    join_planes(planes + coded * 8, 8, left_over_.size(), 8,
                reinterpret_cast<char*>(left_over_.data()));
    return true;
  }

  bool read_series(uint8_t mode, std::span<Float64> values) {
    const bool is_multiples = mode != kLeftOver && (mode & kMultiples) != 0;
    Float64 step;
    if (is_multiples && !values.empty() && !take_left_over(&step)) return false;
    uint64_t before = 0;
    for (Float64& value : values) {
      const uint64_t code = mode == kLeftOver ? kLeftOverCode : codes_[next_code_++];
      if (code == kLeftOverCode) {
        if (!take_left_over(&value)) return false;
        continue;
      }
      uint64_t number = unzigzag(is_multiples ? code >> kUnitBits : code);
      if ((mode & kDelta) != 0) number = before += number;
      const auto whole = static_cast<int64_t>(number);
      value = is_multiples
                  ? from_multiple(whole, step.value(), static_cast<int>(code & kUnits) - kUnitBias)
                  : Float64::of(from_decimal(whole, mode & kExponentBits, (mode & kFloat32) != 0));
    }
    return true;
  }

  bool at_end() const { return next_left_ == left_over_.size(); }

 private:
  static constexpr uint64_t kUnits = (1 << kUnitBits) - 1;

  static bool is_mode(uint8_t mode) {
    if ((mode & kMultiples) != 0) return (mode & ~(kDelta | kMultiples)) == 0;
    return (mode & kExponentBits) < kExponents;
  }
  bool take_left_over(Float64* value) {
    if (next_left_ == left_over_.size()) return false;
    value->bits = left_over_[next_left_++];
    return true;
  }

  std::vector<uint64_t> codes_, left_over_;
  size_t next_code_ = 0, next_left_ = 0;
};

}  // namespace

bool decode_decimals(std::string_view raw, const SeriesOrder& order, std::span<Float64> values) {
  const std::vector<uint32_t>& ends = order.ends();
  Decoder decoder;
  if (!decoder.open(raw, order)) return false;
  uint32_t begin = 0;
  for (size_t i = 0; i < ends.size(); begin = ends[i++]) {
    const auto mode = static_cast<uint8_t>(raw[i]);
    if (!decoder.read_series(mode, values.subspan(begin, ends[i] - begin))) return false;
  }
  return decoder.at_end();
}

}  // namespace firn
