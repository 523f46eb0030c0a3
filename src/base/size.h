#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firn {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// "512", "64KiB", "1GiB", "10MB" (powers of 1000), case-insensitive. Nothing on other text.
std::optional<uint64_t> parse_size(std::string_view text);
// "1.5 GiB", for people.
std::string format_size(uint64_t bytes);

}  // namespace firn
