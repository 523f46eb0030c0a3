#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/status.h"
#include "base/time.h"

namespace firn {

// EventoDB's JSON (docs/eventodb.md): calls, and lines of exports and imports.

// ["method", argument...]
struct EventodbCall {
  std::string method;
  std::vector<std::string_view> arguments;  // JSON, views of what was parsed
};
// kInvalidArgument when it has another form, kTooLarge when it is nested too deep.
Status parse_eventodb_call(std::string_view body, uint64_t json_depth, EventodbCall* call);

// {"id","stream","type","pos","gpos","data","meta","time"}
struct EventodbRecord {
  std::string stream, type;
  std::string_view data, metadata;  // JSON, views of the line; no metadata when it is empty
  std::optional<Id> id;
  int64_t position = -1;
  TimeNs time = 0;
};
// `line` must be a JSON document (check_json). kInvalidArgument names the member that is missing or
// wrong.
Status parse_eventodb_record(std::string_view line, EventodbRecord* record);

}  // namespace firn
