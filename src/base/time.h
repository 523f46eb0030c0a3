#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firn {

// Nanoseconds since the Unix epoch, UTC. Ranges are half-open.
using TimeNs = int64_t;
using DurationNs = int64_t;

inline constexpr DurationNs kMicrosecondNs = 1000;
inline constexpr DurationNs kMillisecondNs = 1000 * kMicrosecondNs;
inline constexpr DurationNs kSecondNs = 1000 * kMillisecondNs;
inline constexpr DurationNs kMinuteNs = 60 * kSecondNs;
inline constexpr DurationNs kHourNs = 60 * kMinuteNs;
inline constexpr DurationNs kDayNs = 24 * kHourNs;

struct TimeRange {
  TimeNs from = INT64_MIN;
  TimeNs to = INT64_MAX;  // exclusive, except that INT64_MAX means "no end"
  bool contains(TimeNs t) const { return t >= from && (t < to || to == INT64_MAX); }
  // Whether any time in [min, max] (both inclusive) lies in the range.
  bool overlaps(TimeNs min, TimeNs max) const {
    return max >= from && (min < to || to == INT64_MAX);
  }
};

struct CivilTime {
  int64_t year;
  int month;  // 1..12
  int day;    // 1..31
  int hour, minute, second;
  int32_t nanosecond;
};

CivilTime civil_from_time(TimeNs time);
// Nothing when a field is out of range or the result does not fit 64 bits of nanoseconds.
std::optional<TimeNs> time_from_civil(const CivilTime& civil);

// Reads RFC 3339 ("2026-11-21T06:44:27.123456789Z", offsets, space instead of T, no seconds
// fraction), a plain date (midnight UTC), or an integer: seconds, milliseconds, microseconds or
// nanoseconds since the epoch by magnitude (below 10^11 seconds, below 10^14 milliseconds, below
// 10^17 microseconds, else nanoseconds), optionally with a decimal fraction of a second.
std::optional<TimeNs> parse_time(std::string_view text);
// "2026-11-21T06:44:27.123456789Z"; trailing zeros of the fraction are dropped.
std::string format_time(TimeNs time);

// "1h", "30d", "90s", "1h30m", "250ms", "7w". Nothing on other text or overflow. "forever" is
// INT64_MAX.
std::optional<DurationNs> parse_duration(std::string_view text);
std::string format_duration(DurationNs duration);

// The start of the interval of `width` ns that holds `time` (rounds towards minus infinity).
TimeNs interval_start(TimeNs time, DurationNs width);

}  // namespace firn
