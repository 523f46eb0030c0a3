#include <array>
#include <optional>

#include "wire/import_formats.h"
#include "wire/json_text.h"
#include "wire/severity.h"

namespace firn {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// How far "2026-01-02 03:04:05.678+01:00" reaches; 0 when the text does not begin like a time.
size_t time_size(std::string_view text) {
  static constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < kShape.size()) return 0;
  for (size_t i = 0; i < kShape.size(); ++i) {
    const char c = text[i];
    const bool fits = kShape[i] == 'd'   ? is_digit(c)
                      : kShape[i] == 'T' ? c == 'T' || c == 't' || c == ' ' || c == '_'
                      : kShape[i] == '-' ? c == '-' || c == '/'
                                         : c == kShape[i];
    if (!fits) return 0;
  }
  size_t size = kShape.size();
  if (size + 1 < text.size() && (text[size] == '.' || text[size] == ',') &&
      is_digit(text[size + 1])) {
    ++size;
    while (size < text.size() && is_digit(text[size])) ++size;
  }
  return size;
}

// "Z", "+01:00", "-0800" or nothing: how long.
size_t zone_size(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == 'Z' || text[0] == 'z') return 1;
  if (text[0] != '+' && text[0] != '-') return 0;
  const auto digits = [&](size_t at) {
    return at + 2 <= text.size() && is_digit(text[at]) && is_digit(text[at + 1]);
  };
  if (!digits(1)) return 0;
  if (text.size() > 3 && text[3] == ':' && digits(4)) return 6;
  return digits(3) ? 5 : 0;
}

// As base/time reads it: "2026-01-02T03:04:05.678+01:00".
std::optional<TimeNs> parse_loose_time(std::string_view time, std::string_view zone) {
  std::string text(time);
  text[4] = text[7] = '-';
  text[10] = 'T';
  if (text.size() > 19) text[19] = '.';
  constexpr size_t kFractionEnd = 29;  // nanoseconds; finer digits say nothing to us
  if (text.size() > kFractionEnd) text.resize(kFractionEnd);
  if (zone.empty()) {
    text += 'Z';
  } else {
    text += zone;
    if (zone.size() == 5) text.insert(text.size() - 2, 1, ':');
  }
  return parse_time(text);
}

// The level among the first words behind the time: alone, in brackets, or with a colon.
std::optional<std::string_view> find_level(std::string_view text) {
  constexpr int kWordsMax = 4;
  size_t at = 0;
  for (int words = 0; words < kWordsMax && at < text.size(); ++words) {
    while (at < text.size() && !is_letter(text[at]) && !is_digit(text[at])) ++at;
    const size_t begin = at;
    while (at < text.size() && text[at] != ' ' && text[at] != '\t' && text[at] != ']' &&
           text[at] != ':' && text[at] != ')' && text[at] != '|' && text[at] != ',') {
      ++at;
    }
    const std::string_view word = text.substr(begin, at - begin);
    // "error" in running text is no level; loggers write levels in capitals or in brackets.
    const bool marked = begin > 0 && (text[begin - 1] == '[' || text[begin - 1] == '<');
    const bool capitals = word.size() > 2 && word.find_first_of("abcdefghijklmnopqrstuvwxyz") ==
                                                 std::string_view::npos;
    if ((marked || capitals || words == 0) && severity_from_name(word)) return word;
  }
  return std::nullopt;
}

}  // namespace

int month_of(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  for (size_t i = 0; i < kMonths.size(); ++i) {
    if (name == kMonths[i]) return static_cast<int>(i) + 1;
  }
  return 0;
}

std::string_view cut_until(char separator, std::string_view* text) {
  const size_t at = text->find(separator);
  const std::string_view front = text->substr(0, at);
  text->remove_prefix(at == std::string_view::npos ? text->size() : at + 1);
  return front;
}

std::optional<LeadingTime> leading_time(std::string_view line) {
  const bool bracket = !line.empty() && line[0] == '[';
  const std::string_view text = line.substr(bracket ? 1 : 0);
  const size_t size = time_size(text);
  if (size == 0) return std::nullopt;
  // "05 +0100": a blank before the offset, but only an offset, so that "05 - text" is none.
  size_t gap = 0;
  size_t zone = zone_size(text.substr(size));
  if (zone == 0 && size < text.size() && text[size] == ' ') {
    zone = zone_size(text.substr(size + 1));
    gap = zone >= 5 ? 1 : 0;
    if (gap == 0) zone = 0;
  }
  const size_t end = size + gap + zone;
  if (end < text.size() && (is_digit(text[end]) || is_letter(text[end]))) return std::nullopt;
  if (bracket && (end >= text.size() || text[end] != ']')) return std::nullopt;
  const std::optional<TimeNs> time =
      parse_loose_time(text.substr(0, size), text.substr(size + gap, zone));
  if (!time) return std::nullopt;
  return LeadingTime{*time, end + (bracket ? 2 : 0)};
}

void read_text_line(std::string_view line, StringPool* pool, ImportedLine* out) {
  EventRow& row = out->row;
  row.kind = EventKind::kLog;
  row.type = "log";
  std::string* data = pool->take();
  append_json_string(line, data);
  row.data = *data;
  const std::optional<LeadingTime> time = leading_time(line);
  if (!time) return;
  row.time = time->time;
  out->has_time = true;
  if (const std::optional<std::string_view> level = find_level(line.substr(time->size))) {
    row.severity = severity_from_name(*level).value_or(0);
    std::string* metadata = pool->take();
    JsonObjectWriter object(metadata);
    object.text("severity_text", *level);
    object.close();
    row.metadata = *metadata;
  }
}

}  // namespace firn
