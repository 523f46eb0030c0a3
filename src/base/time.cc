#include "base/time.h"

#include <fmt/format.h>

#include <charconv>

#include "base/status.h"

namespace firn {
namespace {

constexpr int64_t kSecondsPerDay = 24 * 60 * 60;

// Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Years are counted from
// March, so that the leap day comes last, in eras of 400 years (146,097 days).
int64_t days_from_date(int64_t year, int month, int day) {
  const int64_t shifted = month <= 2 ? year - 1 : year;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const int64_t year_of_era = shifted - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

int days_in_month(int64_t year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month - 1];
}

int64_t floor_divide(int64_t value, int64_t by) {
  const int64_t quotient = value / by;
  return quotient * by > value ? quotient - 1 : quotient;
}

std::optional<TimeNs> time_from_seconds(int64_t seconds, int64_t nanosecond) {
  const auto wide = static_cast<__int128>(seconds) * kSecondNs + nanosecond;
  if (wide < INT64_MIN || wide > INT64_MAX) return std::nullopt;
  return static_cast<TimeNs>(wide);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads text from left to right; every take_ either consumes what it names or returns false.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  bool at_end() const { return text_.empty(); }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  // Exactly `count` digits.
  template <typename T>
  bool take_digits(size_t count, T* value) {
    if (text_.size() < count) return false;
    T result = 0;
    for (size_t i = 0; i < count; ++i) {
      if (!is_digit(text_[i])) return false;
      result = static_cast<T>(result * 10 + (text_[i] - '0'));
    }
    *value = result;
    text_.remove_prefix(count);
    return true;
  }
  // One or more digits of a fraction of a second, as nanoseconds; digits past the ninth are
  // dropped.
  bool take_fraction(int32_t* nanosecond) {
    if (text_.empty() || !is_digit(text_.front())) return false;
    int32_t result = 0;
    int32_t weight = 100'000'000;
    while (!text_.empty() && is_digit(text_.front())) {
      result += (text_.front() - '0') * weight;
      weight /= 10;
      text_.remove_prefix(1);
    }
    *nanosecond = result;
    return true;
  }

 private:
  std::string_view text_;
};

// "Z" or "+hh:mm", the end of the text behind it.
bool take_offset(Scanner* in, int64_t* offset_seconds) {
  *offset_seconds = 0;
  if (in->take('Z') || in->take('z')) return in->at_end();
  const bool negative = in->take('-');
  if (!negative && !in->take('+')) return false;
  int hours = 0;
  int minutes = 0;
  if (!in->take_digits(2, &hours) || !in->take(':') || !in->take_digits(2, &minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  *offset_seconds = (negative ? -1 : 1) * (hours * 3600 + minutes * 60);
  return in->at_end();
}

bool take_date(Scanner* in, CivilTime* civil) {
  return in->take_digits(4, &civil->year) && in->take('-') && in->take_digits(2, &civil->month) &&
         in->take('-') && in->take_digits(2, &civil->day);
}

bool take_clock(Scanner* in, CivilTime* civil) {
  return in->take_digits(2, &civil->hour) && in->take(':') && in->take_digits(2, &civil->minute) &&
         in->take(':') && in->take_digits(2, &civil->second) &&
         (!in->take('.') || in->take_fraction(&civil->nanosecond));
}

bool in_range(const CivilTime& c) {
  return c.year >= -9999 && c.year <= 9999 && c.month >= 1 && c.month <= 12 && c.day >= 1 &&
         c.day <= days_in_month(c.year, c.month) && c.hour >= 0 && c.hour <= 23 && c.minute >= 0 &&
         c.minute <= 59 && c.second >= 0 && c.second <= 59 && c.nanosecond >= 0 &&
         c.nanosecond < kSecondNs;
}

// Seconds since the epoch, of fields that are in range.
int64_t seconds_from_civil(const CivilTime& c) {
  return days_from_date(c.year, c.month, c.day) * kSecondsPerDay + c.hour * 3600 + c.minute * 60 +
         c.second;
}

std::optional<TimeNs> parse_date_time(std::string_view text) {
  Scanner in(text);
  CivilTime civil{};
  if (!take_date(&in, &civil)) return std::nullopt;
  if (in.at_end()) return time_from_civil(civil);
  if (!in.take('T') && !in.take('t') && !in.take(' ')) return std::nullopt;
  int64_t offset_seconds = 0;
  if (!take_clock(&in, &civil) || !take_offset(&in, &offset_seconds)) return std::nullopt;
  // A leap second has no number of its own in Unix time: it is the first second of the next day.
  const bool leap_second = civil.second == 60;
  if (leap_second) civil.second = 59;
  if (!in_range(civil)) return std::nullopt;
  const int64_t seconds = seconds_from_civil(civil) - offset_seconds + (leap_second ? 1 : 0);
  if (leap_second && seconds % kSecondsPerDay != 0) return std::nullopt;
  return time_from_seconds(seconds, civil.nanosecond);
}

// Seconds, milliseconds, microseconds or nanoseconds by magnitude; a fraction only behind seconds.
std::optional<TimeNs> parse_number(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  uint64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc()) return std::nullopt;
  int64_t unit = 1;
  if (count < 100'000'000'000) {
    unit = kSecondNs;
  } else if (count < 100'000'000'000'000) {
    unit = kMillisecondNs;
  } else if (count < 100'000'000'000'000'000) {
    unit = kMicrosecondNs;
  }
  int32_t nanosecond = 0;
  if (after != end) {
    Scanner in(std::string_view(after, static_cast<size_t>(end - after)));
    if (unit != kSecondNs || !in.take('.') || !in.take_fraction(&nanosecond) || !in.at_end()) {
      return std::nullopt;
    }
  }
  __int128 wide = static_cast<__int128>(count) * unit + nanosecond;
  if (negative) wide = -wide;
  if (wide < INT64_MIN || wide > INT64_MAX) return std::nullopt;
  return static_cast<TimeNs>(wide);
}

struct DurationUnit {
  std::string_view name;
  DurationNs size;
};

// Largest first. A week is read, but never written: 30d is what people say.
constexpr DurationUnit kDurationUnits[] = {
    {"w", 7 * kDayNs}, {"d", kDayNs},          {"h", kHourNs},         {"m", kMinuteNs},
    {"s", kSecondNs},  {"ms", kMillisecondNs}, {"us", kMicrosecondNs}, {"ns", 1},
};

void put_digits(uint32_t number, char* to, size_t count) {
  while (count > 0) {
    to[--count] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
}

}  // namespace

CivilTime civil_from_time(TimeNs time) {
  const int64_t seconds = floor_divide(time, kSecondNs);
  const int64_t days = floor_divide(seconds, kSecondsPerDay);
  const int64_t second_of_day = seconds - days * kSecondsPerDay;
  const int64_t shifted = days + 719'468;
  const int64_t era = floor_divide(shifted, 146'097);
  const int64_t day_of_era = shifted - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  CivilTime civil{};
  civil.day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  civil.month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
  civil.hour = static_cast<int>(second_of_day / 3600);
  civil.minute = static_cast<int>(second_of_day / 60 % 60);
  civil.second = static_cast<int>(second_of_day % 60);
  // The product may lie below 64 bits for the first times that fit; the difference never does.
  civil.nanosecond = static_cast<int32_t>(time - static_cast<__int128>(seconds) * kSecondNs);
  return civil;
}

std::optional<TimeNs> time_from_civil(const CivilTime& civil) {
  if (!in_range(civil)) return std::nullopt;
  return time_from_seconds(seconds_from_civil(civil), civil.nanosecond);
}

std::optional<TimeNs> parse_time(std::string_view text) {
  if (text.size() > 4 && text[4] == '-') return parse_date_time(text);
  return parse_number(text);
}

// Answers have a time in each row, and a general formatter takes ten times as long. Years have four
// digits: times of 64 bits lie between 1677 and 2262.
std::string format_time(TimeNs time) {
  const CivilTime c = civil_from_time(time);
  char text[] = "0000-00-00T00:00:00.000000000Z";
  put_digits(static_cast<uint32_t>(c.year), text + 0, 4);
  put_digits(static_cast<uint32_t>(c.month), text + 5, 2);
  put_digits(static_cast<uint32_t>(c.day), text + 8, 2);
  put_digits(static_cast<uint32_t>(c.hour), text + 11, 2);
  put_digits(static_cast<uint32_t>(c.minute), text + 14, 2);
  put_digits(static_cast<uint32_t>(c.second), text + 17, 2);
  size_t end = 19;
  if (c.nanosecond != 0) {
    put_digits(static_cast<uint32_t>(c.nanosecond), text + 20, 9);
    end = 29;
    while (text[end - 1] == '0') --end;
  }
  text[end++] = 'Z';
  return {text, end};
}

std::optional<DurationNs> parse_duration(std::string_view text) {
  if (text == "forever") return INT64_MAX;
  if (text.empty()) return std::nullopt;
  const DurationUnit* unit = std::begin(kDurationUnits);
  DurationNs total = 0;
  while (!text.empty()) {
    if (!is_digit(text.front())) return std::nullopt;
    int64_t count = 0;
    const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(after - text.data()));
    size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    const std::string_view name = text.substr(0, letters);
    text.remove_prefix(letters);
    // Units may only become smaller: "30m1h" is more likely a slip than a wish.
    while (unit != std::end(kDurationUnits) && unit->name != name) ++unit;
    if (unit == std::end(kDurationUnits)) return std::nullopt;
    DurationNs part = 0;
    if (__builtin_mul_overflow(count, unit->size, &part)) return std::nullopt;
    if (__builtin_add_overflow(total, part, &total)) return std::nullopt;
    ++unit;
  }
  return total;
}

std::string format_duration(DurationNs duration) {
  if (duration == INT64_MAX) return "forever";
  if (duration == 0) return "0s";
  std::string text = duration < 0 ? "-" : "";
  uint64_t rest = duration < 0 ? uint64_t{0} - static_cast<uint64_t>(duration)
                               : static_cast<uint64_t>(duration);
  for (const DurationUnit& unit : kDurationUnits) {
    if (unit.name == "w") continue;
    const uint64_t count = rest / static_cast<uint64_t>(unit.size);
    rest %= static_cast<uint64_t>(unit.size);
    if (count > 0) text += fmt::format("{}{}", count, unit.name);
  }
  return text;
}

TimeNs interval_start(TimeNs time, DurationNs width) {
  FIRN_CHECK(width > 0);
  TimeNs start = 0;
  // The interval of the very first times begins before them all; it is cut off there.
  if (__builtin_mul_overflow(floor_divide(time, width), width, &start)) return INT64_MIN;
  return start;
}

}  // namespace firn
