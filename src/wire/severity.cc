#include "wire/severity.h"

#include <array>
#include <string>

#include "base/status.h"

namespace firn {
namespace {

struct Name {
  std::string_view name;
  uint8_t number;
};

// The six of OpenTelemetry, which may be followed by 1 to 4.
constexpr std::array<Name, 6> kBaseNames = {
    {{"TRACE", 1}, {"DEBUG", 5}, {"INFO", 9}, {"WARN", 13}, {"ERROR", 17}, {"FATAL", 21}}};

// What else logs say; the numbers follow OpenTelemetry's table for syslog.
constexpr std::array<Name, 15> kOtherNames = {{{"WARNING", 13},
                                               {"ERR", 17},
                                               {"INFORMATION", 9},
                                               {"INFORMATIONAL", 9},
                                               {"NOTICE", 10},
                                               {"CRIT", 18},
                                               {"CRITICAL", 18},
                                               {"ALERT", 19},
                                               {"EMERG", 21},
                                               {"EMERGENCY", 21},
                                               {"PANIC", 21},
                                               {"SEVERE", 17},
                                               {"FINE", 5},
                                               {"FINER", 2},
                                               {"FINEST", 1}}};

constexpr std::string_view kEnumPrefix = "SEVERITY_NUMBER_";
constexpr size_t kNameBytesMax = 32;

}  // namespace

std::optional<uint8_t> severity_from_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return std::nullopt;
  std::array<char, kNameBytesMax> buffer;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    buffer[i] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  std::string_view upper(buffer.data(), name.size());
  if (upper.substr(0, kEnumPrefix.size()) == kEnumPrefix) upper.remove_prefix(kEnumPrefix.size());
  if (upper == "UNSPECIFIED") return uint8_t{0};
  for (const Name& other : kOtherNames) {
    if (upper == other.name) return other.number;
  }
  for (const Name& base : kBaseNames) {
    if (upper.substr(0, base.name.size()) != base.name) continue;
    const std::string_view step = upper.substr(base.name.size());
    if (step.empty()) return base.number;
    if (step.size() != 1 || step[0] < '1' || step[0] > '4') return std::nullopt;
    return static_cast<uint8_t>(base.number + (step[0] - '1'));
  }
  return std::nullopt;
}

uint8_t severity_from_syslog(unsigned level) {
  static constexpr std::array<uint8_t, 8> kNumbers = {21, 19, 18, 17, 13, 10, 9, 5};
  FIRN_CHECK(level < kNumbers.size());
  return kNumbers[level];
}

}  // namespace firn
