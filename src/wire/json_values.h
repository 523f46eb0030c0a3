#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace firn {

// Reads single values of small documents, given as the JSON text that a JsonReader found. `name` is
// what messages call the value; all fail with kInvalidArgument.

Result<std::string> json_text(std::string_view json, std::string_view name);
// Any number, truncated to a whole one.
Result<int64_t> json_integer(std::string_view json, std::string_view name);
bool is_json_object(std::string_view json);
// Calls `member` with the name and the JSON of each member of an object, and ends with the first
// failure.
Status visit_members(std::string_view json,
                     const std::function<Status(std::string_view, std::string_view)>& member);

}  // namespace firn
