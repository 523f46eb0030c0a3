#include "wire/sample_number.h"

#include <charconv>
#include <cstdint>

#include "wire/json_text.h"

namespace firn {
namespace {

// Whether the double nearest to the integer is the integer itself.
bool holds(double value, std::string_view digits) {
  if (value < -0x1p63 || value >= 0x1p64) return false;
  const char* const end = digits.data() + digits.size();
  if (value < 0x1p63) {
    int64_t integer = 0;
    return std::from_chars(digits.data(), end, integer).ec == std::errc() &&
           static_cast<int64_t>(value) == integer;
  }
  uint64_t integer = 0;
  return std::from_chars(digits.data(), end, integer).ec == std::errc() &&
         static_cast<uint64_t>(value) == integer;
}

}  // namespace

std::optional<SampleNumber> read_sample_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  SampleNumber number;
  number.value = Float64::of(value);
  if (text.find_first_of(".eE") != std::string_view::npos || text == "-0") return number;
  number.is_integer = true;
  constexpr size_t kAlwaysExactDigits = 15;
  if (text.size() <= kAlwaysExactDigits || holds(value, text)) return number;
  JsonObjectWriter object(&number.data);
  object.raw("asInt", text);
  object.close();
  return number;
}

}  // namespace firn
