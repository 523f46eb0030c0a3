#include "model/float_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "model/packed_format.h"
#include "model/planes.h"

namespace firn {
namespace {

constexpr unsigned kExponents = 19;
constexpr uint8_t kExponentBits = 0x1f;
constexpr uint8_t kDelta = 0x20;
constexpr uint8_t kFloat32 = 0x40;
constexpr uint8_t kLeftOver = 0xff;
constexpr uint64_t kLeftOverCode = UINT64_MAX;
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

class Encoder {
 public:
  // Codes of one series, and what is left over.
  uint8_t add_series(std::span<const Float64> values) {
    uint8_t mode = mostly_fit(values, false) ? exponent_of(values, false) : kLeftOver;
    bool as_float32 = false;
    // Decimals of 32 bits look like decimals of sixteen digits.
    if (mode > kFloat32DigitsMax && mostly_fit(values, true)) {
      const uint8_t shorter = exponent_of(values, true);
      as_float32 = shorter < mode;
      mode = std::min(mode, shorter);
    }
    if (mode == kLeftOver) {
      for (const Float64 value : values) left_over_.push_back(value.bits);
      return mode;
    }
    const size_t begin = codes_.size();
    uint64_t plain_bits = 0, delta_bits = 0;
    int64_t number = 0, before = 0;
    deltas_.clear();
    for (const Float64 value : values) {
      if (!as_decimal(value, mode, as_float32, &number)) {
        codes_.push_back(kLeftOverCode);
        deltas_.push_back(kLeftOverCode);
        left_over_.push_back(value.bits);
        continue;
      }
      codes_.push_back(zigzag(static_cast<uint64_t>(number)));
      deltas_.push_back(zigzag(static_cast<uint64_t>(number - before)));
      plain_bits += static_cast<uint64_t>(std::bit_width(codes_.back()));
      delta_bits += static_cast<uint64_t>(std::bit_width(deltas_.back()));
      before = number;
    }
    if (as_float32) mode |= kFloat32;
    if (delta_bits < plain_bits) {
      std::copy(deltas_.begin(), deltas_.end(), codes_.begin() + static_cast<ptrdiff_t>(begin));
      mode |= kDelta;
    }
    return mode;
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

bool decode_decimals(std::string_view raw, const SeriesOrder& order, std::span<Float64> values) {
  const std::vector<uint32_t>& ends = order.ends();
  if (raw.size() < ends.size() || (raw.size() - ends.size()) % 8 != 0) return false;
  const std::string_view modes = raw.substr(0, ends.size());
  size_t coded = 0;
  uint32_t begin = 0;
  for (size_t i = 0; i < ends.size(); begin = ends[i++]) {
    const auto mode = static_cast<uint8_t>(modes[i]);
    if (mode == kLeftOver) continue;
    if ((mode & ~(kDelta | kFloat32 | kExponentBits)) != 0) return false;
    if ((mode & kExponentBits) >= kExponents) return false;
    coded += ends[i] - begin;
  }
  const size_t numbers = (raw.size() - ends.size()) / 8;
  if (coded > numbers) return false;
  std::vector<uint64_t> codes(coded), left_over(numbers - coded);
  const char* const planes = raw.data() + ends.size();
  join_planes(planes, 8, coded, 8, reinterpret_cast<char*>(codes.data()));
  join_planes(planes + coded * 8, 8, left_over.size(), 8,
              reinterpret_cast<char*>(left_over.data()));

  size_t next_code = 0, next_left = 0;
  begin = 0;
  for (size_t i = 0; i < ends.size(); begin = ends[i++]) {
    const auto mode = static_cast<uint8_t>(modes[i]);
    uint64_t before = 0;
    for (uint32_t place = begin; place < ends[i]; ++place) {
      const uint64_t code = mode == kLeftOver ? kLeftOverCode : codes[next_code++];
      if (code == kLeftOverCode) {
        if (next_left == left_over.size()) return false;
        values[place].bits = left_over[next_left++];
        continue;
      }
      uint64_t number = unzigzag(code);
      if ((mode & kDelta) != 0) number = before += number;
      values[place] = Float64::of(
          from_decimal(static_cast<int64_t>(number), mode & kExponentBits, (mode & kFloat32) != 0));
    }
  }
  return next_left == left_over.size();
}

}  // namespace firn
