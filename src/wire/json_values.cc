#include "wire/json_values.h"

#include <charconv>
#include <cmath>

#include "wire/json_reader.h"

namespace firn {

Result<std::string> json_text(std::string_view json, std::string_view name) {
  StringPool pool;
  JsonReader reader(json, 1, &pool);
  std::string_view text;
  if (json.starts_with('"') && reader.read_string(&text)) return std::string(text);
  return invalid_argument("'" + std::string(name) + "' must be a string");
}

Result<int64_t> json_integer(std::string_view json, std::string_view name) {
  const char* const end = json.data() + json.size();
  int64_t whole = 0;
  const auto [after, error] = std::from_chars(json.data(), end, whole);
  if (error == std::errc() && after == end) return whole;
  double number = 0;
  const auto [behind, failed] = std::from_chars(json.data(), end, number);
  constexpr double kMost = 9.2e18;
  if (failed == std::errc() && behind == end && std::abs(number) < kMost) {
    return static_cast<int64_t>(number);
  }
  return invalid_argument("'" + std::string(name) + "' must be a number of 64 bits");
}

bool is_json_object(std::string_view json) { return json.starts_with('{'); }

Status visit_members(std::string_view json,
                     const std::function<Status(std::string_view, std::string_view)>& member) {
  StringPool pool;
  JsonReader reader(json, JsonReader::kDepthMax, &pool);
  std::string_view name, value;
  if (!reader.enter_object()) return reader.status();
  while (reader.next_member(&name)) {
    if (!reader.read_raw(&value)) break;
    FIRN_TRY(member(name, value));
  }
  return reader.finish();
}

}  // namespace firn
