#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

// Checks of services, which are samples: what writes and what reads them agree here
// (docs/uptime.md).
namespace firn {

enum class CheckStatus : uint8_t { kDown = 0, kDegraded = 1, kUp = 2 };

inline constexpr std::array<std::string_view, 3> kCheckStatusNames = {"down", "degraded", "up"};
constexpr std::string_view check_status_name(CheckStatus status) {
  return kCheckStatusNames[static_cast<size_t>(status)];
}
// By the value of a sample; nothing for one that is no check's.
constexpr std::optional<CheckStatus> check_status_of(double value) {
  if (value == 2) return CheckStatus::kUp;
  if (value == 1) return CheckStatus::kDegraded;
  if (value == 0) return CheckStatus::kDown;
  return std::nullopt;
}

// Names of series; both have this label and no other.
inline constexpr std::string_view kCheckSeries = "service_check";
inline constexpr std::string_view kCheckResponseSeries = "service_check_response_ms";
inline constexpr std::string_view kServiceLabel = "service_name";

}  // namespace firn
