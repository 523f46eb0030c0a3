#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "wire/output.h"

namespace firn {

// Prints the array `member` of a JSON object: its objects' members as the named columns. With JSON
// and NDJSON every member of each object is printed as it came.
Status print_objects(std::string_view json, const char* member,
                     const std::vector<OutputColumn>& columns, OutputFormat format);

// Prints an SQL answer: {"columns":[{"name","type"}],"rows":[[...]]}.
Status print_sql_answer(std::string_view json, OutputFormat format);

// A member of a JSON object as text, without quotes; empty when absent or null.
Result<std::string> json_member(std::string_view json, const char* member);

}  // namespace firn
