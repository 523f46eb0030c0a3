#include "base/bytes.h"

#include <array>
#include <cstdint>

namespace firn {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

constexpr uint8_t kNoDigit = 0xff;

// The value of every character as a hexadecimal digit, or kNoDigit.
constexpr std::array<uint8_t, 256> kDigitValues = [] {
  std::array<uint8_t, 256> values{};
  for (size_t c = 0; c < values.size(); ++c) {
    values[c] = c >= '0' && c <= '9'   ? static_cast<uint8_t>(c - '0')
                : c >= 'a' && c <= 'f' ? static_cast<uint8_t>(c - 'a' + 10)
                : c >= 'A' && c <= 'F' ? static_cast<uint8_t>(c - 'A' + 10)
                                       : kNoDigit;
  }
  return values;
}();

}  // namespace

std::string hex_encode(ByteView bytes) {
  std::string text(bytes.size() * 2, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    text[2 * i] = kDigits[byte >> 4];
    text[2 * i + 1] = kDigits[byte & 15];
  }
  return text;
}

bool hex_decode(std::string_view text, void* out, size_t size) {
  if (text.size() / 2 != size || text.size() % 2 != 0) return false;
  auto* bytes = static_cast<uint8_t*>(out);
  unsigned seen = 0;
  for (size_t i = 0; i < size; ++i) {
    const uint8_t high = kDigitValues[static_cast<uint8_t>(text[2 * i])];
    const uint8_t low = kDigitValues[static_cast<uint8_t>(text[2 * i + 1])];
    seen |= high | low;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return (seen & 0xf0) == 0;
}

}  // namespace firn
