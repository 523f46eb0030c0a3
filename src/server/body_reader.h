#pragma once

#include <functional>
#include <string_view>

#include "base/status.h"
#include "wire/json_reader.h"

namespace firn {

// Reads a request's small JSON object: calls `member` for each member, which must consume the value
// and return false for a name it does not know. An empty body counts as {}. kInvalidArgument names
// what is wrong; members given twice are the caller's to refuse.
Status read_json_object(
    std::string_view body,
    const std::function<Result<bool>(std::string_view name, JsonReader*)>& member);

}  // namespace firn
